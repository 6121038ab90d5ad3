"""How well two tissues stand out from each other against the noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.foreground import otsu
from scrutiq.metrics.undefined import Undefined

__all__ = ["contrast_to_noise"]

#: A class of tissue holds at least this share of the windows.
_LEAST = 0.02


def contrast_to_noise(local_mean: npt.NDArray[np.floating], noise: float) -> float:
    """Return the contrast-to-noise ratio of the two dominant tissues.

    The means of the windows in the foreground are split in two by Otsu's threshold; the contrast is the difference of
    the medians of the two classes. Window means are split, not pixels, so that noise alone is not taken for contrast.

    Parameters
    ----------
    local_mean : ndarray
        Means in small windows, in the unit of ``noise``; NaN where undefined.
    noise : float
        Standard deviation of the noise, positive.

    Returns
    -------
    float
        At least 0, no unit.

    Raises
    ------
    Undefined
        If there are not two classes with at least 2 % of the windows each.

    References
    ----------
    Rose model, |m1 - m2| / sigma: A. Rose, J. Opt. Soc. Am. 38 (1948). N. Otsu (1979) in place of hand-drawn regions.
    """
    means = local_mean[np.isfinite(local_mean)]
    if means.size == 0:
        raise Undefined("No window lies wholly inside the foreground.")
    threshold = otsu(means)
    low, high = means[means <= threshold], means[means > threshold]
    if min(low.size, high.size) < max(_LEAST * means.size, 1):
        raise Undefined("The foreground shows one tissue only; contrast needs two.")
    return float(np.median(high) - np.median(low)) / noise
