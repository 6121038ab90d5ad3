"""Residual texture: the blotches that a denoiser leaves of the noise of a low dose."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct.denoise import bilateral, gaussian, wavelet
from scrutiq.degradations.ct.denoise_noise import at_dose
from scrutiq.degradations.ct.denoise_texture import NOISE_COARSENESS
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION", "KINDS"]

#: Denoisers that take the fine grain and leave what is coarser than they can see, and the range from which the strength
#: of each is drawn: standard deviations of the noise, and of the Gaussian filter, pixels.
KINDS = {"bilateral": (1.5, 2.2), "wavelet": (2.0, 3.0), "gaussian": (1.2, 1.6)}
#: Scales that the wavelet denoiser shrinks here.
_SCALES = 2


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kind = list(KINDS)[int(rng.integers(len(KINDS)))]
    low, high = KINDS[kind]
    return {
        "seed": new_seed(rng),
        "denoiser": kind,
        # Of the Gaussian filter pixels; of the others, standard deviations of the noise that they are given.
        "strength": low * (high / low) ** float(rng.uniform()),
        "dose_fraction": geometric(0.3, 0.05, severity),
        "share": geometric(0.25, 1, severity),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    noisy = at_dose(image, float(parameters["dose_fraction"]), int(parameters["seed"]))
    values = noisy.pixels if noisy.valid is None else np.where(noisy.valid, noisy.pixels, np.float32(-1000))
    kind, strength = str(parameters["denoiser"]), float(parameters["strength"])
    if kind == "gaussian":
        made = gaussian(values, strength)
    else:
        found = MEASURES["noise_hu"].compute(noisy)
        strength *= 20.0 if found is None else min(found, 100.0)
        made = bilateral(values, strength) if kind == "bilateral" else wavelet(values, strength, _SCALES)
    pixels = image.pixels + np.float32(parameters["share"]) * (made - image.pixels)
    return image.replace(pixels=pixels if image.valid is None else np.where(image.valid, pixels, image.pixels))


DEGRADATION = Degradation(
    name="ct.residual_texture",
    draw=_draw,
    apply=_apply,
    measurement=NOISE_COARSENESS,
    thresholds=Thresholds(
        clean=3.4,
        mild=4.2,
        severe=5.2,
        worst=7.6,
        scale="log",
        basis="Medians of 12 clinical slices of TCIA at severity 0, 1/3, 2/3 and 1; clean ones reach 7.0.",
    ),
)
