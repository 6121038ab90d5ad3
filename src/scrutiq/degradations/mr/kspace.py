"""K-space of a magnitude image: the transform, a plausible phase, and the way back.

A magnitude image has lost its phase, and physics that acts on k-space needs one: without it k-space would be Hermitian
and every ghost would come twice. A smooth phase is put on the image, as the transmit and receive fields and a shim that
is not perfect leave on any image, and the magnitude is taken at the end.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from scrutiq.core import Image
from scrutiq.metrics.foreground import filled_grey, foreground

__all__ = [
    "complex_image",
    "extent",
    "frequencies",
    "from_kspace",
    "pixel_mm",
    "put_back",
    "signal",
    "smooth_phase",
    "to_kspace",
]

Array = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complexfloating[Any, Any]]

#: Standard deviation of the coefficients of the phase, radian.
_PHASE = 0.4


def to_kspace(image: npt.NDArray[Any], axes: tuple[int, ...] = (0, 1)) -> Complex:
    """Return the k-space of an image, its centre at index ``n // 2``; unitary, so that energy is kept (Parseval).

    Parameters
    ----------
    image : ndarray, shape (H, W)
        Its origin is at index ``n // 2`` too.
    axes : tuple of int
        Transformed axes.
    """
    return np.asarray(fft.fftshift(fft.fftn(fft.ifftshift(image, axes), axes=axes, norm="ortho"), axes))


def from_kspace(kspace: npt.NDArray[Any], axes: tuple[int, ...] = (0, 1)) -> Complex:
    """Return the complex image of a k-space: the inverse of `to_kspace`."""
    return np.asarray(fft.fftshift(fft.ifftn(fft.ifftshift(kspace, axes), axes=axes, norm="ortho"), axes))


def frequencies(n: int) -> Array:
    """Return the spatial frequency of each index of a k-space axis, cycles per pixel, ascending, 0 at ``n // 2``."""
    return np.asarray(fft.fftshift(fft.fftfreq(n)))


@lru_cache(maxsize=4)
def smooth_phase(shape: tuple[int, int], seed: int) -> Array:
    """Return a phase, radian: a polynomial of third order whose coefficients are normal, 0.4 rad each.

    About one turn from edge to edge, as in a spin echo; a gradient echo near air has more.
    """
    draw = np.random.default_rng(seed).standard_normal(10) * _PHASE
    v, u = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    powers = [(i, j) for i in range(4) for j in range(4 - i)]
    phase = sum(c * np.multiply.outer(v**i, u**j) for c, (i, j) in zip(draw, powers, strict=True))
    phase = np.asarray(phase, dtype=np.float64)
    phase.flags.writeable = False
    return phase


def complex_image(image: Image, phase_seed: int) -> Complex:
    """Return the image with a phase, complex128, shape (H, W).

    Magnitudes are not negative: where an image holds negative values, its lowest value counts as no signal.
    """
    return np.asarray((filled_grey(image) - _zero(image)) * np.exp(1j * smooth_phase(image.shape, phase_seed)))


def put_back(image: Image, made: npt.NDArray[Any]) -> Image:
    """Return the image with the magnitude of ``made``; what was marked invalid stays as it was."""
    grey = np.abs(made) + _zero(image)
    if image.valid is not None:
        grey = np.where(image.valid, grey, image.grey())
    return image.replace(pixels=np.repeat(grey[..., None], 3, axis=2) if image.is_colour else grey)


def signal(image: Image) -> float:
    """Return the signal of typical tissue, above no signal: the median of the foreground; positive.

    It sets how strong a made fault is, and what a measured one is given in percent of.
    """
    grey, tissue = filled_grey(image), foreground(image)
    values = grey[tissue] if tissue.any() else grey.ravel()
    level = float(np.median(values)) - _zero(image)
    return level if level > 0 else float(np.ptp(grey)) or 1.0


def pixel_mm(image: Image) -> tuple[float, float]:
    """Return the (row, column) spacing, mm; 1 mm, the usual size in MR, where it is not known."""
    return image.spacing or (1.0, 1.0)


def _zero(image: Image) -> float:
    return min(0.0, float(filled_grey(image).min()))


def extent(image: Image, axis: int) -> tuple[int, int]:
    """Return where the object begins and ends along an axis: its lines hold 8 % of the signal of the brightest one."""
    line = (filled_grey(image) - _zero(image)).mean(axis=1 - axis, dtype=np.float64)
    held = np.flatnonzero(line >= 0.08 * line.max())
    return int(held[0]), int(held[-1]) + 1
