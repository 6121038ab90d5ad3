"""Sensor noise: shot noise and read noise in linear light, spread over neighbours by the demosaicing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.fundus.retina import apply_light, round_colour
from scrutiq.degradations.spec import Degradation, Parameters
from scrutiq.degradations.thresholds import Thresholds
from scrutiq.degradations.tools import geometric, new_seed
from scrutiq.metrics import Context, Measure, Undefined

__all__ = ["DEGRADATION", "mosaic_noise"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Bilinear interpolation from the sites of one colour of a Bayer mosaic: red and blue, and green.
_SPARSE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
_QUINCUNX = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4


def _draw(image: Image, severity: float, rng: np.random.Generator) -> Parameters:
    return {
        # High sensitivity (ISO) means few electrons behind full white.
        "full_well_electrons": geometric(8_000, 40, severity),
        "read_noise_electrons": 3.0,
        "phase": [int(rng.integers(2)), int(rng.integers(2))],  # of the mosaic
        "seed": new_seed(rng),
    }


def _apply(image: Image, parameters: Parameters) -> Image:
    well, read = float(parameters["full_well_electrons"]), float(parameters["read_noise_electrons"])
    seed, phase = int(parameters["seed"]), tuple(parameters["phase"])

    def change(light: Array, field: Bool) -> Array:
        # EMVA 1288, release 4.0, eq. 1-6: the variance of the electrons is their number, and that of reading them.
        return light + mosaic_noise(np.sqrt(light / well + (read / well) ** 2), seed, phase)

    return apply_light(image, change)


def mosaic_noise(sd: Array, seed: int, phase: tuple[int, ...] = (0, 0)) -> Array:
    """Return noise as a sensor with a Bayer mosaic gives it after bilinear demosaicing.

    Every site has the noise of one colour; the two missing colours are the mean of their neighbours (B. E. Bayer, US
    patent 3971065, 1976; H. S. Malvar et al., ICASSP 2004, section 2), so that noise is coarser in red and blue than
    in green, and weaker where it was interpolated.

    Parameters
    ----------
    sd : ndarray, shape (H, W, 3)
        Standard deviation at the sites.
    seed : int
    phase : tuple of int
        Row and column of the first red site, 0 or 1.

    Returns
    -------
    ndarray of float64, shape (H, W, 3)
    """
    white = np.random.default_rng(seed).standard_normal(sd.shape[:2])
    row, column = (np.arange(n) % 2 for n in sd.shape[:2])
    red = ((row == phase[0])[:, None]) & ((column == phase[1])[None, :])
    blue = ((row != phase[0])[:, None]) & ((column != phase[1])[None, :])
    out = np.empty(sd.shape)
    for channel, (sites, kernel) in enumerate(((red, _SPARSE), (~(red | blue), _QUINCUNX), (blue, _SPARSE))):
        out[..., channel] = ndimage.convolve(np.where(sites, white * sd[..., channel], 0), kernel, mode="mirror")
    return out


def _grain(context: Context) -> float:
    field, (low, high) = ndimage.binary_erosion(context.seen), context.range
    if np.count_nonzero(field) < 100:
        raise Undefined("The field of view is too small to measure noise.")
    green = context.image.pixels[..., 1].astype(np.float64)
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
    response = np.abs(ndimage.convolve(green, kernel)[field])
    return 100 * float(np.median(response)) / 0.6745 / (high - low)


GRAIN = Measure(
    name="fundus_grain",
    unit="%",
    title="pixel noise of the green component, relative to the data range",
    direction="lower is better",
    range=(0, 100),
    source=(
        "Difference of two Laplacians, which is blind to planes (J. Immerkaer, Comput. Vis. Image Underst. 64, 1996, "
        "eq. 1-2), with the median of the absolute response / 0.6745 in place of its mean."
    ),
    limits=(
        "Exact for white noise; interpolation and JPEG compression, which fundus cameras do, make it read less than "
        "half of what a sensor had. Fine texture of small images counts as noise."
    ),
    needs=round_colour,
    value=_grain,
)

DEGRADATION = Degradation(
    name="fundus.noise",
    draw=_draw,
    apply=_apply,
    measurement=GRAIN,
    thresholds=Thresholds(
        clean=0.39,
        mild=0.62,
        severe=1.6,
        worst=5.6,
        scale="log",
        basis="Medians of photographs of HRF, DRIVE and CHASE_DB1 at severity 0, 1/3, 2/3 and 1.",
    ),
)
