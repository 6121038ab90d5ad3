"""The noise power spectrum: how coarse or fine the noise of an image is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.undefined import Undefined

__all__ = ["NoisePowerSpectrum", "noise_power_spectrum", "power_spectrum"]

Float = npt.NDArray[np.float64]

#: Side of a region, pixels. Larger ones resolve the spectrum better, but in a patient they hold anatomy: in abdominal
#: CT slices the standard deviation in 64 x 64 regions is several times the noise, in 32 x 32 about equal to it.
SIZE = 32
#: At most this many regions, of at most this many times the lowest variance: those with the least structure.
_REGIONS, _SPREAD = 24, 2.0
#: A region whose standard deviation exceeds the noise of the image by this factor shows anatomy, not noise.
_STRUCTURED = 1.5


@dataclass(frozen=True)
class NoisePowerSpectrum:
    """A radially averaged noise power spectrum.

    Attributes
    ----------
    frequency : ndarray of float64, shape (bins,)
        Cycles per unit of length, rising, the zero frequency left out.
    power : ndarray of float64, shape (bins,)
        Noise power at that frequency: squared pixel unit times area.
    variance : float
        Integral of the two-dimensional spectrum, squared pixel unit.
    regions : int
        How many regions were averaged.
    """

    frequency: Float
    power: Float
    variance: float
    regions: int

    @property
    def mean(self) -> float:
        """Mean frequency, weighted by the radial spectrum (AAPM Task Group 233, 2019)."""
        return float((self.frequency * self.power).sum() / self.power.sum())

    @property
    def peak(self) -> float:
        """Frequency of the highest power, over three bins so that chance does not choose it."""
        padded = np.pad(self.power, 1, mode="edge")
        return float(self.frequency[np.argmax(padded[:-2] + 2 * padded[1:-1] + padded[2:])])


def noise_power_spectrum(
    values: npt.NDArray[np.floating],
    mask: npt.NDArray[np.bool_],
    spacing: tuple[float, float] = (1.0, 1.0),
    noise: float = np.inf,
) -> NoisePowerSpectrum:
    """Measure the noise power spectrum in the flattest regions of an image.

    Regions of 32 x 32 pixels that overlap by half and lie wholly in the mask are freed of their quadratic trend; those
    of the lowest variance are used.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite where ``mask`` is True.
    mask : ndarray of bool, shape (H, W)
    spacing : tuple of float
        (row, column) distance between pixel centres; frequencies are in cycles per its unit.
    noise : float
        Noise of the image in the unit of ``values``; regions of more than 1.5 times as much are not flat.

    Returns
    -------
    NoisePowerSpectrum

    Raises
    ------
    Undefined
        If no region fits, none is flat, or nothing varies in any.

    References
    ----------
    ICRU Report 87 (2012), sec. 9; IEC 62220-1-1:2015, 6.3 (overlap, detrending).
    """
    regions = _regions(values, mask, SIZE)
    if not len(regions):
        raise Undefined(f"No region of {SIZE} x {SIZE} pixels lies wholly inside the foreground.")
    flat = _detrend(regions)
    variance = (flat**2).mean(axis=(1, 2))
    # Rounding alone leaves a residue in a constant region.
    varied = variance > 1e-10 * np.maximum(np.abs(regions).max(axis=(1, 2)), 1e-30) ** 2
    if not varied.any():
        raise Undefined("The image is constant wherever its noise spectrum could be measured.")
    flat, variance = flat[varied], variance[varied]
    order = np.argsort(variance, kind="stable")[:_REGIONS]
    order = order[variance[order] <= min(_SPREAD * variance[order[0]], (_STRUCTURED * noise) ** 2)]
    if not order.size:
        raise Undefined(f"No region of {SIZE} x {SIZE} pixels is flat: all show structure.")
    return power_spectrum(flat[order], spacing)


def power_spectrum(regions: npt.NDArray[np.floating], spacing: tuple[float, float] = (1.0, 1.0)) -> NoisePowerSpectrum:
    """Return the noise power spectrum of square regions of equal size that hold noise alone.

    Parameters
    ----------
    regions : ndarray, shape (regions, N, N)
        Without mean and trend.
    spacing : tuple of float
        (row, column) distance between pixel centres.

    Returns
    -------
    NoisePowerSpectrum
        ``power = (dy dx / N^2) <|FFT|^2>``, whose integral over both frequencies is the variance of the regions.

    References
    ----------
    ICRU Report 87 (2012), eq. 9.1.
    """
    count, size, _ = regions.shape
    dy, dx = spacing
    power = (np.abs(np.fft.fft2(regions)) ** 2).mean(axis=0) * (dy * dx / size**2)
    variance = float(power.sum() / (size * dy * size * dx))
    radius = np.hypot(np.fft.fftfreq(size, dy)[:, None], np.fft.fftfreq(size, dx)[None, :])
    # Up to the lower Nyquist frequency every direction contributes.
    width = 1 / (size * max(dy, dx))
    index = np.rint(radius / width).astype(int)
    inside = (index >= 1) & (index <= size // 2)
    members = np.bincount(index[inside], minlength=size // 2 + 1)[1:]
    frequency = np.bincount(index[inside], radius[inside], size // 2 + 1)[1:] / members
    radial = np.bincount(index[inside], power[inside], size // 2 + 1)[1:] / members
    return NoisePowerSpectrum(frequency, radial, variance, count)


def _regions(values: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_], size: int) -> Float:
    if min(mask.shape) < size:
        return np.empty((0, size, size))
    windows = (size, size)
    step = (slice(None, None, size // 2),) * 2
    inside = np.lib.stride_tricks.sliding_window_view(mask, windows)[step].all(axis=(2, 3))
    return np.lib.stride_tricks.sliding_window_view(values, windows)[step][inside].astype(np.float64)


def _detrend(regions: Float) -> Float:
    count, size, _ = regions.shape
    basis = _quadratic(size)
    flat = regions.reshape(count, -1)
    return (flat - (flat @ basis) @ basis.T).reshape(regions.shape)


@cache
def _quadratic(size: int) -> Float:
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].reshape(2, -1)
    basis, _ = np.linalg.qr(np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1))
    return basis
