"""Denoising by block matching and collaborative filtering: blocks that look alike are filtered together.

The method of K. Dabov, A. Foi, V. Katkovnik, K. Egiazarian, "Image denoising by sparse 3-D transform-domain
collaborative filtering", IEEE Trans. Image Process. 16 (2007), written from the paper: a first estimate by hard
thresholds of the three-dimensional transform of each group (sec. III), a second by its empirical Wiener filter
(sec. III-D). In both steps the transform is the cosine transform of a block and the Walsh-Hadamard transform across
the group, without the Kaiser window of the aggregation. Blocks are compared by sixteen of their 64 frequencies, the
lowest.

Imported when first needed, by `scrutiq.degradations.ct.denoise`, since numba compiles it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt
from scipy import fft

from scrutiq.core import UsageError

__all__ = ["collaborative"]

F = TypeVar("F", bound=Callable[..., Any])
Float = npt.NDArray[np.float32]

#: Side of a block, step between reference blocks, and how far a match may lie, pixels; the most blocks of a group.
_SIDE, _STEP, _REACH, _GROUP = 8, 4, 9, 8
#: How many of a block's frequencies along each axis are compared.
_COMPARED = 4
#: Threshold in standard deviations of the noise (lambda_3D of the paper), and the largest squared difference of two
#: blocks that match, per compared coefficient in variances of the noise: that of equal blocks in white noise is 2.
_LAMBDA, _ALIKE = 2.7, 6.0
#: Rows of the matrix are the cosines of the orthonormal transform.
_COSINES = fft.dct(np.eye(_SIDE), axis=0, norm="ortho").astype(np.float32)


def _compiled(function: F) -> F:
    """Compile a function when it is first called, and keep the code on disk where that can be written."""
    try:
        return cast(F, numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")(function))
    except RuntimeError:  # neither the package nor the user's cache folder can be written
        return cast(F, numba.njit(nogil=True, fastmath=True, error_model="numpy")(function))


def collaborative(values: Float, strength: float) -> Float:
    """Return the image denoised.

    Parameters
    ----------
    values : ndarray of float32, shape (H, W)
        Finite, at least 8 x 8.
    strength : float
        Noise to remove, standard deviation in the unit of ``values``, positive.

    Returns
    -------
    ndarray of float32, shape (H, W)

    Raises
    ------
    UsageError
        If the image is smaller than a block.
    """
    if min(values.shape) < _SIDE:
        raise UsageError(f"block matching needs an image of at least {_SIDE} x {_SIDE} pixels.")
    noisy, sigma = _transformed(values), np.float32(strength)
    first = _filtered(noisy, noisy, _COSINES, sigma, False)
    second = _filtered(noisy, _transformed(first), _COSINES, sigma, True)
    return np.asarray(second, dtype=np.float32)


def _transformed(values: Float) -> Float:
    """Return the cosine transform of every block, shape (H - 7, W - 7, 8, 8)."""
    every = np.lib.stride_tricks.sliding_window_view(values, (_SIDE, _SIDE))
    out = np.empty(every.shape, np.float32)
    for row in range(every.shape[0]):  # a row at a time stays in the cache
        out[row] = _COSINES @ every[row] @ _COSINES.T
    return out


@_compiled
def _filtered(noisy: Float, guide: Float, cosines: Float, sigma: np.float32, wiener: bool) -> Float:
    """Return one step of the filter: groups are found in ``guide``, and filtered in ``noisy``.

    Parameters
    ----------
    noisy, guide : ndarray of float32, shape (H - 7, W - 7, 8, 8)
        Transforms of the blocks of the image, and of those of the image in which blocks are compared.
    cosines : ndarray of float32, shape (8, 8)
    sigma : float
    wiener : bool
        Whether ``guide`` is an estimate by which to weigh coefficients; else those of ``noisy`` are thresholded.
    """
    rows, columns = noisy.shape[0], noisy.shape[1]
    total = np.zeros((rows + _SIDE - 1, columns + _SIDE - 1), np.float32)
    weights = np.zeros_like(total)
    variance = sigma * sigma
    # An estimate has less noise than the image, so that blocks are the same only at smaller differences.
    alike = np.float32(_ALIKE * _COMPARED * _COMPARED / (4 if wiener else 1)) * variance
    distance = np.empty(_GROUP, np.float32)
    place = np.empty((_GROUP, 2), np.int64)
    group = np.empty((_GROUP, _SIDE, _SIDE), np.float32)
    estimate = np.empty((_GROUP, _SIDE, _SIDE), np.float32)
    half = np.empty((_SIDE, _SIDE), np.float32)
    for step_y in range((rows - 1) // _STEP + 2):
        y = min(step_y * _STEP, rows - 1)
        for step_x in range((columns - 1) // _STEP + 2):
            x = min(step_x * _STEP, columns - 1)
            # The blocks most alike, the nearest first: by insertion.
            found = 0
            for v in range(max(0, y - _REACH), min(rows, y + _REACH + 1)):
                for u in range(max(0, x - _REACH), min(columns, x + _REACH + 1)):
                    d = np.float32(0)
                    for i in range(_COMPARED):
                        for j in range(_COMPARED):
                            gap = guide[y, x, i, j] - guide[v, u, i, j]
                            d += gap * gap
                    if v == y and u == x:
                        d = np.float32(-1)
                    if d > alike or (found == _GROUP and d >= distance[_GROUP - 1]):
                        continue
                    k = min(found, _GROUP - 1)
                    while k > 0 and distance[k - 1] > d:
                        distance[k], place[k, 0], place[k, 1] = distance[k - 1], place[k - 1, 0], place[k - 1, 1]
                        k -= 1
                    distance[k], place[k, 0], place[k, 1] = d, v, u
                    found = min(found + 1, _GROUP)
            count = 1
            while 2 * count <= found:
                count *= 2
            for k in range(count):
                group[k] = noisy[place[k, 0], place[k, 1]]
                if wiener:
                    estimate[k] = guide[place[k, 0], place[k, 1]]
            _across(group, count)
            if wiener:
                _across(estimate, count)
            kept = np.float32(0)
            for k in range(count):
                for i in range(_SIDE):
                    for j in range(_SIDE):
                        if k + i + j == 0:  # the level of the group is no noise
                            kept += 1
                        elif wiener:
                            energy = estimate[k, i, j] * estimate[k, i, j]
                            gain = energy / (energy + variance)
                            group[k, i, j] *= gain
                            kept += gain * gain
                        elif np.abs(group[k, i, j]) < np.float32(_LAMBDA) * sigma:
                            group[k, i, j] = 0
                        else:
                            kept += 1
            _across(group, count)
            weight = 1 / max(kept, np.float32(1))
            for k in range(count):
                # Back to pixels: the transposed cosines on both sides.
                for i in range(_SIDE):
                    for j in range(_SIDE):
                        s = np.float32(0)
                        for m in range(_SIDE):
                            s += cosines[m, i] * group[k, m, j]
                        half[i, j] = s
                v, u = place[k, 0], place[k, 1]
                for i in range(_SIDE):
                    for j in range(_SIDE):
                        s = np.float32(0)
                        for m in range(_SIDE):
                            s += half[i, m] * cosines[m, j]
                        total[v + i, u + j] += weight * s
                        weights[v + i, u + j] += weight
    total /= weights
    return total


@_compiled
def _across(group: Float, count: int) -> None:
    """Transform 1, 2, 4 or 8 blocks by the orthonormal Walsh-Hadamard transform, in place; its own inverse."""
    span = 1
    root = np.float32(np.sqrt(0.5))
    while span < count:
        for base in range(0, count, 2 * span):
            for k in range(base, base + span):
                for i in range(_SIDE):
                    for j in range(_SIDE):
                        a, b = group[k, i, j], group[k + span, i, j]
                        group[k, i, j] = (a + b) * root
                        group[k + span, i, j] = (a - b) * root
        span *= 2
