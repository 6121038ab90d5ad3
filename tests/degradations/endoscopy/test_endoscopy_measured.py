"""The measurements of endoscopic faults, against pictures in which the answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from scrutiq.core import Image, Modality
from scrutiq.degradations.endoscopy.blood import BLOOD_AREA
from scrutiq.degradations.endoscopy.bubbles import BUBBLE_AREA
from scrutiq.degradations.endoscopy.interlacing import COMBING
from scrutiq.degradations.endoscopy.lens_dirt import DETAIL_LOSS
from scrutiq.degradations.endoscopy.low_light import FRAME_LEVEL
from scrutiq.degradations.endoscopy.smoke import VEILING
from scrutiq.degradations.endoscopy.specular_highlight import SPECULAR_AREA

ALL = (BLOOD_AREA, BUBBLE_AREA, COMBING, DETAIL_LOSS, FRAME_LEVEL, VEILING, SPECULAR_AREA)


def picture(pixels: np.ndarray) -> Image:
    return Image(pixels=pixels, modality=Modality.ENDOSCOPY, data_range=(0.0, 255.0))


def mucosa(shape: tuple[int, int] = (200, 200)) -> np.ndarray:
    return np.broadcast_to(np.array([180.0, 110.0, 90.0]), (*shape, 3)).copy()


@pytest.mark.parametrize("measure", ALL, ids=lambda m: m.name)
def test_grey_images_and_unknown_ranges_are_not_measured(measure: object) -> None:
    grey = Image(pixels=np.ones((32, 32)), modality=Modality.ENDOSCOPY, data_range=(0.0, 255.0))
    unknown = Image(pixels=np.ones((32, 32, 3)), modality=Modality.ENDOSCOPY)
    assert str(measure.result(grey)) == "The image has no colour."
    assert str(measure.result(unknown)) == "The data range of the image is not known."


@pytest.mark.parametrize("measure", ALL, ids=lambda m: m.name)
@pytest.mark.parametrize("pixels", [np.zeros((40, 40, 3)), np.full((40, 40, 3), 128.0), np.full((1, 1, 3), 90.0)])
def test_black_even_and_tiny_pictures_have_a_value_or_a_reason(measure: object, pixels: np.ndarray) -> None:
    result = measure.result(picture(pixels))
    assert isinstance(result, float) or str(result).endswith(".")


def test_small_white_squares_are_highlights_and_a_large_one_is_not() -> None:
    pixels = mucosa()
    pixels[50:54, 50:54] = pixels[120:124, 80:84] = 255
    assert SPECULAR_AREA.compute(picture(pixels)) == pytest.approx(100 * 32 / 200**2)
    pixels = mucosa()
    pixels[50:110, 50:110] = 255
    assert SPECULAR_AREA.compute(picture(pixels)) == 0


@pytest.mark.parametrize("radius", [6, 10])
def test_rings_are_bubbles_and_filled_discs_are_not(radius: float) -> None:
    y, x = np.indices((200, 200))
    ring, disc = mucosa(), mucosa()
    middles = [(50, 60), (120, 140), (150, 40)]
    for v, u in middles:
        away = np.hypot(y - v, x - u)
        ring += 70 * np.exp(-0.5 * ((away - radius) / 1.0) ** 2)[..., None]
        disc += 60 * np.clip(radius - away, 0, 1)[..., None]
    share = 100 * len(middles) * np.pi * radius**2 / 200**2
    assert BUBBLE_AREA.compute(picture(ring)) == pytest.approx(share, rel=0.45)
    assert BUBBLE_AREA.compute(picture(disc)) == 0
    assert BUBBLE_AREA.compute(picture(mucosa())) == 0


def test_bubbles_of_a_large_frame_are_those_of_a_small_one() -> None:
    pixels = mucosa((450, 450))
    y, x = np.indices((450, 450))
    for v, u in ((120, 130), (300, 310)):
        pixels += 70 * np.exp(-0.5 * ((np.hypot(y - v, x - u) - 12) / 1.2) ** 2)[..., None]
    small, large = (BUBBLE_AREA.compute(picture(np.kron(pixels, np.ones((k, k, 1))))) for k in (1, 2))
    assert small > 0
    assert large == pytest.approx(small, rel=0.02)


def test_the_veil_before_black_is_its_own_level() -> None:
    assert VEILING.compute(picture(np.full((64, 64, 3), 51.0))) == pytest.approx(20, abs=0.1)
    assert VEILING.compute(picture(mucosa())) == pytest.approx(100 * 90 / 255, abs=0.1)


def test_blood_is_where_red_light_is_nine_times_green() -> None:
    pixels = mucosa()
    pixels[:, :60] = (120, 20, 15)
    assert BLOOD_AREA.compute(picture(pixels)) == pytest.approx(30, abs=0.1)


def test_the_level_of_a_frame_does_not_need_its_field() -> None:
    pixels = np.full((100, 100, 3), 5.1)
    pixels[:30] = 0
    assert FRAME_LEVEL.compute(picture(pixels)) == pytest.approx(2, abs=0.01)


def test_combing_of_known_patterns() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(400, dtype=np.float64)
    ramp = np.broadcast_to((60 + y / 4)[:, None, None], (400, 300, 3))
    assert COMBING.compute(picture(ramp)) == pytest.approx(0, abs=1e-3)
    noise = np.repeat(rng.normal(128, 10, (400, 300, 1)), 3, axis=2)
    # E|a - (b + c) / 2| over E|b - c| / 2 = sqrt(1.5) / (sqrt(2) / 2).
    assert COMBING.compute(picture(noise)) == pytest.approx(np.sqrt(3), rel=0.02)
    combed = ramp + np.where(np.arange(400) % 2, 10.0, -10.0)[:, None, None]
    assert COMBING.compute(picture(combed)) == pytest.approx(20 / 0.25, rel=0.01)


def test_the_part_without_detail_is_found() -> None:
    rng = np.random.default_rng(0)
    pixels = np.repeat(rng.normal(128, 10, (300, 300, 1)), 3, axis=2)
    assert DETAIL_LOSS.compute(picture(pixels)) < 0.5
    pixels[:, :75] = 128 + 0.1 * (pixels[:, :75] - 128)
    assert DETAIL_LOSS.compute(picture(pixels)) == pytest.approx(25, abs=3)
