"""Specular highlights: the light source mirrored by wet mucosa where its surface faces the lens."""

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

__all__ = ["DEGRADATION", "SPECULAR_AREA"]

Array = npt.NDArray[np.float64]

#: Wet patches that may shine.
_SITES = 48
#: Root mean square slope of the microfacets of a film of mucus (Beckmann's m), and of its ripples, which split a
#: highlight into glints; both relative to the slope at the edge of a patch.
_ROUGHNESS, _RIPPLE = 0.3, 0.55
#: Mirrored light, in units of what fills the sensor. The mirror image of the lamp is far beyond it.
_PEAK = 4.0
#: Share of the light that the lens and the sensor spread around a highlight, and how far, share of the extent.
_BLOOM, _HALO = 0.06, 0.012

#: A highlight: least component of the coded values, and how far it stands out from what is around, shares of range.
_BRIGHT, _ABOVE = 0.72, 0.2
#: Side of the largest highlight, share of the extent of the field: what is larger is over-exposed.
_LARGEST = 0.09


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    view = scene.view_of(image)
    shape = scene.brightness(image, view)
    # Where the surface faces the light, but not in areas that are saturated already; bright squared favours ridges.
    weight = np.where(shape < 0.8, np.nan_to_num(shape) ** 2, 0)
    spots = scene.places(weight, _SITES, rng)
    sizes = np.exp(rng.uniform(np.log(0.011), np.log(0.036), _SITES))
    # From the first patch on all grow together; further ones come in with severity.
    grown = geometric(0.3, 1, severity) * scene.extent_of(view)
    wet = round(geometric(5, _SITES, severity))
    return {
        "sites": [[float(y), float(x), float(s * grown)] for (y, x), s in zip(spots, sizes, strict=True)][:wet],
        "film_pixels": 0.0075 * scene.extent_of(view),
        "bloom_pixels": _HALO * scene.extent_of(view),
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    view = scene.view_of(image)
    light = scene.light_of(image)
    mirrored = _glints(image.shape, parameters)
    full = light + _PEAK * mirrored[..., None]
    excess = np.minimum(_PEAK * mirrored, 1.5)
    halo = ndimage.gaussian_filter(excess, float(parameters["bloom_pixels"]), truncate=3)
    return scene.finish(image, full + _BLOOM * halo[..., None], view)


def _glints(shape: tuple[int, int], parameters: Parameters) -> Array:
    """Return the density of facets that mirror the lamp into the lens, 0 to 1 (Beckmann distribution of slopes)."""
    film = smooth_noise(shape, float(parameters["film_pixels"]), int(parameters["seed"]))
    down, right = np.gradient(film, axis=0), np.gradient(film, axis=1)
    scale = _RIPPLE / max(float(np.std(np.hypot(down, right))), 1e-12)
    found = np.zeros(shape)
    for y, x, size in parameters["sites"]:
        top, left = max(int(y - 2 * size), 0), max(int(x - 2 * size), 0)
        part = np.s_[top : max(int(y + 2 * size) + 2, 0), left : max(int(x + 2 * size) + 2, 0)]
        if found[part].size == 0:
            continue
        rows, columns = np.indices(found[part].shape)
        # A convex patch: its slope grows from 0 at the middle, where it faces the lens.
        slope_y = (rows + top - y) / size + scale * down[part]
        slope_x = (columns + left - x) / size + scale * right[part]
        found[part] = np.maximum(found[part], np.exp(-(slope_y**2 + slope_x**2) / (2 * _ROUGHNESS**2)))
    return found


def _specular_area(context: Context) -> float:
    view = context.seen
    low, high = context.range
    least = (extremes(context.image.pixels)[0] - low) / (high - low)
    least = np.where(view, least, 0)
    side = max(3, round(_LARGEST * scene.extent_of(view)))
    around = ndimage.grey_opening(least, size=(side, side))
    glint = (least > _BRIGHT) & (least - around > _ABOVE) & view
    return 100 * np.count_nonzero(glint) / np.count_nonzero(view)


SPECULAR_AREA = Measure(
    name="specular_area",
    unit="%",
    title="share of the field of view covered by small white glints",
    direction="lower is better",
    range=(0, 100),
    source=(
        "After Oh et al., Med. Image Anal. 11(2), 2007, and Arnold et al., EURASIP J. Image Video Process. 2010: "
        "pixels whose least component is above 72 % of the range and 20 % of it above the opening by a square of 9 % "
        "of the field's extent."
    ),
    limits="White bubbles, text inside the field and white debris count; a saturated area wider than 9 % does not.",
    needs=scene.bounded_colour,
    value=_specular_area,
)

DEGRADATION = Degradation(
    name="endoscopy.specular_highlight",
    draw=_draw,
    apply=_apply,
    measurement=SPECULAR_AREA,
    thresholds=Thresholds(
        clean=0.45,
        mild=0.65,
        severe=1.3,
        worst=4.7,
        scale="log",
        basis="Medians over the 8 clean endoscopic bases at severity 0, 1/3, 2/3 and 1 (bench/bench_degradations.py).",
    ),
)
