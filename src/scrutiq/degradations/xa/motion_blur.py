"""Motion blur: the heart moves while the pulse of X-rays lasts."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric, new_seed, smooth_noise
from scrutiq.degradations.xa.beam import attenuation_of, beam_field, from_transmitted, transmitted_of
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Moments of the exposure at which the position is computed.
_MOMENTS = 13


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        # Way of the fastest part during the exposure: 20 pixels of 0.2 mm in 30 ms are the 13 cm/s of a right coronary.
        "path_pixels": geometric(1.0, 22.0, severity) * min(image.shape) / 512,
        "direction_degrees": float(rng.uniform(0, 360)),
        "bend_degrees": float(rng.uniform(-70, 70)),
        "acceleration": float(rng.uniform(-0.5, 0.5)),
        "unevenness": 0.3,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    """Sum the transmitted intensity over the exposure while the anatomy moves on a curve; the blades stay."""
    intensity = transmitted_of(image)
    field = beam_field(attenuation_of(image))
    moving = _beyond(intensity, field)
    length = float(parameters["path_pixels"])
    # Parts of the heart move unequally.
    share = 1 + float(parameters["unevenness"]) * np.tanh(
        smooth_noise(image.shape, min(image.shape) / 6, int(parameters["seed"]))
    )
    total = np.zeros_like(intensity)
    for down, right in _path(parameters):
        total += displace(moving, length * down * share, length * right * share)
    inner = np.clip((ndimage.distance_transform_edt(field) - 1) / 6, 0, 1) if not field.all() else 1.0
    return from_transmitted(image, inner * total / _MOMENTS + (1 - inner) * intensity)


def _path(parameters: Parameters) -> Array:
    """Return the positions during the exposure, about their mean, for a way of 1: an arc run through unevenly."""
    time = (np.arange(_MOMENTS) + 0.5) / _MOMENTS
    run = time + float(parameters["acceleration"]) * time * (time - 1)
    bend = np.radians(float(parameters["bend_degrees"]))
    angle = np.radians(float(parameters["direction_degrees"])) + bend * (run - 0.5)
    steps = np.diff(run, prepend=run[0])[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    path = np.cumsum(steps, axis=0)
    return np.asarray(path - path.mean(axis=0))


def _beyond(intensity: Array, field: Bool) -> Array:
    """Return an intensity continued under the blades of the collimator."""
    if field.all() or not field.any():
        return intensity
    inner = ndimage.binary_erosion(field, iterations=4, border_value=1)
    nearest = ndimage.distance_transform_edt(
        ~(inner if inner.any() else field), return_distances=False, return_indices=True
    )
    return np.asarray(intensity[nearest[0], nearest[1]])


DEGRADATION = Degradation(
    name="xa.motion_blur",
    draw=_draw,
    apply=_apply,
    measurement=MEASURES["blur"],
    thresholds=Thresholds(
        clean=0.55,
        mild=0.6,
        severe=0.67,
        worst=0.74,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
