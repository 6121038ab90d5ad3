"""What the degradations of a fundus photograph share: its light, its round field, and filters that stay inside it.

The sRGB values of the file are decoded to linear light, in which lenses, media and sensors act, and the result is coded
again. The field stop of the camera is sharp whatever happens to the eye's optics, so that what lies outside it stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from scrutiq.core import Image
from scrutiq.degradations.tools import from_unit, to_linear, to_srgb, to_unit
from scrutiq.metrics import Context, Undefined
from scrutiq.metrics.foreground import field_of_view

__all__ = ["Field", "Reduced", "apply_light", "field_of", "filter_in_field", "polar", "reduced", "round_colour"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Width to which an image is reduced before it is measured, pixels across the field.
_WORKING = 400


@dataclass(frozen=True)
class Field:
    """The round field of a fundus camera.

    Attributes
    ----------
    mask : ndarray of bool, shape (H, W)
        Where light reached the sensor.
    centre : tuple of float
        Row and column of the centre of the circle, pixels; the circle may be cut by the image's border.
    diameter : float
        Of the circle, pixels.
    """

    mask: Bool
    centre: tuple[float, float]
    diameter: float


def field_of(image: Image, mask: Bool | None = None) -> Field:
    """Return the field of a photograph: the circle that fits the border of its `field_of_view` best.

    Points on the border of the image are left out, since the circle goes on there; those farther off the first fit
    than most, such as the notch that marks the side, are left out of the second (I. Kasa, IEEE Trans. Instrum. Meas.
    25, 1976: least squares on ``x^2 + y^2 = 2 a x + 2 b y + c``).

    Parameters
    ----------
    image : Image
    mask : ndarray of bool, shape (H, W), optional
        Its `field_of_view`, where the caller has it.
    """
    mask = field_of_view(image) if mask is None else mask
    h, w = mask.shape
    if not mask.any():
        return Field(mask, ((h - 1) / 2, (w - 1) / 2), float(min(h, w)))
    rim = mask & ~ndimage.binary_erosion(mask, border_value=1)
    rim[[0, -1]] = False
    rim[:, [0, -1]] = False
    y, x = np.nonzero(rim)
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    box = Field(
        mask,
        ((rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2),
        float(max(np.ptp(rows), np.ptp(columns)) + 1),
    )
    for _ in range(2):
        if y.size < 50:
            return box
        design = np.stack([2 * x, 2 * y, np.ones_like(x)], axis=1).astype(np.float64)
        a, b, c = np.linalg.lstsq(design, (x**2 + y**2).astype(np.float64), rcond=None)[0]
        radius = float(np.sqrt(max(c + a * a + b * b, 0)))
        off = np.abs(np.hypot(y - b, x - a) - radius)
        near = off <= max(2 * float(np.median(off)), 1.0)
        y, x = y[near], x[near]
    # A mask that is no disc, such as a field cropped to a square, gives a circle that says nothing.
    if not 0.8 * box.diameter <= 2 * radius <= 2 * box.diameter:
        return box
    return Field(mask, (float(b), float(a)), 2 * radius)


def apply_light(image: Image, change: Callable[[Array, Bool], Array]) -> Image:
    """Return an image after a change of its linear light inside the field of view.

    Parameters
    ----------
    image : Image
        Colour, of known data range.
    change : callable
        Given the linear light in [0, 1], float64 (H, W, 3), and the field of view, returns the light afterwards; it is
        cut to [0, 1]. What it returns outside the field is not used.
    """
    coded, field = to_unit(image), field_of_view(image)
    after = to_srgb(change(to_linear(coded), field))
    return from_unit(image, np.where(field[..., None], after, coded))


def polar(shape: tuple[int, ...], centre: tuple[float, float], radius: float) -> tuple[Array, Array]:
    """Return the distance of each pixel from a centre, in units of ``radius``, and its angle (0 right, pi/2 down)."""
    y, x = np.ogrid[0 : shape[0], 0 : shape[1]]
    down, right = (y - centre[0]) / radius, (x - centre[1]) / radius
    return np.hypot(down, right), np.arctan2(down, right)


def filter_in_field(
    light: Array,
    field: Bool,
    transfer: Callable[[tuple[int, int], Array, Array, int], npt.NDArray[np.inexact]],
    reach: float,
) -> Array:
    """Return light after a point-spread function, as if the retina went on beyond the field as it is inside.

    The filtered light is divided by the filtered field (normalised convolution), so that the dark frame does not bleed
    into the field.

    Parameters
    ----------
    light : ndarray, shape (H, W, 3)
    field : ndarray of bool, shape (H, W)
    transfer : callable
        ``transfer(shape, down, right, channel)``: the optical transfer function at frequencies in cycles per pixel, as
        `scipy.fft.rfft2` orders them, for an array of ``shape``.
    reach : float
        How far the point-spread function reaches, pixels.

    Returns
    -------
    ndarray of float64, shape (H, W, 3)
        Unchanged outside the field.
    """
    if not field.any():
        return light
    rows, columns = np.nonzero(field.any(axis=1))[0], np.nonzero(field.any(axis=0))[0]
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inside = field[box].astype(np.float32)
    size = tuple(fft.next_fast_len(n + int(np.ceil(reach)) + 1, real=True) for n in inside.shape)
    down, right = np.meshgrid(fft.fftfreq(size[0]), fft.rfftfreq(size[1]), indexing="ij")
    spectrum_of_field = fft.rfft2(inside, size)
    out = light.copy()
    for channel in range(3):
        response = transfer((size[0], size[1]), down, right, channel).astype(np.complex64)
        spread = [
            fft.irfft2(spectrum * response, size)[: inside.shape[0], : inside.shape[1]]
            for spectrum in (fft.rfft2(light[box][..., channel].astype(np.float32) * inside, size), spectrum_of_field)
        ]
        mean = spread[0] / np.maximum(spread[1], 1e-3)
        out[box][..., channel] = np.where(field[box], mean, light[box][..., channel])
    return out


@dataclass(frozen=True)
class Reduced:
    """A photograph reduced for measuring: linear light (h, w, 3) float64, field (h, w), and the field's diameter."""

    light: Array
    field: Bool
    diameter: float
    centre: tuple[float, float]


def reduced(context: Context) -> Reduced:
    """Return the linear light of an image at no more than about 400 to 800 pixels across the field, by block means.

    Measurements of shapes need no more, and speak of the same size of shape whatever the camera.

    Raises
    ------
    Undefined
        If there is no field of view, or it is smaller than 64 pixels.
    """
    field = field_of(context.image, context.seen)
    if field.diameter < 64:
        raise Undefined("The field of view is smaller than 64 pixels.")
    step = max(1, int(field.diameter / _WORKING))
    light = to_linear(to_unit(context.image))
    h, w = (n // step * step for n in field.mask.shape)
    light = light[:h, :w].reshape(h // step, step, w // step, step, 3).mean(axis=(1, 3))
    mask = np.asarray(field.mask[:h, :w].reshape(h // step, step, w // step, step).all(axis=(1, 3)))
    offset = (step - 1) / 2
    centre = ((field.centre[0] - offset) / step, (field.centre[1] - offset) / step)
    return Reduced(light, mask, field.diameter / step, centre)


def round_colour(context: Context) -> str | None:
    """Return why the measurements of fundus photographs do not apply to an image, or None where they do."""
    image = context.image
    if image.modality != "fundus":
        return "It is a measurement of fundus photographs."
    if not image.is_colour:
        return "The image has no colour."
    return None if image.data_range is not None else "The data range of the image is not known."
