"""Pictures of a report: the image as a reader sees it, a zoom, the evidence map, each as a `data:` URI.

Grey pictures and maps are PNG; colour is lossless WebP, about a third smaller.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from scrutiq.core import EvidenceMap, Finding, Image, Rubric, Severity, VoiLut, Window
from scrutiq.imaging.display import display_range, render
from scrutiq.reports.numbers import interval, number

__all__ = [
    "COLOURS",
    "MapPicture",
    "Picture",
    "describe_display",
    "map_picture",
    "picture",
    "reading_window",
    "thumbnail",
    "worst_region",
    "zoom",
]

Region = tuple[int, int, int, int]
Bytes = npt.NDArray[np.uint8]

#: Longest side of an embedded image, and of an embedded map, pixels.
LONGEST, LONGEST_MAP = 768, 384
#: Sides of a zoom, pixels, and its magnification.
ZOOM_LEAST, ZOOM_MOST, ZOOM_FACTOR = 64, 96, 3
THUMBNAIL = 48

#: Viridis (S. van der Walt and N. Smith, 2015, CC0) at 17 even steps: perceptually uniform, readable in grey and with
#: the common colour vision deficiencies.
COLOURS = (
    *("#440154", "#48186a", "#472d7b", "#424086", "#3b528b", "#33638d", "#2c728e", "#26828e", "#21918c"),
    *("#1f9f88", "#27ad81", "#3dbc74", "#5cc863", "#81d34d", "#aadc32", "#d5e21a", "#fde725"),
)


@dataclass(frozen=True)
class Picture:
    """An embedded picture.

    Attributes
    ----------
    uri : str
        ``data:`` URI.
    width, height : int
        Embedded pixels.
    aspect : float
        Width over height as displayed, by pixel spacing.
    shown : int
        Width at which it is displayed where there is room, CSS pixels.
    pixelated : bool
        Whether it is enlarged, and so shown with visible pixels.
    reduced : float
        Source pixels per embedded pixel, at least 1.
    """

    uri: str
    width: int
    height: int
    aspect: float
    shown: int
    pixelated: bool
    reduced: float


@dataclass(frozen=True)
class MapPicture:
    """An embedded evidence map: NaN is transparent, colours run from ``low`` to ``high``.

    The limits are those of the map, else the 1st and 99th percentile of the finite values (``stretched``); values
    beyond them take the end colours.
    """

    picture: Picture
    name: str
    unit: str
    low: float
    high: float
    constant: bool
    empty: float
    stretched: bool
    description: str


def reading_window(image: Image, rubrics: Sequence[Rubric]) -> tuple[Window, str] | None:
    """Return the first rubric's window, and that rubric's name, if the image is in HU; else None."""
    if image.is_calibrated and not image.is_colour:
        for rubric in rubrics:
            if rubric.window is not None:
                return rubric.window, rubric.name
    return None


def describe_display(image: Image, chosen: tuple[Window, str] | None) -> str:
    """Say in words how stored values became grey levels."""
    if image.is_colour:
        return "colours as stored" if image.data_range else "colours from the lowest to the highest value of this image"
    if chosen is not None:
        text = f"window {_bounds(chosen[0], image.unit)}, of the rubric {chosen[1]}"
    elif isinstance(image.voi, Window):
        text = f"window {_bounds(image.voi, image.unit)}, stated with the file"
    elif isinstance(image.voi, VoiLut):
        text = "display table of the file (VOI LUT)"
    elif (shown := display_range(image)) is not None:
        text = f"whole range of the format, {interval(*map(number, shown))} {image.unit}"
    else:
        text = "from the lowest to the highest value of this image"
    return text + (", low values bright (MONOCHROME1)" if image.inverted else "")


def _bounds(window: Window, unit: str) -> str:
    low, high = window.bounds
    return f"{number(low)} to {number(high)} {unit}" + (", sigmoid" if window.function == "SIGMOID" else "")


def picture(pixels: Bytes, spacing: tuple[float, float] | None = None, *, longest: int = LONGEST) -> Picture:
    """Embed displayed pixels of shape (H, W) or (H, W, 3), averaged down where a side exceeds ``longest``."""
    height, width = pixels.shape[:2]
    reduced = max(1.0, max(height, width) / longest)
    if reduced > 1:
        size = (max(1, round(width / reduced)), max(1, round(height / reduced)))
        pixels = np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BOX))
    return _picture(Pillow.fromarray(pixels), (height, width), spacing, reduced)


def thumbnail(pixels: Bytes) -> str:
    """Return displayed pixels as a ``data:`` URI of at most 48 by 48 pixels."""
    height, width = pixels.shape[:2]
    factor = max(1.0, max(height, width) / THUMBNAIL)
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    return _uri(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BOX))


def zoom(pixels: Bytes, region: Region, spacing: tuple[float, float] | None = None) -> Picture:
    """Embed a region at native resolution, to be shown three times enlarged."""
    top, left, bottom, right = region
    crop = pixels[top:bottom, left:right]
    plain = picture(crop, spacing)
    return Picture(
        plain.uri, plain.width, plain.height, plain.aspect, max(plain.width * ZOOM_FACTOR, 24), True, plain.reduced
    )


def map_picture(evidence: EvidenceMap, over: Picture) -> MapPicture | None:
    """Embed an evidence map in colours, block-averaged to at most 384 pixels, to be shown as large as ``over``.

    None where no value is finite.
    """
    values = np.asarray(evidence.values, dtype=np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return None
    low, high = evidence.limits or (float(v) for v in np.percentile(values[finite], [1, 99]))
    if high <= low:
        low, high = float(values[finite].min()), float(values[finite].max())
    step = -(-max(values.shape) // LONGEST_MAP)
    small = _block_mean(values, step)
    shown = np.isfinite(small)
    span = high - low
    constant = span <= 1e-6 * max(abs(low), abs(high), 1e-30)
    place = np.full(small.shape, 0.5) if constant else np.clip((small - low) / (span or 1.0), 0, 1)
    index = np.where(shown, 1 + np.round(np.where(shown, place, 0) * 254), 0).astype(np.uint8)
    coloured = Pillow.fromarray(index)  # mode L, reinterpreted as palette indices
    coloured.putpalette(_palette())
    uri = _uri(coloured, transparency=0)
    embedded = Picture(uri, coloured.width, coloured.height, over.aspect, over.shown, over.pixelated, float(step))
    return MapPicture(
        embedded,
        evidence.name,
        "" if evidence.unit == "1" else evidence.unit,
        low,
        high,
        constant,
        float(1 - finite.mean()),
        evidence.limits is None,
        evidence.description,
    )


def worst_region(shape: tuple[int, int], findings: Sequence[Finding], evidence: EvidenceMap | None) -> Region | None:
    """Return the square to enlarge, 64 to 96 pixels a side where the image allows it.

    The region of the most severe finding that has one; else the square where the evidence map is highest on average.
    None where neither points anywhere.
    """
    placed = [f for f in findings if f.region is not None and f.severity is not Severity.NONE]
    if placed:
        worst = max(placed, key=lambda f: (f.severity is Severity.SEVERE, f.value))
        assert worst.region is not None
        top, left, bottom, right = worst.region
        size = min(max(bottom - top, right - left, ZOOM_LEAST), ZOOM_MOST)
        peak = _peak(evidence, size, worst.region)
        centre = peak or ((top + bottom) / 2, (left + right) / 2)
    else:
        size = (ZOOM_LEAST + ZOOM_MOST) // 2
        found = _peak(evidence, size, None)
        if found is None:
            return None
        centre = found
    height, width = shape
    if height <= ZOOM_LEAST and width <= ZOOM_LEAST:
        return None  # the whole image is already shown enlarged
    top = int(np.clip(round(centre[0] - size / 2), 0, max(0, height - size)))
    left = int(np.clip(round(centre[1] - size / 2), 0, max(0, width - size)))
    return (top, left, min(top + size, height), min(left + size, width))


def _peak(evidence: EvidenceMap | None, size: int, within: Region | None) -> tuple[float, float] | None:
    """Return where the map's mean over a square is highest; None where it is flat, or the region is no larger."""
    if evidence is None:
        return None
    from scipy.ndimage import uniform_filter

    values = np.asarray(evidence.values, dtype=np.float64)
    top, left = 0, 0
    if within is not None:
        top, left, bottom, right = within
        values = values[top:bottom, left:right]
        if max(values.shape) <= size:
            return None
    finite = np.isfinite(values)
    if not finite.any() or np.ptp(values[finite]) <= 1e-6 * np.abs(values[finite]).max():
        return None
    share = uniform_filter(finite.astype(np.float64), size, mode="constant")
    total = uniform_filter(np.where(finite, values, 0.0), size, mode="constant")
    # Squares that are mostly empty would be decided by a few pixels.
    mean = np.where(share >= 0.5 * share.max(), total / np.maximum(share, 1e-12), -np.inf)
    row, column = np.unravel_index(int(np.argmax(mean)), mean.shape)
    return (float(top + row), float(left + column))


