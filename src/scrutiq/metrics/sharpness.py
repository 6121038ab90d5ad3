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
#: Candidates less steep than this share of the twelfth steepest are not what limits the sharpness of the image.
_WEAKEST = 0.2
#: How far profiles run to both sides of an edge, pixels; the second is for edges too soft for the first.
_REACHES = (5.0, 10.0)
#: Samples along a profile are this far apart, pixels, and taken on three parallel lines at these distances.
_STEP, _LINES = 0.5, (-1.0, 0.0, 1.0)
#: The outer share of a profile's reach that must be flat, and how flat: share of the height of the edge.
_PLATEAU, _FLAT = 0.4, 0.12
#: Longest rise that a profile can show whole, share of its length.
_LONGEST = 0.425
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
    scale, least = 1, 0.0
    while min(image.shape) > 4 * max(_REACHES):
        edges = _Edges(image, mask, least * scale)
        # Kept for the coarser scales: there, only what is steep beside the steepest of the full resolution counts.
        least = max(least, edges.least / scale)
        # After the first scale the short reach has nothing to find: such edges were seen at full resolution.
        for reach in _REACHES if scale == 1 else _REACHES[1:]:
            found = edges.rise(reach, (spacing[0] * scale, spacing[1] * scale), noise / scale)
            if found is not None:
                return found
        if scale == 4:
            break
        # Edges too soft even for the long reach: look again on means of 2 x 2 pixels.
        image, mask = _halve(image, mask)
        scale *= 2
    raise Undefined(f"Fewer than {_ENOUGH} isolated edges rise from one flat plateau to another.")


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


class _Edges:
    """The steepest places of an image, the steepest first."""

    def __init__(self, image: Grey, mask: Bool, least: float) -> None:
        self.image, self.mask = image, mask
        rows = ndimage.gaussian_filter(image, _FIND, order=(1, 0), truncate=3)
        columns = ndimage.gaussian_filter(image, _FIND, order=(0, 1), truncate=3)
        steep = np.hypot(rows, columns) * mask
        y, x = _steepest(steep)
        size = steep[y, x]
        #: Slope below which an edge does not count, in the image's unit per pixel.
        self.least = max(least, _WEAKEST * float(size[_ENOUGH - 1])) if size.size >= _ENOUGH else least
        strong = size >= self.least
        self.y, self.x = y, x = y[strong], x[strong]
        self.normal = np.stack([rows[y, x], columns[y, x]], axis=1) / steep[y, x][:, None]
        self.spline = ndimage.spline_filter(image, 3, output=np.float32, mode="mirror")

    def rise(self, reach: float, spacing: tuple[float, float], noise: float) -> tuple[float, int] | None:
        """Return the rise, in the unit of ``spacing``, and the number of edges; None where this reach cannot tell."""
        found = self._profiles(reach, noise)
        if found is None:
            return None
        profiles, normal = found
        at = np.arange(-reach, reach + _STEP / 2, _STEP)
        # The median over the edges at each distance: an edge with a neighbour that slipped through does not pull it.
        average = np.maximum.accumulate(np.median(profiles, axis=0))
        low, high = (np.interp(level, average, at) for level in (0.1, 0.9))
        rise = float(high - low)
        if rise > _LONGEST * 2 * reach:
            return None
        pixel = np.median(np.hypot(normal[:, 0] * spacing[0], normal[:, 1] * spacing[1]))
        return rise * float(pixel), len(profiles)

    def _profiles(self, reach: float, noise: float) -> tuple[Float, Float] | None:
        """Return the profiles of isolated edges, scaled and aligned, (edges, samples), and their normals (edges, 2)."""
        # One pixel more than the reach, which the alignment uses up; the corners of the three lines stay inside too.
        border = int(reach) + 3
        rows, columns = self.image.shape
        inside = (self.y >= border) & (self.y < rows - border) & (self.x >= border) & (self.x < columns - border)
        y, x, normal = self.y[inside], self.x[inside], self.normal[inside]
        along = np.arange(-reach - 1, reach + 1 + _STEP / 2, _STEP)
        across = np.array(_LINES)[None, :, None]
        ny, nx = normal[:, 0, None, None], normal[:, 1, None, None]
        py = y[:, None, None] + along * ny - across * nx
        px = x[:, None, None] + along * nx + across * ny
        usable = self.mask[np.rint(py).astype(int), np.rint(px).astype(int)].all(axis=(1, 2))
        py, px, normal = py[usable], px[usable], normal[usable]
        if len(normal) < _ENOUGH:
            return None
        profile = ndimage.map_coordinates(self.spline, [py, px], order=3, mode="mirror", prefilter=False)
        profile = profile.mean(axis=1, dtype=np.float64)

        foot, head = along <= -reach * (1 - _PLATEAU), along >= reach * (1 - _PLATEAU)
        bottom = profile[:, foot].mean(axis=1, keepdims=True)
        height = profile[:, head].mean(axis=1, keepdims=True) - bottom
        keep = height[:, 0] > 5 * noise
        profile, normal = (profile[keep] - bottom[keep]) / height[keep], normal[keep]
        allowed = _FLAT + 1.5 * noise / height[keep]
        flat = (np.abs(profile[:, foot]) < allowed).all(axis=1) & (np.abs(profile[:, head] - 1) < allowed).all(axis=1)
        profile, normal = profile[flat], normal[flat]
        if len(profile) < _ENOUGH:
            return None

        # Align at half height: the crossing nearest to the middle, to a fraction of a sample. It is read from smoothed
        # profiles, since an alignment on the noise itself would make the average steeper than any of the edges.
        smooth = ndimage.gaussian_filter1d(profile, _FIND / _STEP, axis=1, mode="nearest")
        crossing = (smooth[:, :-1] < 0.5) & (smooth[:, 1:] >= 0.5)
        distance = np.where(crossing, np.abs(along[:-1] + _STEP / 2), np.inf)
        index = distance.argmin(axis=1)
        near = distance[np.arange(len(profile)), index] <= 1
        profile, smooth, normal, index = profile[near], smooth[near], normal[near], index[near]
        if len(profile) < _ENOUGH:
            return None
        each = np.arange(len(profile))
        before, after = smooth[each, index], smooth[each, index + 1]
        shift = along[index] + _STEP * (0.5 - before) / (after - before)
        at = np.arange(-reach, reach + _STEP / 2, _STEP)
        return np.array([np.interp(at + s, along, p) for s, p in zip(shift, profile, strict=True)]), normal


def _steepest(steep: Grey) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Return the row and column of the steepest pixel of each cell, the steepest cells first."""
    rows, columns = steep.shape[0] // _CELL, steep.shape[1] // _CELL
    blocks = steep[: rows * _CELL, : columns * _CELL].reshape(rows, _CELL, columns, _CELL)
    cells = blocks.swapaxes(1, 2).reshape(rows * columns, _CELL * _CELL)
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
    return blocks.mean(axis=(1, 3)), np.asarray(masks.all(axis=(1, 3)))
