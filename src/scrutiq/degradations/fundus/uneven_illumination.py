"""Uneven illumination: the light of the flash does not reach all of the retina, as with a decentred or narrow pupil."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, polar
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # The lit patch is displaced from the centre, as the crescent of a decentred pupil is; Shen et al., "Modeling and
    # Enhancing Low-Quality Retinal Fundus Images", IEEE Trans. Med. Imaging 40 (2021), section III-A, the bias of
    # illumination. The light is lost towards the far side.
    field = field_of(image)
    angle, away, width = rng.uniform(0, 2 * np.pi), rng.uniform(0.25, 0.45), rng.uniform(0.3, 0.4)
    return {
        "centre_pixels": [
            field.centre[0] + away * field.diameter * float(np.sin(angle)),
            field.centre[1] + away * field.diameter * float(np.cos(angle)),
        ],
        "width_pixels": width * field.diameter,
        "depth": geometric(0.05, 2.6, severity),  # natural logarithm of the light lost far from the lit patch
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    down, right = parameters["centre_pixels"]
    distance, _ = polar(image.shape, (down, right), float(parameters["width_pixels"]))
    gain = np.exp(-float(parameters["depth"]) * -np.expm1(-(distance**2) / 2))
    return apply_light(image, lambda light, field: light * gain[..., None])


DEGRADATION = Degradation(
    name="fundus.uneven_illumination",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["illumination"],
    thresholds=Thresholds(
        clean=60,
        mild=48,
        severe=30,
        worst=2,
        basis="Medians of HRF, DRIVE and CHASE photographs.",
    ),
)
