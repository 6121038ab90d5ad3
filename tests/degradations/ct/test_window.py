"""Cutting to a wrong window, and the share of the body that it saturates, on a phantom of known areas."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from scrutiq.core import Image, Modality, Window
from scrutiq.degradations.ct.wrong_window import DEGRADATION, SATURATED_BODY, WINDOWS, saturated_share


def body(side: int = 200) -> Image:
    """Muscle of 50 HU with fat of -100 HU (a quarter of the body) and bone of 700 HU (a sixteenth), in air."""
    pixels = np.full((side, side), -1000.0)
    pixels[50:150, 50:150] = 50
    pixels[60:110, 60:110] = -100
    pixels[115:140, 115:140] = 700
    pixels += np.random.default_rng(0).uniform(-5, 5, pixels.shape)
    return Image(pixels=pixels, modality=Modality.CT, unit="HU", spacing=(1.0, 1.0))


def cut(low: float, high: float) -> Image:
    image = body()
    return image.replace(pixels=np.clip(image.pixels, low, high), voi=Window.from_bounds(low, high))


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [(-1100, 2000, 0), (-160, 240, 6.25), (-50, 240, 31.25), (-160, 0, 75)],
)
def test_the_share_is_that_of_the_tissues_outside_the_window(low: float, high: float, share: float) -> None:
    assert saturated_share(cut(low, high)) == pytest.approx(share, abs=1)


def test_where_only_bone_is_left_it_is_taken_for_the_body() -> None:
    assert saturated_share(cut(200, 800)) < 1  # the limit that the measurement states


def test_padding_is_no_tissue() -> None:
    image = body()
    pixels = image.pixels.copy()
    pixels[:20] = -2000
    assert saturated_share(image.replace(pixels=pixels)) < 0.5


def test_a_constant_image_has_no_share() -> None:
    image = Image(pixels=np.full((50, 50), 40.0), modality=Modality.CT, unit="HU")
    assert "constant" in str(SATURATED_BODY.result(image))


@pytest.mark.parametrize("seed", range(6))
def test_the_bounds_close_in_on_the_wrong_window(seed: int) -> None:
    made = [DEGRADATION.make(body(), s, np.random.default_rng(seed)) for s in (0.1, 0.4, 0.7, 1)]
    parameters = made[-1].history[-1].parameters
    (low, high), (narrow, wide) = WINDOWS[str(parameters["kind"])]
    assert low <= parameters["center_hu"] <= high  # type: ignore[operator]
    assert narrow <= parameters["width_hu"] <= wide  # type: ignore[operator]
    bounds = []
    for image in made:
        assert isinstance(image.voi, Window)
        bounds.append(image.voi.bounds)
        assert image.pixels.min() >= image.voi.bounds[0] - 1e-3
        assert image.pixels.max() <= image.voi.bounds[1] + 1e-3
        assert image.unit == "HU"
    assert all(b[0] > a[0] and b[1] < a[1] for a, b in pairwise(bounds))


def test_what_lies_inside_the_window_is_untouched() -> None:
    image = body()
    made = DEGRADATION.make(image, 0.5, np.random.default_rng(1))
    assert isinstance(made.voi, Window)
    low, high = made.voi.bounds
    inside = (image.pixels > low) & (image.pixels < high)
    assert np.array_equal(made.pixels[inside], image.pixels[inside])


def test_pixels_that_do_not_exist_stay() -> None:
    image = body()
    valid = np.ones(image.shape, dtype=bool)
    valid[:10] = False
    made = DEGRADATION.make(image.replace(valid=valid), 1, np.random.default_rng(0))
    assert np.array_equal(made.pixels[:10], image.pixels[:10])
