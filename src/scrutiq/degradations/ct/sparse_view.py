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
    # 256, 128 and 64 views at a quarter, a half and three quarters: fewer than 512 show in a body.
    return {**scan.draw_scan(rng), "kept_views": round(geometric(400, 28, severity))}


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
    thresholds=Thresholds(clean=1, mild=2, severe=3, worst=4, basis="to be set"),
)
