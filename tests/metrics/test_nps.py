"""Noise power spectrum: its integral is the variance, and its shape that of the filter that made the noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scrutiq.core import HU, Image, Modality
from scrutiq.metrics import Undefined, measure, why_not
from scrutiq.metrics.nps import noise_power_spectrum, power_spectrum

EVERYWHERE = np.ones((512, 512), bool)


def regions(noise: np.ndarray, size: int = 64) -> np.ndarray:
    count = noise.shape[0] // size
    return noise.reshape(count, size, count, size).swapaxes(1, 2).reshape(-1, size, size)


@settings(max_examples=20, deadline=None)
@given(
    sigma=st.floats(0.01, 1e4), smooth=st.floats(0, 2), dy=st.floats(0.1, 5), dx=st.floats(0.1, 5), seed=st.integers(0)
)
def test_integral_is_the_variance(sigma: float, smooth: float, dy: float, dx: float, seed: int) -> None:
    noise = sigma * ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((128, 128)), smooth)
    blocks = regions(noise)
    spectrum = power_spectrum(blocks, (dy, dx))
    assert spectrum.variance == pytest.approx((blocks**2).mean(), rel=1e-9)
    assert spectrum.regions == 4


def test_white_noise_has_a_flat_spectrum_of_its_variance_times_the_area(rng: np.random.Generator) -> None:
    spectrum = power_spectrum(regions(7 * rng.standard_normal((512, 512))), (0.5, 0.8))
    assert spectrum.power[3:] == pytest.approx(np.full(len(spectrum.power) - 3, 49 * 0.5 * 0.8), rel=0.15)


def test_coloured_noise_has_the_spectrum_of_its_filter(rng: np.random.Generator) -> None:
    sigma, pixel = 1.5, 0.7
    noise = ndimage.gaussian_filter(rng.standard_normal((512, 512)), sigma, mode="wrap")
    exact = power_spectrum(regions(noise), (pixel, pixel))
    # The flattest regions are quieter than the average, and lose their lowest frequencies with the trend.
    measured = noise_power_spectrum(noise, EVERYWHERE, (pixel, pixel))
    for spectrum, least, tolerance in ((exact, 0.03, 0.2), (measured, 0.1, 0.35)):
        inside = (spectrum.frequency > least) & (spectrum.frequency < 0.3)
        expected = pixel**2 * np.exp(-((2 * np.pi * spectrum.frequency * sigma * pixel) ** 2))
        assert spectrum.power[inside] / expected[inside] == pytest.approx(np.ones(inside.sum()), rel=tolerance)


@pytest.mark.parametrize("frequency", [0.12, 0.2, 0.3])
def test_peak_and_mean_of_band_limited_noise(rng: np.random.Generator, frequency: float) -> None:
    axes = np.fft.fftfreq(512)
    radius = np.hypot(axes[:, None], axes)
    band = np.exp(-((radius - frequency) ** 2) / (2 * 0.02**2))
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((512, 512))) * band).real
    spectrum = noise_power_spectrum(noise, EVERYWHERE)
    assert spectrum.peak == pytest.approx(frequency, abs=1.5 / 32)
    assert spectrum.mean == pytest.approx(frequency, abs=0.02)


def test_frequencies_are_per_mm_where_the_spacing_is_known(rng: np.random.Generator) -> None:
    pixels = rng.normal(40, 10, (256, 256))
    per_pixel = measure(Image(pixels=pixels + 60, data_range=(0, 255)))["nps_mean_per_pixel"]
    per_mm = measure(Image(pixels=pixels, modality=Modality.CT, unit=HU, spacing=(0.5, 0.5)))["nps_mean_per_mm"]
    assert per_pixel.unit == "1/pixel"
    assert per_mm.unit == "1/mm"
    assert per_mm.value == pytest.approx(2 * per_pixel.value, rel=0.05)


def test_a_trend_is_not_noise(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((512, 512))
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    plain, tilted = (
        noise_power_spectrum(noise + trend, EVERYWHERE) for trend in (0, 200 * x + 90 * y * y - 50 * x * y)
    )
    assert tilted.mean == pytest.approx(plain.mean, rel=1e-3)


def test_without_room_variation_or_flatness_there_is_none(rng: np.random.Generator) -> None:
    with pytest.raises(Undefined, match="No region of 32"):
        noise_power_spectrum(np.zeros((31, 400)), np.ones((31, 400), bool))
    with pytest.raises(Undefined, match="constant"):
        noise_power_spectrum(np.full((512, 512), 12.5), EVERYWHERE)
    with pytest.raises(Undefined, match="flat"):
        noise_power_spectrum(rng.normal(0, 30, (512, 512)), EVERYWHERE, noise=5)


def test_structure_everywhere_gives_a_reason() -> None:
    stripes = 100 + 50.0 * (np.arange(256) // 20 % 2) * np.ones((256, 1))
    stripes += np.random.default_rng(0).normal(0, 1, stripes.shape)
    reasons = why_not(Image(pixels=stripes, data_range=(0, 255)))
    assert "flat" in reasons["nps_mean_per_pixel"]
