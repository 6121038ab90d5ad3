"""Phantoms of ellipses, whose line integrals are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scrutiq.degradations.ct.geometry import Geometry
from scrutiq.degradations.ct.projector import pixel_centres

__all__ = ["BODY", "Ellipse", "line_integrals", "rasterise"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ellipse:
    """An ellipse of even value; those of a phantom add up.

    Attributes
    ----------
    x, y : float
        Centre, mm from the isocentre, rightwards and upwards.
    a, b : float
        Half axes, mm.
    turn : float
        From the x axis to the half axis ``a``, counter-clockwise, radian.
    value : float
    """

    x: float
    y: float
    a: float
    b: float
    turn: float
    value: float


#: A body of 340 mm x 240 mm with spine, two lungs and five small inserts; values in HU above air (1000 is water).
BODY: tuple[Ellipse, ...] = (
    Ellipse(0, 0, 170, 120, 0, 1000),
    Ellipse(-80, 15, 55, 75, 0.2, -750),
    Ellipse(80, 15, 55, 75, -0.2, -750),
    Ellipse(0, -75, 22, 22, 0, 600),
    Ellipse(0, 35, 18, 24, 0.3, 150),
    Ellipse(-90, 30, 4, 4, 0, 700),
    Ellipse(70, -10, 8, 5, 0.7, 700),
    Ellipse(-20, 80, 10, 10, 0, 40),
    Ellipse(25, 80, 6, 6, 0, -100),
)


def rasterise(
    ellipses: Sequence[Ellipse], shape: tuple[int, int], spacing: tuple[float, float], samples: int = 8
) -> npt.NDArray[np.float32]:
    """Return the phantom as pixels, each the mean of ``samples`` x ``samples`` points.

    Parameters
    ----------
    ellipses : sequence of Ellipse
    shape : tuple of int
        (rows, columns).
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.
    samples : int

    Returns
    -------
    ndarray of float32, shape (H, W)
    """
    fine = (shape[0] * samples, shape[1] * samples)
    y, x = pixel_centres(fine, (spacing[0] / samples, spacing[1] / samples))
    total = np.zeros(fine, np.float32)
    for one in ellipses:
        total += one.value * (_level(one, x[None], y[:, None]) <= 1)
    blocks = total.reshape(shape[0], samples, shape[1], samples)
    return np.asarray(blocks.mean(axis=(1, 3), dtype=np.float64), dtype=np.float32)


def line_integrals(ellipses: Sequence[Ellipse], geometry: Geometry) -> npt.NDArray[np.float32]:
    """Return the exact line integrals of a phantom, its value times mm.

    Returns
    -------
    ndarray of float32, shape (views, detectors)

    References
    ----------
    Kak and Slaney, *Principles of Computerized Tomographic Imaging* (1988), eq. 5-7 of chapter 3.
    """
    angle, distance = geometry.rays()
    total = np.zeros(angle.shape)
    for one in ellipses:
        away = distance - one.x * np.cos(angle) - one.y * np.sin(angle)
        width = (one.a * np.cos(angle - one.turn)) ** 2 + (one.b * np.sin(angle - one.turn)) ** 2
        total += 2 * one.value * one.a * one.b / width * np.sqrt(np.maximum(width - away**2, 0))
    return total.astype(np.float32)


def _level(one: Ellipse, x: Array, y: Array) -> Array:
    cosine, sine = np.cos(one.turn), np.sin(one.turn)
    along, across = (x - one.x) * cosine + (y - one.y) * sine, (y - one.y) * cosine - (x - one.x) * sine
    return np.asarray((along / one.a) ** 2 + (across / one.b) ** 2)
