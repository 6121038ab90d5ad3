"""Sensitivities of receive coils about the field of view."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["loop_profile", "sensitivities"]

Array = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complexfloating[Any, Any]]


def loop_profile(shape: tuple[int, int], angle: float, distance: float, radius: float) -> Array:
    """Return the magnitude of the field of a circular loop on its axis, ``(1 + (d / radius)^2)^(-3/2)``, 1 at the loop.

    d is the distance from the centre of the loop: the law on the axis (Biot-Savart) taken in all directions, which is
    smooth and falls off as a surface coil does.

    Parameters
    ----------
    shape : tuple of int
    angle : float
        Where the loop stands, radian, seen from the centre of the image: 0 right, pi / 2 below.
    distance : float
        Of the loop from the centre, in half sides of the image: 1 is at the border.
    radius : float
        Of the loop, in half sides of the image.

    References
    ----------
    P. B. Roemer et al., "The NMR phased array", Magn. Reson. Med. 16 (1990).
    """
    v, u = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    squared = (v[:, None] - distance * np.sin(angle)) ** 2 + (u - distance * np.cos(angle)) ** 2
    return np.asarray((1 + squared / radius**2) ** -1.5)


def sensitivities(shape: tuple[int, int], coils: int, angle: float) -> Complex:
    """Return the sensitivities of loops spread evenly on a circle about the image, shape (coils, H, W).

    Each has its own constant phase; at every pixel the sum of their squares is 1, so that the root sum of squares of
    noise-free coil images is the image itself.
    """
    angles = angle + 2 * np.pi * np.arange(coils) / coils
    maps = np.stack([loop_profile(shape, a, 1.2, 1.0) * np.exp(1j * a) for a in angles])
    return np.asarray(maps / np.sqrt((np.abs(maps) ** 2).sum(axis=0)))
