"""What many degradations share: random fields, light, displacement, and planes across a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import HU, Image, UsageError, Window
from scrutiq.imaging import display_range
from scrutiq.metrics.foreground import foreground

__all__ = [
    "displace",
    "display_width",
    "from_unit",
    "geometric",
    "new_seed",
    "reformat",
    "smooth_noise",
    "to_linear",
    "to_srgb",
    "to_unit",
]

Float = npt.NDArray[np.floating]
Array = npt.NDArray[np.float64]


def geometric(mildest: float, worst: float, severity: float) -> float:
    """Return the value at a severity in [0, 1] on a geometric scale: equal steps are equal ratios.

    ``mildest`` is reached at severity 0 (which makes nothing), ``worst`` at 1; both are positive.
    """
    return float(mildest * (worst / mildest) ** severity)


def new_seed(rng: np.random.Generator) -> int:
    """Draw the seed of a random field, an integer that JSON holds exactly."""
    return int(rng.integers(2**32))


def smooth_noise(shape: tuple[int, ...], sigma: float, seed: int) -> Array:
    """Return a Gaussian random field of zero mean and unit standard deviation.

    Parameters
    ----------
    shape : tuple of int
    sigma : float
        Of the Gaussian that makes it smooth, pixels; 0 gives white noise.
    seed : int

    Returns
    -------
    ndarray of float64
    """
    field = np.random.default_rng(seed).standard_normal(shape)
    if sigma > 0:
        field = ndimage.gaussian_filter(field, sigma, mode="reflect")
    field -= field.mean()
    spread = float(field.std())
    return field / spread if spread > 0 else field


def to_unit(image: Image) -> Array:
    """Return the pixels on the scale from 0 to 1 of the image's ``data_range``, float64.

    Raises
    ------
    UsageError
        If the data range is not known: it is never taken from the pixels.
    """
    if image.data_range is None:
        raise UsageError("this degradation needs an image whose data range is known, such as an 8-bit file.")
    low, high = image.data_range
    return np.clip((image.pixels.astype(np.float64) - low) / (high - low), 0, 1)


def from_unit(image: Image, level: Float) -> Image:
    """Return the image with pixels given on the scale of `to_unit`."""
    assert image.data_range is not None
    low, high = image.data_range
    return image.replace(pixels=low + np.clip(level, 0, 1) * (high - low))


def to_linear(coded: Float) -> Array:
    """Return linear light in [0, 1] of sRGB values in [0, 1] (IEC 61966-2-1)."""
    coded = np.asarray(coded, dtype=np.float64)
    return np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)


def to_srgb(light: Float) -> Array:
    """Return sRGB values in [0, 1] of linear light in [0, 1], cut to that range (IEC 61966-2-1)."""
    light = np.clip(np.asarray(light, dtype=np.float64), 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def displace(pixels: Float, down: Float, right: Float, order: int = 1) -> Array:
    """Return the pixels that lie ``down`` and ``right`` of each place: ``out[y, x] = pixels[y + down, x + right]``.

    Parameters
    ----------
    pixels : ndarray, shape (H, W) or (H, W, 3)
    down, right : ndarray, shape (H, W)
        Displacement in pixels; beyond the border the edge is repeated.
    order : int
        Of the spline.
    """
    y, x = np.indices(pixels.shape[:2], dtype=np.float64)
    places = [y + down, x + right]
    if pixels.ndim == 2:
        return np.asarray(ndimage.map_coordinates(pixels, places, np.float64, order=order, mode="nearest"))
    channels = [
        ndimage.map_coordinates(c, places, np.float64, order=order, mode="nearest") for c in pixels.T.swapaxes(1, 2)
    ]
    return np.stack(channels, axis=2)


def reformat(volume: Sequence[Image]) -> Image:
    """Return the plane across the middle row of a volume: its rows are the slices, its columns those of the slices.

    Parameters
    ----------
    volume : sequence of Image
        In the order of their position. The distance between slices is taken from ``source.location``, else from the
        metadata ``slice_spacing`` or ``slice_thickness``; where none is known, neither is the plane's spacing.
    """
    first, second = volume[0], volume[1]
    distance: float | None = None
    if first.source.location is not None and second.source.location is not None:
        distance = abs(second.source.location - first.source.location) or None
    if distance is None:
        stated = first.metadata.get("slice_spacing", first.metadata.get("slice_thickness"))
        distance = abs(float(stated)) or None if isinstance(stated, int | float) else None
    spacing = None if distance is None or first.spacing is None else (distance, first.spacing[1])
    middle = first.shape[0] // 2
    return first.replace(pixels=np.stack([one.pixels[middle] for one in volume]), spacing=spacing, valid=None)


def display_width(image: Image) -> float:
    """Return the width of the range of values that a reader sees at once: the unit of how strong a fault looks.

    The window's, else 400 HU for CT, else that of the `scrutiq.imaging.display_range`; for other images of unknown
    display, the distance between the 1st and 99th percentile of their foreground. That last one is no measurement: it
    only sets how strong a made fault is, and is recorded with it.
    """
    if isinstance(image.voi, Window):
        return image.voi.bounds[1] - image.voi.bounds[0]
    if image.unit == HU:
        return 400.0
    if (shown := display_range(image)) is not None:
        return shown[1] - shown[0]
    tissue = foreground(image)
    if not tissue.any():
        return 1.0
    low, high = np.percentile(image.grey()[tissue], (1, 99))
    return float(high - low) or 1.0
