"""PNG, JPEG, BMP, WebP and GIF: plain rasters, in grey levels.

What is read is the stored pixels and nothing else. EXIF, XMP and text chunks are not parsed (they can name a patient),
so an EXIF orientation is not applied; embedded colour profiles are not applied; a print resolution (``pHYs``, JFIF
density) is not taken for a pixel spacing. Alpha is dropped. A palette is expanded, to grey where every entry of it is
grey. Samples of fewer than 8 bits are expanded to 8, as the PNG specification (third edition, clause 13.12) asks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import GREY, Image, InputError
from scrutiq.imaging.decoding import as_float32, decoding
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.limits import check_pixels
from scrutiq.imaging.png16 import is_deep_colour, read_png16

__all__ = ["RasterFile"]

_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")
_DAMAGED = "the image data end early or are damaged; save or transfer the file again."
_NOT_ONE = "the content is not a PNG, JPEG, BMP, WebP or GIF image, whatever the name says."


class RasterFile(Frames):
    """One still picture.

    Parameters
    ----------
    ref : FileRef

    Notes
    -----
    ``data_range`` is (0, 255), or (0, 65535) for a 16-bit PNG; the unit is grey levels; modality, spacing and window
    are unknown. CMYK is refused, because its colours depend on a printing profile; an animation is refused, because
    its frames are not separate images.
    """

    def __init__(self, ref: FileRef) -> None:
        self.ref = ref

    def __len__(self) -> int:
        return 1

    def image(self, index: int) -> Image:
        with decoding(self.ref, _DAMAGED):
            pixels = self._pixels()
            top = 65535.0 if pixels.dtype == np.uint16 else 255.0
            return Image(pixels=as_float32(pixels), unit=GREY, data_range=(0.0, top), source=self.source(index))
        raise AssertionError("unreachable")

    def _pixels(self) -> npt.NDArray[Any]:
        from PIL import Image as Pillow
        from PIL import UnidentifiedImageError

        with self.ref.open() as stream:
            head = stream.read(26)
            if not head:
                raise InputError("the file is empty.")
            if is_deep_colour(head):
                return read_png16(head + stream.read())
            stream.seek(0)
            try:
                picture = Pillow.open(stream, formats=_FORMATS)
            except UnidentifiedImageError:
                raise InputError(_DAMAGED if _claims(head) else _NOT_ONE) from None
            except Pillow.DecompressionBombError:
                raise InputError("the header claims more pixels than any image has; the file is damaged.") from None
            with picture:
                check_pixels(picture.height, picture.width)
                if getattr(picture, "is_animated", False) and picture.format != "MPO":
                    raise InputError("this is an animation; export its frames as separate images.")
                return _samples(picture)


def _samples(picture: Any) -> npt.NDArray[Any]:
    """Return the samples of an open Pillow image, uint8 or uint16, shape (H, W) or (H, W, 3)."""
    mode = picture.mode
    if mode in ("1", "LA"):
        picture = picture.convert("L")
    elif mode in ("P", "PA"):
        return _expand(picture)
    elif mode in ("RGBA", "RGBX"):
        picture = picture.convert("RGB")
    elif mode not in ("L", "RGB", "I;16"):
        raise InputError(f"pictures of the kind {mode} cannot be read; save it as grey or RGB.")
    return np.asarray(picture)


def _expand(picture: Any) -> npt.NDArray[np.uint8]:
    if picture.mode == "PA":
        return np.asarray(picture.convert("RGB"))
    indices = np.asarray(picture)
    entries = np.frombuffer(bytes(picture.getpalette("RGB") or b""), np.uint8).reshape(-1, 3)
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(entries)] = entries[:256]
    # The whole palette decides, not the pixels: an image does not turn grey because it shows no colour today.
    if (palette == palette[:, :1]).all():
        palette = np.ascontiguousarray(palette[:, 0])
    return np.take(palette, indices, axis=0)


def _claims(head: bytes) -> bool:
    """Whether the first bytes are those of a format that is read here."""
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return webp or head.startswith((b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8"))
