"""Where the rays of a CT scan run: parallel beam and fan beam.

The isocentre is the middle of the image; x runs to the right, y upwards, angles counter-clockwise. A ray is known by
the angle of its normal and its signed distance from the isocentre: ``x cos(angle) + y sin(angle) = distance``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, hypot, isfinite, pi
from typing import Self

import numpy as np
import numpy.typing as npt

from scrutiq.core import UsageError

__all__ = ["SCAN_FIELD_MM", "FanBeam", "Geometry", "ParallelBeam", "clinical_fan", "parallel_beam"]

Float = npt.NDArray[np.float64]

#: Diameter of the scan field of a body scanner.
SCAN_FIELD_MM = 500.0
#: From the X-ray focus to the isocentre, and to the detector, of the scanner that is simulated (Siemens Definition AS;
#: Zhang et al., Med. Phys. 38, 2011, table I).
_SOURCE_MM, _DETECTOR_MM = 595.0, 1085.6
#: Detector elements to the pixels of a side: 736 to 512, which spaces the rays at the isocentre about as the pixels.
_ELEMENTS_PER_PIXEL = 1.4375


@dataclass(frozen=True, kw_only=True)
class _Scan:
    """What both beams have.

    Attributes
    ----------
    views : int
        Projections, evenly spaced over ``arc``, the last one short of its end.
    detectors : int
        Detector elements in a row, at least 2; they lie symmetrically about the central ray.
    pitch : float
        Between the centres of two elements, mm.
    arc : float
        Over which the views are spread, radian, in (0, 2 pi].
    start : float
        Angle of the first view, radian.

    Raises
    ------
    UsageError
        If any of these cannot be.
    """

    views: int
    detectors: int
    pitch: float
    arc: float
    start: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.views, int) and self.views >= 1):
            raise UsageError(f"a scan has at least one view, not {self.views}.")
        if not (isinstance(self.detectors, int) and self.detectors >= 2):
            raise UsageError(f"a detector has at least two elements, not {self.detectors}.")
        if not (isfinite(self.pitch) and self.pitch > 0):
            raise UsageError(f"the pitch of a detector is a positive number of mm, not {self.pitch}.")
        if not 0 < self.arc <= 2 * pi + 1e-9:
            raise UsageError(f"the views of a scan span more than 0 and at most 2 pi radian, not {self.arc}.")
        if not isfinite(self.start):
            raise UsageError("the first view of a scan has a finite angle.")

    @property
    def angles(self) -> Float:
        """Angle of each view, radian, shape (views,)."""
        return self.start + self.arc / self.views * np.arange(self.views, dtype=np.float64)

    @property
    def offsets(self) -> Float:
        """Distance of each element from the central ray along the detector, mm, shape (detectors,)."""
        return (np.arange(self.detectors, dtype=np.float64) - (self.detectors - 1) / 2) * self.pitch

    def with_views(self, views: int) -> Self:
        """Return the same scan with another number of views."""
        return replace(self, views=views)


@dataclass(frozen=True, kw_only=True)
class ParallelBeam(_Scan):
    """Parallel rays, one bundle a view. Half a turn is a whole scan; ``pitch`` is also the distance of the rays.

    Attributes
    ----------
    views, detectors, pitch, arc, start
        See `FanBeam`.
    """

    arc: float = pi

    @property
    def ray_pitch(self) -> float:
        """Distance of neighbouring rays at the isocentre, mm."""
        return self.pitch

    @property
    def radius(self) -> float:
        """Of the circle about the isocentre that every view sees whole, mm."""
        return self.detectors * self.pitch / 2

    def rays(self) -> tuple[Float, Float]:
        """Return the angle of the normal (radian) and the distance from the isocentre (mm) of each ray.

        Returns
        -------
        angle, distance : ndarray of float64, shape (views, detectors)
        """
        return (
            np.repeat(self.angles[:, None], self.detectors, axis=1),
            np.repeat(self.offsets[None], self.views, axis=0),
        )


@dataclass(frozen=True, kw_only=True)
class FanBeam(_Scan):
    """Rays from one focus to an arc of detector elements at equal angles about it, as in a clinical scanner.

    Attributes
    ----------
    views : int
        Projections, evenly spaced over ``arc``, the last one short of its end.
    detectors : int
        Detector elements, at least 2, symmetrical about the central ray.
    pitch : float
        Between the centres of two elements along the arc, mm.
    arc : float
        Over which the views are spread, radian, in (0, 2 pi].
    start : float
        Angle of the first view, radian.
    source : float
        From the focus to the isocentre, mm.
    detector : float
        From the focus to the detector, mm; more than ``source``.

    Raises
    ------
    UsageError
        If any of these cannot be, or the fan is as wide as 60 degrees to a side.
    """

    arc: float = 2 * pi
    source: float = _SOURCE_MM
    detector: float = _DETECTOR_MM

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (isfinite(self.detector) and 0 < self.source < self.detector):
            raise UsageError("the isocentre lies between the focus and the detector of a scanner.")
        if self.half_angle >= pi / 3:
            raise UsageError("a fan opens to less than 60 degrees on either side; take fewer or narrower elements.")

    @property
    def angular_pitch(self) -> float:
        """Angle between neighbouring rays of a view, radian."""
        return self.pitch / self.detector

    @property
    def half_angle(self) -> float:
        """Angle between the central ray and the edge of the detector, radian."""
        return self.detectors * self.angular_pitch / 2

    @property
    def fan_angles(self) -> Float:
        """Angle of each ray from the central one, radian, shape (detectors,)."""
        return self.offsets / self.detector

    @property
    def ray_pitch(self) -> float:
        """Distance of neighbouring rays at the isocentre, mm."""
        return self.source * self.angular_pitch

    @property
    def radius(self) -> float:
        """Of the circle about the isocentre that every view sees whole, mm."""
        return float(self.source * np.sin(self.half_angle))

    def rays(self) -> tuple[Float, Float]:
        """Return the angle of the normal (radian) and the distance from the isocentre (mm) of each ray.

        Returns
        -------
        angle, distance : ndarray of float64, shape (views, detectors)
            Kak and Slaney, *Principles of Computerized Tomographic Imaging* (1988), eq. 87 and 88: a view at ``beta``
            has its focus at ``source (-sin beta, cos beta)``.
        """
        angle = self.angles[:, None] + self.fan_angles[None]
        distance = np.repeat(self.source * np.sin(self.fan_angles)[None], self.views, axis=0)
        return angle, distance


Geometry = ParallelBeam | FanBeam


def parallel_beam(
    shape: tuple[int, int], spacing: tuple[float, float], views: int = 720, detectors: int | None = None
) -> ParallelBeam:
    """Return a parallel beam that covers an image from corner to corner.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.
    views : int
        Over half a turn.
    detectors : int, optional
        Elements; 736 for an image of 512 x 512 if not given.
    """
    count = _elements(shape) if detectors is None else detectors
    return ParallelBeam(views=views, detectors=count, pitch=_diagonal(shape, spacing) / count)


def clinical_fan(
    shape: tuple[int, int], spacing: tuple[float, float], views: int = 720, detectors: int | None = None
) -> FanBeam:
    """Return the full-turn fan beam of a body scanner for an image.

    The detector covers the image from corner to corner, up to the scan field of `SCAN_FIELD_MM`: what lies outside that
    circle is seen by some views only.

    Parameters
    ----------
    shape : tuple of int
        (rows, columns) of the image.
    spacing : tuple of float
        (row, column) distance between pixel centres, mm.
    views : int
        Over a turn.
    detectors : int, optional
        Elements; 736 for an image of 512 x 512 if not given.
    """
    count = _elements(shape) if detectors is None else detectors
    radius = min(_diagonal(shape, spacing), SCAN_FIELD_MM) / 2
    half_angle = float(np.arcsin(radius / _SOURCE_MM))
    return FanBeam(views=views, detectors=count, pitch=2 * half_angle * _DETECTOR_MM / count)


def _elements(shape: tuple[int, int]) -> int:
    return max(2, 2 * ceil(_ELEMENTS_PER_PIXEL * max(shape) / 2))


def _diagonal(shape: tuple[int, int], spacing: tuple[float, float]) -> float:
    return hypot(shape[0] * spacing[0], shape[1] * spacing[1])
