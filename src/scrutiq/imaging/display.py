"""From stored values to what a reader sees: VOI LUT or window, then MONOCHROME1 (DICOM PS3.3 C.11.2, C.7.6.3.1.2).

Display only. Measurements read `Image.pixels`.
"""

from __future__ import annotations

from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image, UsageError, VoiLut, Window

__all__ = ["display_range", "parse_window", "render"]


@overload
def render(image: Image, window: Window | None = None, *, bits: Literal[8] = 8) -> npt.NDArray[np.uint8]: ...
@overload
def render(image: Image, window: Window | None = None, *, bits: Literal[16]) -> npt.NDArray[np.uint16]: ...
def render(
    image: Image, window: Window | None = None, *, bits: Literal[8, 16] = 8
) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16]:
    """Return an image as it is displayed.

    Parameters
    ----------
    image : Image
    window : Window, optional
        Instead of the image's own VOI. Colour is never windowed: it is ignored there.
    bits : {8, 16}
        Of the result.

    Returns
    -------
    ndarray of uint8 or uint16, shape (H, W) or (H, W, 3)
        Black is 0, white 2**bits - 1, whatever the photometric interpretation. Pixels that are not valid are black.

    Notes
    -----
    The grey scale is, in this order, the ``window`` given, the image's VOI, its `display_range`, and where all three
    are missing the range of its valid pixels. That last resort serves display only and makes two images incomparable.
    Colour uses `display_range` or that last resort. Windows follow PS3.3 C.11.2.1.2.1 (LINEAR),
    C.11.2.1.3.1 (SIGMOID) and C.11.2.1.3.2 (LINEAR_EXACT); MONOCHROME1 is inverted after them.
    """
    if bits not in (8, 16):
        raise ValueError(f"an image is displayed in 8 or 16 bits, not {bits}")
    valid = image.valid
    voi = None if image.is_colour else window if window is not None else image.voi
    pixels = image.pixels.astype(np.float64)
    if valid is not None:
        pixels = np.where(valid[..., None] if image.is_colour else valid, pixels, 0)
    if isinstance(voi, Window):
        level = _window(pixels, voi)
    elif isinstance(voi, VoiLut):
        level = _look_up(pixels, voi)
    else:
        low, high = display_range(image) or _extent(pixels, valid)
        level = np.clip((pixels - low) / (high - low), 0, 1) if high > low else np.zeros_like(pixels)
    if image.inverted:
        level = 1 - level
    if valid is not None:
        level[~valid] = 0
    white = (1 << bits) - 1
    shown = np.rint(level * white)
    return shown.astype(np.uint8) if bits == 8 else shown.astype(np.uint16)


def display_range(image: Image) -> tuple[float, float] | None:
    """Return the values that an image without a window shows as black and white, or None where nothing says.

    The ``data_range`` of an 8-bit or colour image, which was made to be looked at. A grey image of more bits fills any
    part of its range; without a window nobody knows which.
    """
    if image.data_range is None or image.is_colour:
        return image.data_range
    low, high = image.data_range
    return image.data_range if high - low <= 255 else None


def parse_window(text: str) -> Window:
    """Read a window from "CENTRE,WIDTH" as the command line takes it.

    It runs from half a width below the centre to half a width above (LINEAR_EXACT): DICOM's LINEAR supposes whole
    numbers, and would show an image of values from 0 to 1 in black and white.

    Raises
    ------
    UsageError
        If the text is not two numbers, or the width is not positive.
    """
    parts = text.split(",")
    try:
        center, width = (float(part) for part in parts)
        return Window(center=center, width=width, function="LINEAR_EXACT")
    except ValueError:
        raise UsageError(f"a window is CENTRE,WIDTH with a positive width, for example 40,400; not {text!r}.") from None


def _window(x: npt.NDArray[np.float64], window: Window) -> npt.NDArray[np.float64]:
    c, w = window.center, window.width
    if window.function == "SIGMOID":
        # The exponent is bounded where the result has long saturated, so that it does not overflow.
        level: npt.NDArray[np.float64] = 1 / (1 + np.exp(np.clip(-4 * (x - c) / w, -700, 700)))
        return level
    if window.function == "LINEAR_EXACT":
        return np.clip((x - c) / w + 0.5, 0, 1)
    if w == 1:  # a threshold: the standard's limits x <= c - 0.5 - (w - 1) / 2 and beyond leave no ramp between
        return np.where(x > c - 0.5, 1.0, 0.0)
    return np.clip((x - (c - 0.5)) / (w - 1) + 0.5, 0, 1)


def _look_up(x: npt.NDArray[np.float64], lut: VoiLut) -> npt.NDArray[np.float64]:
    entries = np.array(lut.entries, dtype=np.float64) / ((1 << lut.bits) - 1)
    index = np.clip(np.rint(x) - lut.first, 0, len(entries) - 1).astype(np.int64)
    looked_up: npt.NDArray[np.float64] = entries[index]
    return looked_up


def _extent(pixels: npt.NDArray[np.float64], valid: npt.NDArray[np.bool_] | None) -> tuple[float, float]:
    values: npt.NDArray[Any] = pixels if valid is None else pixels[valid]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
