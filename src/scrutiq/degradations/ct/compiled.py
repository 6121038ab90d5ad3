"""The loops of the projector, compiled by numba: imported when first needed, by `scrutiq.degradations.ct.projector`.

Every function works on a part of the views or rows, releases the interpreter's lock, and writes nothing outside its
part, so that parts may run in threads and the result does not depend on their number. Numba's own threads are not used:
its portable layer ends the process when two Python threads call it, and OpenMP's does after a fork.

The places where rays cross a line are worked out in one loop and looked up in another, since only the first can be
vectorised: together they take a quarter of the time of one loop that does both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["back_fan", "back_parallel", "forward", "transpose"]

F = TypeVar("F", bound=Callable[..., Any])
Float = npt.NDArray[np.float32]
Int = npt.NDArray[np.int32]


def _compiled(function: F) -> F:
    """Compile a function when it is first called, and keep the code on disk where that can be written."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return cast(F, numba.njit(nogil=True, fastmath=True, error_model="numpy")(function))


@_compiled
def forward(
    rows: Float, columns: Float, runs: Int, first: Float, slope: Float, length: Float, out: Float, low: int, high: int
) -> None:
    """Fill ``out[low:high]`` with line integrals.

    Parameters
    ----------
    rows, columns : ndarray of float32, shape (H, W + 3) and (W, H + 3)
        The image with a margin of one zero before and two behind each line, and its transpose with the same.
    runs : ndarray of int32, shape (runs, 4)
        View, first ray, end of the rays, and 1 where they are stepped along the columns of the image, 0 along its rows.
    first, slope, length : ndarray of float32, shape (views, detectors)
        Where the ray crosses the first line, how far it moves from line to line (both in pixels across the lines), and
        its length between two lines.
    """
    cells = np.empty(out.shape[1], np.uint32)
    parts = np.empty(out.shape[1], np.float32)
    one = np.uint32(1)
    for view in range(low, high):
        out[view] = 0.0
    for run in range(runs.shape[0]):
        view = runs[run, 0]
        if view < low or view >= high:
            continue
        lines = columns if runs[run, 3] else rows
        last = np.float32(lines.shape[1] - 2)
        # Cut out, so that the loops count from zero and no index is checked for being negative.
        total = out[view, runs[run, 1] : runs[run, 2]]
        start = first[view, runs[run, 1] : runs[run, 2]]
        step = slope[view, runs[run, 1] : runs[run, 2]]
        long = length[view, runs[run, 1] : runs[run, 2]]
        for line in range(lines.shape[0]):
            values = lines[line]
            index = np.float32(line)
            for ray in range(start.shape[0]):
                place = min(max(start[ray] + step[ray] * index + np.float32(1), np.float32(0)), last)
                cell = np.int32(place)
                cells[ray] = cell
                parts[ray] = place - np.float32(cell)
            for ray in range(start.shape[0]):
                at = cells[ray]
                total[ray] += values[at] + parts[ray] * (values[at + one] - values[at])
        for ray in range(start.shape[0]):
            total[ray] *= long[ray]


@_compiled
def transpose(
    sinogram: Float, along: int, runs: Int, first: Float, slope: Float, length: Float, out: Float, low: int, high: int
) -> None:
    """Add to ``out[low:high]`` the transpose of `forward` for the rays that are stepped along columns (1) or rows (0).

    Parameters
    ----------
    sinogram : ndarray of float32, shape (views, detectors)
    out : ndarray of float32, shape (H, W + 3) or (W, H + 3)
        As ``rows`` or ``columns`` of `forward`, by ``along``.
    """
    last = np.float32(out.shape[1] - 2)
    cells = np.empty(sinogram.shape[1], np.uint32)
    parts = np.empty(sinogram.shape[1], np.float32)
    one = np.uint32(1)
    for run in range(runs.shape[0]):
        if runs[run, 3] != along:
            continue
        view = runs[run, 0]
        given = sinogram[view, runs[run, 1] : runs[run, 2]]
        start = first[view, runs[run, 1] : runs[run, 2]]
        step = slope[view, runs[run, 1] : runs[run, 2]]
        long = length[view, runs[run, 1] : runs[run, 2]]
        for line in range(low, high):
            values = out[line]
            index = np.float32(line)
            for ray in range(start.shape[0]):
                place = min(max(start[ray] + step[ray] * index + np.float32(1), np.float32(0)), last)
                cell = np.int32(place)
                cells[ray] = cell
                parts[ray] = place - np.float32(cell)
            for ray in range(start.shape[0]):
                at = cells[ray]
                weight = given[ray] * long[ray]
                values[at] += (np.float32(1) - parts[ray]) * weight
                values[at + one] += parts[ray] * weight


