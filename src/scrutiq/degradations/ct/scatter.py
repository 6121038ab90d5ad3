"""Scattered radiation that was not corrected: shading, and contrast lost where the body is thick."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.ct import dose, scan
from scrutiq.degradations.ct.shading import DEEP_TISSUE_HU
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric

__all__ = ["DEGRADATION"]

#: Width of the scattered beam at the isocentre, standard deviation, mm.
_SPREAD_MM = 60.0


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # 0.01 is what a grid leaves in a body scanner, 1 what a cone beam meets in a pelvis.
    return {**scan.draw_scan(rng, beam="fan"), "scatter_to_primary": geometric(0.02, 0.6, severity)}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    integrals = scan.line_integrals(image, beam).astype(np.float64)
    primary = dose.bow_tie(beam) * np.exp(-integrals)
    # Singly scattered photons come from where photons are lost, and spread widely (Ohnesorge et al., Eur. Radiol. 9,
    # 1999, eq. 6).
    scattered = ndimage.gaussian_filter1d(primary * integrals, _SPREAD_MM / beam.ray_pitch, axis=1, mode="constant")
    ratio = scattered / primary
    # The stated ratio is that behind the thickest twentieth of the body.
    thick = integrals >= np.quantile(integrals, 0.95)
    error = -np.log1p(float(parameters["scatter_to_primary"]) * ratio / max(float(ratio[thick].mean()), 1e-9))
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.scatter",
    draw=_draw,
    apply=_apply,
    measurement=DEEP_TISSUE_HU,
    thresholds=Thresholds(
        clean=40,
        mild=29,
        severe=8.5,
        worst=-38,
        basis="Medians of six clinical slices of TCIA, with and without contrast medium.",
    ),
)
