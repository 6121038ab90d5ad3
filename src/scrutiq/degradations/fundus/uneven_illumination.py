"""Uneven illumination: the light of the flash does not reach all of the retina, as with a decentred or narrow pupil."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

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
    # illumination. The light is lost towards the far side; that is somewhere on the side that is darker already, since
    # the opposite would even out the light that a good photograph has.
    field = field_of(image)
    turn, away, width = rng.uniform(-1.4, 1.4), rng.uniform(0.25, 0.45), rng.uniform(0.3, 0.4)
    light = np.where(field.mask, image.grey(), 0).astype(np.float64)
    middle = (field.mask.astype(np.float64), light)
    (y0, x0), (y1, x1) = (ndimage.center_of_mass(m) if m.any() else field.centre for m in middle)
    angle = float(np.arctan2(y1 - y0, x1 - x0)) + turn
    return {
        "centre_pixels": [
            field.centre[0] + away * field.diameter * float(np.sin(angle)),
            field.centre[1] + away * field.diameter * float(np.cos(angle)),
        ],
        "width_pixels": width * field.diameter,
        "depth": geometric(0.12, 3, severity),  # natural logarithm of the light lost far from the lit patch
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
        clean=57,
        mild=50,
        severe=36,
        worst=1,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
