"""Reflex: light of the flash, reflected by cornea, lens or the camera's own optics, lies over the retina."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, polar, reduced, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    lit = field_of(image)
    crescent = bool(rng.random() < 0.6)
    angle = float(rng.uniform(0, 2 * np.pi))
    away = float(rng.uniform(0.05, 0.2))
    extent, span = float(rng.uniform(0.16, 0.26)), float(rng.uniform(0.7, 1.2))
    return {
        # A crescent at the border, of a camera too near or off the pupil; else a ghost of the optics near the middle.
        "kind": "crescent" if crescent else "central",
        "centre_pixels": list(lit.centre),
        "diameter_pixels": lit.diameter,
        "angle": angle,
        "away": away,  # of the ghost from the middle of the field, share of the diameter
        "extent": extent,  # thickness of the crescent, or radius of the ghost, share of the diameter
        "span": span,  # of the crescent along the border, radians to either side
        "light": geometric(0.012, 0.9, severity),  # added in the middle, relative to full white
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # Reflections add to the light of the retina (E. DeHoog, J. Schwiegerling, "Fundus camera systems: a comparative
    # analysis", Appl. Opt. 48, 2009: corneal reflex and ghosts of the objective). They have the colour of the flash.
    centre, diameter = tuple(parameters["centre_pixels"]), float(parameters["diameter_pixels"])
    angle, extent = float(parameters["angle"]), float(parameters["extent"])
    if parameters["kind"] == "crescent":
        distance, around = polar(image.shape, centre, diameter / 2)
        off = (around - angle + np.pi) % (2 * np.pi) - np.pi
        shape = np.exp((np.minimum(distance, 1) - 1) * 2 / extent) * np.exp(-((off / float(parameters["span"])) ** 4))
    else:
        away = float(parameters["away"]) * diameter
        place = (centre[0] + away * np.sin(angle), centre[1] + away * np.cos(angle))
        distance, _ = polar(image.shape, place, extent * diameter)
        shape = np.exp(-(distance**4))
    added = (float(parameters["light"]) * shape)[..., None] * [1.0, 0.97, 0.92]
    return apply_light(image, lambda light, field: light + added)


def _excess(context: Context) -> float:
    view = reduced(context)
    inner = ndimage.binary_erosion(view.field, iterations=max(2, int(0.015 * view.diameter)))
    if np.count_nonzero(inner) < 400:
        raise Undefined("The field of view is too small to look for reflections.")
    # The least component is blue, of which the retina gives little; smoothing leaves out vessels and small lesions.
    least = ndimage.gaussian_filter(view.light.min(axis=2), 0.01 * view.diameter)[inner]
    return 100 * float(np.percentile(least, 95) - np.median(least))


REFLEX = Measure(
    name="fundus_reflex",
    unit="%",
    title="whitish light over a part of the retina above that of the rest, relative to full white",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Least component of linear light (specular and stray light is white: S. A. Shafer, Color Res. Appl. 10, 1985), "
        "95th percentile less median over the field of view: the optic disc covers less than the 5 % left out."
    ),
    limits=(
        "A reflection on less than 5 % of the field is not seen, and one on more than half of it counts as haze. "
        "Myelinated fibres, large atrophy and a disc photographed at a narrow angle are whitish too."
    ),
    needs=round_colour,
    value=_excess,
)

DEGRADATION = Degradation(
    name="fundus.reflex",
    draw=_draw,
    apply=_apply,
    measurement=REFLEX,
    thresholds=Thresholds(
        clean=1.2,
        mild=2.5,
        severe=8.5,
        worst=35,
        scale="log",
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
