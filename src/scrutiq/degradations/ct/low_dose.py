"""Image noise from a low dose: quantum and electronic noise in the line integrals."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import dose, scan
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # About a half, a quarter and a tenth of the dose at a quarter, a half and three quarters.
    return {
        **scan.draw_scan(rng, beam="fan"),
        "dose_fraction": geometric(1, 0.05, severity),
        "reference_photons": dose.REFERENCE.photons,
        "electronic_noise": dose.REFERENCE.electronic,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    beam = scan.beam_of(image, parameters)
    reference = dose.Dose(
        photons=float(parameters["reference_photons"]), electronic=float(parameters["electronic_noise"])
    )
    rng = np.random.default_rng(int(parameters["seed"]))
    error = dose.added_noise(scan.line_integrals(image, beam), beam, float(parameters["dose_fraction"]), rng, reference)
    return scan.add(image, scan.error_in_hu(error, image, beam, str(parameters["kernel"])), beam)


DEGRADATION = Degradation(
    name="ct.low_dose",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["noise_hu"],
    thresholds=Thresholds(
        clean=16, mild=21, severe=31, worst=48, scale="log", basis="Medians of ten clinical slices of TCIA."
    ),
)
