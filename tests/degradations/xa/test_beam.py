"""Intensity, attenuation and the field of the beam, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scrutiq.core import Image, Modality, UsageError
from scrutiq.degradations.xa.beam import attenuation_of, beam_field, from_attenuation, transmitted_of, typical_signal


def frame(pixels: np.ndarray, **given: object) -> Image:
    return Image(pixels=pixels, modality=Modality.XA, data_range=(0.0, 255.0), **given)


def test_half_of_the_range_is_ln_2() -> None:
    image = frame(np.full((4, 4), 127.5))
    assert attenuation_of(image) == pytest.approx(np.log(2))


def test_black_has_an_attenuation() -> None:
    assert attenuation_of(frame(np.zeros((2, 2)))) == pytest.approx(np.log(510))


def test_low_values_that_are_shown_bright_are_transmitted() -> None:
    image = frame(np.full((2, 2), 51.0), inverted=True)
    assert transmitted_of(image) == pytest.approx(0.8)
    assert from_attenuation(image, attenuation_of(image)).pixels == pytest.approx(image.pixels, abs=1e-4)


def test_there_and_back_is_the_image() -> None:
    image = frame(np.random.default_rng(0).integers(1, 256, (16, 16)).astype(float))
    assert np.abs(from_attenuation(image, attenuation_of(image)).pixels - image.pixels).max() < 1e-4


def test_an_unknown_range_is_refused() -> None:
    with pytest.raises(UsageError, match="data range"):
        attenuation_of(Image(pixels=np.ones((4, 4)), modality=Modality.XA))


def test_the_typical_signal_is_that_of_the_field() -> None:
    signal = np.array([[0.1, 0.1, 0.6, 0.8]])
    assert typical_signal(signal, signal > 0.5) == pytest.approx(0.7)


@pytest.mark.parametrize("turns", range(4))
def test_a_blade_on_any_side_is_found_with_its_area(turns: int) -> None:
    attenuation = np.full((256, 320), 0.7)
    attenuation[:64] = 1.4
    attenuation = np.rot90(ndimage.gaussian_filter(attenuation, 2.0), turns)
    field = beam_field(attenuation)
    assert 1 - field.mean() == pytest.approx(0.25, abs=0.02)
    assert (field == (attenuation < 1.05)).mean() > 0.97


def test_a_tilted_blade_is_found() -> None:
    y, x = np.mgrid[0:256, 0:256]
    attenuation = np.where(y < 60 + np.tan(np.radians(10)) * (x - 128), 1.4, 0.7)
    assert 1 - beam_field(attenuation).mean() == pytest.approx(60 / 256, abs=0.02)


def test_even_light_soft_shadow_and_a_faint_step_are_no_blade() -> None:
    y, _ = np.mgrid[0:256, 0:256]
    for attenuation in (np.full((256, 256), 0.7), 0.7 + 0.004 * y, 0.7 + 0.1 * (y < 50)):
        assert beam_field(attenuation).all()


def test_a_short_dark_edge_is_no_blade() -> None:
    attenuation = np.full((256, 256), 0.7)
    attenuation[:60, :120] = 1.4
    assert beam_field(attenuation).all()
