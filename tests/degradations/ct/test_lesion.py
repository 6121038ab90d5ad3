"""Insertion of a lesion of known contrast, size and margin, and the blob that is found."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality, UsageError
from scrutiq.degradations.ct.inserted_lesion import (
    BLOB_CONTRAST,
    DEGRADATION,
    draw_lesion,
    insert_lesion,
    soft_tissue,
)


def liver(noise: float = 8.0, spacing: float = 0.7) -> Image:
    """An even organ of 60 HU in a rim of fat, in air."""
    y, x = np.mgrid[:256, :256] - 128.0
    distance = np.hypot(y, x)
    hu = np.where(distance < 100, 60.0, np.where(distance < 115, -100.0, -1000.0))
    hu = ndimage.gaussian_filter(hu, 1)
    hu += ndimage.gaussian_filter(np.random.default_rng(0).normal(0, 1, hu.shape), 0.8) * noise * 2.8
    return Image(pixels=hu, modality=Modality.CT, unit="HU", spacing=(spacing, spacing))


def plain(contrast: float = 50, diameter: float = 14, blur: float = 0.8) -> dict[str, object]:
    return {
        "center": [128, 120],
        "diameter_mm": diameter,
        "contrast_hu": contrast,
        "blur_mm": blur,
        "outline": [],
        "region": [98, 90, 159, 151],
    }


def test_the_contrast_and_the_area_are_those_asked_for() -> None:
    image = liver()
    added = (insert_lesion(image, plain(50, 14)).pixels - image.pixels).astype(np.float64)
    assert added[128, 120] == pytest.approx(50, abs=0.01)
    assert added.sum() / 50 * 0.7**2 == pytest.approx(np.pi * 7**2, rel=0.01)
    assert (insert_lesion(image, plain(-30)).pixels - image.pixels).min() == pytest.approx(-30, abs=0.01)


def test_the_margin_rises_as_a_gaussian_blur_makes_it() -> None:
    image = liver(0)
    added = (insert_lesion(image, plain(100, 28, 1.4)).pixels - image.pixels)[128, 120:].astype(np.float64)
    at = np.arange(added.size) * 0.7
    falls = [np.interp(-level, -added, at) for level in (90, 10)]
    assert falls[1] - falls[0] == pytest.approx(2.563 * 1.4, rel=0.05)


def test_the_noise_is_left_as_it_was() -> None:
    quiet, grainy = (
        insert_lesion(image, plain()).pixels.astype(float) - image.pixels for image in (liver(0), liver(15))
    )
    assert np.allclose(quiet, grainy, atol=1e-3)


def test_nothing_changes_outside_the_region() -> None:
    image = liver()
    for seed in range(8):
        parameters = draw_lesion(image, np.random.default_rng(seed), 60)
        changed = insert_lesion(image, parameters).pixels != image.pixels
        top, left, bottom, right = parameters["region"]
        changed[top:bottom, left:right] = False
        assert not changed.any()
        # The region is not too small: nothing of the lesion is left at its border.
        added = np.abs(insert_lesion(image, parameters).pixels - image.pixels)[top:bottom, left:right]
        assert max(added[0].max(), added[-1].max(), added[:, 0].max(), added[:, -1].max()) < 0.05


def test_it_lies_in_soft_tissue_with_room_about_it() -> None:
    image = liver()
    room = ndimage.distance_transform_edt(soft_tissue(image)) * 0.7
    seen = set()
    for seed in range(12):
        parameters = draw_lesion(image, np.random.default_rng(seed), 40)
        row, column = parameters["center"]
        assert room[row, column] >= parameters["diameter_mm"] / 2
        assert abs(parameters["contrast_hu"]) == 40
        assert 7 <= parameters["diameter_mm"] <= 18
        seen.add(parameters["contrast_hu"])
    assert seen == {40, -40}


def test_a_lesion_grows_with_severity_at_one_place() -> None:
    image = liver()
    places, contrasts = set(), []
    for severity in (0.1, 0.5, 1):
        parameters = DEGRADATION.make(image, severity, np.random.default_rng(4)).history[-1].parameters
        places.add(str(parameters["center"]))
        contrasts.append(abs(float(parameters["contrast_hu"])))  # type: ignore[arg-type]
    assert len(places) == 1
    assert contrasts == sorted(contrasts)
    assert contrasts[-1] == 90


@pytest.mark.parametrize("contrast", [-70, 40, 70])
def test_the_blob_s_contrast_is_measured(contrast: float) -> None:
    made = insert_lesion(liver(), plain(contrast, 14, 0.6))
    found = BLOB_CONTRAST.compute(made)
    assert found is not None
    # The ring's own variation is taken off.
    assert 0.75 * abs(contrast) < found < abs(contrast) + 5


def test_an_even_organ_has_no_blob() -> None:
    found = BLOB_CONTRAST.compute(liver())
    assert found is not None
    assert found < 8


def test_images_without_soft_tissue_or_spacing_are_refused() -> None:
    image = liver()
    air = image.replace(pixels=np.full((256, 256), -1000.0))
    assert "soft tissue" in str(BLOB_CONTRAST.result(air))
    with pytest.raises(UsageError, match="no soft tissue"):
        draw_lesion(air, np.random.default_rng(0), 40)
    with pytest.raises(UsageError, match="spacing"):
        draw_lesion(image.replace(spacing=None), np.random.default_rng(0), 40)
    assert "spacing" in str(BLOB_CONTRAST.result(image.replace(spacing=None)))
