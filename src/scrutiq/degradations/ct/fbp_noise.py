"""The theory of the noise of filtered back-projection: how the variance of line integrals becomes that of pixels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scrutiq.degradations.ct.fbp import filter_views
from scrutiq.degradations.ct.geometry import FanBeam, Geometry
from scrutiq.degradations.ct.projector import pixel_centres

__all__ = ["pixel_variance"]

Array = npt.NDArray[np.float64]


def pixel_variance(
    variance: npt.NDArray[np.floating],
    scan: Geometry,
    shape: tuple[int, int],
    spacing: tuple[float, float],
    rows: npt.NDArray[np.integer],
    columns: npt.NDArray[np.integer],
    window: str | Callable[[Array], Array] = "ram-lak",
    weight: float = 1.0,
) -> Array:
    """Return the variance of pixels of the FBP of line integrals with independent noise.

    FBP is linear, so the variance is the sum over the rays of their variance times the square of what one ray adds to
    the pixel: the filter, interpolated linearly between two elements, with the weights of the fan.

    Parameters
    ----------
    variance : ndarray, shape (views, detectors)
        Of each line integral.
    scan : ParallelBeam or FanBeam
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.
    rows, columns : ndarray of int, shape (n,)
        The pixels.
    window : str or callable
        See `scrutiq.degradations.ct.fbp.fbp`.
    weight : float
        Of every ray: 0.5 for a full turn of a fan.

    Returns
    -------
    ndarray of float64, shape (n,)
        In the squared unit of the line integrals per mm^2.

    References
    ----------
    Kak and Slaney, *Principles of Computerized Tomographic Imaging* (1988), sec. 5.2.1, eq. 25-32, kept discrete.
    """
    middle = scan.detectors // 2
    pulse = np.zeros((scan.views, scan.detectors))
    pulse[0, middle] = weight
    answer = filter_views(pulse, scan, window)[0].astype(np.float64)
    rays = np.ones(scan.detectors)
    if isinstance(scan, FanBeam):
        rays = scan.source * np.cos(scan.fan_angles)
        answer /= rays[middle]
    # The filter as a function of the distance between elements, which is even.
    taps = np.zeros(scan.detectors + 1)
    taps[: scan.detectors - middle] = answer[middle:]
    offset = np.abs(np.arange(scan.detectors)[:, None] - np.arange(scan.detectors)[None])
    filters = taps[offset]
    moved = np.vstack([filters[1:], np.zeros(scan.detectors)])
    noise = np.asarray(variance, dtype=np.float64) * rays**2
    square, cross = noise @ (filters**2).T, noise @ (filters * moved).T
    y, x = (centres[index] for centres, index in zip(pixel_centres(shape, spacing), (rows, columns), strict=True))
    total = np.zeros(len(rows))
    for view, angle in enumerate(scan.angles):
        across = x * np.cos(angle) + y * np.sin(angle)
        away = np.ones_like(across)
        if isinstance(scan, FanBeam):
            along = scan.source + x * np.sin(angle) - y * np.cos(angle)
            place = np.arctan2(across, along) / scan.angular_pitch
            away = across**2 + along**2
        else:
            place = across / scan.pitch
        place += (scan.detectors - 1) / 2
        cell = np.clip(place.astype(int), 0, scan.detectors - 2)
        part = place - cell
        seen = (part >= 0) & (part <= 1)
        value = (
            (1 - part) ** 2 * square[view, cell]
            + part**2 * square[view, cell + 1]
            + 2 * part * (1 - part) * cross[view, cell]
        )
        total += np.where(seen, value, 0) / away**2
    return total
