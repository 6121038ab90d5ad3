"""Over-exposure: the exposure is too long for what is near to the light, and the sensor runs full."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

#: Share of the light beyond a full sensor that spills onto its neighbours (blooming), and how far, share of the extent.
_SPILL, _REACH = 0.12, 0.01


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    view = scene.view_of(image)
    size = scene.extent_of(view)
    near = scene.brightness(image, view)
    # What is near to the light is bright; the distance falls off from there.
    (y, x), *_ = scene.places(np.where(near >= np.nanquantile(near, 0.9), near, 0), 1, rng)
    return {
        "gain": 1 + geometric(0.06, 1.1, severity),
        "gain_at_light": 1 + geometric(0.15, 6, severity),
        "light": [float(y), float(x)],
        "radius_pixels": float(rng.uniform(0.22, 0.32) * size),
        "spill_pixels": _REACH * size,
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    y, x = np.indices(image.shape)
    away = np.hypot(y - parameters["light"][0], x - parameters["light"][1]) / float(parameters["radius_pixels"])
    # Light of a lamp at a distance: 1 / (1 + d^2) across a surface in front of it.
    gain = float(parameters["gain"])
    exposed = scene.light_of(image) * (gain + (float(parameters["gain_at_light"]) - gain) / (1 + away**2))[..., None]
    excess = np.clip(exposed - 1, 0, 2)
    sigma = float(parameters["spill_pixels"])
    return scene.finish(image, exposed + _SPILL * ndimage.gaussian_filter(excess, (sigma, sigma, 0), truncate=3), view)


DEGRADATION = Degradation(
    name="endoscopy.saturation",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["clipped_bright"],
    thresholds=Thresholds(
        clean=0.3,
        mild=11,
        severe=22,
        worst=47,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
