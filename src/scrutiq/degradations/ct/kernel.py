"""Blur from too soft a reconstruction kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Where the softer kernel passes half of what the image's own passed: body kernels pass half at 0.3 to 0.5 / mm.
    return {**scan.draw_scan(rng), "half_per_mm": geometric(0.7, 0.08, severity)}


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    half = float(parameters["half_per_mm"]) * 2 * beam.ray_pitch  # of Nyquist's frequency

    def lost(frequency: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(0.5 ** ((frequency / half) ** 2) - 1)

    return scan.add(image, scan.error_in_hu(scan.line_integrals(image, beam), image, beam, lost), beam)


DEGRADATION = Degradation(
    name="ct.kernel",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["edge_rise_mm"],
    thresholds=Thresholds(
        clean=1.8,
        mild=2.2,
        severe=3.1,
        worst=6.0,
        scale="log",
        basis="Medians of six clinical slices of TCIA; the clean ones reach 2.3.",
    ),
)
