"""Over-smoothing: a denoiser, classical or learned, at more strength than the noise of the image calls for."""

from __future__ import annotations

import numpy as np

from scrutiq.core import Image
from scrutiq.degradations.ct import denoise_learned
from scrutiq.degradations.ct.denoise import DENOISERS, denoise
from scrutiq.degradations.ct.denoise_texture import FINE_TEXTURE
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric
from scrutiq.metrics import MEASURES

__all__ = ["DEGRADATION", "KINDS", "usual_noise"]

#: The denoisers, of which one is drawn.
KINDS = (*DENOISERS, "red_cnn", "map_nn")
#: Noise of a slice in which it cannot be measured, and what the measured one is cut to, HU: in a chest slice structure
#: counts as noise.
_TYPICAL, _BOUNDS = 12.0, (6.0, 25.0)
#: Strength at severity 0 and 1: in standard deviations of the noise; of the Gaussian filter in pixels; of a network how
#: often it is applied.
_STRENGTH = {"HU": (0.5, 2.5), "pixel": (0.55, 1.7), "red_cnn": (0.4, 2.0), "map_nn": (0.6, 10.0)}


def usual_noise(image: Image) -> float:
    """Return the noise that a denoiser of this image would be set to, HU."""
    found = MEASURES["noise_hu"].compute(image)
    return float(np.clip(_TYPICAL if found is None else found, *_BOUNDS))


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    kind = KINDS[int(rng.integers(len(KINDS)))]
    unit = DENOISERS[kind].unit if kind in DENOISERS else kind
    strength = geometric(*_STRENGTH[unit], severity)
    # Vendors mix the denoised image with the original in steps; a little of it is the mildest fault.
    share = geometric(0.25, 1, severity)
    return {"denoiser": kind, "strength": strength * usual_noise(image) if unit == "HU" else strength, "share": share}


def _apply(image: Image, parameters: Parameters) -> Image:
    kind, strength, share = str(parameters["denoiser"]), float(parameters["strength"]), float(parameters["share"])
    clean = image
    if image.valid is not None:  # what does not exist is air to a filter
        clean = image.replace(pixels=np.where(image.valid, image.pixels, -1000), valid=None)
    if kind in DENOISERS:
        made = denoise(clean.pixels, kind, strength)
    else:
        made = denoise_learned.repeated(clean, kind, strength).pixels
    pixels = clean.pixels + np.float32(share) * (made - clean.pixels)
    return image.replace(pixels=pixels if image.valid is None else np.where(image.valid, pixels, image.pixels))


DEGRADATION = Degradation(
    name="ct.over_smoothing",
    draw=_draw,
    apply=_apply,
    measurement=FINE_TEXTURE,
    thresholds=Thresholds(
        clean=10.4,
        mild=8.1,
        severe=6.3,
        worst=2.9,
        scale="log",
        basis="Medians of 12 clinical slices of TCIA at severity 0, 1/3, 2/3 and 1.",
    ),
)
