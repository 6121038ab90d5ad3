"""From grey levels to transmitted X-rays and to attenuation, and where the beam reached the detector at all.

The pixels of a fluorographic frame are taken as proportional to the transmitted intensity (DICOM PS3.3 C.8.7.1.1.2,
Pixel Intensity Relationship LIN): attenuations add in its logarithm (Beer and Lambert). Raster files do not say whether
that is so; where a display curve was applied, strengths are relative to that curve.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from scrutiq.core import Image
from scrutiq.degradations.tools import to_unit

__all__ = ["attenuation_of", "beam_field", "from_attenuation", "from_transmitted", "transmitted_of", "typical_signal"]

Array = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

#: Angles of a collimator's blade to the side of the image that are looked for, degrees.
_ANGLES = (-20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
#: Step of the attenuation at a blade, at least.
_STEP = 0.2
#: Share of the length of a blade along which the step is seen.
_ALONG = 0.7
#: Share of the change across a blade that happens within its penumbra, at least.
_AT_ONCE = 0.42


def transmitted_of(image: Image) -> Array:
    """Return the transmitted intensity, 1 at the upper end of the data range.

    Parameters
    ----------
    image : Image
        Grey, of known ``data_range``. Of an ``inverted`` one (MONOCHROME1) low values are bright, hence transmitted.

    Returns
    -------
    ndarray of float64, shape (H, W)
        At least half a grey level, so that its logarithm exists.

    Raises
    ------
    UsageError
        If the data range is not known.
    """
    level = to_unit(image)
    level = level.mean(axis=2) if level.ndim == 3 else level
    assert image.data_range is not None
    half_a_level = 0.5 / max(image.data_range[1] - image.data_range[0], 1.0)
    return np.maximum(1 - level if image.inverted else level, half_a_level)


def from_transmitted(image: Image, intensity: Array) -> Image:
    """Return the image with the pixels of a transmitted intensity, not cut to the range; see `transmitted_of`."""
    assert image.data_range is not None
    low, high = image.data_range
    level = 1 - intensity if image.inverted else intensity
    if image.is_colour:
        level = np.repeat(level[..., None], 3, axis=2)
    return image.replace(pixels=low + level * (high - low))


def attenuation_of(image: Image) -> Array:
    """Return the attenuation, minus the natural logarithm of `transmitted_of`, float64, shape (H, W)."""
    return np.asarray(-np.log(transmitted_of(image)))


def from_attenuation(image: Image, attenuation: Array) -> Image:
    """Return the image with the pixels of an attenuation; see `attenuation_of`."""
    return from_transmitted(image, np.exp(-attenuation))


def typical_signal(intensity: Array, field: Bool) -> float:
    """Return the median intensity of the field: what automatic exposure control holds constant."""
    return float(np.median(intensity[field] if field.any() else intensity))


def beam_field(attenuation: Array) -> Bool:
    """Return where the beam was not stopped by the blades of the collimator.

    A blade is a dark strip along one side of the image that ends in a straight step of at least 0.2 in attenuation
    (an optical density of 0.09), seen along 70 % of its length, at up to 20 degrees to that side.

    Parameters
    ----------
    attenuation : ndarray of float64, shape (H, W)

    Returns
    -------
    ndarray of bool, shape (H, W)
        At least a tenth of the image; the whole image where no blade is found.
    """
    return ~_covered(attenuation)


def _covered(attenuation: Array) -> Bool:
    shape = attenuation.shape
    factor = max(1, round(min(shape) / 128))
    h, w = (n // factor * factor for n in shape)
    small = attenuation[:h, :w].reshape(h // factor, factor, w // factor, factor).mean(axis=(1, 3))
    covered = np.zeros(shape, dtype=bool)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    for side in range(4):
        found = _blade(np.rot90(small, side))
        if found is None:
            continue
        angle, offset = found
        v, u = _turned(y, x, shape, side)
        half = (shape[1] if side % 2 == 0 else shape[0]) / 2
        edge = offset * factor + np.tan(np.radians(angle)) * (u - half)
        covered |= v < edge
    return covered if covered.mean() < 0.9 else np.zeros(shape, dtype=bool)


def _turned(y: Array, x: Array, shape: tuple[int, ...], side: int) -> tuple[Array, Array]:
    """Return row and column of each pixel in the image turned by ``side`` quarter turns (`numpy.rot90`)."""
    h, w = shape
    return ((y, x), (w - 1 - x, y), (h - 1 - y, w - 1 - x), (x, h - 1 - y))[side]


def _blade(rows: Array) -> tuple[float, float] | None:
    """Return angle and depth, at the middle, of the blade along the upper side, or None where there is none."""
    height, width = rows.shape
    reach = max(2, height // 32)  # of the two windows whose means are compared: wider than the penumbra
    best: tuple[float, float] | None = None
    strongest = 0.0
    columns = np.arange(width)
    for angle in _ANGLES:
        shift = np.tan(np.radians(angle)) * (columns - width / 2)
        places = np.arange(height)[:, None] + shift[None, :]
        inside = (places >= 0) & (places <= height - 1)
        sheared = ndimage.map_coordinates(
            rows, [np.clip(places, 0, height - 1), np.tile(columns, (height, 1))], order=1
        )
        total = np.concatenate([np.zeros((1, width)), np.cumsum(sheared, axis=0)])
        # A gap of one row at the edge itself, which the penumbra fills.
        at = np.arange(reach, height - reach - 1)
        outer = (total[at] - total[at - reach]) / reach
        inner = (total[at + reach + 1] - total[at + 1]) / reach
        step = np.where(inside[at] & inside[at - reach] & inside[at + reach], outer - inner, np.nan)
        known = np.isfinite(step).mean(axis=1)
        usable = known > 0.6
        if not usable.any():
            continue
        seen = np.full(len(at), -np.inf)
        seen[usable] = np.nanquantile(step[usable], 1 - _ALONG, axis=1)
        row = int(seen.argmax())
        if seen[row] > strongest and _is_sharp(sheared, inside, int(at[row]), reach, float(seen[row])):
            strongest, best = float(seen[row]), (angle, float(at[row]) + 0.5)
    return best if strongest >= _STEP else None


def _is_sharp(rows: Array, inside: Bool, at: int, reach: int, step: float) -> bool:
    """Return whether a change happens at once, as at a blade, and not over a wide distance, as in a soft shadow."""
    known = np.where(inside, rows, np.nan)
    outer, inner = known[max(at - 3 * reach, 0) : max(at - reach, 1)], known[at + reach + 1 : at + 3 * reach + 1]
    if not (np.isfinite(outer).any() and np.isfinite(inner).any()):
        return True
    return step >= _AT_ONCE * float(np.nanmedian(outer) - np.nanmedian(inner))
