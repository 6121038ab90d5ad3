"""What the measurements of this folder look at: the object, the air about it, and k-space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Modality
from scrutiq.metrics import Context, Undefined
from scrutiq.metrics.foreground import otsu

__all__ = ["Scene", "grey_mr", "line_energy", "log_power", "scene", "shortfall", "trim_padding"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Shortest side, pixels, in which a fault can be told from the anatomy.
SMALLEST = 64
#: Directions of the straight sides of the hull.
_DIRECTIONS = 24
#: Distance of the air from the hull, share of the longer side.
_MARGIN = 0.03


@dataclass(frozen=True)
class Scene:
    """An image of an object in air.

    Attributes
    ----------
    values : ndarray of float64, shape (H, W)
        Pixels, above the lowest where that is negative.
    tissue, hull : ndarray of bool, shape (H, W)
        What is brighter than Otsu's threshold, in pieces of at least 1 % of the whole; its convex hull.
    air : ndarray of bool, shape (H, W)
        What lies outside the hull by 3 % of the longer side.
    signal : float
        Median of the tissue, positive.
    """

    values: Array
    tissue: Bool
    hull: Bool
    air: Bool
    signal: float


def grey_mr(context: Context) -> str | None:
    """Return why the measurements of this folder do not apply to an image, or None where they do."""
    if context.image.modality is not Modality.MR:
        return "It is a measurement of magnetic resonance images."
    if min(context.image.shape) < SMALLEST:
        return f"The image is smaller than {SMALLEST} x {SMALLEST} pixels, so that faults cannot be told from anatomy."
    return None


def scene(context: Context) -> Scene:
    """Return where the object and the air are.

    Raises
    ------
    Undefined
        If nothing stands out, or what does is too little to be an object.
    """
    values = context.grey.astype(np.float64)
    values = values - min(0.0, float(values.min()))
    smooth = ndimage.uniform_filter(values, 3, mode="nearest")
    bright = smooth > otsu(smooth)
    labels, count = ndimage.label(bright)
    if count == 0:
        raise Undefined("There is no object: the image is constant.")
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    tissue = (sizes >= 0.01 * sizes.sum())[labels]
    if tissue.sum() < 0.05 * tissue.size:
        raise Undefined("There is no object: bright pixels fill less than 5 % of the image.")
    hull, far = _hull(tissue, (0.0, _MARGIN * max(tissue.shape)))
    level = float(np.median(values[tissue]))
    if level <= 0:
        raise Undefined("There is no signal in the image.")
    return Scene(values, tissue, hull, ~far, level)


def _hull(mask: Bool, margins: tuple[float, ...]) -> list[Bool]:
    """Return the convex hull of a mask by straight sides in fixed directions, widened by each margin (pixels)."""
    # The border of the mask spans the same hull; it holds far fewer points.
    y, x = np.nonzero(mask & ~ndimage.binary_erosion(mask))
    rows, columns = (np.arange(n, dtype=np.float64) for n in mask.shape)
    hulls = [np.ones(mask.shape, dtype=bool) for _ in margins]
    for angle in 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS:
        down, right = np.sin(angle), np.cos(angle)
        reach = float((down * y + right * x).max())
        along = (down * rows)[:, None] + right * columns
        for hull, margin in zip(hulls, margins, strict=True):
            hull &= along <= reach + margin
    return hulls


def trim_padding(values: Array) -> Array:
    """Return the image without rows and columns of one value at its borders, with which scanners fill a matrix."""
    rows = np.flatnonzero(np.ptp(values, axis=1) > 0)
    columns = np.flatnonzero(np.ptp(values, axis=0) > 0)
    if not rows.size or not columns.size:
        raise Undefined("The image is constant.")
    return values[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def log_power(values: Array) -> Array:
    """Return the power of k-space in dB, centre at ``n // 2``, of an image without its mean.

    The image runs out to its mean over the outer 5 % of each side, lest the jump between opposite borders make a cross.
    """
    window = np.multiply.outer(*(_taper(n) for n in values.shape))
    mean = float((values * window).sum() / window.sum())
    power = np.abs(fft.fftshift(fft.fft2((values - mean) * window, norm="ortho"))) ** 2
    top = float(power.max())
    if top <= 0:
        raise Undefined("The image is constant.")
    return np.asarray(10 * np.log10(power + 1e-14 * top))


def _taper(n: int) -> Array:
    """Return a Tukey window with 5 % of its length falling at each end."""
    ramp = max(1, n // 20)
    window = np.ones(n)
    fall = 0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)
    window[:ramp], window[n - ramp :] = fall, fall[::-1]
    return window


def shortfall(levels: Array, window: int) -> float:
    """Return how far levels lie below the highest of their neighbours, dB, on average.

    Their slow course (Gaussian of a tenth of their number) is taken off first. The largest twentieth is left out: where
    a spectrum breaks off there is one step.

    Parameters
    ----------
    levels : ndarray, shape (N,)
        Mean log power of lines of k-space, dB.
    window : int
        How many neighbours, the line itself among them.
    """
    if levels.size < 8:
        raise Undefined("K-space is too small to compare its lines.")
    course = ndimage.gaussian_filter1d(levels, levels.size / 10, mode="nearest")
    below = np.sort(ndimage.maximum_filter1d(levels - course, window, mode="nearest") - (levels - course))
    return float(below[: max(1, int(0.95 * below.size))].mean())


def line_energy(values: Array, axis: int) -> Array:
    """Return the energy of the lines of k-space along an axis, from the centre outwards, both sides summed.

    Its sum is the energy of the image without its mean (Parseval); in squared units of the pixels.
    """
    window = np.multiply.outer(*(_taper(n) for n in values.shape))
    mean = float((values * window).sum() / window.sum())
    energy = (np.abs(fft.fft2((values - mean) * window, norm="ortho")) ** 2).sum(axis=1 - axis)
    n = energy.size
    half = (n - 1) // 2
    both = energy[1 : half + 1] + energy[-1 : -half - 1 : -1]
    return np.concatenate([energy[:1], both])
