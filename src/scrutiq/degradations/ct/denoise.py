"""Classical denoisers of CT images: each a pure function of the CT numbers and one strength.

They are meant to be used too strongly or too weakly as well as rightly, for what they leave behind is what readers see
in denoised images. None knows the spectrum of the noise, which in CT is not white; that is why they leave blotches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import MissingExtraError, UsageError

__all__ = [
    "DENOISERS",
    "Denoiser",
    "bilateral",
    "bm3d",
    "denoise",
    "gaussian",
    "non_local_means",
    "total_variation",
    "wavelet",
]

Float = npt.NDArray[np.float32]

#: Half of the window of the bilateral filter, and the standard deviation of its distances, pixels.
_BILATERAL_REACH, _BILATERAL_SIGMA = 4, 2.0
#: Patch, how far away another may lie, both in pixels, and the bandwidth in standard deviations of the noise.
_NLM_PATCH, _NLM_REACH, _NLM_BANDWIDTH = 5, 6, 0.8
#: Iterations of Chambolle's projection.
_TV_STEPS = 60
#: B3 spline of the undecimated wavelet transform.
_SPLINE = np.array([1, 4, 6, 4, 1], dtype=np.float32) / 16
#: Standard deviation of each scale's coefficients for white noise of unit standard deviation, for this spline
#: (Starck and Murtagh, *Astronomical Image and Data Analysis*, 2nd ed. 2006, sec. 2.3).
_WHITE = (0.889, 0.200, 0.086, 0.041)


def gaussian(hu: npt.NDArray[np.floating], sigma: float) -> Float:
    """Return the image under a Gaussian filter.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        Finite.
    sigma : float
        Standard deviation of the filter, pixels, at least 0.

    Returns
    -------
    ndarray of float32, shape (H, W)
    """
    values = _checked(hu, sigma)
    return np.asarray(ndimage.gaussian_filter(values, sigma, mode="nearest"), dtype=np.float32)


def bilateral(hu: npt.NDArray[np.floating], strength: float) -> Float:
    """Return the image under a bilateral filter: a mean of near pixels of near value.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        Finite.
    strength : float
        Noise to remove, standard deviation in HU, at least 0: values weigh by a Gaussian of twice that.

    Returns
    -------
    ndarray of float32, shape (H, W)

    References
    ----------
    C. Tomasi, R. Manduchi, "Bilateral filtering for gray and color images", ICCV 1998.
    """
    values = _checked(hu, strength)
    if strength == 0:
        return values.copy()
    reach = _BILATERAL_REACH
    padded = np.pad(values, reach, mode="edge")
    total, weights = values.copy(), np.ones_like(values)
    scale = np.float32(-0.5 / (2 * strength) ** 2)
    rows, columns = values.shape
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if (distance := dy * dy + dx * dx) == 0 or distance > reach * reach:
                continue
            near = padded[reach + dy : reach + dy + rows, reach + dx : reach + dx + columns]
            weight = near - values
            weight *= weight
            weight *= scale
            weight += np.float32(-0.5 * distance / _BILATERAL_SIGMA**2)
            np.exp(weight, out=weight)
            total += weight * near
            weights += weight
    return total / weights


def non_local_means(hu: npt.NDArray[np.floating], strength: float) -> Float:
    """Return the image under non-local means: a mean of pixels whose surroundings look alike.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        Finite.
    strength : float
        Noise to remove, standard deviation in HU, at least 0.

    Returns
    -------
    ndarray of float32, shape (H, W)

    References
    ----------
    A. Buades, B. Coll, J. M. Morel, CVPR 2005; the fast form of J. Darbon et al., ISBI 2008 (scikit-image).
    """
    values = _checked(hu, strength)
    if strength == 0:
        return values.copy()
    from skimage.restoration import denoise_nl_means

    return np.asarray(
        denoise_nl_means(
            values,
            patch_size=_NLM_PATCH,
            patch_distance=_NLM_REACH,
            h=_NLM_BANDWIDTH * strength,
            sigma=strength,
            fast_mode=True,
            preserve_range=True,
        ),
        dtype=np.float32,
    )


def total_variation(hu: npt.NDArray[np.floating], strength: float) -> Float:
    """Return the image of least total variation that is near the given one.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        Finite.
    strength : float
        Weight of the total variation against half the squared difference, HU, at least 0. Noise of about that standard
        deviation goes.

    Returns
    -------
    ndarray of float32, shape (H, W)

    References
    ----------
    A. Chambolle, "An algorithm for total variation minimization and applications", J. Math. Imaging Vis. 20 (2004).
    """
    values = _checked(hu, strength)
    if strength == 0:
        return values.copy()
    from skimage.restoration import denoise_tv_chambolle

    filtered: Callable[..., Float] = denoise_tv_chambolle
    return np.asarray(filtered(values, weight=strength, eps=1e-6, max_num_iter=_TV_STEPS), dtype=np.float32)


def wavelet(hu: npt.NDArray[np.floating], strength: float, scales: int = 4) -> Float:
    """Return the image with its wavelet coefficients shrunk.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        Finite.
    strength : float
        Noise to remove, standard deviation in HU if it were white, at least 0.
    scales : int
        How many are shrunk, 1 to 4, from the finest; the details of the last are 2^scales pixels wide. Noise that is
        coarser stays.

    Returns
    -------
    ndarray of float32, shape (H, W)

    Notes
    -----
    The undecimated transform with a B3 spline (J. L. Starck, F. Murtagh, sec. 2.3) and, scale by scale, the soft
    threshold ``sigma_noise^2 / sigma_signal`` of S. G. Chang, B. Yu, M. Vetterli, "Adaptive wavelet thresholding for
    image denoising and compression", IEEE Trans. Image Process. 9 (2000), eq. 12-14. The standard deviation of the
    signal is taken about each pixel (sec. III of the same), since one CT slice holds air, bone and flat tissue.
    """
    smooth = _checked(hu, strength)
    if strength == 0:
        return smooth.copy()
    out = np.zeros_like(smooth)
    for scale, white in enumerate(_WHITE[:scales]):
        coarser = smooth
        kernel = np.zeros(4 * 2**scale + 1, np.float32)
        kernel[:: 2**scale] = _SPLINE
        for axis in (0, 1):
            coarser = ndimage.correlate1d(coarser, kernel, axis, mode="reflect")
        detail = smooth - coarser
        noise = (strength * white) ** 2
        power = ndimage.uniform_filter(detail * detail, 7 * 2**scale // 2 * 2 + 1, mode="reflect")
        signal = np.sqrt(np.maximum(power - noise, 1e-6))
        out += np.sign(detail) * np.maximum(np.abs(detail) - noise / signal, 0)
        smooth = coarser
    return out + smooth


def bm3d(hu: npt.NDArray[np.floating], strength: float) -> Float:
    """Return the image denoised by block matching and collaborative filtering.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
        Finite, at least 8 x 8.
    strength : float
        Noise to remove, standard deviation in HU, at least 0.

    Returns
    -------
    ndarray of float32, shape (H, W)

    Raises
    ------
    MissingExtraError
        If numba is not installed.

    Notes
    -----
    See `scrutiq.degradations.ct.denoise_bm3d`.
    """
    values = _checked(hu, strength)
    if strength == 0:
        return values.copy()
    try:
        import numba  # noqa: F401
    except ImportError:
        raise MissingExtraError("Denoising by block matching", "simulate") from None
    from scrutiq.degradations.ct.denoise_bm3d import collaborative

    return collaborative(values, strength)


@dataclass(frozen=True)
class Denoiser:
    """A denoiser and what its strength is counted in.

    Attributes
    ----------
    function : callable
        ``function(hu, strength)``.
    unit : {"HU", "pixel"}
        Of the strength.
    """

    function: Callable[[npt.NDArray[np.floating], float], Float]
    unit: Literal["HU", "pixel"]


#: Every classical denoiser, by name.
DENOISERS: Mapping[str, Denoiser] = MappingProxyType(
    {
        "gaussian": Denoiser(gaussian, "pixel"),
        "bilateral": Denoiser(bilateral, "HU"),
        "non_local_means": Denoiser(non_local_means, "HU"),
        "total_variation": Denoiser(total_variation, "HU"),
        "wavelet": Denoiser(wavelet, "HU"),
        "bm3d": Denoiser(bm3d, "HU"),
    }
)


def denoise(hu: npt.NDArray[np.floating], kind: str, strength: float) -> Float:
    """Return the image denoised.

    Parameters
    ----------
    hu : ndarray, shape (H, W)
    kind : str
        A name in `DENOISERS`.
    strength : float
        In the unit of that denoiser, at least 0; 0 returns the values as they are.

    Returns
    -------
    ndarray of float32, shape (H, W)

    Raises
    ------
    UsageError
        If there is no such denoiser, the strength is negative, or the image is not one plane of finite values.
    """
    if kind not in DENOISERS:
        raise UsageError(f"there is no denoiser {kind!r}; there are {', '.join(DENOISERS)}.")
    return DENOISERS[kind].function(hu, strength)


def _checked(hu: npt.NDArray[np.floating], strength: float) -> Float:
    values = np.ascontiguousarray(hu, dtype=np.float32)
    if values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise UsageError("a denoiser takes one plane of finite CT numbers.")
    if not 0 <= strength < np.inf:
        raise UsageError(f"the strength of a denoiser is a number from 0 up, not {strength:g}.")
    return values
