"""Burned-in overlay: text and lines of a console or viewer that became part of the pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import HU, Image, Window
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.imaging import display_range
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Bool = npt.NDArray[np.bool_]

#: What consoles write: technique, geometry, scale, side. Nothing that could name anyone.
_TEXTS = (
    "SE {a}  IM {b}",
    "W {c}  L {a}",
    "ZOOM {d} %",
    "FOV {c} mm",
    "{a} mm",
    "R",
    "L",
    "{a} %",
    "COMPRESSED {b}:1",
    "PREVIEW",
    "NOT FOR DIAGNOSIS",
    "MAG x{d}",
    "SLICE {b} / {c}",
    "+ {a}.{d} cm",
)
#: The most items that are drawn; the first appear alone.
_ITEMS = 16


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    h, w = image.shape
    items: list[dict[str, Any]] = []
    for k in range(_ITEMS):
        numbers = {name: int(rng.integers(*span)) for name, span in _NUMBERS.items()}
        text = _TEXTS[int(rng.integers(len(_TEXTS)))].format(**numbers)
        down, right = (float(v) for v in rng.random(2))
        # The first stand at a border, as a viewer places them; later ones lie anywhere on the anatomy.
        if k < 4:
            down, right = (0.02 if k % 2 else 0.9), (0.03 if k < 2 else 0.75)
        items.append(
            {
                "text": text,
                "place": [down, right],
                "line": bool(rng.random() < 0.3),
                "slope": float(rng.uniform(-0.5, 0.5)),
            }
        )
    size = geometric(0.024, 0.09, severity) * min(h, w)
    # The last of the items that are there is smaller, so that the area grows without steps.
    count = geometric(1, _ITEMS, severity)
    ink, paper = _ink(image)
    parameters: dict[str, Any] = {
        "items": items[: int(np.ceil(count))],
        "last": float(count - np.ceil(count) + 1),
        "size_pixels": size,
        "bright": ink,
        "dark": paper,
    }
    drawn = _mask(image.shape, parameters)
    rows, columns = np.nonzero(drawn.any(axis=1))[0], np.nonzero(drawn.any(axis=0))[0]
    parameters["region"] = [int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1]
    return parameters


_NUMBERS = {"a": (2, 99), "b": (2, 60), "c": (80, 400), "d": (2, 9)}


def _ink(image: Image) -> tuple[float, float]:
    """Return the values that are shown white and black."""
    if isinstance(image.voi, Window):
        low, high = image.voi.bounds
    elif image.unit == HU:
        low, high = -160.0, 240.0
    elif (shown := display_range(image)) is not None:
        low, high = shown
    else:
        low, high = (float(v) for v in np.percentile(image.pixels, (0.5, 99.5)))
    return (low, high) if image.inverted else (high, low)


def _mask(shape: tuple[int, ...], parameters: Parameters) -> npt.NDArray[np.float64]:
    """Return how much of each pixel is covered, 0 to 1."""
    from PIL import Image as Picture
    from PIL import ImageDraw, ImageFont

    h, w = shape[:2]
    canvas = Picture.new("L", (w, h))
    pen = ImageDraw.Draw(canvas)
    items = parameters["items"]
    for k, item in enumerate(items):
        size = float(parameters["size_pixels"]) * (float(parameters["last"]) if k == len(items) - 1 and k > 0 else 1.0)
        font = ImageFont.load_default(max(size, 5.0))
        left, top, right, bottom = pen.textbbox((0, 0), str(item["text"]), font=font)
        down, across = (float(v) for v in item["place"])
        # Kept inside the image where it fits.
        x = min(across * w, max(w - (right - left) - 2.0, 1.0)) - left
        y = min(down * h, max(h - (bottom - top) - 2.0, 1.0)) - top
        pen.text((x, y), str(item["text"]), fill=255, font=font)
        if item["line"]:
            length, slope = 6 * size, float(item["slope"])
            ends = (x + left, y + bottom + 0.2 * size, x + left + length, y + bottom + 0.2 * size + slope * length)
            pen.line(ends, fill=255, width=max(1, round(size / 12)))
    return np.asarray(canvas, dtype=np.float64) / 255


def _apply(image: Image, parameters: Parameters) -> Image:
    cover = _mask(image.shape, parameters)
    bright, dark = float(parameters["bright"]), float(parameters["dark"])
    # In the colour that stands out, as viewers choose it: black on a slide, else white.
    under = image.grey()[cover > 0.5]
    middle = float(np.median(under)) if under.size else dark
    ink = dark if abs(middle - bright) < abs(middle - dark) / 2 else bright
    if image.is_colour:
        cover = cover[..., None]
    return image.replace(pixels=image.pixels * (1 - cover) + ink * cover)


def _any(context: Context) -> str | None:
    return None


def _ink_area(context: Context) -> float:
    grey = context.grey
    low, high = np.percentile(grey, (1, 99))
    if not high > low:
        raise Undefined("The image is constant.")
    span, side = float(high - low), max(9, min(grey.shape) // 24 | 1)
    # A stroke is thin: it stands out from the median about it, and is of one value along at least three pixels.
    step = max(2, min(grey.shape) // 256)  # a median needs no more, and is slow
    around = ndimage.median_filter(grey[::step, ::step], max(5, side // step | 1))
    around = around.repeat(step, axis=0).repeat(step, axis=1)[: grey.shape[0], : grey.shape[1]]
    stands = np.abs(grey - around) > 0.25 * span
    same = np.zeros(grey.shape, dtype=bool)
    for turned, out in ((grey, same), (grey.T, same.T)):
        equal = np.abs(np.diff(turned, axis=0)) <= 0.002 * span
        run = equal[:-1] & equal[1:]
        out[1:-1] |= run
    found = stands & same
    if not found.any():
        return 0.0
    # All of an overlay has one value; texture has many.
    levels = np.rint(grey[found] / (0.004 * span)).astype(np.int64)
    _, counts = np.unique(levels, return_counts=True)
    return 100 * float(counts.max()) / grey.size


INK_AREA = Measure(
    name="overlay_area",
    unit="%",
    title="area of thin strokes of one and the same value that stand out from their surroundings",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Strokes of uniform value and width (B. Epshtein, E. Ofek, Y. Wexler, CVPR 2010: what tells text from "
        "texture): pixels farther than a quarter of the range from the local median, equal to both neighbours along "
        "an axis, of the value that most of them share."
    ),
    limits=(
        "It counts the inside of strokes, about half of their area. Saturated highlights, metal and clips that "
        "are thin count too; lossy compression after the burning-in hides strokes from it."
    ),
    needs=_any,
    value=_ink_area,
)

DEGRADATION = Degradation(
    name="any.burned_in_overlay",
    draw=_draw,
    apply=_apply,
    measurement=INK_AREA,
    thresholds=Thresholds(
        clean=0.002,
        mild=0.077,
        severe=0.4,
        worst=6.4,
        basis="Middle of the medians of clean bases of the six modalities at severity 0, 1/3, 2/3 and 1.",
    ),
)
