"""Images of a data set on disk: the same bytes for the same pixels, and never half a file."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from scrutiq.core import HU, Image
from scrutiq.imaging import render

__all__ = ["atomic", "decode", "encode", "fit", "sha256", "write_bytes"]


def encode(image: Image, form: Literal["stored", "display"]) -> tuple[bytes, str]:
    """Return the file of an image and its suffix.

    ``stored``: float32 TIFF in the unit of the pixels where that is HU or the format has no range, else PNG of 8 or 16
    bits, rounded to whole levels. ``display``: PNG of 8 bits, as `scrutiq.imaging.render` shows it.
    """
    if form == "display":
        return _png(render(image)), ".png"
    levels = _levels(image)
    return (_tiff(image.pixels), ".tif") if levels is None else (_png(levels), ".png")


def decode(content: bytes) -> npt.NDArray[Any]:
    """Return the pixels of a file that `encode` made."""
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        from PIL import Image as Pillow

        with Pillow.open(io.BytesIO(content)) as picture:
            return np.asarray(picture)
    import tifffile

    return np.asarray(tifffile.imread(io.BytesIO(content)))


def fit(image: Image, max_side: int) -> Image:
    """Return the image averaged in the smallest blocks of whole pixels that leave no side longer than ``max_side``."""
    step = -(-max(image.shape) // max_side)
    if step == 1:
        return image
    h, w = (n // step for n in image.shape)
    blocks = image.pixels[: h * step, : w * step].reshape(h, step, w, step, -1)
    pixels = blocks.mean(axis=(1, 3), dtype=np.float64).reshape(h, w, *image.pixels.shape[2:])
    spacing = None if image.spacing is None else (image.spacing[0] * step, image.spacing[1] * step)
    whole = None
    if image.valid is not None:
        whole = np.asarray(image.valid[: h * step, : w * step].reshape(h, step, w, step).all(axis=(1, 3)))
    return image.replace(pixels=pixels, spacing=spacing, valid=whole)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with atomic(path) as file:
        file.write(content)


@contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes the place of ``path`` when it is complete; on an error nothing changes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            yield file
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _levels(image: Image) -> npt.NDArray[np.uint8] | npt.NDArray[np.uint16] | None:
    """Return the pixels as whole numbers, or None where the format of the image does not have any."""
    if image.unit == HU or image.data_range is None:
        return None
    low, high = image.data_range
    if low < 0 or high > 65535 or high - low < 2 or (image.is_colour and high > 255):
        return None
    levels = np.rint(np.clip(np.nan_to_num(image.pixels, nan=low), low, high))
    return levels.astype(np.uint8) if high <= 255 else levels.astype(np.uint16)


def _tiff(pixels: npt.NDArray[np.float32]) -> bytes:
    import tifffile

    file = io.BytesIO()
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(file, pixels, byteorder="<", photometric=kind, metadata=None, software=False)
    return file.getvalue()


def _png(levels: npt.NDArray[Any]) -> bytes:
    from PIL import Image as Pillow

    file = io.BytesIO()
    Pillow.fromarray(levels).save(file, "PNG", compress_level=6)
    return file.getvalue()
