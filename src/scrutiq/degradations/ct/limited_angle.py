"""A wedge of directions that was never measured: limited-angle artefacts."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.wedge import MISSING_WEDGE
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Fan data are sorted into parallel rays, as scanners do: the same directions are missing in all of the image.
    return {**scan.draw_scan(rng, beam="parallel"), "missing_deg": geometric(3, 60, severity)}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    missing = float(parameters["missing_deg"]) / 180 * beam.views
    # The first views are missing; the edge falls over one view, so that the wedge need not be a whole number of them.
    lost = np.clip(missing - np.arange(beam.views), 0, 1)[:, None]
    # The views that are left stand for all, so that the mean is kept.
    kept = (1 - lost) * (beam.views / (beam.views - missing))
    error = (kept - 1) * scan.line_integrals(image, beam)
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.limited_angle",
    draw=_draw,
    apply=_apply,
    measurement=MISSING_WEDGE,
    thresholds=Thresholds(clean=0, mild=4.5, severe=16.5, worst=50, basis="Medians of six clinical slices of TCIA."),
)
