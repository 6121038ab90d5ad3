"""Over-exposure: more photons than the sensor can hold, so that the brightest parts are cut off."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # The worst comes close to a hundred times the light of the mildest surplus; it varies by a third between flashes.
    return {"gain": 1 + geometric(0.08, 8, severity) * float(rng.uniform(0.85, 1.15))}


def _apply(image: Image, parameters: Parameters) -> Image:
    # A sensor is linear up to the full well (EMVA 1288, release 4.0, section 2.2) and then clips; `apply_light` cuts.
    gain = float(parameters["gain"])
    return apply_light(image, lambda light, field: light * gain)


DEGRADATION = Degradation(
    name="fundus.over_exposure",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["exposure"],
    thresholds=Thresholds(
        clean=40,
        mild=46,
        severe=56,
        worst=76,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
