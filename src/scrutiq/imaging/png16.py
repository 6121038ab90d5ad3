"""16-bit colour PNG at its full depth; Pillow reads these at 8 bits.

Source: W3C Portable Network Graphics (PNG) Specification, third edition, clauses 5 (chunks), 8.1 and 13.10
(interlacing) and 9 (filtering).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from scrutiq.core import InputError
from scrutiq.imaging.limits import check_pixels

__all__ = ["PNG_MAGIC", "is_deep_colour", "read_png16"]

PNG_MAGIC = b"\x89PNG\r\n\x1a\n"

#: Samples a pixel by colour type: RGB, grey with alpha, RGB with alpha.
_CHANNELS = {2: 3, 4: 2, 6: 4}
#: Adam7: first row, first column, row step, column step of each pass (clause 8.1).
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_DAMAGED = "the PNG data end early or are damaged; save or transfer the file again."


def is_deep_colour(head: bytes) -> bool:
    """Whether the first 26 bytes are those of a PNG with 16 bits a sample and more than one sample a pixel."""
    return head[:8] == PNG_MAGIC and head[12:16] == b"IHDR" and head[24:25] == b"\x10" and head[25] in _CHANNELS


def read_png16(data: bytes) -> npt.NDArray[np.uint16]:
    """Decode a PNG for which `is_deep_colour` holds.

    Parameters
    ----------
    data : bytes
        The whole file.

    Returns
    -------
    ndarray of uint16, shape (H, W) or (H, W, 3)
        Without the alpha channel.

    Raises
    ------
    InputError
        If it is damaged or too large.
    """
    width, height, _, colour, _, _, interlace = struct.unpack(">IIBBBBB", data[16:29])
    check_pixels(height, width)
    channels = _CHANNELS[colour]
    passes = _ADAM7 if interlace else ((0, 0, 1, 1),)
    step = 2 * channels
    shapes = [(-(-(height - top) // down), -(-(width - left) // right)) for top, left, down, right in passes]
    expected = sum(rows * (1 + columns * step) for rows, columns in shapes if rows > 0 and columns > 0)
    raw = _inflate(data, expected)
    image = np.zeros((height, width, channels), dtype=np.uint16)
    start = 0
    for (top, left, down, right), (rows, columns) in zip(passes, shapes, strict=True):
        if rows <= 0 or columns <= 0:
            continue
        size = rows * (1 + columns * step)
        lines = np.frombuffer(raw, np.uint8, size, start).reshape(rows, 1 + columns * step)
        start += size
        plain = _unfilter(lines[:, 0], lines[:, 1:].reshape(rows, columns, step))
        image[top::down, left::right] = plain.view(">u2")
    return image[:, :, 0] if channels == 2 else np.ascontiguousarray(image[:, :, :3])


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        body = data[position + 8 : position + 8 + length]
        check = data[position + 8 + length : position + 12 + length]
        kind = data[position + 4 : position + 8]
        if len(check) < 4 or struct.unpack(">I", check)[0] != zlib.crc32(body, zlib.crc32(kind)):
            raise InputError(_DAMAGED)
        yield kind, body
        position += 12 + length


def _inflate(data: bytes, expected: int) -> bytes:
    inflater = zlib.decompressobj()
    raw = bytearray()
    try:
        for kind, body in _chunks(data):
            if kind == b"IDAT" and len(raw) < expected:
                raw += inflater.decompress(body, expected - len(raw))
    except zlib.error:
        raise InputError(_DAMAGED) from None
    if len(raw) < expected:
        raise InputError(_DAMAGED)
    return bytes(raw)


def _unfilter(kinds: npt.NDArray[np.uint8], lines: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Undo the row filters of ``lines``, shape (rows, columns, bytes a pixel).

    A pixel depends on its left, upper and upper-left neighbours, so all pixels of an anti-diagonal are free of each
    other: the sweep takes rows + columns steps instead of rows x columns.
    """
    if kinds.max(initial=0) > 4:
        raise InputError(_DAMAGED)
    rows, columns, step = lines.shape
    # One row and one column of zeros stand for what lies outside the image.
    out = np.zeros((rows + 1, columns + 1, step), dtype=np.int16)
    kind = kinds[:, None]
    for diagonal in range(rows + columns - 1):
        r = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        c = diagonal - r
        left, up, corner = out[r + 1, c], out[r, c + 1], out[r, c]
        k = kind[r]
        predicted = np.where(k == 1, left, 0)
        predicted = np.where(k == 2, up, predicted)
        predicted = np.where(k == 3, (left + up) >> 1, predicted)
        if (k == 4).any():
            estimate = left + up - corner
            from_left, from_up, from_corner = abs(estimate - left), abs(estimate - up), abs(estimate - corner)
            paeth = np.where(
                (from_left <= from_up) & (from_left <= from_corner), left, np.where(from_up <= from_corner, up, corner)
            )
            predicted = np.where(k == 4, paeth, predicted)
        out[r + 1, c + 1] = (lines[r, c] + predicted) & 255
    return np.ascontiguousarray(out[1:, 1:].astype(np.uint8))
