"""Interlacing: the odd lines of a frame were taken at another instant than the even ones, so that edges are combed."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.undefined import Undefined

__all__ = ["COMBING", "DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    size = scene.extent(image)
    # The scope moves more often across than along the lines; it also turns and advances a little.
    heading, turn, zoom = rng.uniform(-0.6, 0.6), rng.uniform(-1, 1), rng.uniform(-1, 1)
    away = geometric(0.001, 0.035, severity) * size
    side = 1 if rng.random() < 0.5 else -1
    return {
        "shift_pixels": [float(away * np.sin(heading)), float(side * away * np.cos(heading))],
        "turn_rad": float(0.5 * turn * away / size),
        "zoom": float(0.5 * zoom * away / size),
        "parity": int(rng.integers(2)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    down, right = (float(v) for v in parameters["shift_pixels"])
    turn, zoom = float(parameters["turn_rad"]), float(parameters["zoom"])
    y, x = np.indices(image.shape, dtype=np.float64)
    y, x = y - y.mean(), x - x.mean()
    # Light within the field as the sensor saw it an instant later; the frame's mask is added after the sensor.
    filled = scene.light_of(image)
    later = displace(filled, down + zoom * y - turn * x, right + zoom * x + turn * y)
    came_from = displace(view.astype(np.float64), down + zoom * y - turn * x, right + zoom * x + turn * y) > 0.999
    odd = (np.arange(image.shape[0]) % 2 == int(parameters["parity"]))[:, None] & came_from
    return scene.finish(image, np.where(odd[..., None], later, filled), view)


def _combing(context: Context) -> float:
    view = context.seen
    low, high = context.range
    grey = (context.grey - low) / (high - low)
    if grey.shape[0] < 4:
        raise Undefined("The image has fewer than four lines.")
    inside = view[:-2] & view[1:-1] & view[2:]
    # Between a line and the mean of its two neighbours, and between these neighbours themselves.
    comb = np.abs(grey[1:-1] - 0.5 * (grey[:-2] + grey[2:]))[inside]
    natural = 0.5 * np.abs(grey[2:] - grey[:-2])[inside]
    total = float(natural.mean(dtype=np.float64)) if natural.size else 0.0
    if total <= 0:
        raise Undefined("Nothing varies from line to line in the field of view.")
    return float(comb.mean(dtype=np.float64)) / total


COMBING = Measure(
    name="combing",
    unit="1",
    title="how much a line differs from its two neighbours, relative to how much these differ from each other",
    direction="lower is better",
    range=(0, np.inf),
    source=(
        "Comb detection, as deinterlacing needs it (de Haan and Bellers, Proc. IEEE 86(9), 1998): "
        "mean |I(y) - (I(y-1) + I(y+1)) / 2| over half the mean |I(y+1) - I(y-1)|, luma, in the field of view."
    ),
    limits="White noise gives 1.73; a frame that was scaled after it was interlaced shows less than it has.",
    needs=scene.bounded_colour,
    value=_combing,
)

DEGRADATION = Degradation(
    name="endoscopy.interlacing",
    draw=_draw,
    apply=_apply,
    measurement=COMBING,
    thresholds=Thresholds(
        clean=0.9,
        mild=1.7,
        severe=2.5,
        worst=4.1,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
