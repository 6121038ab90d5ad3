"""What the network sees: the image as it is displayed, in 8 bits, at native resolution."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scrutiq.core import Image, Modality, Window
from scrutiq.imaging import display_range, render

__all__ = ["SOFT_TISSUE", "STRIDE", "THUMBNAIL", "levels", "luma", "planes", "thumbnail"]

#: Pixels of the image to a cell of the feature map, on each side.
STRIDE = 16
#: Window in which CT in HU is always seen, whatever the file says: only so can two images be compared.
SOFT_TISSUE = Window.from_bounds(-160, 240)
#: Side of the reduced whole image, in which the network sees what no crop shows: shading, framing, ghosts.
THUMBNAIL = 128
#: Percentile of an MR image that is shown white: single bright pixels do not set the scale.
BRIGHTEST = 99.8


def levels(image: Image, window: Window | None = None) -> npt.NDArray[np.uint8]:
    """Return display levels, uint8, shape (H, W) or (H, W, 3).

    CT in Hounsfield units is shown between -160 and 240 HU, or in ``window``. MR that is no 8-bit raster is shown from
    the least value to the 99.8th percentile, since its values and windows mean nothing between scanners. Everything
    else is shown as `scrutiq.imaging.render` does. Colour that is grey in every pixel comes back as one plane.
    """
    if window is None and image.modality is Modality.CT and image.is_calibrated:
        window = SOFT_TISSUE
    if window is None and image.modality is Modality.MR and display_range(image) is None:
        values = image.pixels if image.valid is None else image.pixels[image.valid]
        low, high = float(values.min()), float(np.percentile(values, BRIGHTEST))
        window = Window.from_bounds(low, high) if high > low else None
    shown = render(image, window)
    if shown.ndim == 3 and (shown[..., 0] == shown[..., 1]).all() and (shown[..., 1] == shown[..., 2]).all():
        shown = shown[..., 0]
    return shown


def luma(shown: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return display levels in grey, uint8, shape (H, W) (ITU-R BT.601)."""
    return shown if shown.ndim == 2 else np.rint(shown @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)


def planes(shown: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return what the backbone takes, float32 in [0, 1], shape (3, H, W), of display levels."""
    colour = shown if shown.ndim == 3 else np.repeat(shown[..., None], 3, axis=-1)
    return np.ascontiguousarray(np.moveaxis(colour, -1, 0)).astype(np.float32) / np.float32(255)


def thumbnail(shown: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return the whole image averaged down to `THUMBNAIL` pixels a side, uint8, whatever its shape was."""
    from PIL import Image as Raster

    return np.asarray(Raster.fromarray(shown).resize((THUMBNAIL, THUMBNAIL), Raster.Resampling.BOX))
