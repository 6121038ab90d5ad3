"""Filtered back-projection: the ramp filter with its apodisations, the weights of a fan, and the reconstruction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import pi
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy import fft

from scrutiq.core import UsageError
from scrutiq.degradations.ct.geometry import FanBeam, Geometry, ParallelBeam
from scrutiq.degradations.ct.projector import backproject

__all__ = ["APODISATIONS", "apodisation", "fbp", "filter_views", "parker_weights"]

Float = npt.NDArray[np.float32]
Array = npt.NDArray[np.float64]

#: The window that multiplies the ramp, by name, of the frequency relative to Nyquist's, in [0, 1]. ``soft`` and
#: ``sharp`` stand for the families of vendors' body kernels: they pass half at 0.35 and rise to 1.5 at 0.6.
APODISATIONS: Mapping[str, Callable[[Array], Array]] = MappingProxyType(
    {
        "ram-lak": np.ones_like,
        "shepp-logan": lambda f: np.sinc(f / 2),
        "cosine": lambda f: np.cos(pi / 2 * f),
        "hann": lambda f: 0.5 + 0.5 * np.cos(pi * f),
        "soft": lambda f: 2.0 ** -((f / 0.35) ** 2),
        "sharp": lambda f: np.where(
            f < 0.6, 1 + 0.5 * np.sin(pi / 1.2 * f) ** 2, 0.75 + 0.75 * np.cos(pi * (f - 0.6) / 0.4)
        ),
    }
)


def apodisation(name: str) -> Callable[[Array], Array]:
    """Return the window of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in APODISATIONS:
        raise UsageError(f"there is no apodisation {name!r}; there are {', '.join(APODISATIONS)}.")
    return APODISATIONS[name]


def fbp(
    sinogram: npt.NDArray[np.floating],
    geometry: Geometry,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    window: str | Callable[[Array], Array] = "ram-lak",
    weights: npt.NDArray[np.floating] | None = None,
) -> Float:
    """Reconstruct an image from its line integrals.

    Parameters
    ----------
    sinogram : ndarray, shape (views, detectors)
    geometry : ParallelBeam or FanBeam
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.
    window : str or callable
        What multiplies the ramp: a name in `APODISATIONS`, or a function of the frequency relative to Nyquist's.
    weights : ndarray, optional
        Of each measured ray, broadcast to (views, detectors), before the filter. If not given, rays count by how often
        the scan measures their line: half in a fan's full turn, by `parker_weights` in a shorter fan's, wholly in a
        parallel beam's half turn.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In the unit of the sinogram per mm. Outside the circle that every view sees (``geometry.radius``) it is not
        accurate.

    References
    ----------
    Kak and Slaney, *Principles of Computerized Tomographic Imaging* (1988), sec. 3.3.3 (parallel) and 3.4.1 (fan of
    equal angles).
    """
    values = np.asarray(sinogram, dtype=np.float32)
    values = values * (_redundancy(geometry) if weights is None else weights)
    return backproject(filter_views(values, geometry, window), geometry, shape, spacing)


def filter_views(
    sinogram: npt.NDArray[np.floating], geometry: Geometry, window: str | Callable[[Array], Array] = "ram-lak"
) -> Float:
    """Return the views convolved with the band-limited ramp, ready for `backproject`.

    Parameters
    ----------
    sinogram : ndarray, shape (views, detectors)
        Weighted for redundancy.
    geometry : ParallelBeam or FanBeam
    window : str or callable
        See `fbp`.

    Returns
    -------
    ndarray of float32, shape (views, detectors)
        With the angle between views multiplied in, and for a fan the weight of its rays.

    References
    ----------
    Kak and Slaney (1988), eq. 61 (the ramp in space, whose mean is right where sampling the ramp in frequency is not)
    and eq. 104-106 (fan; the half of eq. 105 is in the weights).
    """
    response = _response(geometry, apodisation(window) if isinstance(window, str) else window)
    values = np.asarray(sinogram, dtype=np.float32) * np.float32(geometry.arc / geometry.views)
    if isinstance(geometry, FanBeam):
        values = values * (geometry.source * np.cos(geometry.fan_angles)).astype(np.float32)
    length = 2 * (len(response) - 1)
    spectrum = fft.rfft(values, length, axis=1)
    spectrum *= response
    return np.asarray(fft.irfft(spectrum, length, axis=1)[:, : geometry.detectors], dtype=np.float32)


def parker_weights(geometry: FanBeam) -> Float:
    """Return the weight of each ray of a fan's short scan: the two that measure one line sum to 1, smoothly.

    Parameters
    ----------
    geometry : FanBeam
        Its arc spans at least pi plus the angle of the fan, and at most 2 pi.

    Returns
    -------
    ndarray of float32, shape (views, detectors)

    Raises
    ------
    UsageError
        If the arc is shorter: some lines are never measured.

    References
    ----------
    D. L. Parker, Med. Phys. 9 (1982), eq. 12; M. D. Silver, Med. Phys. 27 (2000), for arcs longer than the least: the
    virtual fan is as wide as the arc allows.
    """
    half = (geometry.arc - pi) / 2
    if half < geometry.half_angle - 1e-9:
        least = np.degrees(pi + 2 * geometry.half_angle)
        raise UsageError(f"a short scan of this fan spans at least {least:.1f} degrees.")
    beta = (np.arange(geometry.views) * (geometry.arc / geometry.views))[:, None]
    # The line of the ray (beta, gamma) is measured again by (beta + pi + 2 gamma, -gamma).
    gamma = geometry.fan_angles[None]
    early, late = beta < 2 * (half - gamma), beta > pi - 2 * gamma
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = np.sin(pi / 4 * beta / (half - gamma)) ** 2
        fall = np.sin(pi / 4 * (pi + 2 * half - beta) / (half + gamma)) ** 2
    weights = np.where(late, fall, np.where(early, rise, 1.0))
    return weights.astype(np.float32)


def _redundancy(geometry: Geometry) -> npt.NDArray[np.floating] | np.float32:
    """Return the weight of the rays such that each line through the object counts once."""
    if geometry.arc > 2 * pi - 1e-6:
        return np.float32(0.5)
    if isinstance(geometry, ParallelBeam):
        if geometry.arc > pi + 1e-6:
            raise UsageError("a parallel beam spans at most half a turn, or a whole one; else state weights.")
        return np.float32(1.0)
    return parker_weights(geometry)


@lru_cache(maxsize=16)
def _response(geometry: Geometry, window: Callable[[Array], Array]) -> Float:
    """Return the filter on the frequencies of a real transform."""
    length = fft.next_fast_len(2 * geometry.detectors, real=True)
    length += length % 2
    offset = fft.fftfreq(length, 1 / length)
    pitch = geometry.angular_pitch if isinstance(geometry, FanBeam) else geometry.pitch
    distance = np.sin(offset * pitch) if isinstance(geometry, FanBeam) else offset * pitch
    odd = offset.astype(int) % 2 == 1
    kernel = np.zeros(length)
    # Offsets that no two elements have do not matter, and for a fan they would meet the zeros of the sine.
    odd &= np.abs(offset) < geometry.detectors
    kernel[odd] = -1 / (pi * distance[odd]) ** 2
    kernel[0] = 1 / (4 * pitch**2)
    frequency = np.linspace(0, 1, length // 2 + 1)
    return np.asarray(fft.rfft(kernel).real * pitch * window(frequency), dtype=np.float32)
