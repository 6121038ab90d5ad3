"""TIFF and BigTIFF: every full-size page is one image.

Only pixels and the tags that describe them are used. ``ImageDescription``, ``Artist``, ``DateTime``, OME-XML and the
like are never given out. ``XResolution`` is not a pixel spacing: programs write the resolution of a printer or a
screen there (TIFF 6.0, section 8: 72 and 300 dots an inch are what editors fill in by default), so spacing comes from
the user or a sidecar. An orientation tag is not applied; neither is a colour profile.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import GREY, Image, InputError, Source
from scrutiq.imaging.decoding import as_float32, decoding, integer_range, series_of
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.limits import MAX_FRAMES, check_pixels
from scrutiq.imaging.tiffcodec import decode_page

__all__ = ["TiffPages"]

_DAMAGED = "the TIFF data end early or are damaged; save or transfer the file again."
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _PALETTE, _YCBCR = 0, 1, 2, 3, 6
_REDUCED, _MASK = 1, 4


class TiffPages(Frames):
    """The pages of one TIFF file, without thumbnails and transparency masks.

    Parameters
    ----------
    ref : FileRef

    Raises
    ------
    InputError
        If the directories cannot be read, or there is no page.

    Notes
    -----
    ``data_range`` is that of the stored integers (0 to 4095 for 12-bit samples), None for floating point. White-is-zero
    pages keep their values and are marked ``inverted``. A palette is expanded as in `scrutiq.imaging.raster`. Alpha is
    dropped. More than one page makes a series.
    """

    def __init__(self, ref: FileRef) -> None:
        self.ref = ref
        self._open: tuple[Any, Any] | None = None
        with decoding(ref, _DAMAGED):
            _, file = self._file()
            if len(file.pages) > MAX_FRAMES:
                raise InputError("the file claims more pages than any image has; it is damaged.")
            # Directories that share an offset would give pages without end.
            kinds = [int(page.tags.valueof(254) or 0) for page in file.pages]
            self._pages = tuple(i for i, kind in enumerate(kinds) if not kind & (_REDUCED | _MASK))
            if not self._pages:
                raise InputError("the TIFF file holds no full-size page.")
        self._series = series_of(ref) if len(self) > 1 else None

    def __len__(self) -> int:
        return len(self._pages)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def __del__(self) -> None:
        if getattr(self, "_open", None) is not None:
            self._open[1].close()  # type: ignore[index]
            self._open[0].close()  # type: ignore[index]

    def source(self, index: int) -> Source:
        """Return where an image stands."""
        return Source(frame=index, series=self._series)

    def image(self, index: int) -> Image:
        with decoding(self.ref, _DAMAGED):
            stream, file = self._file()
            page = file.pages[self._pages[index]]
            check_pixels(int(page.imagelength), int(page.imagewidth))
            if page.imagedepth != 1:
                raise InputError("a page with depth is not read; save each plane as a page.")
            if page.samplesperpixel > 4:
                raise _not_an_image(page)
            samples = decode_page(page, stream)
            pixels, data_range = _pixels(page, samples)
            return Image(
                pixels=as_float32(pixels),
                unit=GREY,
                data_range=data_range,
                inverted=page.photometric == _MIN_IS_WHITE,
                source=self.source(index),
            )
        raise AssertionError("unreachable")

    def _file(self) -> tuple[Any, Any]:
        if self._open is None:
            import tifffile

            stream = self.ref.open()
            try:
                # The name given here stands in tifffile's messages instead of the file's own.
                self._open = (stream, tifffile.TiffFile(stream, name="image"))
            except Exception:
                empty = stream.seek(0, 2) == 0
                stream.close()
                raise InputError("the file is empty." if empty else _DAMAGED) from None
        return self._open


def _pixels(page: Any, samples: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[float, float] | None]:
    """Return the image, shape (H, W) or (H, W, 3), and the range of its format."""
    count = samples.shape[2]
    kind = samples.dtype.kind
    stored = None if kind == "f" else integer_range(int(page.bitspersample), kind == "i")
    if page.photometric == _PALETTE:
        return _expand(page, samples), (0.0, 255.0)
    alpha = count - len(page.extrasamples) if page.extrasamples else count
    if page.photometric in (_MIN_IS_WHITE, _MIN_IS_BLACK) and (count == 1 or (count == 2 and alpha == 1)):
        return samples[:, :, 0], stored
    if page.photometric in (_RGB, _YCBCR) and count in (3, 4):
        return np.ascontiguousarray(samples[:, :, :3]), stored
    raise _not_an_image(page)


def _not_an_image(page: Any) -> InputError:
    return InputError(
        f"a page with {int(page.samplesperpixel)} samples a pixel (TIFF photometric interpretation "
        f"{int(page.photometric)}) is neither grey nor RGB; save it as grey or RGB."
    )


def _expand(page: Any, samples: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    table = page.colormap
    if table is None or samples.dtype.kind != "u" or samples.shape[2] > 2:
        raise InputError(_DAMAGED)
    # Entries have 16 bits; programs fill the low byte with a copy of the high one or with zero (section 5).
    palette = (np.asarray(table).T >> 8).astype(np.uint8)
    indices = samples[:, :, 0]
    if indices.max(initial=0) >= len(palette):
        raise InputError(_DAMAGED)
    if (palette == palette[:, :1]).all():
        palette = np.ascontiguousarray(palette[:, 0])
    return np.take(palette, indices, axis=0)
