"""Quantum mottle: too few X-ray quanta are counted, and the detector's blur makes their noise coarse."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.degradations.xa.beam import beam_field, from_transmitted, transmitted_of, typical_signal
from scrutiq.degradations.xa.fitness import xray_frame
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

#: Standard deviation of the detector's blur, pixels.
_BLUR = (0.6, 1.0)


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    intensity = transmitted_of(image)
    blur = float(rng.uniform(*_BLUR))
    mottle = geometric(0.008, 0.13, severity)
    # White noise loses 1 / (2 sqrt(pi) sigma) of its standard deviation to a Gaussian blur.
    white = mottle * 2 * math.sqrt(math.pi) * max(blur, 1 / (2 * math.sqrt(math.pi)))
    return {
        "quanta_per_pixel": 1 / white**2,
        "typical_signal": typical_signal(intensity, beam_field(-np.log(intensity))),
        "detector_blur_pixels": blur,
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    """Count quanta: Poisson statistics of the transmitted intensity, then the modulation transfer of the detector.

    The counts are drawn by way of the normal distribution of their square root (Anscombe, Biometrika 35, 1948), with
    Poisson's mean and variance exactly and nearly its skewness, so that one seed is one pattern at every dose.
    """
    intensity = transmitted_of(image)
    per_unit = float(parameters["quanta_per_pixel"]) / float(parameters["typical_signal"])
    expected = intensity * per_unit
    normal = np.random.default_rng(int(parameters["seed"])).standard_normal(image.shape)
    counted = (np.sqrt(np.maximum(expected - 1 / 8, 0)) + normal / 2) ** 2 - 1 / 8
    noise = ndimage.gaussian_filter((counted - expected) / per_unit, float(parameters["detector_blur_pixels"]))
    return from_transmitted(image, np.maximum(intensity + noise, 0))


def _mottle(context: Context) -> float:
    """Return the standard deviation of the fine structure, relative to the local signal."""
    intensity = transmitted_of(context.image)
    field = beam_field(-np.log(ndimage.gaussian_filter(intensity, 1.0)))
    field = ndimage.binary_erosion(field, iterations=8, border_value=1)
    smooth = ndimage.gaussian_filter(intensity, 2.5)
    relative = (intensity - smooth) / smooth
    spread = np.sqrt(ndimage.uniform_filter(relative**2, 15))[field]
    if spread.size == 0:
        raise Undefined("The collimator leaves no field in which mottle could be measured.")
    # A Gaussian of 2.5 pixels leaves 1 - 2/(4 pi s^2)/... of white noise: the kernel's centre and norm.
    centre, norm = 1 / (2 * math.pi * 2.5**2), 1 / (4 * math.pi * 2.5**2)
    return 100 * float(np.percentile(spread, 25)) / math.sqrt(1 - 2 * centre + norm)


MEASURE = Measure(
    name="mottle_percent",
    unit="% of signal",
    title="standard deviation of the quantum mottle, relative to the transmitted signal",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Relative noise of a quantum-limited detector (ICRU Report 54, 1996, section 3); lower quartile, over the "
        "field of the beam, of the standard deviation in 15 x 15 windows of what a Gaussian of 2.5 pixels takes away."
    ),
    limits=(
        "The pixels are taken as proportional to the intensity. JPEG smooths mottle away. Fine anatomy adds to it; "
        "mottle coarser than 5 pixels is not seen."
    ),
    needs=xray_frame,
    value=_mottle,
)

DEGRADATION = Degradation(
    name="xa.quantum_mottle",
    draw=_draw,
    apply=_apply,
    measurement=MEASURE,
    thresholds=Thresholds(
        clean=0.9,
        mild=1.9,
        severe=4.3,
        worst=10.5,
        scale="log",
        basis="Medians over coronary angiography frames of four patients, rounded.",
    ),
)
