"""Haze: a cloudy lens scatters light forward over the image and backward into the camera, as in cataract."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, filter_in_field, reduced, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Widths (standard deviations, share of the field's diameter) and weights of the tail of the point-spread function.
_TAIL = ((0.01, 0.35), (0.04, 0.35), (0.15, 0.3))
#: How much more is scattered in green and blue than in red: particles of some 0.3 um, between Mie and Rayleigh.
_COLOURS = (1.0, 1.25, 1.6)


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    lit = field_of(image)
    depth = geometric(0.02, 1.6, severity)
    return {
        # Optical depth of the scattering in red, green and blue.
        "scattering": [depth * c for c in _COLOURS],
        # What comes back from the lens has the colour of the flash, and is brighter on its side of the pupil.
        "veil": [float(v) for v in rng.uniform(0.35, 0.5) * np.array([1.0, 0.97, 0.9])],
        "gradient": rng.uniform(0, 0.35),
        "angle": rng.uniform(0, 2 * np.pi),
        "centre_pixels": list(lit.centre),
        "diameter_pixels": lit.diameter,
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # I = a L r t + L (1 - t): E. Peli and T. Peli, "Restoration of retinal images obtained through cataracts", IEEE
    # Trans. Med. Imaging 8 (1989), eq. 1; with the forward scatter of Shen et al., IEEE Trans. Med. Imaging 40 (2021),
    # eq. 7, as a sum of Gaussians that stands for the tail of glare in the eye (J. J. Vos, CIE 135/1, 1999).
    diameter, centre = float(parameters["diameter_pixels"]), tuple(parameters["centre_pixels"])
    passed = np.exp(-np.array(parameters["scattering"], dtype=np.float64))
    reached = passed + 0.5 * (1 - passed)
    y, x = np.ogrid[0 : image.shape[0], 0 : image.shape[1]]
    angle = float(parameters["angle"])
    side = ((y - centre[0]) * np.sin(angle) + (x - centre[1]) * np.cos(angle)) / (diameter / 2)
    glow = (1 + float(parameters["gradient"]) * np.clip(side, -1, 1))[..., None] * np.array(parameters["veil"])

    def transfer(shape: tuple[int, int], down: Array, right: Array, channel: int) -> npt.NDArray[np.inexact]:
        square = 2 * np.pi**2 * (down**2 + right**2)
        tail = sum(weight * np.exp(-square * (width * diameter) ** 2) for width, weight in _TAIL)
        # Half of what is scattered goes forward and still reaches the image; the rest is lost to it.
        return np.asarray((passed[channel] + 0.5 * (1 - passed[channel]) * tail) / reached[channel])

    def change(light: Array, field: Bool) -> Array:
        return np.asarray(filter_in_field(light, field, transfer, 0.45 * diameter) * reached + (1 - passed) * glow)

    return apply_light(image, change)


def _veil(context: Context) -> float:
    view = reduced(context)
    inner = ndimage.binary_erosion(view.field, iterations=max(2, int(0.03 * view.diameter)))
    if np.count_nonzero(inner) < 100:
        raise Undefined("The field of view is too small to measure a veil.")
    size = max(3, int(view.diameter / 25))
    # The darkest component is blue in a retina: what little it holds is what was added to it.
    dark = ndimage.minimum_filter(view.light.min(axis=2), size)[inner]
    return 100 * float(np.median(dark))


VEIL = Measure(
    name="fundus_veil",
    unit="%",
    title="light that was added to all colours everywhere, relative to full white",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Dark channel: least component of linear light in a window of 1/25 of the field (K. He, J. Sun, X. Tang, IEEE "
        "Trans. Pattern Anal. Mach. Intell. 33, 2011, eq. 5), median over the field of view."
    ),
    limits=(
        "A retina of little pigment, and a camera that renders it pale, hold light in all colours without any haze. "
        "Over-exposure raises it too."
    ),
    needs=round_colour,
    value=_veil,
)

DEGRADATION = Degradation(
    name="fundus.haze",
    draw=_draw,
    apply=_apply,
    measurement=VEIL,
    thresholds=Thresholds(
        clean=1.1,
        mild=6,
        severe=17,
        worst=36,
        scale="log",
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
