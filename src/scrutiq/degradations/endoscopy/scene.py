"""What the faults of an endoscopic frame share: its field of view, its light, the shape of its surface, its blur."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.tools import from_unit, to_linear, to_srgb, to_unit
from scrutiq.metrics import Context
from scrutiq.metrics.foreground import END_MARGIN, extremes, field_of_view

__all__ = [
    "REC709",
    "bounded_colour",
    "brightness",
    "extent",
    "extent_of",
    "finish",
    "light_of",
    "places",
    "spread",
    "view_of",
]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]
Float = npt.NDArray[np.floating]

#: Luminance of linear sRGB (ITU-R BT.709).
REC709 = np.array([0.2126, 0.7152, 0.0722])

#: How much larger than the lit part its convex hull may be: more than dark notches are letters that touch the field.
_NOTCHES = 1.15

#: Standard deviation of the Gaussian that leaves of a frame the shape of the lit surface, share of the extent.
_SHAPE = 0.03


def bounded_colour(context: Context) -> str | None:
    """Return why a measurement of colours with known ends does not apply, or None where it does."""
    if not context.image.is_colour:
        return "The image has no colour."
    return None if context.image.data_range is not None else "The data range of the image is not known."


def view_of(image: Image) -> Bool:
    """Return the field of view, shape (H, W): the picture without its dark frame and lettering; all of a black one.

    Of `scrutiq.metrics.foreground.field_of_view` the part that is lit in red, as tissue is everywhere: the coloured
    bars of some video processors touch the picture, and are green or blue.
    """
    view = field_of_view(image)
    if not view.any():
        return np.ones(image.shape, dtype=bool)
    if not image.is_colour or image.data_range is None:
        return view
    low, high = image.data_range
    red = ndimage.uniform_filter(image.pixels[..., 0], 3, mode="nearest") > low + END_MARGIN * (high - low)
    labels, count = ndimage.label(red & view)
    if count == 0:
        return view
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    filled: Bool = ndimage.binary_fill_holes(labels == sizes.argmax())
    # The means of 3 x 3 pixels reach one pixel beyond the light.
    inner: Bool = ndimage.binary_erosion(filled, np.ones((3, 3)), border_value=1)
    lit = filled & view & (inner | (extremes(image.pixels)[1] > low + END_MARGIN * (high - low)))
    whole = _convex(lit)
    return whole if np.count_nonzero(whole) <= _NOTCHES * np.count_nonzero(lit) else lit


def _convex(mask: Bool) -> Bool:
    """Return the convex hull of a mask: a field is round or an octagon, whatever dark lumen touches its border."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size < 3:
        return mask
    left = mask[rows].argmax(axis=1)
    right = mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    y = np.arange(rows[0], rows[-1] + 1)
    from_, to = -_envelope(rows, -left, y), _envelope(rows, right, y)
    x = np.arange(mask.shape[1])
    found = np.zeros_like(mask)
    found[y] = (x >= from_[:, None] - 1e-9) & (x <= to[:, None] + 1e-9)
    return found


def _envelope(at: npt.NDArray[np.intp], values: npt.NDArray[np.intp], wanted: npt.NDArray[np.intp]) -> Array:
    """Return the least concave function that is nowhere below the values (Andrew's monotone chain)."""
    chain: list[tuple[int, int]] = []
    for here in zip(at.tolist(), values.tolist(), strict=True):
        while len(chain) > 1 and (chain[-1][1] - chain[-2][1]) * (here[0] - chain[-2][0]) <= (
            here[1] - chain[-2][1]
        ) * (chain[-1][0] - chain[-2][0]):
            chain.pop()
        chain.append(here)
    corners = np.array(chain, dtype=np.float64)
    return np.asarray(np.interp(wanted, corners[:, 0], corners[:, 1]), dtype=np.float64)


