"""What is embedded: lossless pixels, the right shape, and a zoom on the right place."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image as Pillow

from scrutiq import rubrics
from scrutiq.core import (
    HU,
    Evidence,
    EvidenceMap,
    Finding,
    Image,
    Measurement,
    Modality,
    Severity,
    VoiLut,
    Window,
)
from scrutiq.imaging import render
from scrutiq.reports.pictures import (
    describe_display,
    map_picture,
    picture,
    reading_window,
    thumbnail,
    worst_region,
    zoom,
)


def decode(uri: str) -> Pillow.Image:
    return Pillow.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def finding(severity: str, value: float, region: tuple[int, int, int, int] | None) -> Finding:
    measured = Measurement(value=1, unit="HU")
    evidence = Evidence(measurement="noise", value=measured.value, unit=measured.unit)
    return Finding(
        degradation="ct.low_dose", severity=Severity(severity), value=value, region=region, evidence=(evidence,)
    )


@pytest.mark.parametrize("shape", [(5, 7), (300, 200), (40, 60, 3)])
def test_pixels_are_kept_exactly(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, shape).astype(np.uint8)
    made = picture(pixels)
    assert np.array_equal(np.asarray(decode(made.uri)), pixels)
    assert made.reduced == 1


def test_a_large_image_is_averaged_down_to_768(rng: np.random.Generator) -> None:
    made = picture(rng.integers(0, 256, (1536, 300)).astype(np.uint8))
    assert (made.width, made.height, made.reduced) == (150, 768, 2.0)
    smooth = picture(np.tile(np.array([[0, 200]], np.uint8), (1000, 1000)))
    assert np.asarray(decode(smooth.uri)).astype(float).mean() == pytest.approx(100, abs=0.6)


def test_the_shape_follows_the_spacing() -> None:
    made = picture(np.zeros((64, 256), np.uint8), (5.0, 0.8))
    assert made.aspect == pytest.approx(256 * 0.8 / (64 * 5))


def test_a_thumbnail_is_at_most_48_pixels() -> None:
    assert decode(thumbnail(np.zeros((12, 1400), np.uint8))).size == (48, 1)


def test_the_rubric_window_is_for_calibrated_images_only() -> None:
    ct = Image(pixels=np.zeros((4, 4)), modality=Modality.CT, unit=HU, voi=Window(center=-600, width=1500))
    both = [rubrics.load("medq"), rubrics.load("ct-iqa")]
    chosen = reading_window(ct, both)
    assert chosen is not None
    assert chosen[0].bounds == (-160, 240)
    assert describe_display(ct, chosen) == "window −160 to 240 HU, of the rubric ct-iqa"
    assert describe_display(ct, None).startswith("window −1350 to 149 HU")
    assert reading_window(ct.replace(unit="grey level"), both) is None


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"data_range": (0, 255)}, "whole range of the format, 0–255 grey level"),
        ({}, "from the lowest to the highest value of this image"),
        ({"voi": VoiLut(first=0, bits=8, entries=(0, 255))}, "display table of the file (VOI LUT)"),
        ({"data_range": (0, 255), "inverted": True}, "whole range of the format, 0–255 grey level, low values bright"),
    ],
)
def test_the_caption_says_how_it_is_displayed(fields: dict[str, object], text: str) -> None:
    assert describe_display(Image(pixels=np.zeros((4, 4)), **fields), None).startswith(text)


def test_the_zoom_shows_the_region_pixel_for_pixel(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (300, 300)).astype(np.uint8)
    made = zoom(pixels, (10, 20, 90, 100))
    assert np.array_equal(np.asarray(decode(made.uri)), pixels[10:90, 20:100])
    assert made.shown == 240


def test_the_zoom_is_on_the_most_severe_finding() -> None:
    findings = [finding("mild", 0.9, (0, 0, 64, 64)), finding("severe", 0.7, (200, 300, 280, 380))]
    assert worst_region((512, 512), findings, None) == (200, 300, 280, 380)
    assert worst_region((512, 512), [finding("none", 0.0, (0, 0, 64, 64))], None) is None


def test_a_small_region_is_widened_and_a_large_one_narrowed_to_its_worst_part() -> None:
    assert worst_region((512, 512), [finding("mild", 0.5, (500, 0, 510, 10))], None) == (448, 0, 512, 64)
    values = np.zeros((512, 512), np.float32)
    values[400:440, 100:140] = 5
    top, left, bottom, right = worst_region(
        (512, 512), [finding("mild", 0.5, (256, 0, 512, 512))], EvidenceMap("noise", "HU", values)
    ) or (0, 0, 0, 0)
    assert (bottom - top, right - left) == (96, 96)
    assert top <= 400 < 440 <= bottom
    assert left <= 100 < 140 <= right


def test_without_a_finding_the_zoom_is_where_the_map_is_highest() -> None:
    values = np.full((300, 400), np.nan, np.float32)
    values[50:250, 50:350] = 1
    values[150:200, 250:300] = 9
    values[52, 52] = 1000  # a lone pixel does not decide
    top, left, bottom, right = worst_region((300, 400), [], EvidenceMap("noise", "HU", values)) or (0, 0, 0, 0)
    assert top <= 150 < 200 <= bottom
    assert left <= 250 < 300 <= right
    flat = EvidenceMap("noise", "HU", np.ones((300, 400), np.float32))
    assert worst_region((300, 400), [], flat) is None
    empty = EvidenceMap("noise", "HU", np.full((300, 400), np.nan, np.float32))
    assert worst_region((300, 400), [], empty) is None


def test_the_map_runs_from_dark_to_bright_and_nan_is_transparent() -> None:
    values = np.tile(np.linspace(0, 1, 300, dtype=np.float32), (200, 1))
    values[:50] = np.nan
    main = picture(np.zeros((200, 300), np.uint8))
    made = map_picture(EvidenceMap("noise", "HU", values), main)
    assert made is not None
    assert (made.low, made.high) == pytest.approx((0.01, 0.99), abs=0.01)
    assert made.empty == pytest.approx(0.25)
    assert (made.picture.shown, made.picture.aspect) == (main.shown, main.aspect)
    shown = np.asarray(decode(made.picture.uri).convert("RGBA"))
    assert (shown[:50, :, 3] == 0).all()
    assert (shown[50:, :, 3] == 255).all()
    light = shown[100, :, :3] @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(light) >= -1.5).all(), "lightness grows with the value"
    assert light[-1] - light[0] > 150


def test_an_image_of_nan_and_a_constant_map() -> None:
    main = picture(render(Image(pixels=np.full((9, 9), np.nan))))
    assert map_picture(EvidenceMap("noise", "HU", np.full((9, 9), np.nan, np.float32)), main) is None
    made = map_picture(EvidenceMap("noise", "HU", np.full((9, 9), 2.5, np.float32)), main)
    assert made is not None
    assert made.constant
    assert (made.low, made.high) == (2.5, 2.5)


def test_a_large_map_is_averaged_over_its_finite_values() -> None:
    values = np.full((800, 800), np.nan, np.float32)
    values[::3, ::3] = 4
    made = map_picture(EvidenceMap("noise", "HU", values), picture(np.zeros((800, 800), np.uint8)))
    assert made is not None
    assert max(made.picture.width, made.picture.height) <= 384
    assert made.constant
    assert (np.asarray(decode(made.picture.uri).convert("RGBA"))[:, :, 3] == 255).all()
