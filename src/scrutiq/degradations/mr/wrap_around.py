"""Wrap-around: a field of view smaller than the object, whose outer parts fold in from the opposite side."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, extent, pixel_mm, put_back
from scrutiq.degradations.mr.scene import grey_mr, scene, trim_padding
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    axis = int(rng.integers(2))
    side = float(rng.uniform(0.2, 0.8))
    first, last = extent(image, axis)
    length = last - first
    folded = max(1, round(geometric(0.025, 0.4, severity) * length))
    size = max(1, length - folded)
    # The window is cut into from one side more than from the other.
    begin = min(first + round(side * folded), image.shape[axis] - size)
    return {
        "axis": axis,
        "begin": begin,
        "field_of_view": size,
        "field_of_view_mm": size * pixel_mm(image)[axis],
        "folded": folded,
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # Samples of k-space 1 / field of view apart make the image periodic: the sum of its copies (Poisson summation).
    axis, begin, size = parameters["axis"], parameters["begin"], parameters["field_of_view"]
    true = np.moveaxis(complex_image(image, parameters["phase_seed"]), axis, 0)
    before, after = -begin % size, -(len(true) - begin) % size
    padded = np.pad(true, ((before, after), (0, 0)))
    folded = padded.reshape(-1, size, true.shape[1]).sum(axis=0)
    made = np.zeros_like(true)
    # Zeros about the smaller field of view, as scanners fill up a rectangular one.
    made[begin : begin + size] = folded
    return put_back(image, np.moveaxis(made, 0, axis))


def _seam(context: Context) -> float:
    seen = scene(context)
    whole = trim_padding(seen.values)
    return 100 * max(_across(whole, seen.signal), _across(whole.T, seen.signal))


def _across(values: npt.NDArray[np.float64], level: float) -> float:
    """Return the signal that first and last rows share, relative to ``level``, as far as they agree."""
    first, last = values[:2].mean(axis=0), values[-2:].mean(axis=0)
    shared = float(np.minimum(first, last).mean()) / level
    a, b = first - first.mean(), last - last.mean()
    size = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return shared * max(0.0, float((a * b).sum()) / size) if size > 0 else 0.0


SEAM = Measure(
    name="wrap_around_percent",
    unit="%",
    title="signal that runs on across opposite borders of the field of view, in percent of that of tissue",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Scrutiq: an image that wraps around is periodic, so that its first and last rows (columns) are neighbours: "
        "the mean of the smaller of the two, times their correlation. Borders of zeros are left off first."
    ),
    limits=(
        "A long object, such as a spine, that runs through both borders by right can read high. Where borders were "
        "cropped afterwards nothing is seen."
    ),
    needs=grey_mr,
    value=_seam,
)

DEGRADATION = Degradation(
    name="mr.wrap_around",
    draw=_draw,
    apply=_apply,
    measurement=SEAM,
    thresholds=Thresholds(
        clean=1, mild=31, severe=49, worst=75, basis="Medians over the real bases (bench/bench_degradations.py)."
    ),
)
