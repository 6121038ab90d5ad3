"""How sharp an image is: the rise of its strongest isolated edges, and a gradient-based blur."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.metrics.undefined import Undefined

__all__ = ["crete_blur", "crete_blur_map", "edge_rise"]

Grey = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.floating]

#: Side of the cells of which each offers its steepest pixel, pixels: edges are spread over the image.
_CELL = 12
#: How many of the steepest cells are looked at, and how few edges are too few.
_CANDIDATES, _ENOUGH = 400, 12
#: Profiles run this far to both sides of an edge, pixels, in steps of half a pixel, on three parallel lines.
_REACH, _STEP, _LINES = 10.0, 0.5, (-1.0, 0.0, 1.0)
#: The outer part of a profile that must be flat, pixels, and how flat: share of the height of the edge.
_PLATEAU, _FLAT = 4.0, 0.12
#: Longest rise that a profile can show whole, pixels; longer ones are measured at half the resolution.
_LONGEST = 8.5
#: Standard deviation of the Gaussian that finds edges; the profiles are taken from the unsmoothed image.
_FIND = 1.5
#: Kernel length of the blur effect, pixels.
_H_SIZE = 11


def edge_rise(
    values: Float, mask: Bool, spacing: tuple[float, float] = (1.0, 1.0), noise: float = 0.0
) -> tuple[float, int]:
    """Return the 10-90 % rise distance of the strongest isolated edges.

    The steepest pixel of every cell of the image offers an edge. Its profile along the gradient is kept where it runs
    from one flat plateau to another; the profiles are scaled to [0, 1], aligned at their half height, and averaged
    over the edges, and the rise is read from the average (an edge spread function).

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite.
    mask : ndarray of bool, shape (H, W)
        Where profiles may run.
    spacing : tuple of float
        (row, column) distance between pixel centres; the rise is in its unit.
    noise : float
        Standard deviation of the noise, in the unit of ``values``; edges less than five times as high are left out.

    Returns
    -------
    rise : float
        2.563 sigma for an ideal edge under a Gaussian blur of standard deviation sigma.
    edges : int
        How many edges were averaged.

    Raises
    ------
    Undefined
        If there are fewer than 12 such edges.

    References
    ----------
    ISO 12233:2017, 3.13 (edge spread function). Patient images in place of a target: E. Samei et al., "Performance
    evaluation of computed tomography systems: Summary of AAPM Task Group 233", Med. Phys. 46 (2019).
    """
    image = np.asarray(values, dtype=np.float32)
    scale = 1
    while True:
        found = _spread(image, mask, (spacing[0] * scale, spacing[1] * scale), noise / scale)
        if found is not None:
            return found
        # An edge too soft for a profile of 2 x 10 pixels: look again on means of 2 x 2 pixels.
        if scale == 4 or min(image.shape) < 8 * _REACH:
            raise Undefined(f"Fewer than {_ENOUGH} isolated edges rise from one flat plateau to another.")
        image, mask = _halve(image, mask)
        scale *= 2


def crete_blur(values: Float, mask: Bool | None = None) -> float:
    """Return the blur effect of Crete et al.: how little an image loses when it is blurred once more.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite; at least 5 x 5.
    mask : ndarray of bool, shape (H, W), optional
        Pixels whose gradients count. With all of them the value equals `skimage.measure.blur_effect` (``h_size=11``).

    Returns
    -------
    float
        In [0, 1]: 0 sharp, 1 blurred to nothing.

    Raises
    ------
    Undefined
        If the image is smaller than 5 x 5 or constant.

    References
    ----------
    F. Crete, T. Dolmiere, P. Ladret, M. Nicolas, "The blur effect: perception and estimation with a new no-reference
    perceptual blur metric", Proc. SPIE 6492 (2007), eq. 1-8.
    """
    if min(values.shape) < 5:
        raise Undefined("The image is smaller than 5 x 5 pixels.")
    inner = (slice(2, -1), slice(2, -1))
    weight = None if mask is None or mask.all() else mask[inner]
    worst = None
    for axis in (0, 1):
        before, lost = _variation(np.asarray(values, dtype=np.float32), axis)
        before, lost = before[inner], lost[inner]
        if weight is not None:
            before, lost = before[weight], lost[weight]
        total = float(before.sum(dtype=np.float64))
        if total > 0:
            blur = 1 - float(lost.sum(dtype=np.float64)) / total
            worst = blur if worst is None else max(worst, blur)
    if worst is None:
        raise Undefined("The image is constant.")
    return worst


def crete_blur_map(values: Float, mask: Bool, window: int = 31) -> Grey:
    """Return `crete_blur` in a square window about each pixel, shape (H, W) float32; NaN outside ``mask``."""
    worst = np.full(values.shape, np.nan, dtype=np.float32)
    for axis in (0, 1):
        before, lost = _variation(np.asarray(values, dtype=np.float32), axis)
        total = ndimage.uniform_filter(np.where(mask, before, 0), window, mode="constant")
        gone = ndimage.uniform_filter(np.where(mask, lost, 0), window, mode="constant")
        # Where the window is constant there is nothing that could be blurred.
        floor = 1e-5 * float(total.max(initial=0.0))
        blur = np.full(values.shape, np.nan, dtype=np.float32)
        np.divide(gone, total, out=blur, where=mask & (total > floor))
        worst = np.fmax(worst, 1 - blur)
    return worst


def _variation(values: Grey, axis: int) -> tuple[Grey, Grey]:
    """Return the gradient's size along an axis, and how much of it a box blur along that axis removes."""
    before = np.abs(ndimage.sobel(values, axis))
    after = np.abs(ndimage.sobel(ndimage.uniform_filter1d(values, _H_SIZE, axis), axis))
    return before, np.maximum(before - after, 0)


