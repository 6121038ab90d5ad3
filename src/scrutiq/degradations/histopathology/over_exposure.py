"""Over-exposure: the camera ran full on bare glass and pale tissue."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import from_unit, geometric, to_linear, to_srgb, to_unit
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # The balance of the colours is not quite kept, as with any change of exposure.
    return {"gain": ((1 + geometric(0.1, 3.2, severity)) * rng.uniform(0.97, 1.03, 3)).tolist()}


def _apply(image: Image, parameters: Parameters) -> Image:
    return from_unit(image, to_srgb(to_linear(to_unit(image)) * np.asarray(parameters["gain"])))


DEGRADATION = Degradation(
    name="histopathology.over_exposure",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["clipped_bright"],
    thresholds=Thresholds(
        clean=0,
        mild=12,
        severe=39,
        worst=84,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
