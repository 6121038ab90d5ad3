"""What BRISQUE, NIQE and PIQE share: local normalisation and the fit of an asymmetric generalised Gaussian."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import correlate1d
from scipy.special import gamma

__all__ = ["Array", "aggd", "aggd_mean", "halve", "mscn", "rescale"]

Array = npt.NDArray[np.float64]

#: Gaussian weights of the local mean: 7 taps, standard deviation 7/6 (3 standard deviations on each side).
WINDOW: Array = np.exp(-0.5 * (np.arange(-3, 4) * 6 / 7) ** 2)
WINDOW /= WINDOW.sum()

#: Shapes to which the fit is limited, and their step: the table of the authors' own release.
SHAPES: Array = np.arange(200, 10_001) / 1000


def rescale(
    grey: npt.NDArray[Any], data_range: tuple[float, float], *, top: float, name: str, smallest: tuple[int, int]
) -> Array:
    """Return an image on [0, ``top``], as these metrics expect a displayed photograph.

    Parameters
    ----------
    grey : ndarray, shape (H, W)
    data_range : tuple of float
        (low, high): what is shown black and white. Values outside are clipped, as a display does.
    top : float
    name : str
        The metric, for messages.
    smallest : tuple of int
        Lengths that the shorter and the longer side must have.

    Returns
    -------
    ndarray of float64, shape (H, W)

    Raises
    ------
    ValueError
        If the image is not (H, W), too small, not finite, or constant within the range, or the range is not in order.
    """
    grey = np.asarray(grey)
    low, high = data_range
    if grey.ndim != 2:
        raise ValueError(f"{name} needs a grey image of shape (H, W), not {grey.shape}; convert colour first.")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"{name} needs a data_range that runs from low to high, not ({low:g}, {high:g}).")
    if min(grey.shape) < smallest[0] or max(grey.shape) < smallest[1]:
        raise ValueError(
            f"{name} needs at least {smallest[0]} x {smallest[1]} pixels; this image has "
            f"{grey.shape[0]} x {grey.shape[1]}."
        )
    if not np.isfinite(grey).all():
        raise ValueError(f"{name} needs finite pixels; this image holds NaN or infinity.")
    scaled = (np.clip(grey.astype(np.float64), low, high) - low) * (top / (high - low))
    if scaled.min() == scaled.max():
        raise ValueError(f"{name} cannot be computed: the image is constant within the data_range.")
    return scaled


def mscn(image: Array, constant: float, mode: Literal["constant", "nearest"]) -> Array:
    """Return mean-subtracted contrast-normalised coefficients: (x - mean) / (standard deviation + constant).

    Mittal, Moorthy and Bovik 2012, equations 1 to 3.

    Parameters
    ----------
    image : ndarray of float64, shape (H, W)
    constant : float
        Keeps the quotient finite: one 255th of the image's full range.
    mode : {"constant", "nearest"}
        What lies beyond the border: zeros, or the nearest pixel.
    """

    def local_mean(x: Array) -> Array:
        return np.asarray(correlate1d(correlate1d(x, WINDOW, 0, mode=mode), WINDOW, 1, mode=mode))

    mean = local_mean(image)
    deviation = np.sqrt(np.abs(local_mean(image * image) - mean * mean))
    centred = image - mean
    # Rounding leaves a random sign where the image is flat, and signs are counted below.
    centred[np.abs(centred) < 1e-12 * max(image.max(), 1)] = 0
    return np.asarray(centred / (deviation + constant))


def halve(
    image: Array, a: float, taps: Literal[4, 8], mode: Literal["edge", "symmetric"], size: tuple[int, int]
) -> Array:
    """Return the image at half size by cubic convolution.

    Parameters
    ----------
    image : ndarray of float64, shape (H, W)
    a : float
        Parameter of the kernel (Keys 1981): -0.5 in MATLAB's ``imresize``, -0.75 in OpenCV's.
    taps : {4, 8}
        8 stretches the kernel over both halved pixels, which avoids aliasing (``imresize``); 4 does not (OpenCV).
    mode : {"edge", "symmetric"}
        What lies beyond the border (`numpy.pad`).
    size : tuple of int
        Height and width of the result.
    """
    distance = np.abs(np.arange(taps) - (taps - 1) / 2) * 4 / taps
    weights = np.where(
        distance <= 1,
        (a + 2) * distance**3 - (a + 3) * distance**2 + 1,
        a * (distance**3 - 5 * distance**2 + 8 * distance - 4),
    )
    weights /= weights.sum()
    for axis, length in enumerate(size):
        padding = [(0, 0), (0, 0)]
        padding[axis] = (taps // 2 - 1, taps // 2 + 1)
        padded = np.moveaxis(np.pad(image, padding, mode=mode), axis, 0)
        rows = sliding_window_view(padded, taps, axis=0)[: 2 * length : 2]
        image = np.moveaxis(rows @ weights, 0, axis)
    return image


@lru_cache(maxsize=1)
def _ratios() -> Array:
    """The generalised Gaussian ratio (E|x|)^2 / E x^2 of each of SHAPES; it rises with the shape."""
    return np.asarray(gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES)))


def aggd(x: Array, *, zeros: Literal["right", "neither"]) -> tuple[Array, Array, Array]:
    """Fit an asymmetric generalised Gaussian to the last axis by matching moments.

    Lasmar, Stitou and Berthoumieu 2009, as Mittal et al. 2012 (equations 7 to 15) use it.

    Parameters
    ----------
    x : ndarray of float64, shape (..., N)
    zeros : {"right", "neither"}
        Which side the values that are exactly 0 count for.

    Returns
    -------
    shape, left, right : ndarray, shape (...)
        Shape in [0.2, 10], and the root mean squares of the negative and of the other values. A side without values is
        NaN. Where the moments do not determine a shape it is 0.2, the end of the table.
    """
    negative = np.minimum(x, 0)
    left_sum = np.einsum("...i,...i->...", negative, negative)
    all_sum = np.einsum("...i,...i->...", x, x)
    n = x.shape[-1]
    n_left = np.count_nonzero(x < 0, axis=-1)
    n_right = n - n_left if zeros == "right" else np.count_nonzero(x > 0, axis=-1)
    mean_absolute = (x.sum(-1) - 2 * negative.sum(-1)) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.sqrt(left_sum / n_left)
        right = np.sqrt((all_sum - left_sum) / n_right)
        asymmetry = left / right
        ratio = mean_absolute**2 / (all_sum / n)
        ratio = ratio * (asymmetry**3 + 1) * (asymmetry + 1) / (asymmetry**2 + 1) ** 2
    shape = np.interp(np.where(np.isfinite(ratio), ratio, 0), _ratios(), SHAPES)
    return shape, left, right


def aggd_mean(shape: Array, left: Array, right: Array) -> Array:
    """Return the mean of the fitted distribution (Mittal et al. 2012, equation 12)."""
    return np.asarray((right - left) * gamma(2 / shape) / np.sqrt(gamma(1 / shape) * gamma(3 / shape)))
