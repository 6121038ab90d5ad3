"""Noise: known noise comes back, and structure does not count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scrutiq.core import HU, Image, Modality
from scrutiq.imaging import read
from scrutiq.metrics import Undefined, measure, measure_map
from scrutiq.metrics.noise import local_moments, noise_level, whole_windows

EVERYWHERE = np.ones((256, 256), bool)


def level(pixels: np.ndarray, window: int = 15) -> float:
    mask = np.ones(pixels.shape, bool)
    return noise_level(local_moments(pixels, mask, whole_windows(mask, window), window)[1], window)


@pytest.mark.parametrize("window", [7, 11, 15])
@pytest.mark.parametrize("sigma", [0.01, 1, 300])
def test_white_noise_comes_back_unbiased(rng: np.random.Generator, window: int, sigma: float) -> None:
    found = [level(1000 + sigma * rng.standard_normal((256, 256)), window) for _ in range(4)]
    assert np.mean(found) == pytest.approx(sigma, rel=0.01)


def test_correlated_noise_reads_at_most_some_percent_low(rng: np.random.Generator) -> None:
    noise = ndimage.gaussian_filter(rng.standard_normal((256, 256)), 1)
    assert level(noise / noise.std()) == pytest.approx(1, abs=0.15)


def test_edges_and_objects_do_not_count_as_noise(rng: np.random.Generator) -> None:
    flat = 50.0 * (np.indices((256, 256)).sum(axis=0) // 64 % 2)
    assert level(flat + 5 * rng.standard_normal(flat.shape)) == pytest.approx(5, rel=0.1)


def test_local_moments_are_those_of_the_window(rng: np.random.Generator) -> None:
    pixels = rng.normal(-500, 40, (40, 50)).astype(np.float32)
    mask = np.ones(pixels.shape, bool)
    mask[:, 45:] = False
    mean, sd = local_moments(pixels, mask, whole_windows(mask))
    block = pixels[13:28, 22:37].astype(float)
    assert mean[20, 29] == pytest.approx(block.mean(), rel=1e-5)
    assert sd[20, 29] == pytest.approx(block.std(ddof=1), rel=1e-5)
    assert np.isfinite(sd).sum() == (40 - 14) * (45 - 14)
    assert np.array_equal(np.isfinite(sd), whole_windows(mask))


@settings(max_examples=20, deadline=None)
@given(gain=st.floats(1e-3, 1e4), offset=st.floats(-1e4, 1e4))
def test_noise_scales_with_the_pixels_and_ignores_an_offset(gain: float, offset: float) -> None:
    pixels = np.random.default_rng(3).standard_normal((64, 64))
    assert level(gain * pixels + offset) == pytest.approx(gain * level(pixels), rel=1e-3)


def test_no_window_and_no_variation_are_undefined() -> None:
    with pytest.raises(Undefined, match="No 15 x 15"):
        level(np.zeros((14, 300)))
    with pytest.raises(Undefined, match="constant"):
        level(np.full((64, 64), 7.0))


def test_name_and_unit_follow_the_calibration(rng: np.random.Generator) -> None:
    pixels = rng.normal(40, 12, (128, 128))
    calibrated = measure(Image(pixels=pixels, modality=Modality.CT, unit=HU))
    assert calibrated["noise_hu"].unit == "HU"
    assert calibrated["noise_hu"].value == pytest.approx(12, rel=0.05)
    assert "noise" not in calibrated
    grey = measure(Image(pixels=pixels + 60, data_range=(0, 255)))
    assert grey["noise"].unit == "grey level"
    assert "noise_hu" not in grey


def test_colour_components_have_their_own_noise(rng: np.random.Generator) -> None:
    pixels = 120 + rng.standard_normal((128, 128, 3)) * (2, 4, 8)
    found = measure(Image(pixels=pixels, data_range=(0, 255)))
    for name, sigma in (("noise_red", 2), ("noise_green", 4), ("noise_blue", 8)):
        assert found[name].value == pytest.approx(sigma, rel=0.05)
    luma = np.sqrt((0.299 * 2) ** 2 + (0.587 * 4) ** 2 + (0.114 * 8) ** 2)
    assert found["noise"].value == pytest.approx(luma, rel=0.05)


def test_the_map_shows_where_the_noise_is(rng: np.random.Generator) -> None:
    sigma = np.where(np.arange(128) < 64, 2.0, 10.0)
    noise = measure_map(Image(pixels=100 + sigma * rng.standard_normal((128, 128)), data_range=(0, 255)), "noise")
    assert noise.shape == (128, 128)
    assert noise.dtype == np.float32
    assert np.isnan(noise[0]).all()
    assert np.nanmean(noise[:, :64]) == pytest.approx(2, rel=0.05)
    assert np.nanmean(noise[:, 96:]) == pytest.approx(10, rel=0.05)


def test_structure_is_not_noise_on_the_map(rng: np.random.Generator) -> None:
    stripes = 40.0 * (np.arange(192) // 24 % 2)  # edges everywhere, flat between them
    image = Image(pixels=100 + stripes + 3 * rng.standard_normal((192, 192)), data_range=(0, 255))
    assert np.nanmax(measure_map(image, "noise")) < 2 * 3


@pytest.mark.shared
@pytest.mark.parametrize("file", ["abdomen/set_03/ndct.png", "brain/set_07/ndct.png"])
def test_noise_added_to_a_real_slice_adds_in_quadrature(shared: Path, rng: np.random.Generator, file: str) -> None:
    image = read(shared / "ct_denoising_readers" / file, modality="CT", frame=0)
    own = measure(image, ["noise"])["noise"].value
    noise = rng.standard_normal(image.shape)
    found = [own]
    for sigma in (5, 10, 20):
        noisy = image.replace(pixels=np.clip(image.pixels + sigma * noise, 0, 255))
        found.append(measure(noisy, ["noise"])["noise"].value)
        assert found[-1] == pytest.approx(np.hypot(own, sigma), rel=0.05)
    assert found == sorted(found)


@pytest.mark.shared
def test_low_dose_is_noisier_than_normal_dose_in_every_set(shared: Path) -> None:
    for folder in sorted((shared / "ct_denoising_readers").glob("*/set_*")):
        low, normal = (
            measure(read(folder / f"{dose}.png", modality="CT", frame=0), ["noise"])["noise"].value
            for dose in ("ldct", "ndct")
        )
        assert low > 1.2 * normal
