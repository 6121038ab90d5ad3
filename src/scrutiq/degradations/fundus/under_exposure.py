"""Under-exposure: too few photons, so that the retina is dark and the noise of the sensor shows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    surplus = geometric(0.08, 14, severity) * float(rng.uniform(0.85, 1.15))
    return {
        "gain": 1 / (1 + surplus),
        "full_well_electrons": 6000.0,
        "read_noise_electrons": 6.0,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # Signal and its variance fall alike when photons are fewer, so that the share of the noise rises: linear sensor of
    # EMVA 1288, release 4.0, eq. 1-6. The noise that the photograph has already is dimmed with it.
    gain, well = float(parameters["gain"]), float(parameters["full_well_electrons"])
    white = np.random.default_rng(int(parameters["seed"])).standard_normal((*image.shape, 3))

    def change(light: Array, field: npt.NDArray[np.bool_]) -> Array:
        dim = light * gain
        added = dim * (1 - gain) / well + (1 - gain) * (float(parameters["read_noise_electrons"]) / well) ** 2
        return np.asarray(dim + white * np.sqrt(added))

    return apply_light(image, change)


DEGRADATION = Degradation(
    name="fundus.under_exposure",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["exposure"],
    thresholds=Thresholds(
        clean=40,
        mild=34,
        severe=22,
        worst=10,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