@_compiled
def back_parallel(
    filtered: Float, cosine: Float, sine: Float, x: Float, y: Float, pitch: float, out: Float, low: int, high: int
) -> None:
    """Add to ``out[low:high]`` each view's value at the ray through each pixel, linear between rays.

    Parameters
    ----------
    filtered : ndarray of float32, shape (views, detectors + 4)
        With a margin of two zeros on either side.
    cosine, sine : ndarray of float32, shape (views,)
        Of the view's angle.
    x, y : ndarray of float32, shape (W,) and (H,)
        Of the pixels, mm.
    """
    centre = np.float32((filtered.shape[1] - 1) / 2)
    last = np.float32(filtered.shape[1] - 2)
    scale = np.float32(1 / pitch)
    cells = np.empty(x.shape[0], np.uint32)
    parts = np.empty(x.shape[0], np.float32)
    one = np.uint32(1)
    for view in range(filtered.shape[0]):
        values = filtered[view]
        slope = cosine[view] * scale
        for row in range(low, high):
            offset = y[row] * sine[view] * scale + centre
            for column in range(x.shape[0]):
                place = min(max(x[column] * slope + offset, np.float32(0)), last)
                cell = np.int32(place)
                cells[column] = cell
                parts[column] = place - np.float32(cell)
            line = out[row]
            for column in range(x.shape[0]):
                at = cells[column]
                line[column] += values[at] + parts[column] * (values[at + one] - values[at])


@_compiled
def back_fan(
    filtered: Float,
    cosine: Float,
    sine: Float,
    x: Float,
    y: Float,
    source: float,
    pitch: float,
    arctangent: Float,
    out: Float,
    low: int,
    high: int,
) -> None:
    """Add to ``out[low:high]`` each view's value at the ray through each pixel, over its squared distance to the focus.

    Parameters
    ----------
    source : float
        From the focus to the isocentre, mm.
    pitch : float
        Angle between neighbouring rays, radian.
    arctangent : ndarray of float32, shape (6,)
        Coefficients of ``atan(r) / r`` in powers of ``r^2``.
    """
    centre = np.float32((filtered.shape[1] - 1) / 2)
    last = np.float32(filtered.shape[1] - 2)
    scale = np.float32(1 / pitch)
    away = np.float32(source)
    a0, a1, a2 = arctangent[0], arctangent[1], arctangent[2]
    a3, a4, a5 = arctangent[3], arctangent[4], arctangent[5]
    cells = np.empty(x.shape[0], np.uint32)
    parts = np.empty(x.shape[0], np.float32)
    weights = np.empty(x.shape[0], np.float32)
    one = np.uint32(1)
    for view in range(filtered.shape[0]):
        values = filtered[view]
        cos, sin = cosine[view], sine[view]
        for row in range(low, high):
            across0 = y[row] * sin
            along0 = away - y[row] * cos
            for column in range(x.shape[0]):
                across = across0 + x[column] * cos
                along = along0 + x[column] * sin
                inverse = np.float32(1) / along
                ratio = across * inverse
                square = ratio * ratio
                angle = ratio * (a0 + square * (a1 + square * (a2 + square * (a3 + square * (a4 + square * a5)))))
                place = min(max(angle * scale + centre, np.float32(0)), last)
                cell = np.int32(place)
                cells[column] = cell
                parts[column] = place - np.float32(cell)
                weights[column] = inverse * inverse / (np.float32(1) + square)
            line = out[row]
            for column in range(x.shape[0]):
                at = cells[column]
                line[column] += weights[column] * (values[at] + parts[column] * (values[at + one] - values[at]))
