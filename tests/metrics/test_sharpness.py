"""Sharpness: the rise of edges of known blur, and the blur effect."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, special

from scrutiq.core import HU, Image, Modality
from scrutiq.imaging import read
from scrutiq.metrics import Undefined, measure, measure_map, why_not
from scrutiq.metrics.sharpness import crete_blur, crete_blur_map, edge_rise

#: 10-90 % rise of an error function of standard deviation 1.
RISE = 2 * special.ndtri(0.9)


def disc(sigma: float, size: int = 256, radius: float = 70, pixel: tuple[float, float] = (1, 1)) -> np.ndarray:
    """An object of height 100 whose edge is a Gaussian blur of ``sigma`` in the unit of ``pixel``."""
    y, x = np.mgrid[:size, :size] - size / 2 + 0.3
    return 100 + 100 * special.ndtr((radius - np.hypot(y * pixel[0], x * pixel[1])) / sigma)


@pytest.mark.parametrize("sigma", [0.7, 1, 1.5, 2, 3, 4, 6])
def test_rise_of_a_known_blur(sigma: float) -> None:
    rise, edges = edge_rise(disc(sigma), np.ones((256, 256), bool))
    assert rise == pytest.approx(RISE * sigma, rel=0.06)
    assert edges >= 12


@pytest.mark.parametrize("sigma", [1, 2, 4])
def test_noise_of_a_tenth_of_the_edge_changes_it_by_some_percent(rng: np.random.Generator, sigma: float) -> None:
    noisy = disc(sigma) + rng.normal(0, 10, (256, 256))
    assert edge_rise(noisy, np.ones((256, 256), bool), noise=10)[0] == pytest.approx(RISE * sigma, rel=0.1)


@pytest.mark.parametrize("spacing", [(0.7, 0.7), (0.5, 0.9)])
def test_rise_is_in_mm_where_the_spacing_is_known(spacing: tuple[float, float]) -> None:
    pixels = disc(1.4, radius=45, pixel=spacing) - 50
    found = measure(Image(pixels=pixels, spacing=spacing, modality=Modality.CT, unit=HU), ["edge_rise_mm"])
    assert found["edge_rise_mm"].unit == "mm"
    assert found["edge_rise_mm"].value == pytest.approx(RISE * 1.4, rel=0.12)


def test_rise_does_not_depend_on_contrast_or_sign() -> None:
    mask = np.ones((256, 256), bool)
    rise = edge_rise(disc(1.5), mask)[0]
    assert edge_rise(0.01 * disc(1.5) - 3, mask)[0] == pytest.approx(rise, rel=1e-3)
    assert edge_rise(-disc(1.5), mask)[0] == pytest.approx(rise, rel=1e-3)


def test_soft_shading_beside_fine_detail_is_not_taken_for_the_edge() -> None:
    """Thin lines have no plateaus; the soft step beside them must not stand for the sharpness of the image."""
    x = np.arange(256)
    lines = 200.0 * (x % 6 < 3)[:, None] * np.ones(256)
    lines[:, 128:] = 100 * special.ndtr((x[:, None] - 128) / 12)
    with pytest.raises(Undefined, match="isolated edges"):
        edge_rise(lines, np.ones((256, 256), bool))


def test_noise_alone_and_small_images_have_no_edges(rng: np.random.Generator) -> None:
    for pixels in (rng.normal(0, 1, (256, 256)), rng.normal(0, 1, (20, 20))):
        with pytest.raises(Undefined, match="isolated edges"):
            edge_rise(pixels, np.ones(pixels.shape, bool), noise=1)


def test_blur_effect_equals_scikit_image(rng: np.random.Generator) -> None:
    from skimage import data
    from skimage.measure import blur_effect

    for pixels in (data.camera().astype(np.float32), rng.normal(0, 1, (40, 31)), disc(3)):
        assert crete_blur(pixels) == pytest.approx(blur_effect(pixels), abs=1e-5)


def test_blur_effect_looks_at_the_mask_only(rng: np.random.Generator) -> None:
    pixels = rng.normal(0, 1, (64, 128))
    pixels[:, 64:] = ndimage.gaussian_filter(pixels[:, 64:], 3)
    left = np.arange(128) < 64
    assert crete_blur(pixels, np.tile(left, (64, 1))) < 0.4 < crete_blur(pixels, np.tile(~left, (64, 1)))
    local = crete_blur_map(pixels, np.ones(pixels.shape, bool))
    assert np.nanmean(local[:, :48]) < np.nanmean(local[:, 80:])


def test_blur_effect_of_nothing_is_undefined() -> None:
    for pixels in (np.zeros((4, 90)), np.full((50, 50), 3.0)):
        with pytest.raises(Undefined):
            crete_blur(pixels)


@pytest.mark.shared
def test_blurring_a_real_slice_raises_both(shared: Path) -> None:
    """A blur of standard deviation s lengthens a rise r, of a Gaussian edge, to that of sqrt((r / 2.563)^2 + s^2)."""
    path = sorted((shared / "ct_siim_tcga").glob("*.dcm"))[0]
    image = read(path, frame=0)
    names = ["edge_rise_mm", "blur"]
    before = measure(image, names)
    rises, blurs = [before["edge_rise_mm"].value], [before["blur"].value]
    for sigma in (1, 2, 3):
        found = measure(image.replace(pixels=ndimage.gaussian_filter(image.pixels, sigma)), names)
        rises.append(found["edge_rise_mm"].value)
        blurs.append(found["blur"].value)
        expected = RISE * np.hypot(rises[0] / RISE, sigma * image.spacing[0])
        assert rises[-1] == pytest.approx(expected, rel=0.15)
    assert rises == sorted(rises)
    assert blurs == sorted(blurs)


@pytest.mark.shared
def test_a_windowed_slice_says_why_it_has_no_rise_or_has_one(shared: Path) -> None:
    image = read(shared / "ct_denoising_readers/brain/set_01/ndct.png", modality="CT", frame=0)
    name = "edge_rise_pixels"
    assert (name in measure(image, [name])) != (name in why_not(image, [name]))
    assert measure_map(image, "blur").shape == image.shape
