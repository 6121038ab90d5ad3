"""Classical denoisers on a phantom of known values, and what is asked of each by its definition."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
import pytest

from scrutiq.core import UsageError
from scrutiq.degradations.ct.denoise import DENOISERS, bm3d, denoise, gaussian, wavelet

pytest.importorskip("numba", reason="the extra simulate is not installed")

Array = npt.NDArray[np.float64]
KINDS = sorted(DENOISERS)
NOISE = 20.0


def phantom(side: int = 128) -> Array:
    """A disc of 60 HU with an insert of 160 HU, in fat of -100 HU."""
    y, x = np.mgrid[:side, :side] - side / 2
    hu = np.where(y**2 + x**2 < (0.4 * side) ** 2, 60.0, -100.0)
    hu[(y + 10) ** 2 + (x - 15) ** 2 < 8**2] = 160
    return hu


def noisy(side: int = 128) -> Array:
    return phantom(side) + np.random.default_rng(0).normal(0, NOISE, (side, side))


def usual(kind: str, factor: float = 1.0) -> float:
    return factor * (NOISE if DENOISERS[kind].unit == "HU" else 1.0)


@pytest.mark.parametrize("kind", KINDS)
class TestEach:
    def test_noise_falls_to_less_than_half(self, kind: str) -> None:
        made = denoise(noisy(), kind, usual(kind))
        assert made.dtype == np.float32
        flat = np.s_[70:95, 45:70]  # inside the disc, away from its insert
        assert made[flat].std() < NOISE / 2
        assert abs(float(made[flat].mean()) - 60) < 3

    def test_the_image_comes_nearer_to_the_truth(self, kind: str) -> None:
        before, after = (np.sqrt(np.mean((v - phantom()) ** 2)) for v in (noisy(), denoise(noisy(), kind, usual(kind))))
        assert after < 0.65 * before

    def test_more_strength_takes_more_away(self, kind: str) -> None:
        changes = [np.std(denoise(noisy(), kind, usual(kind, f)) - noisy()) for f in (0.4, 0.7, 1, 1.5)]
        assert changes == sorted(changes)

    def test_no_strength_changes_nothing(self, kind: str) -> None:
        assert np.array_equal(denoise(noisy(), kind, 0), noisy().astype(np.float32))

    def test_a_constant_image_stays(self, kind: str) -> None:
        assert np.allclose(denoise(np.full((40, 40), -37.0), kind, usual(kind)), -37, atol=1e-3)

    def test_a_shift_of_the_values_shifts_the_result(self, kind: str) -> None:
        there = denoise(noisy(64) + 500, kind, usual(kind)) - 500
        assert np.allclose(there, denoise(noisy(64), kind, usual(kind)), atol=0.1)

    def test_an_image_that_is_taller_than_wide_is_taken(self, kind: str) -> None:
        assert denoise(noisy()[:, :70], kind, usual(kind)).shape == (128, 70)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slice_takes_less_than_two_seconds_of_processor_time(kind: str) -> None:
    image = noisy(512)
    denoise(image[:64, :64], kind, usual(kind))  # compiled, where it has to be
    began = time.process_time()
    denoise(image, kind, usual(kind))
    assert time.process_time() - began < 2


def test_edges_outlive_all_but_the_gaussian_filter() -> None:
    inside, outside = np.s_[50:57, 76:83], np.s_[85:92, 52:59]
    for kind in KINDS:
        made = denoise(noisy(), kind, usual(kind))
        assert made[inside].mean() - made[outside].mean() == pytest.approx(100, abs=8), kind
    edge = phantom()[64, 5:20]
    rise = np.diff(gaussian(phantom(), 1.5)[64, 5:20]).max()
    assert rise < 0.5 * np.diff(edge).max()
    assert np.diff(denoise(phantom(), "bilateral", NOISE)[64, 5:20]).max() > 0.8 * np.diff(edge).max()


def test_the_gaussian_filter_leaves_of_white_noise_what_its_weights_say() -> None:
    white = np.random.default_rng(1).normal(0, NOISE, (256, 256))
    # The sum of the squared weights of a Gaussian of standard deviation s is 1 / (4 pi s^2).
    expected = NOISE / np.sqrt(4 * np.pi * 1.5**2)
    assert gaussian(white, 1.5).std() == pytest.approx(expected, rel=0.05)


def test_fewer_scales_of_the_wavelet_leave_the_coarse_noise() -> None:
    white = np.random.default_rng(2).normal(0, NOISE, (256, 256))
    two, four = (wavelet(white, 3 * NOISE, scales) for scales in (2, 4))
    # What is left is what two smoothings by the B3 spline leave, the second with holes.
    first = np.array([1, 4, 6, 4, 1]) / 16
    second = np.zeros(9)
    second[::2] = first
    left = (np.convolve(first, second) ** 2).sum()  # of the variance, along each axis
    assert two.std() / NOISE == pytest.approx(left, rel=0.1)
    assert four.std() < two.std() / 2


def test_blocks_that_repeat_are_filtered_together() -> None:
    rng = np.random.default_rng(3)
    stripes = np.tile(np.repeat([0.0, 100.0], 4), 16)[None].repeat(128, axis=0)
    made = bm3d(stripes + rng.normal(0, NOISE, stripes.shape), NOISE)
    assert np.sqrt(np.mean((made - stripes) ** 2)) < NOISE / 3


def test_what_cannot_be_denoised_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no denoiser 'median'"):
        denoise(phantom(), "median", 1)
    with pytest.raises(UsageError, match="strength"):
        denoise(phantom(), "bilateral", -1)
    with pytest.raises(UsageError, match="one plane of finite"):
        denoise(np.full((8, 8), np.nan), "wavelet", 1)
    with pytest.raises(UsageError, match="8 x 8"):
        denoise(np.zeros((4, 30)), "bm3d", 1)
