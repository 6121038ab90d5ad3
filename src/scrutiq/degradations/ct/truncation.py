"""Truncation: the body reaches beyond the detector, and the edge of the field turns bright."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.rings import FIELD_EDGE
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.metrics.foreground import foreground

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    body = foreground(image)
    away = scan.from_isocentre(image)
    # Of a body that reaches 98 % of its area to this radius, the field keeps ever less.
    reach = float(np.quantile(away[body], 0.98)) if body.any() else float(away.max())
    return {**scan.draw_scan(rng), "field_mm": reach * (1 - 0.2 * severity)}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    _, distance = beam.rays()
    outside = np.clip((np.abs(distance) - float(parameters["field_mm"])) / beam.ray_pitch, 0, 1)
    error = -outside * scan.line_integrals(image, beam)
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.truncation",
    draw=_draw,
    apply=_apply,
    measurement=FIELD_EDGE,
    thresholds=Thresholds(
        clean=15, mild=57, severe=68, worst=75, basis="Medians of six clinical slices of TCIA; the clean ones reach 25."
    ),
)
