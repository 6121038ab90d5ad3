"""Blur of a frame: the lens out of focus, the scope moving during the exposure, or both."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]

#: Points along the path of a movement.
_POINTS = 15


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    moving, heading, bend = rng.random(), rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1)
    size = geometric(0.0012, 0.016, severity) * scene.extent(image)
    along = np.linspace(-1, 1, _POINTS)
    # A path with a bend: an arc of a parabola, as long as the defocused disc would be wide.
    y = size * moving * (along * np.sin(heading) + 0.4 * bend * along**2 * np.cos(heading))
    x = size * moving * (along * np.cos(heading) - 0.4 * bend * along**2 * np.sin(heading))
    return {
        "disc_radius_pixels": float(size * (1 - moving)),
        "path_pixels": np.stack([y - y.mean(), x - x.mean()], axis=1).tolist(),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    radius = float(parameters["disc_radius_pixels"])
    path = np.asarray(parameters["path_pixels"], dtype=np.float64)

    def transfer(down: Array, right: Array) -> npt.NDArray[Any]:
        """Geometric defocus, 2 J1(a) / a with a = 2 pi r f (Goodman, Fourier Optics, 6.4), times that of the motion."""
        from scipy.special import j1

        a = np.maximum(2 * np.pi * radius * np.hypot(down, right), 1e-9)
        moved = sum(np.exp(-2j * np.pi * (down * y + right * x)) for y, x in path) / len(path)
        return np.asarray(2 * j1(a) / a * moved)

    view = scene.view_of(image)
    reach = radius + float(np.abs(path).max())
    return scene.finish(image, scene.spread(scene.light_of(image), view, transfer, 2 * reach), view)


DEGRADATION = Degradation(
    name="endoscopy.blur",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["blur"],
    thresholds=Thresholds(
        clean=0.29,
        mild=0.39,
        severe=0.56,
        worst=0.66,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
