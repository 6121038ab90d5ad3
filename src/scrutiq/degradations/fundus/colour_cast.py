"""Colour cast: a white balance that does not fit the light, so that all colours are turned towards one."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "USUAL_HUE"]

#: Hue of the mean colour of retinal photographs, degrees of the CIELAB plane: median of four sets of good ones, whose
#: 5th and 95th percentile are 38 and 63.
USUAL_HUE = 49.0

#: Where casts go: the two axes of a camera's white balance, as stops of (red, green, blue).
_BLUE_YELLOW = np.array([-1.0, 0.0, 1.0]) / math.sqrt(2)
_GREEN_MAGENTA = np.array([-1.0, 2.0, -1.0]) / math.sqrt(6)
#: Angle in the plane of these axes: green, cool blue, magenta. A red retina turned redder is a matter of taste.
_KINDS = {"green": 80.0, "blue": 10.0, "magenta": -60.0}


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kind = list(_KINDS)[int(rng.integers(len(_KINDS)))]
    angle = math.radians(_KINDS[kind] + rng.uniform(-15, 15))
    stops = geometric(0.1, 2.8, severity) * (math.cos(angle) * _BLUE_YELLOW + math.sin(angle) * _GREEN_MAGENTA)
    return {"kind": kind, "gains": [float(2**s) for s in stops]}


def _apply(image: Image, parameters: Parameters) -> Image:
    # White balance is a gain of each component of linear light (von Kries' diagonal model; ISO 17321-1, annex A).
    gains = np.array(parameters["gains"], dtype=np.float64)

    def change(light: npt.NDArray[np.float64], field: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
        balanced = light * gains
        weights = np.array([0.2126, 0.7152, 0.0722])  # luminance of sRGB, which the exposure keeps
        before, after = (float(np.mean(part[field] @ weights)) for part in (light, balanced))
        return balanced * (before / after if after > 0 else 1.0)

    return apply_light(image, change)


def _hue_shift(context: Context) -> float:
    context.seen  # noqa: B018  # raises Undefined where there is no field of view
    a, b = context.colour_cast
    if math.hypot(a, b) < 0.5:
        raise Undefined("The mean colour is grey, which has no hue.")
    hue = math.degrees(math.atan2(b, a))
    return abs((hue - USUAL_HUE + 180) % 360 - 180)


HUE_SHIFT = Measure(
    name="fundus_hue_shift",
    unit="degree",
    title="how far the hue of the mean colour is from that of retinal photographs",
    direction="lower is better",
    range=(0, 180),
    source=(
        f"Hue angle of CIELAB (ISO/CIE 11664-4) of the mean of linear light, minus {USUAL_HUE:g} degrees, the median "
        "of good photographs of HRF, DRIVE, CHASE_DB1 and EyeQ."
    ),
    limits=(
        "Retinas differ in pigment and cameras in their colours: good photographs lie within about 15 degrees. A cast "
        "towards red or orange stays inside that range and is not seen."
    ),
    needs=round_colour,
    value=_hue_shift,
)

DEGRADATION = Degradation(
    name="fundus.colour_cast",
    draw=_draw,
    apply=_apply,
    measurement=HUE_SHIFT,
    thresholds=Thresholds(
        clean=6.5,
        mild=8,
        severe=12,
        worst=50,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
