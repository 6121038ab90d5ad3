"""The patchy look of iterative reconstruction with too much total variation."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.attenuation import WATER_PER_MM
from scrutiq.degradations.ct.iterative import fista_tv
from scrutiq.degradations.ct.patches import FLAT_PATCHES
from scrutiq.degradations.ct.projector import project
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {**scan.draw_scan(rng), "views": 120, "weight_hu": geometric(0.02, 1.2, severity), "iterations": 12}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam, spacing = scan.beam_of(image, parameters), scan.spacing_of(image)
    truth = scan.attenuation(image)
    found = fista_tv(
        project(truth, beam, spacing),
        beam,
        image.shape,
        spacing,
        float(parameters["weight_hu"]) * WATER_PER_MM / 1000,
        int(parameters["iterations"]),
        start=truth,
    )
    return scan.add(image, (found - truth) * (1000 / WATER_PER_MM), beam)


DEGRADATION = Degradation(
    name="ct.total_variation",
    draw=_draw,
    apply=_apply,
    measurement=FLAT_PATCHES,
    thresholds=Thresholds(clean=10, mild=18.5, severe=29.5, worst=38, basis="Medians of four clinical slices of TCIA."),
)
