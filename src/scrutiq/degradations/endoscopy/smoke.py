"""Surgical smoke and mist: light from the surface is weakened, and light scattered by the smoke is added."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.endoscopy import scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed, smooth_noise
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.foreground import extremes

__all__ = ["DEGRADATION", "VEILING"]

Array = npt.NDArray[np.float64]

#: Scales of the swirls, shares of the extent, and their weights: power falls with frequency as in turbulence.
_SWIRLS = ((0.16, 1.0), (0.07, 0.5), (0.03, 0.22))


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    tint = rng.uniform(-0.02, 0.02, 3)
    return {
        "optical_depth": geometric(0.035, 1.6, severity),
        "scattered_light": (rng.uniform(0.42, 0.58) + tint).tolist(),
        "extent_pixels": scene.extent(image),
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    light = scene.light_of(image)
    density = _swirls(image.shape, float(parameters["extent_pixels"]), int(parameters["seed"]))
    t = np.exp(-float(parameters["optical_depth"]) * density)[..., None]
    return scene.finish(image, light * t + np.asarray(parameters["scattered_light"]) * (1 - t), view)


def _swirls(shape: tuple[int, int], size: float, seed: int) -> Array:
    """Return the density of the smoke along the line of sight, of mean 1: log-normal, with several scales."""
    field = sum(weight * _swirl(shape, share * size, seed + k) for k, (share, weight) in enumerate(_SWIRLS))
    density = np.exp(0.6 * np.asarray(field))
    return np.asarray(density / density.mean())


def _swirl(shape: tuple[int, int], sigma: float, seed: int) -> Array:
    """Return `smooth_noise`, made on a coarse grid where it is very smooth, and drawn out."""
    step = max(1, int(sigma / 5))
    coarse = smooth_noise((-(-shape[0] // step), -(-shape[1] // step)), sigma / step, seed)
    if step == 1:
        return coarse
    fine: Array = ndimage.zoom(coarse, step, order=1, grid_mode=True, mode="nearest")
    return fine[: shape[0], : shape[1]]


def _veiling(context: Context) -> float:
    view = context.seen
    low, high = context.range
    least = (extremes(context.image.pixels)[0] - low) / (high - low)
    side = max(3, round(0.03 * scene.extent_of(view)))
    dark = ndimage.minimum_filter(np.where(view, least, 1), side)
    return float(100 * np.percentile(dark[view], 25))


VEILING = Measure(
    name="veiling",
    unit="%",
    title="light in the darkest component of the clearer part of the field, as a share of the range",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Dark channel (He, Sun and Tang, IEEE Trans. Pattern Anal. 33(12), 2011, eq. 5) in patches of 3 % of the "
        "field's extent; lower quartile over the field of view."
    ),
    limits="White or pale mucosa that fills the frame raises it; so does over-exposure.",
    needs=scene.bounded_colour,
    value=_veiling,
)

DEGRADATION = Degradation(
    name="endoscopy.smoke",
    draw=_draw,
    apply=_apply,
    measurement=VEILING,
    thresholds=Thresholds(
        clean=10,
        mild=23,
        severe=33,
        worst=49,
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
