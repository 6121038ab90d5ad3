"""Where there is something to measure."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import HU, Image, Modality
from scrutiq.metrics.foreground import clipped, field_of_view, foreground, otsu


def disc(size: int = 128, radius: float = 50) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.hypot(y, x) < radius


def test_ct_foreground_is_the_body_without_lung_air_and_table(rng: np.random.Generator) -> None:
    body, lung, table = disc(), disc(radius=20), np.zeros((128, 128), bool)
    table[120:126] = True
    pixels = np.full((128, 128), -1000.0)
    pixels[body], pixels[lung], pixels[table] = 40, -850, 200
    pixels += rng.normal(0, 30, pixels.shape)
    mask = foreground(Image(pixels=pixels, modality=Modality.CT, unit=HU))
    assert not mask[table].any()
    assert not mask[ndimage.binary_erosion(lung, iterations=2)].any()
    assert mask[ndimage.binary_erosion(body & ~lung, iterations=3)].all()


def test_display_values_near_the_ends_are_not_foreground() -> None:
    pixels = np.repeat(np.array([0, 15, 60, 200, 240, 255], np.uint8), 20)[None].repeat(60, axis=0)
    mask = foreground(Image(pixels=pixels, data_range=(0, 255)))
    assert sorted(set(pixels[mask])) == [60, 200]


def test_mr_foreground_is_what_is_bright_whatever_the_range_of_the_format(rng: np.random.Generator) -> None:
    pixels = np.abs(rng.normal(0, 5, (128, 128)))
    pixels[disc()] += 150
    for data_range in (None, (0, 255), (-32768, 32767)):
        mask = foreground(Image(pixels=pixels, modality=Modality.MR, data_range=data_range))
        assert mask[disc(radius=48)].all()
        assert not mask[~disc(radius=52)].any()


@pytest.mark.parametrize("modality", [Modality.XA, Modality.DX, Modality.UNKNOWN])
def test_an_image_that_is_tissue_all_over_is_not_cut_in_two(rng: np.random.Generator, modality: Modality) -> None:
    pixels = rng.normal(500, 20, (64, 64))
    pixels[:8] = 1023
    mask = foreground(Image(pixels=pixels, modality=modality, data_range=(0, 1023)))
    assert mask[12:].all()
    assert modality is Modality.UNKNOWN or not mask[:8].any()


def test_field_of_view_of_a_fundus_is_the_disc_with_its_dark_spots() -> None:
    pixels = np.zeros((128, 128, 3), np.uint8)
    pixels[disc()] = (200, 90, 30)
    pixels[60:66, 60:66] = 0  # a black spot in the disc
    pixels[2:8, 2:12] = 255  # lettering in the frame
    image = Image(pixels=pixels, modality=Modality.FUNDUS, data_range=(0, 255))
    field = field_of_view(image)
    assert field[62, 62]
    assert not field[4, 4]
    assert np.mean(field ^ disc()) < 0.03


def test_invalid_pixels_are_in_no_mask(rng: np.random.Generator) -> None:
    pixels = rng.normal(100, 5, (64, 64))
    pixels[:10] = np.nan
    pixels[20, 20] = np.inf
    image = Image(pixels=pixels, data_range=(0, 255))
    assert not field_of_view(image)[:10].any()
    assert not foreground(image)[:10].any()
    assert not foreground(image)[20, 20]


def test_clipped_marks_both_ends_of_any_component() -> None:
    pixels = np.array([[[0, 9, 9], [9, 255, 9], [9, 9, 9]]], np.uint8)
    assert clipped(Image(pixels=pixels, data_range=(0, 255))).tolist() == [[True, True, False]]
    assert clipped(Image(pixels=pixels)) is None


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_otsu_separates_two_modes(rng: np.random.Generator, share: float) -> None:
    dark = rng.normal(0, 1, int(10_000 * share))
    bright = rng.normal(10, 1, 10_000 - len(dark))
    assert 3 < otsu(np.concatenate([dark, bright])) < 7


def test_otsu_agrees_with_scikit_image(rng: np.random.Generator) -> None:
    from skimage.filters import threshold_otsu

    values = np.concatenate([rng.normal(0, 2, 4000), rng.normal(9, 3, 6000)])
    assert otsu(values) == pytest.approx(threshold_otsu(values), abs=0.2)


def test_otsu_of_equal_values_is_the_value() -> None:
    assert otsu(np.full(10, 3.0)) == 3
