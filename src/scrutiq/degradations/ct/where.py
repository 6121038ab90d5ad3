"""Where in a CT slice the measurements of its degradations look: body, depth, air, and polar coordinates."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import HU, Modality
from scrutiq.metrics import Context
from scrutiq.metrics.undefined import Undefined

__all__ = ["around", "body", "calibrated", "depth", "hounsfield", "polar", "smoothed", "spaced", "unrolled"]

Bool = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]

#: CT numbers that count: below air are padding and clipped streaks, and metal would outweigh everything.
_LOWEST, _HIGHEST = -1000.0, 1000.0
#: Nearer than this to body and things, air is mixed with them, mm.
_MARGIN_MM = 4.0


def calibrated(context: Context) -> str | None:
    """Return why a measurement in HU of a CT slice does not apply, or None."""
    image = context.image
    fits = image.unit == HU and image.modality is Modality.CT and not image.is_colour
    return None if fits else "It is measured in HU, on CT images."


def spaced(context: Context) -> str | None:
    """Return why a measurement that also needs distances in mm does not apply, or None."""
    if (reason := calibrated(context)) is not None:
        return reason
    return None if context.image.spacing is not None else "The pixel spacing is not known."


def hounsfield(context: Context) -> Array:
    """Return the CT numbers, cut to -1000 to 1000 HU, invalid pixels as air, shape (H, W)."""
    return context.once(_hounsfield)


def _hounsfield(context: Context) -> Array:
    pixels = context.image.pixels
    if context.image.valid is not None:
        pixels = np.where(context.image.valid, pixels, np.float32(_LOWEST))
    return np.clip(pixels.astype(np.float64), _LOWEST, _HIGHEST)


def body(context: Context) -> Bool:
    """Return the body with what it encloses, shape (H, W).

    Raises
    ------
    Undefined
        If there is no tissue.
    """
    return context.once(_body)


def _body(context: Context) -> Bool:
    return np.asarray(ndimage.binary_fill_holes(ndimage.binary_dilation(context.tissue, iterations=2)))


def depth(context: Context) -> Array:
    """Return how deep each pixel lies in the body: 0 outside, 1 at the deepest, shape (H, W).

    Raises
    ------
    Undefined
        If there is no tissue.
    """
    return context.once(_depth)


def _depth(context: Context) -> Array:
    # The border of the image ends the body too, where it is cut off.
    distance = ndimage.distance_transform_edt(np.pad(body(context), 1))[1:-1, 1:-1]
    return np.asarray(distance / distance.max(), dtype=np.float64)


def around(context: Context, farthest_mm: float, densest_hu: float, opened: int = 0) -> Bool:
    """Return the air about the body, without the table and what else lies in it, shape (H, W).

    Parameters
    ----------
    context : Context
    farthest_mm : float
        From the body.
    densest_hu : float
        What is denser, in 3 x 3 means, is a thing that lies in the air, and left out with a margin.
    opened : int
        How often things are eroded first, so that streaks, which are narrow, do not count as such.

    Raises
    ------
    Undefined
        If there is no tissue, or little air is in view.
    """
    image = context.image
    assert image.spacing is not None
    smooth = smoothed(context)
    h, w = image.shape
    y, x = np.ogrid[:h, :w]
    circle = np.hypot(y - (h - 1) / 2, x - (w - 1) / 2) < min(h, w) / 2 - 2
    to_body = context.once(_to_body)
    things = smooth > densest_hu
    if opened:
        things = ndimage.binary_opening(things, iterations=opened)
    to_things = ndimage.distance_transform_edt(~things, sampling=image.spacing)
    air = circle & (to_body > _MARGIN_MM) & (to_body < farthest_mm) & (to_things > _MARGIN_MM)
    if air.sum() < 500:
        raise Undefined("Too little air about the body is in view.")
    return np.asarray(air)


def smoothed(context: Context) -> Array:
    """Return the means of the CT numbers over 3 x 3 pixels, shape (H, W)."""
    return context.once(_smoothed)


def _smoothed(context: Context) -> Array:
    return np.asarray(ndimage.uniform_filter(hounsfield(context), 3))


def _to_body(context: Context) -> Array:
    """Return the distance of each pixel from the body, mm."""
    distance = ndimage.distance_transform_edt(~body(context), sampling=context.image.spacing)
    return np.asarray(distance)


def unrolled(context: Context) -> Array:
    """Return the CT numbers on circles about the middle of the image (`polar`)."""
    return context.once(_unrolled)


def _unrolled(context: Context) -> Array:
    return polar(hounsfield(context))


def polar(values: npt.NDArray[np.floating], angles: int = 720) -> Array:
    """Return values on circles about the middle of the image, shape (angles, radii); the radius rises by one pixel."""
    h, w = values.shape
    turn = np.linspace(0, 2 * np.pi, angles, endpoint=False)[:, None]
    radius = np.arange(min(h, w) // 2 - 1)[None] + 0.5
    places = [(h - 1) / 2 - radius * np.sin(turn), (w - 1) / 2 + radius * np.cos(turn)]
    return np.asarray(ndimage.map_coordinates(values, places, np.float64, order=1))