def extent_of(view: Bool) -> float:
    """Return the diameter of the disc that is as large as the field of view, pixels."""
    return float(np.sqrt(4 / np.pi * np.count_nonzero(view)))


def extent(image: Image) -> float:
    """Return `extent_of` the field of view of an image: the length that the size of every fault is a share of."""
    return extent_of(view_of(image))


def light_of(image: Image) -> Array:
    """Return linear light, shape (H, W, 3), 1 where the sensor is full."""
    return to_linear(to_unit(image))


def finish(image: Image, light: Float, view: Bool) -> Image:
    """Return the image with new linear light within the field of view, and unchanged outside it."""
    made = from_unit(image, to_srgb(light))
    return image.replace(pixels=np.where(view[..., None], made.pixels, image.pixels))


def brightness(image: Image, view: Bool) -> Array:
    """Return the smooth part of the luminance, shape (H, W), 0 to 1, NaN outside the field of view.

    The light travels with the camera, so that it falls on the surface along the line of sight: smooth mucosa is bright
    where it faces the lens and is near to it (shape from shading with a light at the optical centre).
    """
    luma = light_of(image) @ REC709
    sigma = _SHAPE * extent_of(view)
    weight = ndimage.gaussian_filter(view.astype(np.float64), sigma)
    smooth = ndimage.gaussian_filter(np.where(view, luma, 0), sigma) / np.maximum(weight, 1e-6)
    return np.where(view, np.clip(smooth, 0, 1), np.nan)


def places(weight: Array, count: int, rng: np.random.Generator) -> Array:
    """Draw places with a probability in proportion to a weight.

    Parameters
    ----------
    weight : ndarray, shape (H, W)
        At least 0; NaN counts as 0. Where all of it is 0, every place is as likely.
    count : int
    rng : numpy.random.Generator
        ``3 * count`` numbers are drawn, whatever the weight.

    Returns
    -------
    ndarray, shape (count, 2)
        Row and column, in pixels, between the centres of pixels too.
    """
    total = np.cumsum(np.nan_to_num(weight).ravel())
    if total[-1] <= 0:
        total = np.arange(1, weight.size + 1, dtype=np.float64)
    picked = np.searchsorted(total, rng.random(count) * total[-1], side="right").clip(0, weight.size - 1)
    corner = np.stack(np.unravel_index(picked, weight.shape), axis=1).astype(np.float64)
    return np.asarray(corner + rng.random((count, 2)) - 0.5, dtype=np.float64)


def spread(light: Float, view: Bool, transfer: Callable[[Array, Array], npt.NDArray[Any]], reach: float) -> Array:
    """Return light after the blur of an optical transfer function; the dark frame does not bleed into the field.

    Parameters
    ----------
    light : ndarray, shape (H, W, C)
    view : ndarray of bool, shape (H, W)
    transfer : callable
        Given frequencies along rows and columns in cycles a pixel, returns the transfer function, 1 at 0.
    reach : float
        How far the point spread function reaches, pixels.

    Returns
    -------
    ndarray of float64, shape (H, W, C)
        0 outside the field of view.
    """
    pad = int(np.ceil(reach)) + 1
    h, w = view.shape
    size = tuple(fft.next_fast_len(n + 2 * pad, real=True) for n in (h, w))
    otf = transfer(fft.fftfreq(size[0])[:, None], fft.rfftfreq(size[1])[None, :])

    def blurred(plane: Array) -> Array:
        padded = np.pad(plane, [(pad, n - m - pad) for n, m in zip(size, (h, w), strict=True)])
        whole: Array = fft.irfft2(fft.rfft2(padded) * otf, s=size)
        return whole[pad : pad + h, pad : pad + w]

    weight = np.maximum(blurred(view.astype(np.float64)), 0.05)
    planes = [np.where(view, blurred(np.where(view, light[..., c], 0)) / weight, 0) for c in range(light.shape[2])]
    return np.asarray(np.maximum(np.stack(planes, axis=2), 0), dtype=np.float64)
