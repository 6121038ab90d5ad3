from __future__ import annotations

import numpy as np
import pytest

from scrutiq.assessors.net.gauges import gauge, gauges
from scrutiq.core import HU, Image, Modality, Window
from scrutiq.degradations import degradations, get
from scrutiq.metrics import measure

#: What is not taken, since it is slow.
LEFT_OUT = {"overlay_area", "blob_contrast_hu"}


@pytest.mark.parametrize("modality", [Modality.CT, Modality.MR, Modality.FUNDUS])
def test_every_degradation_brings_its_measurement_once(modality: Modality) -> None:
    names = gauges(modality)
    assert len(set(names)) == len(names)
    for entry in degradations(modality):
        assert entry.volume or entry.measurement.name in names or entry.measurement.name in LEFT_OUT


def test_values_are_those_of_the_measurements_and_what_has_none_is_missing(rng: np.random.Generator) -> None:
    pixels = np.full((128, 128), -1000.0)
    pixels[20:108, 20:108] = 40 + 12 * rng.standard_normal((88, 88))
    image = Image(pixels=pixels, modality=Modality.CT, unit=HU, spacing=(0.7, 0.7))
    found = dict(zip(gauges(Modality.CT), gauge(image).tolist(), strict=True))
    for name, measured in measure(image).items():
        assert found[name] == pytest.approx(measured.value, rel=1e-5)
    rings = get("ct.ring").measure(image)
    assert rings is not None
    assert found[get("ct.ring").measurement.name] == pytest.approx(rings.value, rel=1e-5)
    assert np.isnan(found["noise"])  # the noise of an image in HU is noise_hu


def test_of_a_large_image_the_middle_is_measured(rng: np.random.Generator) -> None:
    pixels = rng.uniform(0, 255, (1024, 1024, 3)).astype(np.float32)
    around = np.zeros((1400, 1025, 3), np.float32)
    around[188 : 188 + 1024, :1024] = pixels
    own, whole = (
        gauge(Image(pixels=one, modality=Modality.HISTOPATHOLOGY, data_range=(0, 255))) for one in (pixels, around)
    )
    np.testing.assert_array_equal(own, whole)


def test_ct_without_a_unit_is_the_same_at_any_scale(rng: np.random.Generator) -> None:
    shown = rng.integers(0, 256, (96, 96))
    forms = (
        Image(pixels=shown, modality=Modality.CT, data_range=(0, 255)),
        Image(pixels=shown / np.float32(255), modality=Modality.CT, data_range=(0, 1)),
        Image(pixels=shown / np.float32(255), modality=Modality.CT, voi=Window.from_bounds(0, 1), spacing=(0.7, 0.7)),
    )
    first, *others = (gauge(one) for one in forms)
    assert np.isfinite(first).any()
    for other in others:
        np.testing.assert_array_equal(other, first)
