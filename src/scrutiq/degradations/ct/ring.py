"""Rings: detector elements whose gain is off."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import scan
from scrutiq.degradations.ct.rings import RINGS_HU
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        **scan.draw_scan(rng, beam="fan"),
        "gain_error": geometric(0.004, 0.1, severity),
        "faulty_share": float(rng.uniform(0.03, 0.08)),
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    rng = np.random.default_rng(int(parameters["seed"]))
    # Few elements are far off, all of them a little: calibration leaves such a residue in every detector.
    far = rng.random(beam.detectors) < float(parameters["faulty_share"])
    gain = rng.standard_normal(beam.detectors) * np.where(far, 1.0, 0.25) * float(parameters["gain_error"])
    error = np.broadcast_to(-np.log1p(gain), (beam.views, beam.detectors))
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.ring",
    draw=_draw,
    apply=_apply,
    measurement=RINGS_HU,
    thresholds=Thresholds(
        clean=0.8,
        mild=3,
        severe=9,
        worst=31,
        scale="log",
        basis="Medians of six clinical slices of TCIA; the clean ones reach 4.",
    ),
)
