"""Clipping, exposure, illumination and colour."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import HU, Image, Modality
from scrutiq.metrics import measure, measure_map, why_not
from scrutiq.metrics.exposure import (
    clipped_share,
    colour_cast,
    illumination_surface,
    plateau_share,
    uniformity,
)

EVERYWHERE = np.ones((100, 100), bool)


def test_clipped_share_counts_both_ends() -> None:
    pixels = np.full((100, 100), 90.0)
    pixels[:5], pixels[-20:] = 0, 255
    assert clipped_share(pixels, EVERYWHERE, (0, 255)) == (5, 20)


def test_a_colour_pixel_is_dark_if_all_and_bright_if_any_component_is() -> None:
    pixels = np.full((10, 10, 3), 90.0)
    pixels[0] = 0
    pixels[1, :, 0] = 0
    pixels[2, :, 0] = 255
    assert clipped_share(pixels, np.ones((10, 10), bool), (0, 255)) == (10, 10)


def test_clipping_needs_a_known_range_and_never_takes_it_from_the_pixels() -> None:
    pixels = np.linspace(0, 255, 4096).reshape(64, 64)
    assert measure(Image(pixels=pixels, data_range=(0, 255)))["clipped_bright"].value > 0
    reasons = why_not(Image(pixels=pixels))
    for name in ("clipped_dark", "clipped_bright", "exposure"):
        assert "data range" in reasons[name]


def test_clipping_grows_with_gain_and_its_map_shows_where(rng: np.random.Generator) -> None:
    pixels = ndimage.gaussian_filter(rng.uniform(0, 2000, (128, 128)), 8)
    pixels = 250 * (pixels - pixels.min()) / np.ptp(pixels)
    shares = []
    for gain in (1, 1.2, 1.5, 2, 3):
        image = Image(pixels=np.clip(gain * pixels, 0, 255), data_range=(0, 255))
        shares.append(measure(image)["clipped_bright"].value)
        where = measure_map(image, "clipped_bright")
        assert np.mean(where) == pytest.approx(shares[-1], abs=1e-3)
    assert shares == sorted(shares)
    assert shares[0] == 0 < shares[-1]


def test_a_plateau_is_a_block_not_a_pixel() -> None:
    pixels = np.random.default_rng(0).uniform(0, 100, (100, 100))
    pixels[3, 3] = 200
    assert plateau_share(pixels, EVERYWHERE) == 0
    pixels[40:50, 40:60] = 200
    assert plateau_share(pixels, EVERYWHERE) == pytest.approx(2)
    pixels[70, :90] = 200  # a line one pixel wide
    assert plateau_share(pixels, EVERYWHERE) == pytest.approx(2)


def test_plateau_equals_a_morphological_opening(rng: np.random.Generator) -> None:
    values = (rng.random((60, 70)) < 0.8).astype(float)
    opened = ndimage.binary_opening(values == 1, np.ones((3, 3)))
    assert plateau_share(values, np.ones(values.shape, bool)) == pytest.approx(100 * opened.mean())


def test_exposure_runs_from_black_to_white() -> None:
    for level, percent in ((0, 0), (128, 100 * 128 / 255), (255, 100)):
        image = Image(pixels=np.full((20, 20), float(level)), data_range=(0, 255))
        assert measure(image, ["exposure"])["exposure"].value == pytest.approx(percent)


def test_ct_numbers_and_signed_formats_have_no_exposure() -> None:
    pixels = np.full((32, 32), 40.0)
    ct = Image(pixels=pixels, modality=Modality.CT, unit=HU, data_range=(-1024, 3071))
    signed = Image(pixels=pixels, modality=Modality.MR, data_range=(-32768, 32767))
    assert "CT numbers" in why_not(ct)["exposure"]
    assert "CT numbers" in why_not(ct)["illumination"]
    assert "signed" in why_not(signed)["exposure"]


@pytest.mark.parametrize(("dark", "expected"), [(1.0, 100), (0.5, 200 / 3), (0.25, 40)])
def test_uniformity_of_a_known_gradient(rng: np.random.Generator, dark: float, expected: float) -> None:
    light = np.linspace(dark, 1, 128) * np.ones((128, 1))
    pixels = 180 * light * rng.normal(1, 0.1, light.shape)
    surface = illumination_surface(pixels, np.ones(light.shape, bool))
    assert uniformity(surface, 0) == pytest.approx(expected, abs=3)


def test_a_quadratic_surface_is_found_exactly_and_nowhere_else() -> None:
    y, x = np.mgrid[-1:1:90j, -1:1:120j]
    light = 100 + 20 * x - 30 * y * y + 10 * x * y
    mask = np.hypot(x, y) < 0.8
    surface = illumination_surface(light, mask)
    assert surface[mask] == pytest.approx(light[mask], rel=1e-5)
    assert np.isnan(surface[~mask]).all()


def test_stronger_vignetting_is_less_even() -> None:
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    values = []
    for strength in (0, 0.2, 0.4, 0.6):
        pixels = (200 * (1 - strength * (x * x + y * y) / 2))[..., None] * np.array([1, 0.6, 0.4])
        image = Image(pixels=pixels, data_range=(0, 255), modality=Modality.FUNDUS)
        values.append(measure(image)["illumination"].value)
        light = measure_map(image, "illumination")
        assert np.nanmean(light) == pytest.approx(100, abs=0.1)
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 0, 0), (80.1, 67.2)),
        ((0, 0, 255), (79.2, -107.9)),
        ((128, 128, 128), (0, 0)),
        ((0, 255, 0), (-86.2, 83.2)),
    ],
)
def test_colour_of_known_values(rgb: tuple[int, ...], lab: tuple[float, float]) -> None:
    pixels = np.tile(np.array(rgb, np.float32), (8, 8, 1))
    assert colour_cast(pixels, np.ones((8, 8), bool), (0, 255)) == pytest.approx(lab, abs=0.15)


def test_colour_agrees_with_scikit_image(rng: np.random.Generator) -> None:
    from skimage.color import rgb2lab

    for _ in range(20):
        rgb = np.tile(rng.integers(0, 256, 3), (4, 4, 1)).astype(np.float32)
        expected = rgb2lab(rgb / 255)[0, 0, 1:]
        assert colour_cast(rgb, np.ones((4, 4), bool), (0, 255)) == pytest.approx(expected, abs=0.05)


def test_a_tint_moves_the_cast_its_way(rng: np.random.Generator) -> None:
    grey = rng.uniform(60, 180, (64, 64, 1)) * np.ones(3)
    plain = measure(Image(pixels=grey, data_range=(0, 255)))
    blue = measure(Image(pixels=grey * (0.9, 1, 1.25), data_range=(0, 255)))
    assert plain["colour_cast"].value < 0.5
    assert blue["colour_b"].value < -5
    assert blue["colour_cast"].value == pytest.approx(np.hypot(blue["colour_a"].value, blue["colour_b"].value))
