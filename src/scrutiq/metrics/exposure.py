"""How an image is exposed: clipping, mean level, evenness of illumination, colour cast."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.foreground import extremes
from scrutiq.metrics.undefined import Undefined

__all__ = ["clipped_share", "colour_cast", "exposure", "illumination_surface", "plateau_share", "uniformity"]

Grey = npt.NDArray[np.float32]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.floating]


def clipped_share(pixels: Grey, mask: Bool, data_range: tuple[float, float]) -> tuple[float, float]:
    """Return how much of an image lies at the lower and at the upper end of what its format can hold.

    Parameters
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
        A colour pixel counts as dark where all components are at the lower end, as bright where any is at the upper.
    mask : ndarray of bool, shape (H, W)
        Pixels that count; at least one.
    data_range : tuple of float

    Returns
    -------
    dark, bright : float
        Percent of the pixels of ``mask``.
    """
    low, high = data_range
    greatest = extremes(pixels)[1]
    dark, bright = greatest <= low, greatest >= high
    total = np.count_nonzero(mask)
    return (
        100 * np.count_nonzero(dark & mask) / total,
        100 * np.count_nonzero(bright & mask) / total,
    )


def plateau_share(values: Float, mask: Bool) -> float:
    """Return how much of an image lies on a flat plateau at its own highest value.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite where ``mask`` is True.
    mask : ndarray of bool, shape (H, W)

    Returns
    -------
    float
        Percent of the pixels of ``mask`` that belong to a 3 x 3 block of the highest value: a single brightest pixel
        is no plateau, a detector or a format that ran full makes one.

    Raises
    ------
    Undefined
        If the image is constant.
    """
    inside = values[mask]
    highest = inside.max()
    if inside.min() == highest:
        raise Undefined("The image is constant.")
    top = (values == highest) & mask
    if np.count_nonzero(top) < 9 or min(top.shape) < 3:
        return 0.0
    return 100 * np.count_nonzero(_open3(top)) / inside.size


def exposure(values: Float, mask: Bool, data_range: tuple[float, float]) -> float:
    """Return the mean level of the pixels of ``mask`` (at least one), as percent of the way from black to white."""
    low, high = data_range
    mean = float(values[mask].mean(dtype=np.float64))
    return 100 * min(max((mean - low) / (high - low), 0.0), 1.0)


def illumination_surface(values: Float, mask: Bool) -> Grey:
    """Return the smooth part of an image: the quadratic surface that fits it best.

    Parameters
    ----------
    values : ndarray, shape (H, W)
        Finite where ``mask`` is True.
    mask : ndarray of bool, shape (H, W)
        Pixels to fit.

    Returns
    -------
    ndarray of float32, shape (H, W)
        In the unit of ``values``; NaN outside ``mask``.

    Raises
    ------
    Undefined
        If the mask is too small or too narrow to fix the six coefficients.
    """
    # A quadratic needs no more than some thousand points.
    step = _step(mask, 16_384)
    y, x = np.nonzero(mask[::step, ::step])
    design = _quadratic(y * step, x * step, mask.shape)
    if len(design) < 100 or np.linalg.matrix_rank(design) < 6:
        raise Undefined("The field of view is too small to fit the illumination.")
    coefficients, *_ = np.linalg.lstsq(design, values[::step, ::step][y, x].astype(np.float64), rcond=None)
    constant, along_x, along_y, x_x, x_y, y_y = coefficients
    v, u = (2 * np.arange(n) / n - 1 for n in mask.shape)
    columns, rows = constant + along_x * u + x_x * u * u, along_y * v + y_y * v * v
    surface = rows[:, None] + columns + np.outer(x_y * v, u)
    return np.where(mask, surface, np.nan).astype(np.float32)


def uniformity(surface: Grey, black: float) -> float:
    """Return the percent integral uniformity of an illumination surface.

    Parameters
    ----------
    surface : ndarray of float32
        From `illumination_surface`.
    black : float
        The level of no light.

    Returns
    -------
    float
        ``100 (1 - (max - min) / (max + min))``, levels counted from black; 100 is even, 0 leaves a part dark.

    Raises
    ------
    Undefined
        If the surface does not rise above black.

    References
    ----------
    NEMA MS 3-2008 (percent image uniformity), here on the fitted surface in place of a smoothed phantom.
    """
    low, high = float(np.nanmin(surface)) - black, float(np.nanmax(surface)) - black
    low = max(low, 0.0)
    if high <= 0:
        raise Undefined("The image is black wherever its illumination could be measured.")
    return 100 * (1 - (high - low) / (high + low))


def colour_cast(rgb: Float, mask: Bool, data_range: tuple[float, float]) -> tuple[float, float]:
    """Return how far the average colour is from grey.

    Parameters
    ----------
    rgb : ndarray, shape (H, W, 3)
        sRGB.
    mask : ndarray of bool, shape (H, W)
        Pixels that count; at least one.
    data_range : tuple of float

    Returns
    -------
    a, b : float
        CIELAB a* (green to red) and b* (blue to yellow) of the mean of linear light, for D65.

    References
    ----------
    Grey-world assumption: G. Buchsbaum, J. Franklin Inst. 310 (1980). sRGB: IEC 61966-2-1. CIELAB: ISO/CIE 11664-4.
    """
    low, high = data_range
    # A mean of some ten thousand pixels is as good as one of all, and much faster.
    step = _step(mask, 65_536)
    coded = rgb[::step, ::step][mask[::step, ::step]]
    if not coded.size:
        coded = rgb[mask]
    coded = np.clip((coded.astype(np.float32) - low) / (high - low), 0, 1)
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4).mean(axis=0, dtype=np.float64)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    relative = (to_xyz @ linear) / to_xyz.sum(axis=1)
    f = np.where(relative > (6 / 29) ** 3, np.cbrt(relative), relative / (3 * (6 / 29) ** 2) + 4 / 29)
    return float(500 * (f[0] - f[1])), float(200 * (f[1] - f[2]))


def _open3(mask: Bool) -> Bool:
    """Return the pixels that some 3 x 3 block of True covers (`scipy.ndimage.binary_opening`, in less time)."""
    rows = mask[:-2] & mask[1:-1] & mask[2:]
    blocks = rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
    covered = np.zeros_like(mask)
    for y in range(3):
        for x in range(3):
            covered[y : y + blocks.shape[0], x : x + blocks.shape[1]] |= blocks
    return covered


def _step(mask: Bool, pixels: int) -> int:
    """Return the step between rows, and columns, that leaves about so many pixels of an image."""
    return max(1, int(np.sqrt(mask.size / pixels)))


def _quadratic(y: npt.NDArray[np.intp], x: npt.NDArray[np.intp], shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    v, u = 2 * y / shape[0] - 1, 2 * x / shape[1] - 1
    return np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], axis=1)
