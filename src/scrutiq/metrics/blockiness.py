"""The 8 x 8 grid that JPEG compression leaves."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.metrics.undefined import Undefined

__all__ = ["blockiness", "blockiness_map"]

Grey = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]

_PERIOD = 8
#: Differences to either side with which a difference is compared.
_NEIGHBOURS = 3


def blockiness(values: npt.NDArray[np.floating], mask: Bool) -> float:
    """Return how much the differences between neighbouring pixels stand out on an 8 x 8 grid.

    Every difference is divided by the sum of itself and the mean of its neighbours in the same line, so that a faint
    step in a flat place counts as much as a strong one in texture. Its mean on the grid is then divided by its mean
    everywhere. The grid may begin anywhere: along each axis, the phase with the highest ratio is taken.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite.
    mask : ndarray of bool, shape (H, W)
        Pixels whose differences count.

    Returns
    -------
    float
        Mean of the ratios along the two axes: about 1 without a grid, 8 where there is nothing but a grid.

    Raises
    ------
    Undefined
        If an axis has fewer than four periods of 8 pixels, or nothing varies along it.

    References
    ----------
    After R. Muijs, I. Kirenko, "A no-reference blocking artifact measure for adaptive video processing", EUSIPCO 2005,
    eq. 1-4; bounded here, and with the phase searched.
    """
    return float(np.mean([_ratios(values, mask, axis)[0].max() for axis in (0, 1)]))


def blockiness_map(values: npt.NDArray[np.floating], mask: Bool, window: int = 33) -> Grey:
    """Return the same ratio, on the grid found, in a window about each pixel: (H, W) float32, NaN outside ``mask``."""
    total = np.zeros(values.shape, dtype=np.float32)
    for axis in (0, 1):
        ratios, steps, counts = _ratios(values, mask, axis)
        lines = np.arange(steps.shape[axis]) % _PERIOD == ratios.argmax()
        grid = counts * (lines[:, None] if axis == 0 else lines[None, :])
        every, on_grid = (
            ndimage.uniform_filter((steps * weight).astype(np.float32), window, mode="constant")
            / np.maximum(ndimage.uniform_filter(weight.astype(np.float32), window, mode="constant"), 1e-6)
            for weight in (counts, grid)
        )
        ratio = np.divide(on_grid, every, out=np.ones_like(every), where=every > 1e-6)
        total += np.pad(ratio, [(0, 1), (0, 0)] if axis == 0 else [(0, 0), (0, 1)], mode="edge")
    return np.where(mask, total / 2, np.float32(np.nan)).astype(np.float32)


def _ratios(values: npt.NDArray[np.floating], mask: Bool, axis: int) -> tuple[npt.NDArray[np.float64], Grey, Bool]:
    """Return the ratio of each of the eight phases, the relative differences, and which of them count."""
    if values.shape[axis] < 4 * _PERIOD:
        raise Undefined(f"The image is smaller than {4 * _PERIOD} pixels, too small to show a grid of 8.")
    step = np.abs(np.diff(np.asarray(values, dtype=np.float32), axis=axis))
    width = 2 * _NEIGHBOURS + 1
    around = (ndimage.uniform_filter1d(step, width, axis) * width - step) / (2 * _NEIGHBOURS)
    # Rounding of the running sum leaves a trace where all neighbours are equal to zero.
    both = step + np.maximum(around, 0)
    relative = np.divide(step, both, out=np.zeros_like(step), where=both > 1e-5 * max(float(step.max()), 1e-30))
    first, second = (slice(None, -1), slice(1, None))
    pairs = mask[first] & mask[second] if axis == 0 else mask[:, first] & mask[:, second]
    sums = (relative * pairs).sum(axis=1 - axis, dtype=np.float64)
    counts = pairs.sum(axis=1 - axis)
    phase = np.arange(sums.size) % _PERIOD
    sums, counts = np.bincount(phase, sums, _PERIOD), np.bincount(phase, counts, _PERIOD)
    if not sums.any() or not counts.all():
        raise Undefined("Nothing varies along one of the axes.")
    means = sums / counts
    return means / means.mean(), relative, pairs
