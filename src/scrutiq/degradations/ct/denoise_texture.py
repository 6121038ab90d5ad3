"""How fine and how coarse the grain of a CT slice is: what denoisers take away, and what they leave."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import HU
from scrutiq.metrics import Context, Measure
from scrutiq.metrics.noise import QUANTILE, local_moments, whole_windows
from scrutiq.metrics.undefined import Undefined

__all__ = ["FINE_TEXTURE", "NOISE_COARSENESS", "coarse_noise", "fine_texture"]

Float = npt.NDArray[np.floating]
Bool = npt.NDArray[np.bool_]

#: Standard deviation of the Gaussian above which detail is fine, pixels, and how far its edges reach into flat tissue.
_FINE, _REACH = 1.0, 2
#: Standard deviations of the two Gaussians between which noise is coarse, pixels: 5 to 20 pixels a blotch.
_COARSE = (1.5, 4.0)
#: What is left of white noise of unit standard deviation: the square root of the sum of the squared weights.
_WHITE_FINE = sqrt(1 - 2 / (2 * pi * _FINE**2) + 1 / (4 * pi * _FINE**2))
_WHITE_COARSE = sqrt(
    1 / (4 * pi * _COARSE[0] ** 2) + 1 / (4 * pi * _COARSE[1] ** 2) - 1 / (pi * (_COARSE[0] ** 2 + _COARSE[1] ** 2))
)
#: Median absolute value of normal numbers of unit standard deviation.
_MEDIAN = 0.6745


def fine_texture(values: Float, tissue: Bool) -> float:
    """Return the standard deviation of the grain of about a pixel.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite.
    tissue : ndarray of bool, shape (H, W)

    Returns
    -------
    float
        Standard deviation that white noise of the same fine grain would have, in the unit of ``values``: from the
        median absolute difference of the pixels from a Gaussian mean of 1 pixel, which edges do not move.

    Raises
    ------
    Undefined
        If there is no tissue away from its border.
    """
    inner = ndimage.binary_erosion(tissue, iterations=_REACH)
    if not inner.any():
        raise Undefined("There is no tissue of more than a few pixels in which to look for texture.")
    detail = values - ndimage.gaussian_filter(values, _FINE)
    return float(np.median(np.abs(detail[inner]))) / _MEDIAN / _WHITE_FINE


def coarse_noise(values: Float, tissue: Bool) -> float:
    """Return the standard deviation of the blotches of about 5 to 20 pixels, where there are the fewest.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite.
    tissue : ndarray of bool, shape (H, W)

    Returns
    -------
    float
        Standard deviation that white noise of the same blotches would have, in the unit of ``values``: the lower decile
        over 15 x 15 windows of tissue, since structure is higher.

    Raises
    ------
    Undefined
        If no window lies wholly in the tissue.
    """
    inner = ndimage.binary_erosion(tissue, iterations=round(_COARSE[1]))
    windows = whole_windows(inner)
    if not windows.any():
        raise Undefined("No 15 x 15 pixel window lies wholly in the tissue, away from its border.")
    # Air and bone about the tissue would reach into it: the tissue's median in their place.
    filled = np.where(tissue, values, np.median(values[tissue]))
    band = ndimage.gaussian_filter(filled, _COARSE[0]) - ndimage.gaussian_filter(filled, _COARSE[1])
    spread = local_moments(band, inner, windows)[1]
    return float(np.quantile(spread[np.isfinite(spread)], QUANTILE)) / _WHITE_COARSE


def _calibrated(context: Context) -> str | None:
    return None if context.image.is_calibrated else "The image is not calibrated in Hounsfield units."


def _coarseness(context: Context) -> float:
    fine = fine_texture(context.grey, context.tissue)
    if fine <= 0:
        raise Undefined("The image has no fine grain with which to compare the coarse.")
    return coarse_noise(context.grey, context.tissue) / fine


FINE_TEXTURE = Measure(
    name="fine_texture_hu",
    unit=HU,
    title="standard deviation of the grain of about a pixel in soft tissue",
    direction="neither",
    range=(0, float("inf")),
    source=(
        "Median absolute deviation of the detail finer than a Gaussian of 1 pixel, as the standard deviation of white "
        "noise (after Donoho and Johnstone, Biometrika 81, 1994: the median of the finest wavelet coefficients)."
    ),
    limits=(
        "A soft kernel and a thick slice leave little fine grain without any denoiser. Fine anatomy counts as grain. "
        "It depends on the pixel spacing."
    ),
    needs=_calibrated,
    value=lambda c: fine_texture(c.grey, c.tissue),
)

NOISE_COARSENESS = Measure(
    name="noise_coarseness",
    unit="1",
    title="blotches of 5 to 20 pixels relative to the grain of one pixel; 1 for white noise",
    direction="lower is better",
    range=(0, float("inf")),
    source=(
        "Ratio of the standard deviations of two bands of the noise power spectrum, whose shift to low frequencies is "
        "how AAPM Task Group 233 (2019) describes texture; the coarse band by the lower decile over windows."
    ),
    limits=(
        "It says how coarse the grain is, not how strong: a smooth image without visible blotches reads high too. Soft "
        "kernels read higher than sharp ones. Anatomy counts as blotches where no tissue is flat."
    ),
    needs=_calibrated,
    value=_coarseness,
)
