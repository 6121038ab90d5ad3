"""Fine and coarse grain of noise whose spectrum is known, and what over-smoothing and residual texture do to them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality
from scrutiq.degradations.ct import over_smoothing, residual_texture
from scrutiq.degradations.ct.denoise_texture import FINE_TEXTURE, NOISE_COARSENESS, coarse_noise, fine_texture
from scrutiq.metrics import measure

Array = npt.NDArray[np.float64]


def white(sigma: float = 20.0, side: int = 256, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, sigma, (side, side))


def tissue(noise: Array, spacing: float = 0.7) -> Image:
    """A body of 50 HU with noise, in air."""
    y, x = np.mgrid[: noise.shape[0], : noise.shape[1]] - noise.shape[0] / 2
    hu = np.where(y**2 + x**2 < (0.45 * noise.shape[0]) ** 2, 50.0, -1000.0)
    return Image(pixels=hu + noise, modality=Modality.CT, unit="HU", spacing=(spacing, spacing))


def everywhere(values: Array) -> npt.NDArray[np.bool_]:
    return np.ones(values.shape, dtype=bool)


def test_white_noise_reads_its_own_standard_deviation() -> None:
    noise = white(20, 512)
    assert fine_texture(noise, everywhere(noise)) == pytest.approx(20, rel=0.02)
    # The lower decile over windows lies below the mean by the scatter of the blotches, of which a window holds few.
    assert coarse_noise(noise, everywhere(noise)) == pytest.approx(20, rel=0.35)
    assert 0.65 < coarse_noise(noise, everywhere(noise)) / fine_texture(noise, everywhere(noise)) < 1


def test_both_scale_with_the_noise() -> None:
    noise = white()
    for value in (fine_texture, coarse_noise):
        assert value(3 * noise, everywhere(noise)) == pytest.approx(3 * value(noise, everywhere(noise)), rel=1e-6)


def test_edges_do_not_count_as_fine_texture() -> None:
    noise = white(10)
    stepped = noise + np.where(np.arange(256) % 64 < 32, 0.0, 300.0)
    assert fine_texture(stepped, everywhere(noise)) == pytest.approx(fine_texture(noise, everywhere(noise)), rel=0.2)


def test_smoothing_makes_noise_coarse_whatever_its_strength() -> None:
    values = []
    for strength in (5.0, 20.0):
        noise = white(strength)
        coarse = [NOISE_COARSENESS.compute(tissue(ndimage.gaussian_filter(noise, s))) for s in (0, 0.7, 1.2)]
        assert None not in coarse
        assert coarse == sorted(coarse)  # type: ignore[type-var]
        values.append(coarse)
    assert values[0] == pytest.approx(values[1], rel=0.05)


def test_without_tissue_there_is_no_value() -> None:
    air = Image(pixels=np.full((64, 64), -1000.0), modality=Modality.CT, unit="HU")
    for entry in (FINE_TEXTURE, NOISE_COARSENESS):
        assert entry.compute(air) is None
        assert "calibrated" in str(entry.result(Image(pixels=white(side=64), modality=Modality.CT)))


@pytest.mark.parametrize("kind", sorted(set(over_smoothing.KINDS) - {"red_cnn", "map_nn"}))
def test_over_smoothing_leaves_the_level_and_takes_the_grain(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "bm3d":
        pytest.importorskip("numba", reason="the extra simulate is not installed")
    monkeypatch.setattr(over_smoothing, "KINDS", (kind,))
    image = tissue(ndimage.gaussian_filter(white(25), 0.6))
    made = [over_smoothing.DEGRADATION.make(image, s, np.random.default_rng(0)) for s in (0, 1 / 3, 2 / 3, 1)]
    grain = [FINE_TEXTURE.compute(m) for m in made]
    assert grain == sorted(grain, reverse=True)  # type: ignore[type-var]
    assert grain[-1] < 0.5 * grain[0]  # type: ignore[operator]
    middle = np.s_[100:156, 100:156]
    assert made[-1].pixels[middle].mean() == pytest.approx(image.pixels[middle].mean(), abs=1)


def test_residual_texture_is_coarse_but_not_weak() -> None:
    pytest.importorskip("numba", reason="the extra simulate is not installed")
    image = tissue(ndimage.gaussian_filter(white(12), 0.6), 1.4)  # 320 mm wide
    for seed in range(3):
        made = residual_texture.DEGRADATION.make(image, 1, np.random.default_rng(seed))
        before, after = NOISE_COARSENESS.compute(image), NOISE_COARSENESS.compute(made)
        assert before is not None
        assert after is not None
        assert after > 1.4 * before
        level = [measure(m, ["noise_hu"])["noise_hu"].value for m in (image, made)]
        assert level[1] > 0.6 * level[0]
        inside = ndimage.binary_erosion(image.pixels > -300, iterations=20)
        assert (made.pixels - image.pixels)[inside].mean() == pytest.approx(0, abs=8)
