from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image, Modality
from scrutiq.degradations.mr import kspace
from scrutiq.degradations.mr.coils import loop_profile, sensitivities

SHAPES = [(8, 8), (9, 8), (8, 9), (9, 11), (1, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_transform_and_back_keep_image_and_energy(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).standard_normal(shape)
    there = kspace.to_kspace(values)
    assert np.allclose(kspace.from_kspace(there), values)
    assert np.isclose((np.abs(there) ** 2).sum(), (values**2).sum())


@pytest.mark.parametrize("shape", SHAPES)
def test_centre_of_kspace_is_the_sum_and_the_origin_is_flat(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(1).standard_normal(shape)
    centre = tuple(n // 2 for n in shape)
    assert np.isclose(kspace.to_kspace(values)[centre], values.sum() / np.sqrt(values.size))
    point = np.zeros(shape)
    point[centre] = 1
    assert np.allclose(kspace.to_kspace(point), 1 / np.sqrt(values.size))


@pytest.mark.parametrize("n", [8, 9])
def test_frequencies_name_the_lines(n: int) -> None:
    for index, frequency in enumerate(kspace.frequencies(n)):
        wave = np.exp(2j * np.pi * frequency * np.arange(n))[:, None]
        assert np.argmax(np.abs(kspace.to_kspace(wave, (0,)))) == index


def test_magnitude_survives_the_phase_and_negative_values_do_too() -> None:
    values = np.random.default_rng(2).uniform(-5, 9, (12, 10)).astype(np.float32)
    image = Image(pixels=values, modality=Modality.MR)
    assert np.allclose(kspace.put_back(image, kspace.complex_image(image, 3)).pixels, values, atol=1e-5)


def test_phase_is_the_same_for_a_seed_and_smooth() -> None:
    phase = kspace.smooth_phase((64, 48), 5)
    assert np.array_equal(phase, kspace.smooth_phase((64, 48), 5))
    assert not np.array_equal(phase, kspace.smooth_phase((64, 48), 6))
    assert max(np.abs(np.diff(phase, axis=0)).max(), np.abs(np.diff(phase, axis=1)).max()) < 0.5


def test_colour_and_invalid_pixels_keep_their_place() -> None:
    pixels = np.random.default_rng(3).uniform(0, 9, (8, 8, 3))
    image = Image(pixels=pixels, modality=Modality.MR)
    assert kspace.put_back(image, kspace.complex_image(image, 0)).pixels.shape == (8, 8, 3)
    holed = np.ones((8, 8))
    holed[2, 3] = np.nan
    image = Image(pixels=holed, modality=Modality.MR)
    back = kspace.put_back(image, 2 * kspace.complex_image(image, 0)).pixels
    assert np.isnan(back[2, 3])
    assert np.allclose(np.delete(back.ravel(), 2 * 8 + 3), 2)


def test_sensitivities_make_one_and_a_loop_falls_with_distance() -> None:
    maps = sensitivities((20, 30), 4, 0.3)
    assert np.allclose((np.abs(maps) ** 2).sum(axis=0), 1)
    # On the axis, at once and twice the radius: 2^(-3/2) and 5^(-3/2).
    profile = loop_profile((3, 101), 0.0, 1.0, 0.5)
    assert np.isclose(profile[1, 100], 1)
    assert np.isclose(profile[1, 75], 2**-1.5)
    assert np.isclose(profile[1, 50], 5**-1.5)


def test_extent_of_the_object() -> None:
    values = np.zeros((40, 30))
    values[10:25, 5:12] = 7
    image = Image(pixels=values, modality=Modality.MR)
    assert kspace.extent(image, 0) == (10, 25)
    assert kspace.extent(image, 1) == (5, 12)
