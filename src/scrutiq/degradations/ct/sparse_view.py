"""Streaks from too few views: the aliasing of filtered back-projection in the angle."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.streaks import STREAKS_HU
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Over a turn of a fan fewer than 400 views show. Half a turn of a parallel beam measures each line once, not twice.
    drawn = scan.draw_scan(rng)
    turn = 1.0 if drawn["beam"] == "fan" else 0.6
    return {**drawn, "kept_views": round(turn * geometric(400, 48, severity))}


def _apply(image: Image, parameters: Parameters) -> Image:
    whole = scan.beam_of(image, parameters)
    few = whole.with_views(int(parameters["kept_views"]))
    kernel = str(parameters["kernel"])
    full, sparse = (scan.error_in_hu(scan.line_integrals(image, s), image, s, kernel) for s in (whole, few))
    return scan.add(image, sparse - full, whole)


DEGRADATION = Degradation(
    name="ct.sparse_view",
    draw=_draw,
    apply=_apply,
    measurement=STREAKS_HU,
    thresholds=Thresholds(
        clean=2,
        mild=13,
        severe=28,
        worst=43,
        basis="Medians of eight clinical slices of TCIA; the noisiest clean one reads 5.",
    ),
)
