"""Crop: part of the anatomy lies outside the field, on one side or more, and the frame is empty there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined
from scrutiq.metrics.foreground import field_of_view, foreground

__all__ = ["DEGRADATION"]

Bool = npt.NDArray[np.bool_]

_SIDES = ("top", "bottom", "left", "right")


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    order = [_SIDES[int(k)] for k in rng.permutation(4)]
    sides = order[: int(rng.integers(1, 3))]
    shares = [1.0, float(rng.uniform(0.3, 0.8))]
    box = _box(image)
    # The cut begins where the anatomy does, so that it is cut at every severity.
    cut = geometric(0.012, 0.4, severity)
    edges = {"top": box[0], "left": box[1], "bottom": box[2], "right": box[3]}
    for side, share in zip(sides, shares, strict=False):
        extent = box[2] - box[0] if side in ("top", "bottom") else box[3] - box[1]
        depth = max(1, round(cut * share * extent))
        edges[side] += depth if side in ("top", "left") else -depth
    kept = [
        edges["top"] if "top" in sides else 0,
        edges["left"] if "left" in sides else 0,
        edges["bottom"] if "bottom" in sides else image.shape[0],
        edges["right"] if "right" in sides else image.shape[1],
    ]
    return {"sides": sides, "kept": [int(k) for k in kept], "fill": _background(image)}


def _box(image: Image) -> tuple[int, int, int, int]:
    """Return top, left, bottom and right of the anatomy."""
    mask = field_of_view(image) if image.is_colour else foreground(image)
    if not mask.any():
        return (0, 0, *image.shape)
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def _background(image: Image) -> float:
    """Return the value of an empty frame: black, as it is shown."""
    lowest, highest = float(image.pixels.min()), float(image.pixels.max())
    if image.data_range is not None and image.is_colour:
        return image.data_range[0]
    return highest if image.inverted else lowest


def _apply(image: Image, parameters: Parameters) -> Image:
    top, left, bottom, right = (int(k) for k in parameters["kept"])
    pixels = np.full_like(image.pixels, float(parameters["fill"]))
    pixels[top:bottom, left:right] = image.pixels[top:bottom, left:right]
    return image.replace(pixels=pixels)


def _any(context: Context) -> str | None:
    return None


def _cut_area(context: Context) -> float:
    grey = context.grey
    low, high = np.percentile(grey, (1, 99))
    if not high > low:
        raise Undefined("The image is constant.")
    lost = 0.0
    for turned in (grey, grey[::-1], grey.T, grey.T[::-1]):
        # Lines from the border inward in which nothing varies, beyond rounding and faint compression noise.
        blank = np.ptp(turned, axis=1) <= 0.02 * (high - low)
        thickness = len(blank) if blank.all() else int(np.argmin(blank))
        if not 0 < thickness < len(turned) - 2:
            continue
        level = float(np.median(turned[thickness - 1]))
        # Anatomy that goes right up to the frame was cut off; a round field or a body only touches it, and is about
        # twice as wide some lines farther in.
        deeper = min(thickness + 1 + max(4, len(turned) // 33), len(turned) - 1)
        chord, inner = (
            int(np.count_nonzero(np.abs(turned[k] - level) > 0.1 * (high - low))) for k in (thickness + 1, deeper)
        )
        # A circle grows by sqrt(3) or more over those lines.
        touches = float(np.clip((float(inner) / max(float(chord), 1.0) - 1.3) / (np.sqrt(3) - 1.3), 0, 1))
        lost += thickness * chord * (1 - touches)
    return 100 * min(lost / grey.size, 1.0)


CUT_AREA = Measure(
    name="cut_off_area",
    unit="%",
    title="area of the empty frame behind straight edges at which the anatomy ends abruptly",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Lines from each border inward that vary by less than 2 % of the image's range; their number times the length "
        "along which the next line but one differs from them by more than 10 %, unless that length grows by half "
        "or more within the next 3 % of the image (field of view as a criterion of image "
        "quality: European Guidelines on Quality Criteria, EUR 16260 and EUR 16262)."
    ),
    limits=(
        "Anatomy cut by the border of the image itself, without an empty frame, is not seen: nothing tells it from a "
        "field chosen on purpose. A rectangular collimated or framed picture counts as cut."
    ),
    needs=_any,
    value=_cut_area,
)

DEGRADATION = Degradation(
    name="any.crop",
    draw=_draw,
    apply=_apply,
    measurement=CUT_AREA,
    thresholds=Thresholds(
        clean=0.1,
        mild=2,
        severe=9.5,
        worst=38,
        basis="Middle of the medians of clean bases of the six modalities at severity 0, 1/3, 2/3 and 1.",
    ),
)