def _spread(image: Grey, mask: Bool, spacing: tuple[float, float], noise: float) -> tuple[float, int] | None:
    profiles = _profiles(image, mask, noise)
    if profiles is None:
        return None
    heights, normals = profiles
    steps = np.hypot(normals[:, 0] * spacing[0], normals[:, 1] * spacing[1])
    at = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    # Median over edges at each distance: an edge with a neighbour that slipped through does not pull it.
    average = np.median(heights, axis=0)
    average = np.maximum.accumulate(average)
    low, high = (np.interp(level, average, at) for level in (0.1, 0.9))
    rise = float(high - low)
    if rise > _LONGEST and min(image.shape) >= 8 * _REACH:
        return None
    return rise * float(np.median(steps)), len(heights)


def _profiles(image: Grey, mask: Bool, noise: float) -> tuple[Float, Float] | None:
    """Return the accepted profiles, scaled and aligned, shape (edges, samples), and their unit normals (edges, 2)."""
    border = int(_REACH) + 2
    if min(image.shape) <= 2 * border:
        return None
    rows = ndimage.gaussian_filter(image, _FIND, order=(1, 0), truncate=3)
    columns = ndimage.gaussian_filter(image, _FIND, order=(0, 1), truncate=3)
    steep = np.hypot(rows, columns)
    steep *= mask
    steep[:border] = steep[-border:] = 0
    steep[:, :border] = steep[:, -border:] = 0
    y, x = _steepest(steep)
    if y.size < _ENOUGH:
        return None
    normal = np.stack([rows[y, x], columns[y, x]], axis=1) / steep[y, x][:, None]

    reach = np.arange(-_REACH - 1, _REACH + 1 + _STEP / 2, _STEP)
    along = reach[None, None, :]
    across = np.array(_LINES)[None, :, None]
    ny, nx = normal[:, 0, None, None], normal[:, 1, None, None]
    py = y[:, None, None] + along * ny - across * nx
    px = x[:, None, None] + along * nx + across * ny
    usable = mask[np.rint(py).astype(int), np.rint(px).astype(int)].all(axis=(1, 2))
    if usable.sum() < _ENOUGH:
        return None
    py, px, normal = py[usable], px[usable], normal[usable]
    profile = ndimage.map_coordinates(image, [py, px], order=3, mode="nearest").mean(axis=1, dtype=np.float64)

    outer = reach <= -_REACH + _PLATEAU, reach >= _REACH - _PLATEAU
    bottom, top = profile[:, outer[0]].mean(axis=1), profile[:, outer[1]].mean(axis=1)
    height = top - bottom
    keep = height > 5 * noise
    profile, normal, bottom, height = profile[keep], normal[keep], bottom[keep], height[keep]
    profile = (profile - bottom[:, None]) / height[:, None]
    flat = np.abs(profile[:, outer[0]]).max(axis=1, initial=0) < _FLAT
    flat &= np.abs(profile[:, outer[1]] - 1).max(axis=1, initial=0) < _FLAT
    profile, normal = profile[flat], normal[flat]
    if len(profile) < _ENOUGH:
        return None

    # Align at half height: the crossing nearest to the middle, to a fraction of a sample.
    crossing = (profile[:, :-1] < 0.5) & (profile[:, 1:] >= 0.5)
    distance = np.where(crossing, np.abs(reach[:-1] + _STEP / 2), np.inf)
    index = distance.argmin(axis=1)
    each = np.arange(len(profile))
    near = distance[each, index] <= 1.5
    before, after = profile[each, index], profile[each, index + 1]
    shift = reach[index] + _STEP * (0.5 - before) / np.where(near, after - before, 1)
    at = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    aligned = [np.interp(at + s, reach, p) for s, p, ok in zip(shift, profile, near, strict=True) if ok]
    if len(aligned) < _ENOUGH:
        return None
    return np.array(aligned), normal[near]


def _steepest(steep: Grey) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the row and column of the steepest pixel of each cell, the steepest cells first."""
    rows, columns = steep.shape[0] // _CELL, steep.shape[1] // _CELL
    cells = steep[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL).swapaxes(1, 2)
    cells = cells.reshape(rows * columns, _CELL * _CELL)
    peak = cells.argmax(axis=1)
    size = cells[np.arange(len(cells)), peak]
    order = np.argsort(size, kind="stable")[::-1][:_CANDIDATES]
    order = order[size[order] > 0]
    y = (order // columns) * _CELL + peak[order] // _CELL
    x = (order % columns) * _CELL + peak[order] % _CELL
    return y, x


def _halve(image: Grey, mask: Bool) -> tuple[Grey, Bool]:
    rows, columns = image.shape[0] // 2, image.shape[1] // 2
    blocks = image[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    masks = mask[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2)
    return blocks.mean(axis=(1, 3)), masks.all(axis=(1, 3))
