"""The measurements of angiography on drawn vessels whose faults are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality
from scrutiq.degradations import get, names
from scrutiq.degradations.xa.beam import from_attenuation
from scrutiq.degradations.xa.tubes import Tube, tube_thickness
from scrutiq.metrics import Undefined

BLANK = Image(pixels=np.full((256, 256), 128.0), modality=Modality.XA, data_range=(0.0, 255.0))


def vessel(depth: np.ndarray, side: bool = False) -> Image:
    """Return a frame with a vessel of 5 pixels radius down its middle, of a depth by row, perhaps with a branch."""
    points = np.stack([np.arange(20.0, 236.0), np.full(216, 120.0)], axis=1)
    thickness = tube_thickness((256, 256), Tube(points, np.full(216, 5.0))) * depth[:, None] / 10
    if side:
        branch = np.stack([np.full(90, 128.0), np.arange(120.0, 210.0)], axis=1)
        thickness = np.maximum(thickness, tube_thickness((256, 256), Tube(branch, np.full(90, 3.0))) * 0.03)
    return from_attenuation(BLANK, 0.7 + ndimage.gaussian_filter(thickness, 0.8))


def value(name: str, image: Image) -> float:
    measured = get(name).measure(image)
    assert measured is not None
    return measured.value


EVEN = np.full(256, 0.4)


def test_a_whole_vessel_has_no_gap_and_an_interrupted_one_its_length() -> None:
    assert value("xa.vessel_breaks", vessel(EVEN)) < 1
    broken = EVEN.copy()
    broken[118:138] = 0
    # 20 of some 210 pixels, and what the rounded ends of both centrelines fall short.
    assert value("xa.vessel_breaks", vessel(broken)) == pytest.approx(100 * 26 / 210, abs=5)
    half = EVEN.copy()
    half[118:138] = 0.2
    assert 0.3 < value("xa.vessel_breaks", vessel(half)) < value("xa.vessel_breaks", vessel(broken))


def test_a_short_vessel_has_no_gap() -> None:
    short = EVEN.copy()
    short[120:] = 0
    assert value("xa.vessel_breaks", vessel(short)) < 1


def test_the_decay_along_a_vessel() -> None:
    assert value("xa.under_filling", vessel(EVEN)) == pytest.approx(0, abs=2)
    thinning = 0.5 * np.exp(-(np.arange(256) - 20) / 150)
    assert value("xa.under_filling", vessel(thinning)) == pytest.approx(100 * (1 - np.exp(-100 / 150)), abs=6)


def test_the_contrast_of_a_vessel() -> None:
    deep, faint = (value("xa.low_contrast", vessel(EVEN * k)) for k in (1.0, 0.5))
    assert deep == pytest.approx(100 * (1 - np.exp(-0.4)), abs=5)
    assert np.log(1 - faint / 100) / np.log(1 - deep / 100) == pytest.approx(0.5, abs=0.05)


def test_side_branches_are_counted_and_measured() -> None:
    fed = np.linspace(0.5, 0.3, 256)  # from above
    assert value("xa.spurious_branches", vessel(fed)) == 0
    assert value("xa.spurious_branches", vessel(fed, side=True)) == 1
    assert value("xa.missing_branches", vessel(fed)) == 0
    assert value("xa.missing_branches", vessel(fed, side=True)) == pytest.approx(1000 * 90 / 256**2, rel=0.15)


def test_a_bright_ridge_is_a_residue_and_a_dark_one_is_not() -> None:
    x = np.arange(256)[None, :] * np.ones((256, 1))
    line = np.exp(-((x - 128) ** 2) / (2 * 3.0**2))
    bright, dark = (from_attenuation(BLANK, 0.7 + sign * 0.1 * line) for sign in (-1, 1))
    assert value("xa.misregistration", bright) > 4
    assert value("xa.misregistration", dark) < 1


def test_the_lowest_transmission() -> None:
    pixels = np.full((128, 128), 200.0)
    pixels[:20, :20] = 50
    assert value("xa.veiling_glare", BLANK.replace(pixels=pixels)) == pytest.approx(25)


def test_other_images_and_unknown_ranges_are_declined_with_a_reason() -> None:
    for name in names("XA"):
        measure = get(name).measurement
        if not name.startswith("xa.") or measure.name == "blur":
            continue
        for image in (
            BLANK.replace(modality=Modality.CT),
            BLANK.replace(data_range=None),
            BLANK.replace(pixels=np.ones((32, 32))),
        ):
            assert measure.compute(image) is None
            assert str(measure.result(image)).endswith(".")


def test_a_frame_without_vessels_has_none_to_measure() -> None:
    for name in ("under_filling", "vessel_breaks", "spurious_branches", "missing_branches"):
        assert isinstance(get(f"xa.{name}").measurement.result(BLANK), Undefined)
