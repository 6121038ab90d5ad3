"""Sensor noise: photon noise and read noise of the camera, brought up by gain."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

#: Read noise in electrons: a small CMOS sensor at the tip of a scope.
_READ_NOISE = 4.0


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        # Electrons that make white at the gain in use: the fewer, the higher the gain.
        "electrons_at_white": geometric(12000, 60, severity),
        "read_noise_electrons": _READ_NOISE * float(rng.uniform(0.8, 1.25)),
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    rng = np.random.default_rng(int(parameters["seed"]))
    full = float(parameters["electrons_at_white"])
    mean = scene.light_of(image) * full
    # Poisson by its normal approximation: the same white noise whatever the gain, so that one fault grows.
    white = rng.standard_normal((2, *mean.shape))
    counted = mean + np.sqrt(mean) * white[0] + float(parameters["read_noise_electrons"]) * white[1]
    return scene.finish(image, counted / full, view)


DEGRADATION = Degradation(
    name="endoscopy.noise",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["noise"],
    thresholds=Thresholds(
        clean=3.3,
        mild=4.1,
        severe=7.2,
        worst=17,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
