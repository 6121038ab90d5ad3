"""Iterative reconstruction: SIRT, and least squares with total variation (FISTA)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from scrutiq.degradations.ct.geometry import Geometry
from scrutiq.degradations.ct.projector import project, transpose

__all__ = ["fista_tv", "sirt", "total_variation"]

Float = npt.NDArray[np.float32]


def sirt(
    sinogram: npt.NDArray[np.floating],
    scan: Geometry,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    iterations: int,
    subsets: int = 1,
) -> Float:
    """Reconstruct by the simultaneous iterative reconstruction technique.

    Parameters
    ----------
    sinogram : ndarray, shape (views, detectors)
    scan : ParallelBeam or FanBeam
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.
    iterations : int
        Updates of the image, each followed by setting negative values to 0.
    subsets : int
        Into which the views are divided, every so-many-th to each; an update uses one, and the next in turn. It divides
        the number of views, or is 1.

    Returns
    -------
    ndarray of float32, shape (H, W)

    References
    ----------
    J. Gregor and T. Benson, IEEE Trans. Med. Imaging 27 (2008), eq. 4: ``x + C A' R (b - A x)``, with the inverse sums
    of the rows (R) and columns (C) of A; ordered subsets after Hudson and Larkin, IEEE Trans. Med. Imaging 13 (1994).
    """
    parts = []
    for offset in _spread(subsets):
        some = replace(scan, views=scan.views // subsets, start=float(scan.angles[offset]))
        rows = _inverse(project(np.ones(shape, np.float32), some, spacing))
        columns = _inverse(transpose(np.ones((some.views, some.detectors), np.float32), some, shape, spacing))
        parts.append((some, np.asarray(sinogram[offset::subsets], dtype=np.float32), rows, columns))
    image = np.zeros(shape, np.float32)
    for update in range(iterations):
        some, measured, rows, columns = parts[update % subsets]
        image += columns * transpose(rows * (measured - project(image, some, spacing)), some, shape, spacing)
        np.maximum(image, 0, out=image)
    return image


def _spread(subsets: int) -> list[int]:
    """Return the order of the subsets in which each is far from the ones before (multiples of the golden section)."""
    golden = (5**0.5 - 1) / 2
    return sorted(range(subsets), key=lambda k: (k * golden) % 1)


def fista_tv(
    sinogram: npt.NDArray[np.floating],
    scan: Geometry,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    weight: float,
    iterations: int,
    start: npt.NDArray[np.floating] | None = None,
) -> Float:
    """Reconstruct by least squares with total variation: the minimum of ``|A x - b|^2 / (2 L) + weight TV(x)``.

    L is the largest eigenvalue of ``A' A``, so that ``weight`` is in the unit of the image whatever the scan.

    Parameters
    ----------
    sinogram, scan, shape, spacing
        As in `sirt`.
    weight : float
        Of the total variation, in the unit of the image times pixels.
    iterations : int
    start : ndarray, shape (H, W), optional
        Zeros if not given.

    Returns
    -------
    ndarray of float32, shape (H, W)

    References
    ----------
    A. Beck and M. Teboulle, SIAM J. Imaging Sci. 2 (2009), eq. 4.1-4.3 (FISTA), and IEEE Trans. Image Process. 18
    (2009) for total variation; E. Y. Sidky and X. Pan, Phys. Med. Biol. 53 (2008), on CT.
    """
    step = 1 / _largest_eigenvalue(scan, shape, spacing)
    image = np.zeros(shape, np.float32) if start is None else np.array(start, dtype=np.float32)
    ahead, momentum = image, 1.0
    measured = np.asarray(sinogram, dtype=np.float32)
    dual: npt.NDArray[np.float32] | None = None
    for _ in range(iterations):
        gradient = transpose(project(ahead, scan, spacing) - measured, scan, shape, spacing)
        new, dual = total_variation(ahead - np.float32(step) * gradient, weight, 8, dual)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = new + np.float32((momentum - 1) / following) * (new - image)
        image, momentum = new, following
    return image


def total_variation(image: Float, weight: float, iterations: int, dual: Float | None = None) -> tuple[Float, Float]:
    """Return the minimum of ``|x - image|^2 / 2 + weight TV(x)``, isotropic, and its dual to start the next from.

    References
    ----------
    A. Chambolle, J. Math. Imaging Vis. 20 (2004), as the projected gradient of Beck and Teboulle (2009).
    """
    field = np.zeros((2, *image.shape), np.float32) if dual is None else dual
    for _ in range(iterations):
        slope = _gradient(image - np.float32(weight) * _divergence(field))
        field = field + slope / np.float32(8 * weight)
        field = field / np.maximum(1, np.sqrt(field[0] ** 2 + field[1] ** 2))
    return image - np.float32(weight) * _divergence(field), field


def _gradient(image: Float) -> Float:
    out = np.zeros((2, *image.shape), np.float32)
    out[0, :-1] = image[1:] - image[:-1]
    out[1, :, :-1] = image[:, 1:] - image[:, :-1]
    return out


def _divergence(field: Float) -> Float:
    """Return the transpose of `_gradient`: minus the divergence."""
    out = np.zeros(field.shape[1:], np.float32)
    out[:-1] -= field[0, :-1]
    out[1:] += field[0, :-1]
    out[:, :-1] -= field[1, :, :-1]
    out[:, 1:] += field[1, :, :-1]
    return out


def _largest_eigenvalue(scan: Geometry, shape: tuple[int, int], spacing: tuple[float, float]) -> float:
    """Return a bound of the largest eigenvalue of ``A' A``: its largest row sum, since nothing in A is negative."""
    ones = np.ones(shape, np.float32)
    return float(transpose(project(ones, scan, spacing), scan, shape, spacing).max())


def _inverse(sums: Float) -> Float:
    # Rays that graze a corner would be followed far too eagerly.
    floor = 1e-3 * float(sums.max())
    return np.where(sums > floor, 1 / np.maximum(sums, floor), 0).astype(np.float32)
