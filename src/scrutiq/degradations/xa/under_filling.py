"""Under-filling: too little contrast medium, so that it thins out towards the ends of the vessels."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import from_attenuation
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.degradations.xa.tree import distance_along, inlet
from scrutiq.degradations.xa.vessels import Vessels, find_vessels, vessels_of
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "apply", "draw"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


def draw(image: Image, severity: float, rng: np.random.Generator, mask: Bool | None = None) -> Parameters:
    """Draw how much contrast medium is missing at the far ends.

    Parameters
    ----------
    image : Image
    severity : float
    rng : numpy.random.Generator
    mask : ndarray of bool, shape (H, W), optional
        Of the vessels, where it is known; found in the image otherwise.
    """
    vessels = find_vessels(image, mask)
    row, column = inlet(vessels)
    far = _far(distance_along(vessels, (row, column)), vessels)
    decay = geometric(0.12, 3.5, severity) * (1 - 0.1 * float(rng.uniform()))
    return {"inlet": [row, column], "decay_length_pixels": far / decay}


def apply(image: Image, parameters: Parameters, mask: Bool | None = None) -> Image:
    """Thin the contrast medium exponentially with the way from the inlet, as blood washes into a short injection.

    Parameters
    ----------
    image : Image
    parameters : mapping
        Of `draw`.
    mask : ndarray of bool, shape (H, W), optional
        As given to `draw`.
    """
    vessels = find_vessels(image, mask)
    if not vessels.mask.any():
        return image
    row, column = parameters["inlet"]
    kept = np.exp(-distance_along(vessels, (int(row), int(column))) / float(parameters["decay_length_pixels"]))
    return from_attenuation(image, vessels.attenuation - (1 - kept) * vessels.iodine)


def _far(distance: Array, vessels: Vessels) -> float:
    """Return the distance beyond which a tenth of the vessels lies."""
    return max(float(np.percentile(distance[vessels.mask], 90)), 1.0) if vessels.mask.any() else 1.0


def decay_rate(vessels: Vessels) -> float:
    """Return how fast the density of the contrast medium falls along the vessels that hang on the inlet, per pixel.

    The slope of a straight line through the logarithm of the attenuation per pixel of lumen, over the way from the
    inlet; every pixel of the centrelines counts the same.
    """
    start = inlet(vessels)
    pieces, _ = ndimage.label(vessels.mask, np.ones((3, 3)))
    fed = vessels.skeleton & (pieces == pieces[start]) & (vessels.radius >= 1)
    if np.count_nonzero(fed) < 60:
        raise Undefined("No vessel is seen that is long enough to compare its beginning with its end.")
    density = vessels.iodine[fed] / (2 * vessels.radius[fed])
    way = distance_along(vessels, start)[fed]
    slope = np.polyfit(way, np.log(np.maximum(density, 1e-4)), 1)[0]
    return -float(slope)


def _loss(context: Context) -> float:
    return 100 * (1 - math.exp(-100 * decay_rate(vessels_of(context))))


MEASURE = Measure(
    name="contrast_decay_percent",
    unit="% per 100 pixels",
    title="loss of density of the contrast medium along the vessels, beyond that of their calibre",
    direction="lower is better",
    range=(-math.inf, 100),
    source=(
        "Videodensitometry: attenuation is proportional to iodine times thickness (Beer and Lambert), so that "
        "attenuation over diameter is the concentration (Molloi et al., Med. Phys. 23, 1996); exponential fit along "
        "the way from the inlet."
    ),
    limits=(
        "It follows only what is seen and hangs together with the widest filled vessel. The blur of the detector makes "
        "thin vessels seem to hold less, so that a well-filled tree reads about 10. A catheter counts as vessel."
    ),
    needs=xray_frame,
    value=_loss,
)

DEGRADATION = Degradation(
    name="xa.under_filling",
    draw=draw,
    apply=apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=10.5,
        mild=15.5,
        severe=26,
        worst=55,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
    exception="Three other measurements tell it better: along tapering vessels contrast decays anyway.",
)
