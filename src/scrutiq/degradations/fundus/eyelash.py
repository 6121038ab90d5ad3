"""Eyelashes: lashes and the edge of a lid before the pupil throw dark arcs, and scatter light into the border."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, polar, reduced, round_colour
from scrutiq.degradations.fundus.shapes import curvatures
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    lit = field_of(image)
    # Lashes hang from the upper lid, which the camera's inverted view may show above or below.
    middle = (np.pi / 2 if rng.random() < 0.5 else -np.pi / 2) + rng.uniform(-0.3, 0.3)
    lashes = [
        {
            "angle": middle + float(rng.uniform(-0.75, 0.75)),
            "lean": float(rng.uniform(-0.45, 0.45)),  # radians from the radius
            "bend": float(rng.uniform(-0.8, 0.8)),  # radians over its length
            "length_pixels": float(rng.uniform(0.22, 0.42)) * lit.diameter,
            "width_pixels": float(rng.uniform(0.006, 0.011)) * lit.diameter,
            "density": float(rng.uniform(0.6, 1.0)),
        }
        for _ in range(int(rng.integers(6, 11)))
    ]
    return {
        "lashes": lashes,
        "depth": geometric(0.05, 2.5, severity),  # optical depth of the darkest lash
        "glow": geometric(0.01, 0.5, severity),  # scattered light at the border, relative to full white
        "angle": middle,
        "centre_pixels": list(lit.centre),
        "diameter_pixels": lit.diameter,
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # A lash near the pupil is far out of focus: a soft shadow, dark in proportion to the share of the pupil it covers
    # (Beer-Lambert for the density), and light reflected by lid and lash is added where it enters (Raj et al., "Fundus
    # image quality assessment", IET Image Process. 13, 2019, section 2.1: lash artefacts at the border of the field).
    centre, radius = tuple(parameters["centre_pixels"]), float(parameters["diameter_pixels"]) / 2
    depth = np.zeros(image.shape)
    for lash in parameters["lashes"]:
        depth = np.maximum(depth, float(lash["density"]) * _shadow(image.shape, centre, radius, lash))
    gain = np.exp(-float(parameters["depth"]) * depth)
    distance, angle = polar(image.shape, centre, radius)
    side = np.cos((angle - float(parameters["angle"]) + np.pi) % (2 * np.pi) - np.pi)
    glow = float(parameters["glow"]) * np.exp((distance - 1) / 0.12) * np.clip(side, 0, 1) ** 2
    return apply_light(image, lambda light, field: light * gain[..., None] + glow[..., None] * [1.0, 0.9, 0.8])


def _shadow(shape: tuple[int, ...], centre: tuple[float, ...], radius: float, lash: Any) -> Array:
    """Return the shadow of a lash, 1 on its midline: Gaussian across, fading to its tip."""
    length, width = float(lash["length_pixels"]), float(lash["width_pixels"])
    count = int(np.ceil(length / (0.5 * width))) + 1
    along = np.linspace(0, 1, count)
    heading = float(lash["angle"]) + np.pi + float(lash["lean"]) + float(lash["bend"]) * along
    step = length / (count - 1)
    y = centre[0] + radius * np.sin(float(lash["angle"])) + np.concatenate([[0], np.cumsum(np.sin(heading[1:]) * step)])
    x = centre[1] + radius * np.cos(float(lash["angle"])) + np.concatenate([[0], np.cumsum(np.cos(heading[1:]) * step)])
    # The nearest place of the midline, looked up within the box about it.
    reach = 4 * width
    top, left = max(int(y.min() - reach), 0), max(int(x.min() - reach), 0)
    bottom, right = min(int(y.max() + reach) + 2, shape[0]), min(int(x.max() + reach) + 2, shape[1])
    shadow = np.zeros(shape)
    if bottom <= top or right <= left:
        return shadow
    from scipy.spatial import cKDTree

    rows, columns = np.mgrid[top:bottom, left:right]
    distance, nearest = cKDTree(np.stack([y, x], axis=1)).query(
        np.stack([rows.ravel(), columns.ravel()], axis=1), distance_upper_bound=reach
    )
    found = np.isfinite(distance)
    value = np.zeros(distance.shape)
    taper = np.sqrt(1 - along**2)  # thinner, so less dark, towards the tip
    value[found] = np.exp(-((distance[found] / width) ** 2) / 2) * taper[nearest[found]]
    shadow[top:bottom, left:right] = value.reshape(rows.shape)
    return shadow


def _lash_contrast(context: Context) -> float:
    view = reduced(context)
    distance, _ = polar(view.field.shape, view.centre, view.diameter / 2)
    border = ndimage.binary_erosion(view.field, iterations=max(2, int(0.025 * view.diameter))) & (distance > 0.55)
    if np.count_nonzero(border) < 400:
        raise Undefined("The border of the field is not in view.")
    sigma = 0.009 * view.diameter
    ridges = []
    for channel in (0, 1):
        light = np.where(view.field, view.light[..., channel], np.nan)
        filled = np.where(view.field, light, np.nanmedian(light))
        flat, steep = curvatures(np.log(filled + 0.01), sigma)
        ridges.append(np.where(np.abs(flat) < 0.4 * steep, steep, 0.0))
    red, green = ridges
    # A vessel is several times as dark in green as in red; a lash is as dark in both.
    colourless = np.minimum(np.minimum(red, green), 2 * red - green)[border]
    return 100 * float(np.percentile(np.maximum(colourless, 0), 99))


LASHES = Measure(
    name="fundus_lash_contrast",
    unit="%",
    title="contrast of dark lines near the border of the field that are as dark in red light as in green",
    direction="lower is better",
    range=(0, np.inf),
    source=(
        "Ridge strength: greater eigenvalue of the scale-normalised Hessian of log light where the lesser is small "
        "(T. Lindeberg, Int. J. Comput. Vis. 30, 1998; A. F. Frangi et al., MICCAI 1998), at 0.9 % of the field's "
        "diameter, least of red and green, less what green has more; 99th percentile over the outer part of the field."
    ),
    limits=(
        "Choroidal vessels of a retina of little pigment, and large veins, show in red too. Lashes so close that they "
        "merge into one shadow have no lines. Where red is saturated, faint lashes are not seen."
    ),
    needs=round_colour,
    value=_lash_contrast,
)

DEGRADATION = Degradation(
    name="fundus.eyelash",
    draw=_draw,
    apply=_apply,
    measurement=LASHES,
    thresholds=Thresholds(
        clean=6,
        mild=6.3,
        severe=11.5,
        worst=21,
        scale="log",
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
