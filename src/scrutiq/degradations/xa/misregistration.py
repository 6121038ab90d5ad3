"""Misregistration: the mask that is subtracted has moved, so that edges of the anatomy stay as residues."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import displace, geometric, new_seed, smooth_noise
from scrutiq.degradations.xa.beam import attenuation_of, from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.vessels import Vessels, field_of, find_vessels, ridges, vessels_of, widened
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "apply", "draw"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    """Draw how far the patient moved between mask and contrast frame."""
    return {
        "shift_pixels": geometric(0.8, 14.0, severity) * min(image.shape) / 512,
        "direction_degrees": float(rng.uniform(0, 360)),
        "unevenness": 0.4,
        "seed": new_seed(rng),
    }


def apply(image: Image, parameters: Parameters, mask: Bool | None = None) -> Image:
    """Add what the subtraction of a displaced mask leaves: the attenuation of the anatomy less that of it displaced.

    Parameters
    ----------
    image : Image
    parameters : mapping
        Of `draw`.
    mask : ndarray of bool, shape (H, W), optional
        Of the vessels, which the mask frame lacks; found in the image otherwise.
    """
    vessels = find_vessels(image, mask)
    anatomy = _continued(vessels)
    uneven = float(parameters["unevenness"]) * np.tanh(
        smooth_noise(image.shape, min(image.shape) / 5, int(parameters["seed"]))
    )
    angle = np.radians(float(parameters["direction_degrees"])) + uneven
    length = float(parameters["shift_pixels"]) * (1 + uneven)
    residue = anatomy - displace(anatomy, length * np.sin(angle), length * np.cos(angle))
    # The blades stay where they are, so they subtract without residue.
    inner = np.clip((ndimage.distance_transform_edt(vessels.field) - 1) / 6, 0, 1) if not vessels.field.all() else 1.0
    return from_attenuation(image, vessels.attenuation + inner * residue)


def _continued(vessels: Vessels) -> Array:
    """Return the background continued under the blades."""
    inner = ndimage.binary_erosion(vessels.field, iterations=6, border_value=1)
    if inner.all() or not inner.any():
        return vessels.background
    nearest = ndimage.distance_transform_edt(~inner, return_distances=False, return_indices=True)
    return np.asarray(vessels.background[nearest[0], nearest[1]])


def _residue(context: Context) -> float:
    attenuation, field = attenuation_of(context.image), field_of(context)
    try:
        dark = vessels_of(context).mask
    except Undefined:
        dark = np.zeros_like(field)
    # Beside a vessel, and between two, the background is a bright ridge by itself.
    apart = ndimage.binary_erosion(field, iterations=10, border_value=1) & ~widened(dark, 5)
    if not apart.any():
        raise Undefined("Nothing but vessels is seen in the field.")
    bright = ridges(-attenuation).depth[apart]
    return 1000 * float(np.sqrt((bright**2).mean())) / math.log(10)


MEASURE = Measure(
    name="residual_edges_mod",
    unit="mOD",
    title="root mean square depth of bright ridges in the background",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "A displaced edge leaves a ridge as wide as the displacement, bright or dark by its direction (Meijering et "
        "al., Med. Image Anal. 3, 1999); X-ray anatomy by itself has few thin bright lines. Ridges by Hessian "
        "eigenvalues (Sato et al., 1998), checked on both sides, in thousandths of optical density, away from vessels."
    ),
    limits=(
        "Strong mottle makes ridges as well. Lung between ribs and gaps between wires are bright ridges without any "
        "fault."
    ),
    needs=xray_frame,
    value=_residue,
)

DEGRADATION = Degradation(
    name="xa.misregistration",
    draw=draw,
    apply=apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=11,
        mild=11.8,
        severe=14.3,
        worst=21,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
