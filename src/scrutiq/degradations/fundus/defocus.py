"""Defocus: every point of the retina is imaged as a disc, of another size in each colour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, filter_in_field, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined
from scrutiq.metrics.sharpness import crete_blur

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    # Some astigmatism of the patient or of oblique view makes the disc an ellipse. The eye focuses red 0.4 dioptres
    # behind green and blue 0.8 before it (Thibos et al., Appl. Opt. 31, 1992), so that one colour is always worse.
    radius = geometric(0.0016, 0.016, severity) * field_of(image).diameter
    astigmatism, angle = rng.uniform(0, 0.3), rng.uniform(0, np.pi)
    sign = 1 if rng.random() < 0.5 else -1
    return {
        "radius_pixels": [radius * (1 + 0.12 * sign), radius, radius * (1 - 0.25 * sign)],
        "astigmatism": astigmatism,
        "angle": angle,
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    radii, ratio, angle = parameters["radius_pixels"], float(parameters["astigmatism"]), float(parameters["angle"])

    def transfer(shape: tuple[int, int], down: Array, right: Array, channel: int) -> npt.NDArray[np.inexact]:
        along = np.cos(angle) * right + np.sin(angle) * down
        across = np.cos(angle) * down - np.sin(angle) * right
        return disc_transfer(float(radii[channel]) * np.hypot(along * (1 + ratio), across * (1 - ratio)))

    reach = 2 * max(radii) * (1 + ratio) + 2
    return apply_light(image, lambda light, field: filter_in_field(light, field, transfer, reach))


def disc_transfer(frequency: Array) -> Array:
    """Return the transfer function of a uniform disc, ``2 J1(2 pi r f) / (2 pi r f)``.

    The image of a point by a defocused lens with a round pupil, in geometrical optics (J. W. Goodman, "Introduction to
    Fourier Optics", 3rd ed., section 6.4.4).

    Parameters
    ----------
    frequency : ndarray
        Radius times frequency, ``r f``, cycles.
    """
    x = 2 * np.pi * np.maximum(frequency, 1e-9)
    return np.asarray(2 * special.j1(x) / x)


def _retina_blur(context: Context) -> float:
    field = field_of(context.image, context.seen)
    inner = ndimage.binary_erosion(field.mask, iterations=max(8, int(0.04 * field.diameter)))
    if np.count_nonzero(inner) < 400:
        raise Undefined("The field of view is too small to measure blur inside it.")
    return float(crete_blur(context.grey, inner))


RETINA_BLUR = Measure(
    name="retina_blur",
    unit="1",
    title="perceptual blur of the retina, without the border of the field",
    direction="lower is better",
    range=(0, 1),
    source="Crete et al., Proc. SPIE 6492 (2007), eq. 1-8, kernel of 11 pixels, 4 % of the field's diameter inside it.",
    limits=(
        "It counts in pixels: a photograph of more pixels is more blurred by the same optics. Noise looks sharp to it, "
        "and haze and motion read as blur too."
    ),
    needs=round_colour,
    value=_retina_blur,
)

DEGRADATION = Degradation(
    name="fundus.defocus",
    draw=_draw,
    apply=_apply,
    measurement=RETINA_BLUR,
    thresholds=Thresholds(
        clean=0.33,
        mild=0.45,
        severe=0.68,
        worst=0.88,
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
