"""Vessels that are drawn: winding tapered paths, their branches, and the attenuation of the contrast medium in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Tube", "grow", "tube_thickness"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tube:
    """A vessel of circular section.

    Attributes
    ----------
    points : ndarray of float64, shape (N, 2)
        Row and column along the centreline, N at least 2.
    radii : ndarray of float64, shape (N,)
        Pixels.
    """

    points: Array
    radii: Array

    def heading(self, at: int) -> float:
        """Return the direction of the centreline at a point, radians from the columns' axis towards the rows'."""
        ahead = self.points[min(at + 3, len(self.points) - 1)] - self.points[max(at - 3, 0)]
        return float(np.arctan2(ahead[0], ahead[1]))


def grow(
    rng: np.random.Generator,
    start: tuple[float, float],
    heading: float,
    length: int,
    radius: float,
    *,
    taper: float = 0.65,
    bend: float = 0.004,
    winding: float = 0.35,
) -> Tube:
    """Return a vessel that winds and tapers.

    Its heading is a straight line that bends evenly, plus two undulations as tortuous arteries have.

    Parameters
    ----------
    rng : numpy.random.Generator
        Five numbers are drawn, whatever the other arguments.
    start : tuple of float
        Row and column.
    heading : float
        Radians from the columns' axis towards the rows'.
    length : int
        Pixels, at least 2.
    radius : float
        At the start, pixels.
    taper : float
        Share of the radius that is lost along the vessel.
    bend : float
        Mean size of the curvature, radians a pixel.
    winding : float
        Amplitude of the undulations of the heading, radians.
    """
    sign, first, second, wave, ripple = rng.uniform(size=5)
    along = np.arange(length, dtype=np.float64)
    turn = (2 * sign - 1) * 2 * bend * along
    slow = winding * np.sin(2 * np.pi * (along / (70 + 60 * wave) + first))
    fast = 0.4 * winding * np.sin(2 * np.pi * (along / (22 + 20 * ripple) + second))
    undulation = slow + fast
    angle = heading + turn + undulation - undulation[0]
    steps = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    points = np.asarray(start) + np.concatenate([np.zeros((1, 2)), np.cumsum(steps[:-1], axis=0)])
    return Tube(points, radius * (1 - taper * along / length))


def tube_thickness(shape: tuple[int, ...], tube: Tube) -> Array:
    """Return how thick a vessel is along the beam, in pixels: the chord of its circular section.

    Parameters
    ----------
    shape : tuple of int
    tube : Tube

    Returns
    -------
    ndarray of float64, shape (H, W)
    """
    from scipy.spatial import cKDTree

    thickness = np.zeros(shape)
    reach = float(tube.radii.max()) + 1
    low = np.maximum(np.floor(tube.points.min(axis=0) - reach).astype(int), 0)
    high = np.minimum(np.ceil(tube.points.max(axis=0) + reach).astype(int) + 1, shape)
    if (high <= low).any():
        return thickness
    # Twice as dense as the pixels, so that the chain of discs has no scallops.
    length = float(np.hypot(*np.diff(tube.points, axis=0).T).sum())
    fine = np.linspace(0, len(tube.points) - 1, max(2, round(2 * length)))
    index = np.arange(len(tube.points))
    dense = np.stack([np.interp(fine, index, tube.points[:, k]) for k in (0, 1)], axis=1)
    radii = np.interp(fine, index, tube.radii)
    rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
    places = np.stack([rows.ravel(), columns.ravel()], axis=1)
    distance, nearest = cKDTree(dense).query(places, distance_upper_bound=reach)
    inside = np.isfinite(distance)
    chord = np.zeros(len(places))
    chord[inside] = 2 * np.sqrt(np.maximum(radii[nearest[inside]] ** 2 - distance[inside] ** 2, 0))
    thickness[low[0] : high[0], low[1] : high[1]] = chord.reshape(rows.shape)
    return thickness
