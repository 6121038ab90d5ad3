"""Under-exposure: too little light or too short an exposure for the section."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import from_unit, geometric, to_linear, to_srgb, to_unit
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Graded by what is lost of coded brightness, the power 1 / 2.4 of light.
    left = (1 - geometric(0.07, 0.8, severity)) ** 2.4
    return {"light": (left * rng.uniform(0.97, 1.03, 3)).tolist()}


def _apply(image: Image, parameters: Parameters) -> Image:
    return from_unit(image, to_srgb(to_linear(to_unit(image)) * np.asarray(parameters["light"])))


DEGRADATION = Degradation(
    name="histopathology.under_exposure",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["exposure"],
    thresholds=Thresholds(
        clean=55,
        mild=45,
        severe=33,
        worst=7.4,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
