"""Too little light: fewer photons reach the sensor, so that the frame is dark and its shadows are lost in noise."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION", "FRAME_LEVEL"]

#: Electrons that fill a pixel, and read noise in electrons: a small CMOS sensor at the tip of a scope.
FULL_WELL, READ_NOISE = 6000.0, 4.0


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "light": _left(severity),
        "gain": float(rng.uniform(1.0, 1.15)),
        "full_well_electrons": FULL_WELL,
        "read_noise_electrons": READ_NOISE,
        "seed": new_seed(rng),
    }


def _left(severity: float) -> float:
    """Return the share of light that is left, graded by what coded brightness, its power 1 / 2.4, has lost."""
    return float((1 - geometric(0.07, 0.86, severity)) ** 2.4)


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    rng = np.random.default_rng(int(parameters["seed"]))
    full = float(parameters["full_well_electrons"])
    mean = scene.light_of(image) * float(parameters["light"]) * full
    # Poisson, by its normal approximation, which needs one number a pixel whatever the mean: the same fault grows.
    white = rng.standard_normal((2, *mean.shape))
    counted = mean + np.sqrt(mean) * white[0] + float(parameters["read_noise_electrons"]) * white[1]
    return scene.finish(image, counted / full * float(parameters["gain"]), view)


def _frame_level(context: Context) -> float:
    low, high = context.range
    return float(100 * np.clip((np.percentile(context.grey, 75) - low) / (high - low), 0, 1))


FRAME_LEVEL = Measure(
    name="frame_level",
    unit="%",
    title="upper quartile of the brightness of the whole frame, from black (0) to white (100)",
    direction="higher is better",
    range=(0, 100),
    source=(
        "Upper quartile of the luma of ITU-R BT.601 on the data range, over all pixels: in a dark frame the field of "
        "view cannot be told from its black border, which fills less than half of a frame."
    ),
    limits="It depends on how much of the frame the field of view fills, and says nothing of a bright frame's shadows.",
    needs=scene.bounded_colour,
    value=_frame_level,
)

DEGRADATION = Degradation(
    name="endoscopy.low_light",
    draw=_draw,
    apply=_apply,
    measurement=FRAME_LEVEL,
    thresholds=Thresholds(
        clean=52,
        mild=44,
        severe=32,
        worst=4,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
