"""Uneven illumination: the lamp is not centred, and the flat-field correction failed."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.histopathology import slide
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import from_unit, geometric, to_linear, to_srgb, to_unit
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    h, w = image.shape
    return {
        "fall_off": geometric(0.08, 1.3, severity),
        "middle": [float(rng.uniform(0.2, 0.8) * h), float(rng.uniform(0.2, 0.8) * w)],
        "radius_pixels": float(rng.uniform(0.6, 0.75) * slide.side_of(image)),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    y, x = np.indices(image.shape)
    away = np.hypot(y - parameters["middle"][0], x - parameters["middle"][1]) / float(parameters["radius_pixels"])
    # Natural vignetting of a source at a distance: the fourth power of the cosine, with cos^2 = 1 / (1 + k d^2).
    lamp = 1 / (1 + float(parameters["fall_off"]) * away**2) ** 2
    return from_unit(image, to_srgb(to_linear(to_unit(image)) * lamp[..., None]))


DEGRADATION = Degradation(
    name="histopathology.uneven_illumination",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["illumination"],
    thresholds=Thresholds(
        clean=86,
        mild=78,
        severe=54,
        worst=2.4,
        basis="Medians over 14 H&E bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
