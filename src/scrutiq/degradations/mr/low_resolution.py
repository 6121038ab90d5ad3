"""Low resolution: a small matrix, filtered and interpolated to that of the image, so that edges are soft."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.mr.kspace import complex_image, frequencies, from_kspace, pixel_mm, put_back, to_kspace
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kept = geometric(1.6, 0.16, severity)
    return {
        "kept": kept,
        "pixel_mm": [size / min(kept, 1) for size in pixel_mm(image)],  # of the acquired matrix
        "phase_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    kspace = to_kspace(complex_image(image, parameters["phase_seed"]))
    for axis, n in enumerate(image.shape):
        # Hann's window over what was acquired, zeros beyond.
        away = np.minimum(np.abs(2 * frequencies(n)) / parameters["kept"], 1)
        window = 0.5 + 0.5 * np.cos(np.pi * away)
        kspace *= window[:, None] if axis == 0 else window
    return put_back(image, from_kspace(kspace))


DEGRADATION = Degradation(
    name="mr.low_resolution",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["edge_rise_mm"],
    thresholds=Thresholds(clean=1.8, mild=2.5, severe=4, worst=8, scale="log", basis="Medians over the real bases (bench/bench_degradations.py)."),
)