def _block_mean(values: npt.NDArray[np.float64], step: int) -> npt.NDArray[np.float64]:
    if step == 1:
        return values
    height, width = (-(-n // step) for n in values.shape)
    padded = np.full((height * step, width * step), np.nan)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(height, step, width, step)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, 0).sum(axis=(1, 3))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _palette() -> list[int]:
    anchors = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLOURS], dtype=np.float64)
    places = np.linspace(0, 1, len(COLOURS))
    even = np.linspace(0, 1, 255)
    table = np.stack([np.interp(even, places, anchors[:, channel]) for channel in range(3)], axis=1)
    return [0, 0, 0, *(int(v) for v in np.round(table).ravel())]


def _picture(
    embedded: Pillow.Image,
    shape: tuple[int, ...],
    spacing: tuple[float, float] | None,
    reduced: float,
) -> Picture:
    row, column = spacing or (1.0, 1.0)
    aspect = (shape[1] * column) / (shape[0] * row)
    # Anisotropic pixels stretch the shorter direction, so that the picture keeps its longer side.
    long = max(shape[0], shape[1]) / (reduced if reduced > 1 else 1)
    enlarge = min(64, max(1, 512 // round(long)))
    shown = round(long * enlarge * min(1.0, aspect))
    return Picture(_uri(embedded), embedded.width, embedded.height, aspect, max(shown, 8), enlarge > 1, reduced)


def _uri(image: Pillow.Image, **options: Any) -> str:
    buffer = io.BytesIO()
    if image.mode == "RGB":
        kind = "webp"
        image.save(buffer, "WEBP", lossless=True, method=2, quality=50, **options)
    else:
        kind = "png"
        image.save(buffer, "PNG", compress_level=6, **options)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def displayed(image: Image, chosen: tuple[Window, str] | None) -> Bytes:
    """Return the pixels as a reader sees them, uint8 of shape (H, W) or (H, W, 3)."""
    return render(image, chosen[0] if chosen else None)
