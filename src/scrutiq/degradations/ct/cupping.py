"""Cupping: beam hardening that was not corrected makes the middle of the body darker than its rim."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.attenuation import WATER_PER_MM
from scrutiq.degradations.ct.shading import CUPPING_HU
from scrutiq.degradations.ct.spectrum import hardened
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {**scan.draw_scan(rng), "hardening": geometric(0.1, 2.0, severity)}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    integrals = scan.line_integrals(image, beam).astype(np.float64)
    water = integrals / WATER_PER_MM
    # A scanner calibrated on a phantom of 200 mm of water without correction reads that phantom as water.
    scale = 200 * WATER_PER_MM / hardened(np.array(200.0))
    error = float(parameters["hardening"]) * (hardened(water) * scale - integrals)
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.cupping",
    draw=_draw,
    apply=_apply,
    measurement=CUPPING_HU,
    thresholds=Thresholds(
        clean=-38,
        mild=-16,
        severe=-4,
        worst=27,
        basis="Medians of six clinical slices of TCIA, in which fat under the skin makes the clean ones negative.",
    ),
    exception="Fat makes a clean body darker at its rim by amounts that differ as much as mild cupping does.",
)
