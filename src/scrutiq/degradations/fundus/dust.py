"""Dust: grains on lens or sensor, out of focus, dim or brighten small round spots in every photograph alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, field_of, reduced, round_colour
from scrutiq.degradations.fundus.shapes import curvatures, grey_contrast
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    lit = field_of(image)
    spots = []
    for _ in range(int(rng.integers(14, 24))):
        away, angle = 0.45 * lit.diameter * float(np.sqrt(rng.random())), float(rng.uniform(0, 2 * np.pi))
        spots.append(
            {
                "centre_pixels": [
                    lit.centre[0] + away * float(np.sin(angle)),
                    lit.centre[1] + away * float(np.cos(angle)),
                ],
                "radius_pixels": float(rng.uniform(0.008, 0.018)) * lit.diameter,
                "softness": float(rng.uniform(0.15, 0.4)),  # width of the rim, share of the radius
                "share": float(rng.uniform(0.6, 1.0)),
                "bright": bool(rng.random() < 0.3),
            }
        )
    return {
        "spots": spots,
        "depth": geometric(0.03, 1.6, severity),  # optical depth of the densest grain
        "glow": geometric(0.01, 0.5, severity),  # light that the brightest grain scatters, relative to full white
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # A grain at a distance from the image plane dims the disc that the beam's cone makes of it, by the share of the
    # cone that it covers (R. G. Willson et al., "An optical model for image artifacts produced by dust particles on
    # lenses", i-SAIRAS 2005); lit from the side, it adds light instead.
    depth, glow = np.zeros(image.shape), np.zeros(image.shape)
    for spot in parameters["spots"]:
        (y, x), radius = spot["centre_pixels"], float(spot["radius_pixels"])
        reach = int(2.5 * radius) + 2
        top, left = max(int(y) - reach, 0), max(int(x) - reach, 0)
        bottom, right = min(int(y) + reach + 1, image.shape[0]), min(int(x) + reach + 1, image.shape[1])
        if bottom <= top or right <= left:
            continue
        part = (slice(top, bottom), slice(left, right))
        rows, columns = np.ogrid[part]
        distance = np.hypot(rows - y, columns - x)
        disc = float(spot["share"]) * special.ndtr((radius - distance) / (float(spot["softness"]) * radius))
        target = glow if spot["bright"] else depth
        target[part] = np.maximum(target[part], disc)
    gain, added = np.exp(-float(parameters["depth"]) * depth), float(parameters["glow"]) * glow
    return apply_light(image, lambda light, field: light * gain[..., None] + added[..., None])


def _spots(context: Context) -> float:
    view = reduced(context)
    inner = ndimage.binary_erosion(view.field, iterations=max(3, int(0.03 * view.diameter)))
    if np.count_nonzero(inner) < 400:
        raise Undefined("The field of view is too small to look for spots.")
    sigma = 0.009 * view.diameter
    contrast = grey_contrast(view, sigma)
    flat, steep = curvatures(contrast, sigma)
    # A dark spot is a peak of the contrast: both curvatures negative and alike. Lines have one near zero.
    blob = np.where(steep < 0.35 * flat, contrast, 0.0) * inner
    peaks = blob[(blob == ndimage.maximum_filter(blob, int(3 * sigma) | 1)) & (blob > 0)]
    return 100 * float(np.sort(peaks)[-8:].sum()) / 8


SPOTS = Measure(
    name="fundus_spot_contrast",
    unit="%",
    title="contrast of small round dark spots that all colours share",
    direction="lower is better",
    range=(0, np.inf),
    source=(
        "Peaks of the difference of Gaussians of log light (D. G. Lowe, Int. J. Comput. Vis. 60, 2004, sections 3-4, "
        "with its test of the curvatures) of 0.9 and 2.7 % of the field's diameter, least of the three colours; mean "
        "of the eight strongest, where there are fewer with zeros."
    ),
    limits=(
        "Fewer than eight spots read lower than they are dark. Crossings of vessels in a retina of little pigment, and "
        "microaneurysms where red is dark, leave a few percent."
    ),
    needs=round_colour,
    value=_spots,
)

DEGRADATION = Degradation(
    name="fundus.dust",
    draw=_draw,
    apply=_apply,
    measurement=SPOTS,
    thresholds=Thresholds(
        clean=10.4,
        mild=11,
        severe=13.5,
        worst=28,
        scale="log",
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
