"""Thermal noise: complex Gaussian noise in every coil, of which the root sum of squares makes Rician noise."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.mr.coils import sensitivities
from scrutiq.degradations.mr.kspace import complex_image, put_back, signal
from scrutiq.degradations.mr.scene import grey_mr, scene
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION"]

#: Side of the window, pixels, and the share of the tissue that counts as flat.
_WINDOW, _FLATTEST = 9, 0.1
#: Mean absolute value of a standard normal number, sqrt(2 / pi).
_MEAN_DEVIATION = 0.7979
#: The tenth percentile of its means over the windows, over their mean (simulated).
_LOW = 0.85


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    level = signal(image)
    return {
        # Of the real and of the imaginary part in each coil, 1 to 25 % of the signal.
        "sigma": geometric(0.01, 0.25, severity) * level,
        "signal": level,
        "coils": int(rng.integers(2, 7)),
        "coil_angle": float(rng.uniform(0, 2 * math.pi)),
        "phase_seed": new_seed(rng),
        "noise_seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    # White noise is the same in k-space and in the image: the unitary transform of white Gaussian noise is such noise.
    maps = sensitivities(image.shape, parameters["coils"], parameters["coil_angle"])
    rng = np.random.default_rng(parameters["noise_seed"])
    true = complex_image(image, parameters["phase_seed"])
    total = np.zeros(image.shape)
    for sensitivity in maps:
        real, imaginary = rng.standard_normal((2, *image.shape)) * parameters["sigma"]
        coil = sensitivity * true
        total += (coil.real + real) ** 2 + (coil.imag + imaginary) ** 2
    return put_back(image, np.sqrt(total))


def _noise(context: Context) -> float:
    seen = scene(context)
    x = seen.values
    diagonal = (x[:-1, :-1] - x[:-1, 1:] - x[1:, :-1] + x[1:, 1:]) / 2
    inside = ndimage.binary_erosion(seen.tissue, np.ones((2, 2)), origin=(-1, -1))[:-1, :-1]
    # Absolute deviation about each pixel; the flattest tenth of the tissue holds least anatomy.
    local = ndimage.uniform_filter(np.abs(diagonal), _WINDOW)[inside]
    if local.size < _WINDOW**2:
        raise Undefined("The object is too small or too thin to measure its noise.")
    sigma = float(np.percentile(local, 100 * _FLATTEST)) / (_MEAN_DEVIATION * _LOW)
    if sigma <= 0:
        raise Undefined("Neighbouring pixels are equal in part of the tissue; noise cannot be told from rounding.")
    return 100 * sigma / seen.signal


NOISE = Measure(
    name="pixel_noise_percent",
    unit="%",
    title="noise between neighbouring pixels of the tissue, in percent of its median signal",
    direction="lower is better",
    range=(0, math.inf),
    source=(
        "Mean absolute diagonal Haar coefficient in 9 x 9 windows, lower decile over the object, divided by its "
        "expectation for white noise (the wavelet estimate of Donoho and Johnstone, Biometrika 81, 1994, in the "
        "object, where Rician noise is nearly Gaussian: Coupe et al., Med. Image Anal. 14, 2010). It needs no air, "
        "which many images have lost."
    ),
    limits=(
        "It sees the finest waves only: an image that was interpolated to a larger matrix has none of them and reads "
        "too low. Fine texture that fills most of the tissue counts as noise, and so does incoherent aliasing."
    ),
    needs=grey_mr,
    value=_noise,
)

DEGRADATION = Degradation(
    name="mr.thermal_noise",
    draw=_draw,
    apply=_apply,
    measurement=NOISE,
    thresholds=Thresholds(
        clean=3.6,
        mild=5.6,
        severe=10,
        worst=17,
        scale="log",
        basis="Medians over the real bases (bench/bench_degradations.py).",
    ),
)
