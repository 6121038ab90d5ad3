"""Quantisation: too few grey levels, so that smooth shading breaks into bands."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import display_width, geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # From 120 levels, which the eye cannot tell apart (DICOM PS3.14: about 500 to 1000 just noticeable differences on
    # good displays, most images need far fewer), to five.
    levels = geometric(120, 5, severity)
    return {"step": display_width(image) / levels, "levels": levels, "offset": float(rng.uniform(0, 1))}


def _apply(image: Image, parameters: Parameters) -> Image:
    step, offset = float(parameters["step"]), float(parameters["offset"])
    return image.replace(pixels=(np.rint(image.pixels.astype(np.float64) / step - offset) + offset) * step)


def _any(context: Context) -> str | None:
    return None


def _level_step(context: Context) -> float:
    image = context.image
    mask = context.foreground if np.count_nonzero(context.foreground) >= 100 else context.seen
    planes = [image.pixels[..., c] for c in range(3)] if image.is_colour else [image.pixels]
    steps = [s for plane in planes if (s := _step_of(plane[mask])) is not None]
    if not steps:
        raise Undefined("The image is constant wherever its levels could be counted.")
    return float(np.median(steps))


def _step_of(values: npt.NDArray[np.float32]) -> float | None:
    """Return the mean distance of the levels in use, percent of the range from the 1st to the 99th percentile."""
    low, high = np.percentile(values, (1, 99))
    if not high > low:
        return None
    inner = values[(values >= low) & (values <= high)].astype(np.float64)
    # Levels closer than a thousandth of the range are one: rounding of floating-point numbers.
    bins = np.bincount(np.rint((inner - low) / (high - low) * 2000).astype(int))
    # Levels that hold next to nothing are the work of what came after the quantisation, such as an interpolated edge.
    used = int(np.count_nonzero(bins > 0.02 * inner.size / max(int(np.count_nonzero(bins)), 1)))
    return 100.0 / max(used - 1, 1)


LEVEL_STEP = Measure(
    name="grey_level_step",
    unit="% of the image's range",
    title="mean distance between neighbouring grey levels that occur",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Count of the occupied bins of the histogram between its 1st and 99th percentile, as the number of levels is "
        "taken in display tests (DICOM PS3.14, annex D); the median of the components of a colour image."
    ),
    limits=(
        "An image of low contrast in an 8-bit format has few levels over its own range. Noise or compression added "
        "after the quantisation fills the gaps, and the bands that a reader still sees are not counted."
    ),
    needs=_any,
    value=_level_step,
)

DEGRADATION = Degradation(
    name="any.quantisation",
    draw=_draw,
    apply=_apply,
    measurement=LEVEL_STEP,
    thresholds=Thresholds(
        clean=0.25,
        mild=3,
        severe=9.5,
        worst=28,
        scale="log",
        basis="Middle of the medians of clean bases of the six modalities at severity 0, 1/3, 2/3 and 1.",
    ),
)
