from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image
from scrutiq.degradations.mr import sampling
from scrutiq.degradations.mr.kspace import from_kspace, to_kspace


@pytest.mark.parametrize("axis", [0, 1])
def test_cartesian_takes_whole_lines_and_fewer_of_them_as_a_subset(axis: int) -> None:
    many, few = (sampling.cartesian((128, 96), axis, factor, 5) for factor in (2, 5))
    n = (128, 96)[axis]
    lines = many.all(axis=1 - axis)
    assert np.array_equal(lines, many.any(axis=1 - axis))
    assert lines.sum() == round(n / 2)
    assert not (few & ~many).any()
    assert lines[n // 2 - 2 : n // 2 + 3].all()


def test_radial_spokes_go_through_the_centre_and_turn_by_the_golden_angle() -> None:
    one = sampling.radial((65, 65), 1, 0.0)
    assert one[32].sum() == 65
    assert one.sum() == 65
    both = sampling.radial((65, 65), 2, 0.0) & ~one
    y, x = np.nonzero(both)
    slope = np.degrees(np.arctan2(y - 32, x - 32)) % 180
    far = np.hypot(y - 32, x - 32) > 20
    assert np.abs(slope[far] - 111.246).max() < 1.5


def test_poisson_disc_samples_keep_their_distance() -> None:
    taken = sampling.poisson_disc((96, 96), 0.3, 1)
    v = np.hypot(*np.meshgrid(*(2 * np.fft.fftshift(np.fft.fftfreq(96)),) * 2, indexing="ij"))
    assert taken[v < 0.3].all()
    y, x = np.nonzero(taken & (v > 0.62) & (v < 0.88))
    distance = np.maximum(np.abs(y[:, None] - y), np.abs(x[:, None] - x)) + 99 * np.eye(len(y))
    assert distance.min() >= 3
    # Next to no gap: a square of 7 x 7 samples holds one, but for those at the border of the region.
    assert 1 / 26 < taken[(v > 0.62) & (v < 0.88)].mean() < 1 / 8


@pytest.mark.parametrize("shape", [(64, 64), (63, 50)])
def test_all_samples_give_the_image_back(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    whole = np.ones(shape, dtype=bool)
    found = sampling.compressed_sensing(to_kspace(values), whole)
    # Without the shift of its origin the transform differs by a phase only.
    assert np.allclose(np.abs(found), np.abs(from_kspace(to_kspace(values))), atol=1e-4)


def test_compressed_sensing_is_nearer_to_the_truth_than_zeros(image: Image) -> None:
    taken = sampling.radial(image.shape, 40, 0.2)
    error = {
        how: float(np.std(sampling.undersample(image, taken, how, 4).pixels - image.pixels))
        for how in sampling.RECONSTRUCTIONS
    }
    assert error["compressed_sensing"] < 0.8 * error["zero_filled"]
