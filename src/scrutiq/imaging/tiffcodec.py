"""Strips and tiles of a TIFF page to samples, with the size of everything known beforehand.

tifffile reads the directories. It leaves LZW and JPEG to a large optional package and inflates a strip to whatever
size it claims, so the segments are unpacked here: Deflate and LZMA by the standard library, LZW, PackBits, Zstandard
and JPEG by the libtiff inside Pillow, none beyond the size that the directory states.

Source: TIFF revision 6.0 (Aldus, 1992), sections 3, 7, 9, 13, 14, 15 and 22; Adobe Photoshop TIFF Technical Notes 2
(Deflate) and 3 (floating-point predictor).
"""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import InputError

__all__ = ["decode_page"]

_NONE, _LZW, _JPEG, _PACKBITS, _LZMA, _ZSTD = 1, 5, 7, 32773, 34925, 50000
_DEFLATE = (8, 32946)
_BY_LIBTIFF = (_LZW, _PACKBITS, _ZSTD)
_YCBCR = 6
_BIT_REVERSED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_DAMAGED = "the TIFF data end early or are damaged; save or transfer the file again."


def decode_page(page: Any, stream: Any) -> npt.NDArray[Any]:
    """Return the samples of a page as they are stored.

    Parameters
    ----------
    page : tifffile.TiffPage
        Its height, width and samples a pixel are within limits.
    stream : file
        The open file that the page stands in.

    Returns
    -------
    ndarray, shape (H, W, samples)
        Unsigned, signed or floating point, in the machine's byte order. JPEG-compressed YCbCr comes back as RGB.

    Raises
    ------
    InputError
        If the page is damaged or of a kind that is not read.
    """
    height, width = int(page.imagelength), int(page.imagewidth)
    planes = int(page.samplesperpixel) if page.planarconfig == 2 else 1
    samples = int(page.samplesperpixel) // planes
    dtype = _dtype(page)
    if page.is_tiled:
        rows, columns = int(page.tilelength), int(page.tilewidth)
    else:
        rows, columns = min(int(page.rowsperstrip), height), width
    if rows <= 0 or columns <= 0 or rows * columns > 4 * max(height * width, 1 << 20):
        raise InputError(_DAMAGED)
    down, across = -(-height // rows), -(-width // columns)
    if min(len(page.dataoffsets), len(page.databytecounts)) < down * across * planes:
        raise InputError(_DAMAGED)
    image = np.zeros((height, width, samples * planes), dtype)
    for index in range(down * across * planes):
        plane, place = divmod(index, down * across)
        top, left = place // across * rows, place % across * columns
        # A strip stops at the image's last row; a tile is always whole.
        held = rows if page.is_tiled else min(rows, height - top)
        stream.seek(int(page.dataoffsets[index]))
        raw = stream.read(int(page.databytecounts[index]))
        segment = _segment(page, raw, (held, columns, samples), dtype)
        part = segment[: height - top, : width - left]
        image[top : top + part.shape[0], left : left + part.shape[1], plane * samples : (plane + 1) * samples] = part
    return image


def _dtype(page: Any) -> np.dtype[Any]:
    bits = page.bitspersample
    if not isinstance(bits, int):
        raise InputError("the samples of a pixel differ in depth, which is not supported; save it as grey or RGB.")
    form = page.sampleformat if isinstance(page.sampleformat, int) else 0
    if form in (1, 4) and 1 <= bits <= 32:
        size = 1 if bits <= 8 else 2 if bits <= 16 else 4
        return np.dtype(f"u{size}")
    if form == 2 and bits in (8, 16, 32):
        return np.dtype(f"i{bits // 8}")
    if form == 3 and bits in (16, 32, 64):
        return np.dtype(f"f{bits // 8}")
    raise InputError(
        f"its samples ({bits} bits, TIFF sample format {form}) are not supported; save it with 8, 16 or 32 bits."
    )


def _segment(page: Any, raw: bytes, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    rows, columns, samples = shape
    bits = int(page.bitspersample)
    row_bytes = -(-columns * samples * bits // 8)
    compression = int(page.compression)
    if compression == _JPEG:
        return _jpeg(page, raw, shape)
    if page.photometric == _YCBCR:
        raise InputError("YCbCr colour without JPEG compression is not supported; save it as RGB.")
    if page.fillorder == 2:
        raw = raw.translate(_BIT_REVERSED)
    data = _unpack(compression, raw, rows, row_bytes)
    if len(data) < rows * row_bytes:
        raise InputError(_DAMAGED)
    lines = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    if page.predictor == 3:
        return _float_predictor(lines, shape, dtype)
    if bits != dtype.itemsize * 8:
        values = _narrow(lines, columns * samples, bits).astype(dtype).reshape(shape)
    else:
        values = lines.view(dtype.newbyteorder(page.parent.byteorder)).astype(dtype).reshape(shape)
    if page.predictor == 2:
        if dtype.kind == "f":
            raise InputError(_DAMAGED)
        # Differences to the left neighbour, modulo the word (section 14).
        np.cumsum(values, axis=1, dtype=dtype, out=values)
    elif page.predictor != 1:
        raise InputError("its compression uses an unknown predictor; save it uncompressed or with Deflate.")
    return values


def _unpack(compression: int, raw: bytes, rows: int, row_bytes: int) -> bytes:
    size = rows * row_bytes
    if compression == _NONE:
        return raw
    if compression in _DEFLATE:
        return zlib.decompressobj().decompress(raw, size)
    if compression == _LZMA:
        return lzma.LZMADecompressor().decompress(raw, size)
    if compression in _BY_LIBTIFF:
        return _libtiff(raw, compression, row_bytes, rows).tobytes()
    raise InputError(f"TIFF compression {compression} is not supported; save it uncompressed or with Deflate.")


def _float_predictor(
    lines: npt.NDArray[np.uint8], shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """Undo predictor 3: byte differences, the bytes of a row sorted by significance (Technical Note 3)."""
    rows, columns, samples = shape
    if dtype.kind != "f":
        raise InputError(_DAMAGED)
    steps = lines.reshape(rows, -1, samples)
    summed = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, dtype.itemsize, columns * samples)
    words = np.ascontiguousarray(summed.transpose(0, 2, 1))
    return words.view(dtype.newbyteorder(">")).astype(dtype).reshape(shape)


def _narrow(lines: npt.NDArray[np.uint8], count: int, bits: int) -> npt.NDArray[np.uint32]:
    """Unpack words that do not fill whole bytes, most significant bit first, ``count`` a row."""
    digits = np.unpackbits(lines, axis=1)[:, : count * bits].reshape(len(lines), count, bits)
    words = np.zeros(digits.shape[:2], np.uint32)
    for position in range(bits):
        words = (words << np.uint32(1)) | digits[:, :, position]
    return words


def _jpeg(page: Any, raw: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    rows, columns, samples = shape
    if page.bitspersample != 8 or samples not in (1, 3) or page.photometric not in (0, 1, 2, _YCBCR):
        raise InputError("this kind of JPEG inside TIFF is not supported; save it uncompressed or with Deflate.")
    tables = page.tags.valueof(347)
    subsampling = page.tags.valueof(530)
    image = _libtiff(
        raw,
        _JPEG,
        columns,
        rows,
        samples=samples,
        # Stored values are wanted: libtiff would invert "white is zero".
        photometric=1 if page.photometric == 0 else int(page.photometric),
        tables=tables if isinstance(tables, bytes) else None,
        subsampling=tuple(int(v) for v in subsampling) if subsampling is not None else None,
    )
    return image.reshape(shape)


def _libtiff(
    raw: bytes,
    compression: int,
    width: int,
    height: int,
    *,
    samples: int = 1,
    photometric: int = 1,
    tables: bytes | None = None,
    subsampling: tuple[int, ...] | None = None,
) -> npt.NDArray[np.uint8]:
    """Decode one segment as the only strip of an 8-bit TIFF made for it."""
    from PIL import Image as Pillow

    tags: list[tuple[int, str, tuple[int, ...] | bytes]] = [
        (256, "I", (width,)),
        (257, "I", (height,)),
        (258, "H", (8,) * samples),
        (259, "H", (compression,)),
        (262, "H", (photometric,)),
        (273, "I", (8,)),
        (277, "H", (samples,)),
        (278, "I", (height,)),
        (279, "I", (len(raw),)),
        (284, "H", (1,)),
    ]
    if tables is not None:
        tags.append((347, "B", tables))
    if subsampling is not None and len(subsampling) == 2 and photometric == _YCBCR:
        tags.append((530, "H", subsampling))
    body = bytearray(raw + b"\0" * (len(raw) % 2))
    entries = []
    for code, kind, values in tags:
        content = values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{kind}", *values)
        number = {"B": 7, "H": 3, "I": 4}[kind]
        if len(content) > 4:
            where = struct.pack("<I", 8 + len(body))
            body += content + b"\0" * (len(content) % 2)
        else:
            where = content.ljust(4, b"\0")
        entries.append(struct.pack("<HHI", code, number, len(values)) + where)
    directory = struct.pack("<H", len(entries)) + b"".join(entries) + struct.pack("<I", 0)
    file = io.BytesIO(b"II*\0" + struct.pack("<I", 8 + len(body)) + bytes(body) + directory)
    with Pillow.open(file, formats=("TIFF",)) as picture:
        array = np.asarray(picture)
    if array.shape[:2] != (height, width) or array.size != height * width * samples or array.dtype != np.uint8:
        raise InputError(_DAMAGED)
    return array
