"""Veiling glare: light that scatters within the image intensifier or detector fills what should be dark."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.degradations.xa.beam import from_transmitted, transmitted_of
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.metrics import Context, Measure

__all__ = ["DEGRADATION"]

Array = npt.NDArray[np.float64]


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        "scattered_share": geometric(0.05, 0.8, severity),
        "range_pixels": float(rng.uniform(0.12, 0.22)) * min(image.shape),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    share, reach = float(parameters["scattered_share"]), float(parameters["range_pixels"])
    return from_transmitted(image, glare(transmitted_of(image), share, reach))


def glare(intensity: Array, share: float, reach: float) -> Array:
    """Return an intensity with veiling glare.

    The point spread function is ``(1 - share) delta(r) + share exp(-r / reach) / (2 pi reach r)`` (Seibert, Nalcioglu
    and Roeck, Med. Phys. 11, 1984), whose transform is ``1 - share + share / sqrt(1 + (2 pi reach f)^2)``.

    Parameters
    ----------
    intensity : ndarray of float64, shape (H, W)
        Linear; it is continued by reflection.
    share : float
        Of the light that is scattered, 0 to 1.
    reach : float
        Pixels.
    """
    h, w = intensity.shape
    # Even continuation: the cosine transform of the image is its Fourier transform.
    spectrum = fft.dctn(intensity, norm="ortho")
    squared = (np.arange(h) / (2 * h))[:, None] ** 2 + (np.arange(w) / (2 * w))[None, :] ** 2
    transfer = 1 - share + share / np.sqrt(1 + (2 * np.pi * reach) ** 2 * squared)
    return np.asarray(fft.idctn(spectrum * transfer, norm="ortho"))


def _lowest(context: Context) -> float:
    intensity = ndimage.median_filter(transmitted_of(context.image), 3)
    return 100 * float(np.percentile(intensity, 0.5) / np.median(intensity))


MEASURE = Measure(
    name="lowest_transmission_percent",
    unit="% of signal",
    title="signal behind the densest 0.5 % of the frame, relative to the typical signal",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Low-frequency drop or glare test, the signal behind an opaque object relative to that beside it (IEC "
        "61262-5:1994, veiling glare index), with the densest parts of the image itself for the object."
    ),
    limits=(
        "The image must hold something dense (blades, filled main vessels, clips); where it does not, little contrast "
        "reads as glare. Scatter in the patient looks the same."
    ),
    needs=xray_frame,
    value=_lowest,
)

DEGRADATION = Degradation(
    name="xa.veiling_glare",
    draw=_draw,
    apply=_apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=43,
        mild=48.5,
        severe=56,
        worst=69,
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
