"""Out of focus: the section lies above or below the plane that the scanner focused on."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import from_unit, geometric, to_linear, to_srgb, to_unit
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION", "cone"]

#: Numerical aperture of a 20x objective of a slide scanner, and the refractive index of mounted tissue.
_APERTURE, _INDEX = 0.75, 1.5
#: Distance between pixels, micrometres, that is taken where the image does not state it: a scan at 20x.
_PIXEL_UM = 0.5


def cone() -> float:
    """Return the radius of the disc of confusion per distance from the focus: the tangent of the aperture's angle."""
    return float(_APERTURE / np.sqrt(_INDEX**2 - _APERTURE**2))


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    pixel = _PIXEL_UM if image.spacing is None else 1000 * image.spacing[1]
    depth = geometric(0.45, 6, severity) * rng.uniform(0.9, 1.1)
    return {"depth_um": float(depth), "radius_pixels": float(depth * cone() / pixel)}


def _apply(image: Image, parameters: Parameters) -> Image:
    light = slide.defocus(to_linear(to_unit(image)), float(parameters["radius_pixels"]))
    return from_unit(image, to_srgb(light))


DEGRADATION = Degradation(
    name="histopathology.focus",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["blur"],
    thresholds=Thresholds(
        clean=0.34,
        mild=0.385,
        severe=0.53,
        worst=0.735,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
