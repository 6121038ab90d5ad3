"""How noisy an image is, where it is flat.

The local standard deviation is taken in every window that lies wholly in the foreground, and the lower decile over
the windows is reported: windows with structure lie above it, so no segmentation of flat tissue is needed.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from scrutiq.metrics.undefined import Undefined

__all__ = ["QUANTILE", "WINDOW", "local_moments", "noise_level", "noise_map", "whole_windows"]

Grey = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

#: Side of the window, pixels. Large enough to hold the mottle (low frequencies) that readers see as noise.
WINDOW = 15
#: Quantile over the windows that is reported.
QUANTILE = 0.1
#: The map of the noise looks this far about a pixel, on a grid this coarse, both in pixels.
_REACH, _STEP = 20, 4


def whole_windows(mask: Bool, window: int = WINDOW) -> Bool:
    """Return the centres of the square windows that lie wholly inside a mask, and inside the image.

    Parameters
    ----------
    mask : ndarray of bool, shape (H, W)
    window : int
        Side of the window, odd, in pixels.

    Returns
    -------
    ndarray of bool, shape (H, W)
    """
    if min(mask.shape) < window:
        return np.zeros_like(mask)
    return np.asarray(ndimage.minimum_filter(mask, window, mode="constant", cval=0))


def local_moments(values: npt.NDArray[np.floating], mask: Bool, whole: Bool, window: int = WINDOW) -> tuple[Grey, Grey]:
    """Return mean and standard deviation in a square window about each pixel.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite where ``mask`` is True.
    mask : ndarray of bool, shape (H, W)
    whole : ndarray of bool, shape (H, W)
        `whole_windows` of the mask.
    window : int
        Their side.

    Returns
    -------
    mean, sd : ndarray of float32, shape (H, W)
        In the unit of ``values``; ``sd`` is the unbiased one (ddof = 1) in variance. NaN where the window does not lie
        wholly inside ``mask``, the image's border included.
    """
    mean = np.full(values.shape, np.nan, dtype=np.float32)
    sd = mean.copy()
    if not whole.any():
        return mean, sd
    # Centred and in float64: the difference of two large squares would lose a low noise on a high level.
    centre = float(values[mask].mean(dtype=np.float64))
    centred = np.where(mask, values - centre, 0.0)
    first = ndimage.uniform_filter(centred, window)[whole]
    second = ndimage.uniform_filter(centred * centred, window)[whole]
    variance = np.maximum(second - first * first, 0) * (window**2 / (window**2 - 1))
    mean[whole] = first + centre
    sd[whole] = np.sqrt(variance)
    return mean, sd


def noise_level(sd: Grey, window: int = WINDOW) -> float:
    """Return the noise from a map of local standard deviations.

    Parameters
    ----------
    sd : ndarray of float32
        From `local_moments`; NaN where undefined.
    window : int
        Its window.

    Returns
    -------
    float
        Standard deviation of the noise, in the unit of the image. Exact for white Gaussian noise on flat tissue,
        whatever the window; a few percent low for correlated noise, whose local variance scatters more.

    Raises
    ------
    Undefined
        If no window is wholly inside the foreground, or nothing varies in it.

    Notes
    -----
    For white Gaussian noise (n - 1) s^2 / sigma^2 follows the chi-square distribution with n - 1 degrees of freedom in
    a window of n pixels, so the lower decile of s is ``sigma * sqrt(quantile(0.1) / (n - 1))``, which is divided out
    (0.940 for 15 x 15).
    """
    values = sd[np.isfinite(sd)]
    if values.size == 0:
        raise Undefined(f"No {window} x {window} pixel window lies wholly inside the foreground.")
    rank = int(QUANTILE * (values.size - 1))
    level = float(np.partition(values, rank)[rank]) / _decile_of_white_noise(window)
    if level <= 0:
        raise Undefined("The image is constant wherever noise could be measured; noise cannot be told from rounding.")
    return level


def noise_map(sd: Grey, window: int = WINDOW) -> Grey:
    """Return the noise about each pixel: `noise_level`, taken over the neighbourhood instead of over the image.

    A map of local standard deviations shows structure first; the lower decile within 20 pixels shows the noise, on the
    scale of the value that is reported.

    Parameters
    ----------
    sd : ndarray of float32, shape (H, W)
        From `local_moments`; NaN where undefined.
    window : int
        Its window.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In the unit of the image. NaN where ``sd`` is.
    """
    coarse = sd[::_STEP, ::_STEP]
    side = _REACH // _STEP * 2 + 1
    padded = np.pad(coarse, side // 2, constant_values=np.nan)
    near = np.lib.stride_tricks.sliding_window_view(padded, (side, side)).reshape(*coarse.shape, side * side)
    near = np.sort(near, axis=2)  # NaN last
    count = np.isfinite(near).sum(axis=2)
    rank = (QUANTILE * np.maximum(count - 1, 0)).astype(np.intp)
    level = np.take_along_axis(near, rank[..., None], axis=2)[..., 0] / _decile_of_white_noise(window)
    fine = level.repeat(_STEP, axis=0).repeat(_STEP, axis=1)[: sd.shape[0], : sd.shape[1]]
    return np.where(np.isfinite(sd), fine, np.nan).astype(np.float32)


@cache
def _decile_of_white_noise(window: int) -> float:
    freedom = window**2 - 1
    return float(np.sqrt(special.chdtri(freedom, 1 - QUANTILE) / freedom))
