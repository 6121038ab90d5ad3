"""Background shadow: dense anatomy, the diaphragm or ribs, lies over the vessels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import attenuation_of, beam_field, from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.vessels import field_of
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    h, w = image.shape
    size = min(h, w)
    attenuation = attenuation_of(image)
    denser = _denser(attenuation, beam_field(attenuation))
    return {
        "optical_density": geometric(0.035, 0.6, severity),
        # The dome of a diaphragm or the border of another organ: a disc that comes in from the denser side.
        "from_degrees": (denser + float(rng.uniform(-45, 45))) % 360,
        "covers": float(rng.uniform(0.35, 0.55)),
        "dome_radius_pixels": float(rng.uniform(0.5, 1.0)) * size,
        "border_pixels": float(rng.uniform(0.03, 0.06)) * size,
        # Ribs: bands at an angle to it.
        "ribs": [
            {
                "offset_pixels": float(rng.uniform(-0.4, 0.4)) * size,
                "degrees": float(rng.uniform(-35, 35)),
                "width_pixels": float(rng.uniform(0.05, 0.09)) * size,
                "share": float(rng.uniform(0.12, 0.28)),
            }
            for _ in range(2)
        ],
    }


def _denser(attenuation: Array, field: Bool) -> float:
    """Return in which direction the attenuation rises across the field, degrees from the columns' axis to the rows'."""
    if not field.any():
        return 0.0
    rows, columns = np.nonzero(field)
    places = np.stack([rows - rows.mean(), columns - columns.mean()], axis=1)
    slope: Array = np.linalg.lstsq(places, attenuation[field] - attenuation[field].mean())[0]
    # Rounded: an even frame has no direction, not one of rounding errors.
    down, right = (round(float(value), 9) for value in slope.tolist())
    return round(math.degrees(math.atan2(down, right)), 1)


def _apply(image: Image, parameters: Parameters) -> Image:
    """Add the attenuation of what lies in the beam, inside the blades."""
    attenuation = attenuation_of(image)
    field = beam_field(attenuation)
    inner = ndimage.gaussian_filter(field.astype(np.float64), 3.0, mode="nearest")
    depth = float(parameters["optical_density"]) * math.log(10)
    return from_attenuation(image, attenuation + depth * inner * shadow(image.shape, parameters))


def shadow(shape: tuple[int, int], parameters: Parameters) -> Array:
    """Return the attenuation of the shadows, 1 in the middle of the largest."""
    h, w = shape
    y, x = np.mgrid[0:h, 0:w].astype(np.float64)
    y -= (h - 1) / 2
    x -= (w - 1) / 2
    angle, radius = np.radians(float(parameters["from_degrees"])), float(parameters["dome_radius_pixels"])
    # Half the extent of the image in that direction; the dome's top reaches the stated share of it.
    half = (abs(h * np.sin(angle)) + abs(w * np.cos(angle))) / 2
    away = half - 2 * half * float(parameters["covers"]) + radius
    inside = radius - np.hypot(y - away * np.sin(angle), x - away * np.cos(angle))
    total = 1 / (1 + np.exp(-np.clip(inside / float(parameters["border_pixels"]), -50, 50)))
    for rib in parameters["ribs"]:
        tilt = np.radians(float(rib["degrees"]))
        across = y * np.cos(tilt) - x * np.sin(tilt) + 3e-4 * x**2 - float(rib["offset_pixels"])
        total += float(rib["share"]) * np.exp(-0.5 * (2 * across / float(rib["width_pixels"])) ** 4)
    return np.asarray(total)


def _range(context: Context) -> float:
    field = field_of(context)
    attenuation = attenuation_of(context.image)
    inner = ndimage.binary_erosion(field, iterations=max(4, min(field.shape) // 40), border_value=1)
    if not inner.any():
        raise Undefined("The collimator leaves no field in which shadows could be seen.")
    sigma = min(field.shape) / 32
    weight = ndimage.gaussian_filter(field.astype(np.float64), sigma, mode="nearest")
    smooth = ndimage.gaussian_filter(np.where(field, attenuation, 0), sigma, mode="nearest") / np.maximum(weight, 1e-6)
    low, high = np.percentile(smooth[inner], (5, 95))
    return float(high - low) / math.log(10)


MEASURE = Measure(
    name="shadow_optical_density",
    unit="OD",
    title="difference in optical density between the densest and the most transparent large areas of the field",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Object range of a radiograph (ICRU Report 54, 1996): 5th to 95th percentile of the decadic attenuation within "
        "the field of the beam, smoothed by 1/32 of its side."
    ),
    limits=(
        "The patient's own diaphragm, spine and lung count, as they hamper the reader as well. A display curve changes "
        "it. Large filled vessels add a little."
    ),
    needs=xray_frame,
    value=_range,
)

DEGRADATION = Degradation(
    name="xa.background_shadow",
    draw=_draw,
    apply=_apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=0.18,
        mild=0.26,
        severe=0.39,
        worst=0.78,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
