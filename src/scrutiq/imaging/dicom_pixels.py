"""The stored values of one frame: checked against the file's size before anything is allocated, then decoded."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.pixels import get_decoder  # type: ignore[attr-defined]
from pydicom.pixels.decoders.base import Decoder
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from scrutiq.core import InputError
from scrutiq.imaging.codec_process import decode_apart
from scrutiq.imaging.dicom_stream import Opened
from scrutiq.imaging.limits import MAX_FRAMES, check_frames, check_pixels

__all__ = [
    "PIXEL_KEYWORDS",
    "Layout",
    "decode",
    "frame_count",
    "integer",
    "is_decoded",
    "number",
    "numbers",
    "read_layout",
    "text",
]

#: What the decoding needs of the header.
PIXEL_KEYWORDS = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "ExtendedOffsetTable",
    "ExtendedOffsetTableLengths",
)

_GREY = {"MONOCHROME1", "MONOCHROME2", "PALETTE COLOR"}
_COLOUR = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"}

#: One codec for each compression, so that a file gives the same pixels wherever it is read. pylibjpeg-libjpeg (GPL) is
#: never used, nor anything that happens to be installed beside these. RLE is pydicom's own: pylibjpeg-rle 2.2 panics
#: on damaged data, past every ``except Exception``.
_CODECS = {
    **dict.fromkeys((uid.JPEG2000Lossless, uid.JPEG2000), "pylibjpeg"),
    **dict.fromkeys((uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K), "pylibjpeg"),
    uid.RLELossless: "pydicom",
    **dict.fromkeys((uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLossless, uid.JPEGLosslessSV1), "gdcm"),
    **dict.fromkeys((uid.JPEGLSLossless, uid.JPEGLSNearLossless), "gdcm"),
}

#: A header may claim many pixels at no cost. Beyond 16 million of them, a compressed frame that spends less than one
#: byte on 32,768 is taken for a false claim.
_FREE_PIXELS = 1 << 24
_PIXELS_PER_BYTE = 1 << 15


@dataclass(frozen=True)
class Layout:
    """How the pixels are stored, checked: what is needed to decode any frame.

    Parameters
    ----------
    rows, columns, frames, samples : int
    photometric : str
        Photometric Interpretation as stored.
    bits : int
        Bits Stored; 32 or 64 for floating point.
    signed, floating : bool
    shift : int
        Unused bits below the value (High Bit not the lowest possible, as in files older than the 2007 standard).
    syntax : UID
    offset : int
        Of the pixel data's value in the stream.
    options : dict
        Options of pydicom's decoder.
    """

    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits: int
    signed: bool
    floating: bool
    shift: int
    syntax: UID
    offset: int
    options: dict[str, Any] = field(repr=False)

    @property
    def stored_range(self) -> tuple[int, int] | None:
        """Lowest and highest stored value that the bits can hold; None for floating point."""
        if self.floating:
            return None
        if self.signed:
            return (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
        return (0, (1 << self.bits) - 1)


def integer(header: Dataset, keyword: str) -> int | None:
    """Return a whole number of the header, None where it is absent or empty.

    Raises
    ------
    InputError
        If it is something else.
    """
    value = number(header, keyword)
    if value is None:
        return None
    if value != int(value):
        raise InputError(f"the header's {keyword} is not a whole number.")
    return int(value)


def number(header: Dataset, keyword: str) -> float | None:
    """Return a number of the header, None where it is absent or empty.

    Raises
    ------
    InputError
        If it is not one finite number.
    """
    found = numbers(header, keyword)
    if found is None:
        return None
    if len(found) != 1:
        raise InputError(f"the header's {keyword} is not one number.")
    return found[0]


def numbers(header: Dataset, keyword: str) -> tuple[float, ...] | None:
    """Return the numbers of an element, None where it is absent or empty.

    Raises
    ------
    InputError
        If one of them is not a finite number.
    """
    try:
        value = _value(header, keyword)
        if value is None or (isinstance(value, (str, bytes)) and not value.strip()):
            return None
        parts = [value] if isinstance(value, (int, float, str)) else list(value)
        found = tuple(float(part) for part in parts)
    except InputError:
        raise
    except Exception:
        raise InputError(f"the header's {keyword} is not a number.") from None
    if not all(isfinite(part) for part in found):
        raise InputError(f"the header's {keyword} is not a finite number.")
    return found or None


def text(header: Dataset, keyword: str) -> tuple[str, ...]:
    """Return the values of a text element, stripped; empty where it is absent or cannot be read."""
    try:
        value = _value(header, keyword)
    except Exception:
        return ()
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else value
    try:
        return tuple(stripped for part in parts if isinstance(part, str) and (stripped := part.strip(" \0")))
    except TypeError:
        return ()


def frame_count(header: Dataset) -> int:
    """Return Number of Frames, 1 where it is absent or empty.

    Raises
    ------
    InputError
        If it is negative or more than `scrutiq.imaging.limits.MAX_FRAMES`.
    """
    frames = integer(header, "NumberOfFrames") or 1
    if not 0 < frames <= MAX_FRAMES:
        raise InputError(f"the header claims a number of frames outside 1 to {MAX_FRAMES}.")
    return frames


def _value(header: Dataset, keyword: str) -> Any:
    # By tag: looking a keyword up costs several times as much, and a frame asks a hundred times.
    tag = _tag(keyword)
    return header[tag].value if tag in header else None


@lru_cache(maxsize=1024)
def _tag(keyword: str) -> BaseTag:
    return Tag(keyword)


def read_layout(opened: Opened) -> Layout:
    """Read how the pixels are stored, and check it against the size of the file.

    Raises
    ------
    InputError
        If the file holds no pixels, holds fewer than it claims, or stores them in a way that cannot be read.
    """
    header, element = opened.dataset, opened.pixels
    if element is None:
        if not opened.complete:
            raise InputError("the file ends in the middle of its header; it is truncated.")
        raise InputError("the DICOM file holds no pixels.")
    rows, columns = _needed(header, "Rows"), _needed(header, "Columns")
    check_pixels(rows, columns)
    frames = frame_count(header)
    samples = integer(header, "SamplesPerPixel") or 1
    photometric = (text(header, "PhotometricInterpretation") or ("",))[0]
    if (samples, photometric) not in {(1, name) for name in _GREY} | {(3, name) for name in _COLOUR}:
        known = photometric if photometric in _GREY | _COLOUR else "an unknown colour space"
        raise InputError(f"pixels of {samples} samples in {known} cannot be read.")
    floating = element.keyword != "PixelData"
    allocated = _needed(header, "BitsAllocated")
    if floating:
        if allocated != {"FloatPixelData": 32, "DoubleFloatPixelData": 64}[element.keyword] or samples != 1:
            raise InputError("floating-point pixels are stored with the wrong number of bits or samples.")
        stored, signed, shift = allocated, True, 0
    else:
        stored = _needed(header, "BitsStored")
        if allocated not in (1, 8, 16, 32, 64) or not 0 < stored <= allocated or (allocated == 1 and samples != 1):
            raise InputError(f"pixels of {stored} bits in {allocated} cannot be read.")
        representation = _needed(header, "PixelRepresentation")
        if representation not in (0, 1):
            raise InputError("the header's PixelRepresentation is neither 0 nor 1.")
        signed = representation == 1
        high = integer(header, "HighBit")
        shift = high + 1 - stored if high is not None and stored <= high < allocated else 0
    planar = integer(header, "PlanarConfiguration") or 0
    syntax = opened.syntax
    if syntax.is_private or syntax not in uid.AllTransferSyntaxes:
        raise InputError("the file's transfer syntax is not one of the DICOM standard.")
    if syntax.is_encapsulated:
        shift = 0
    options: dict[str, Any] = {
        "rows": rows,
        "columns": columns,
        "number_of_frames": frames,
        "samples_per_pixel": samples,
        "photometric_interpretation": photometric,
        "bits_allocated": allocated,
        "pixel_keyword": element.keyword,
        "allow_excess_frames": False,
    }
    if element.vr:
        options["pixel_vr"] = element.vr
    if samples > 1:
        options["planar_configuration"] = planar
    if not floating:
        options["bits_stored"] = allocated if shift else stored
        options["pixel_representation"] = 0 if shift else int(signed)
    if syntax.is_encapsulated:
        if element.length is not None or floating:
            raise InputError("the transfer syntax says that pixels are compressed, and they are not.")
        _check_codec(syntax, stored)
        options |= _check_fragments(opened, rows * columns, frames)
    else:
        _check_native(opened, rows * columns * samples * allocated, frames, photometric)
    check_frames(frames, rows, columns)
    return Layout(
        rows, columns, frames, samples, photometric, stored, signed, floating, shift, syntax, element.offset, options
    )


def is_decoded(syntax: UID) -> bool:
    """Tell whether pixels in a transfer syntax are decoded here, by the one codec that is used for it."""
    if not syntax.is_encapsulated:
        return True
    try:
        decoder: Decoder = get_decoder(syntax)
    except NotImplementedError:
        return False
    return _CODECS.get(syntax) in decoder.available_plugins


def decode(opened: Opened, layout: Layout, index: int) -> npt.NDArray[Any]:
    """Decode one frame.

    Parameters
    ----------
    opened : Opened
    layout : Layout
        Of the same file.
    index : int
        Zero-based.

    Returns
    -------
    ndarray, shape (H, W) or (H, W, 3)
        Stored values in the machine's byte order; RGB where the file stores colour, palette indices where it has a
        palette. Unused bits (overlays, junk) are cleared, PS3.5 8.1.1.

    Raises
    ------
    InputError
        If the decoder cannot.
    """
    opened.stream.seek(layout.offset)
    try:
        if layout.syntax.is_encapsulated:
            pixels, properties = _decompress(opened, layout, index)
        else:
            decoder = get_decoder(layout.syntax)
            pixels, properties = decoder.as_array(cast(Any, opened.stream), index=index, **layout.options)
    except MemoryError:
        raise
    except Exception:
        raise InputError("the pixels cannot be decoded; the file is damaged or breaks its own header.") from None
    if layout.samples == 3 and properties["photometric_interpretation"] != "RGB":
        raise InputError("the colours cannot be converted to RGB.")
    if pixels.shape[:2] != (layout.rows, layout.columns):
        raise InputError("the decoded pixels do not have the size that the header states.")
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    return _shifted(pixels, layout) if layout.shift else pixels


def _decompress(opened: Opened, layout: Layout, index: int) -> tuple[npt.NDArray[Any], dict[str, Any]]:
    options = {key: value for key, value in layout.options.items() if key != "extended_offsets"}
    stored = get_frame(
        cast(Any, opened.stream),
        index,
        number_of_frames=layout.frames,
        extended_offsets=layout.options.get("extended_offsets"),
    )
    frame = encapsulate([stored], has_bot=False)
    options["number_of_frames"] = 1
    codec = _CODECS[layout.syntax]
    if codec != "pydicom":
        seconds = 20 + 4e-6 * layout.rows * layout.columns
        return decode_apart(layout.syntax, codec, frame, options, seconds)
    pixels, properties = get_decoder(layout.syntax).as_array(frame, index=0, decoding_plugin=codec, **options)
    return pixels, properties


def _needed(header: Dataset, keyword: str) -> int:
    value = integer(header, keyword)
    if value is None:
        raise InputError(f"the header lacks {keyword}, without which the pixels cannot be read.")
    return value


def _shifted(pixels: npt.NDArray[Any], layout: Layout) -> npt.NDArray[Any]:
    value = (pixels >> layout.shift) & ((1 << layout.bits) - 1)
    if layout.signed:
        value = value.astype(np.int64)
        value = np.where(value >> (layout.bits - 1), value - (1 << layout.bits), value)
    return cast(npt.NDArray[Any], value)


def _check_native(opened: Opened, bits_per_frame: int, frames: int, photometric: str) -> None:
    element = opened.pixels
    assert element is not None
    if element.length is None:
        raise InputError("the transfer syntax says that pixels are not compressed, and they are.")
    full = -(-bits_per_frame * frames // 8)
    claimed = full // 3 * 2 if photometric == "YBR_FULL_422" else full
    held = min(element.length, opened.size - element.offset)
    if held < claimed:
        raise InputError(
            f"the header claims {claimed:,} bytes of pixels and the file holds {max(held, 0):,}; it is truncated."
        )
    if photometric == "YBR_FULL_422" and held >= full:
        raise InputError("the header states subsampled colour (YBR_FULL_422), and the pixels are not subsampled.")


def _check_codec(syntax: UID, stored: int) -> None:
    if syntax == uid.JPEGExtended12Bit and stored != 8:
        raise InputError("12-bit lossy JPEG has no freely licensed codec here; convert the file to a lossless syntax.")
    codec = _CODECS.get(syntax)
    if codec is None:
        raise InputError(f"pixels stored as {syntax.name} cannot be decoded; convert the file first.")
    if not is_decoded(syntax):
        package = "python-gdcm" if codec == "gdcm" else "pylibjpeg with pylibjpeg-openjpeg"
        raise InputError(f"decoding {syntax.name} needs {package}, which is not installed.")


def _check_fragments(opened: Opened, pixels: int, frames: int) -> dict[str, Any]:
    """Walk over the fragments (PS3.5 A.4), which shows what is missing and where each frame begins."""
    element = opened.pixels
    assert element is not None
    stream, size = opened.stream, opened.size
    position = _item(stream, size, element.offset)[1]  # past the basic offset table
    start, offsets, lengths = position, [], []
    while True:
        found, after = _item(stream, size, position)
        if found is None:
            break
        if after > size:
            raise InputError("the file ends in the middle of its compressed pixels; it is truncated.")
        offsets.append(position - start)
        lengths.append(found)
        position = after
        if len(offsets) > 16 * MAX_FRAMES:
            raise InputError("the compressed pixels are in more pieces than can be read.")
    if len(offsets) < frames:
        raise InputError(f"the header claims {frames} frames and the file holds {len(offsets)}.")
    if pixels > _FREE_PIXELS and pixels * frames > _PIXELS_PER_BYTE * sum(lengths):
        raise InputError("the header claims far more pixels than the compressed data can hold.")
    if len(offsets) == frames:
        return {"extended_offsets": (offsets, lengths)}
    header = opened.dataset
    if frames > 1 and "ExtendedOffsetTable" in header and "ExtendedOffsetTableLengths" in header:
        return {"extended_offsets": (header.ExtendedOffsetTable, header.ExtendedOffsetTableLengths)}
    return {}


def _item(stream: Any, size: int, position: int) -> tuple[int | None, int]:
    """Return an item's length and the place after it; None at the end of the sequence."""
    stream.seek(position)
    head = stream.read(8)
    if len(head) < 8:
        # A missing delimiter after the last fragment harms nobody.
        return None, position
    group, number_, length = struct.unpack("<HHL", head)
    if (group, number_) != (0xFFFE, 0xE000):
        if (group, number_) == (0xFFFE, 0xE0DD):
            return None, position + 8
        raise InputError("the compressed pixels are not stored in items; the file is damaged.")
    return length, position + 8 + length
