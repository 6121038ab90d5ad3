"""Contrast-to-noise ratio of two tissues."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import HU, Image, Modality
from scrutiq.metrics import Undefined, measure, why_not
from scrutiq.metrics.contrast import contrast_to_noise


def phantom(rng: np.random.Generator, contrast: float, noise: float) -> Image:
    y, x = np.mgrid[:256, :256] - 127.5
    pixels = np.where(np.hypot(y, x) < 60, 40 + contrast, 40.0)
    return Image(pixels=pixels + noise * rng.standard_normal(pixels.shape), modality=Modality.CT, unit=HU)


@pytest.mark.parametrize(("contrast", "noise"), [(60, 12), (-100, 20), (20, 10), (30, 30)])
def test_known_contrast_and_noise(rng: np.random.Generator, contrast: float, noise: float) -> None:
    found = measure(phantom(rng, contrast, noise), ["contrast_to_noise"])["contrast_to_noise"]
    assert found.value == pytest.approx(abs(contrast) / noise, rel=0.08)
    assert found.unit == "1"


def test_more_noise_means_less_of_it(rng: np.random.Generator) -> None:
    values = [measure(phantom(rng, 50, s))["contrast_to_noise"].value for s in (5, 10, 20, 40)]
    assert values == sorted(values, reverse=True)


def test_noise_alone_is_hardly_any_contrast(rng: np.random.Generator) -> None:
    """Two halves of one Gaussian lie 1.6 standard deviations apart; of window means, that is a tenth of the noise."""
    assert measure(phantom(rng, 0, 20))["contrast_to_noise"].value < 0.2


def test_one_tissue_is_undefined() -> None:
    with pytest.raises(Undefined, match="one tissue"):
        contrast_to_noise(np.full((20, 20), 40.0), 5)
    with pytest.raises(Undefined, match="No window"):
        contrast_to_noise(np.full((20, 20), np.nan), 5)


def test_a_constant_image_has_none() -> None:
    image = Image(pixels=np.full((64, 64), 30.0), modality=Modality.CT, unit=HU)
    assert "contrast_to_noise" in why_not(image)
