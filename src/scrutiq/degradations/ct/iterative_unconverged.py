"""Iterative reconstruction that was stopped too early: SIRT has found the coarse structure and not the fine."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.attenuation import WATER_PER_MM
from scrutiq.degradations.ct.iterative import sirt
from scrutiq.degradations.ct.projector import project
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # An update uses a twentieth of the views, so that twenty are one pass through them.
    return {**scan.draw_scan(rng), "views": 120, "subsets": 20, "updates": round(geometric(240, 20, severity))}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam, spacing = scan.beam_of(image, parameters), scan.spacing_of(image)
    truth = scan.attenuation(image)
    found = sirt(
        project(truth, beam, spacing),
        beam,
        image.shape,
        spacing,
        int(parameters["updates"]),
        int(parameters["subsets"]),
    )
    return scan.add(image, (found - truth) * (1000 / WATER_PER_MM), beam)


DEGRADATION = Degradation(
    name="ct.iterative_unconverged",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["edge_rise_mm"],
    thresholds=Thresholds(
        clean=1.8, mild=3.8, severe=6.6, worst=10.5, scale="log", basis="Medians of five clinical slices of TCIA."
    ),
)
