"""Look-up tables of DICOM: modality, value of interest, palette colour (PS3.3 C.11.1, C.11.2, C.7.6.3.1.5, C.7.9)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from scrutiq.core import InputError

__all__ = ["PALETTE_KEYWORDS", "Table", "read_palette", "read_table"]

_COLOURS = ("Red", "Green", "Blue")
PALETTE_KEYWORDS = tuple(
    f"{prefix}{colour}PaletteColorLookupTable{part}"
    for colour in _COLOURS
    for prefix, part in (("", "Descriptor"), ("", "Data"), ("Segmented", "Data"))
)


@dataclass(frozen=True)
class Table:
    """A look-up table.

    Parameters
    ----------
    first : int
        Input value mapped to the first entry. Inputs below it take the first entry, inputs past the end the last.
    bits : int
        Bits of an entry.
    entries : ndarray of int, shape (N,) or (N, 3)
    """

    first: int
    bits: int
    entries: npt.NDArray[np.integer[Any]]

    def apply(self, values: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.integer[Any]]:
        """Return the entries of integer values, shape of ``values`` (and 3 for a palette)."""
        index = np.clip(values.astype(np.int64) - self.first, 0, len(self.entries) - 1)
        return self.entries[index]


def read_table(item: Dataset, low: float, high: float) -> Table:
    """Read a modality or VOI look-up table.

    Parameters
    ----------
    item : Dataset
        Item of the Modality LUT Sequence (0028,3000) or the VOI LUT Sequence (0028,3010).
    low, high : float
        Range of the values that go in: it tells whether the first input value is signed, where the file (implicit VR)
        does not.

    Raises
    ------
    InputError
        If the descriptor and the data do not fit together.
    """
    count, first, bits = _descriptor(item, "LUTDescriptor", low, high)
    if not 8 <= bits <= 16:
        raise InputError(f"a look-up table of {bits} bits is not valid; 8 to 16 are.")
    entries = _entries(item, "LUTData", count, 8 if bits == 8 else 16)
    if int(entries.max()) >= 1 << bits:
        # Some writers state the bits of the display instead; the data decide (8 becomes 16 at most).
        bits = int(entries.max()).bit_length()
    return Table(first, bits, entries)


def read_palette(header: Dataset, signed: bool) -> Table:
    """Read the palette of a PALETTE COLOR image, plain or segmented.

    Parameters
    ----------
    header : Dataset
    signed : bool
        Whether stored values are signed.

    Returns
    -------
    Table
        With entries of shape (N, 3), all scaled alike: the bits that the descriptor states, 8 or 16.

    Raises
    ------
    InputError
    """
    low, high = (-32768, 32767) if signed else (0, 65535)
    columns, firsts, depths = [], set(), set()
    for colour in _COLOURS:
        count, first, bits = _descriptor(header, f"{colour}PaletteColorLookupTableDescriptor", low, high)
        if bits not in (8, 16):
            raise InputError(f"a palette of {bits} bits is not valid; 8 and 16 are.")
        if f"{colour}PaletteColorLookupTableData" in header:
            column = _entries(header, f"{colour}PaletteColorLookupTableData", count, bits)
        else:
            column = _segmented(header, f"Segmented{colour}PaletteColorLookupTableData", count, bits)
        columns.append(column)
        firsts.add(first)
        depths.add(bits)
    if len(firsts) != 1 or len(depths) != 1 or len({len(column) for column in columns}) != 1:
        raise InputError("the three colours of the palette do not fit together.")
    entries = np.stack(columns, axis=1)
    bits = depths.pop()
    return Table(firsts.pop(), 16 if int(entries.max()) > 255 else bits, entries)


def _descriptor(item: Dataset, keyword: str, low: float, high: float) -> tuple[int, int, int]:
    value = item.get(keyword)
    if isinstance(value, bytes) and len(value) == 6:
        value = struct.unpack("<HHH" if _little(item) else ">HHH", value)
    if not isinstance(value, (MultiValue, Sequence)) or isinstance(value, (str, bytes)) or len(value) != 3:
        raise InputError("a look-up table lacks its descriptor.")
    count, first, bits = (int(part) for part in value)
    if first > high and low < 0 and first >= 0x8000:
        first -= 0x10000
    return (count & 0xFFFF) or 0x10000, first, bits & 0xFFFF


def _entries(item: Dataset, keyword: str, count: int, bits: int) -> npt.NDArray[np.integer[Any]]:
    words = _words(item, keyword)
    if len(words) >= count:
        return words[:count].astype(np.int32)
    if bits == 8 and 2 * len(words) >= count:  # two entries in each word, the first in its low byte
        packed = np.stack([words & 0xFF, words >> 8], axis=1).reshape(-1)
        return packed[:count].astype(np.int32)
    raise InputError("a look-up table is shorter than its descriptor says.")


def _words(item: Dataset, keyword: str) -> npt.NDArray[np.int64]:
    value = item.get(keyword)
    if isinstance(value, (bytes, bytearray)):
        order = "<" if _little(item) else ">"
        return np.frombuffer(value[: len(value) // 2 * 2], dtype=f"{order}u2").astype(np.int64)
    if isinstance(value, int):
        value = [value]
    if value is None or isinstance(value, str) or len(value) == 0:
        raise InputError("a look-up table has no data.")
    return np.array([int(part) & 0xFFFF for part in value], dtype=np.int64)


def _segmented(item: Dataset, keyword: str, count: int, bits: int) -> npt.NDArray[np.integer[Any]]:
    """Expand a segmented palette (PS3.3 C.7.9.2): runs of entries, straight lines, and copies of earlier segments."""
    words = _words(item, keyword)
    if bits == 8:
        words = np.stack([words & 0xFF, words >> 8], axis=1).reshape(-1)
    codes = [int(word) for word in words]
    out: list[int] = []
    starts: list[int] = []

    def expand(position: int, nested: bool) -> int:
        operation, length = codes[position], codes[position + 1]
        position += 2
        if len(out) + length > count and operation in (0, 1):
            raise InputError("a segmented palette is longer than its descriptor says.")
        if operation == 0:  # discrete: the entries themselves
            out.extend(codes[position : position + length])
            return position + length
        if operation == 1 and out:  # linear: from the last entry to the one given
            line = np.linspace(out[-1], codes[position], length + 1)[1:]
            out.extend(int(value) for value in np.rint(line))
            return position + 1
        if operation == 2 and not nested:  # indirect: ``length`` segments from a byte offset, given low word first
            if bits == 16:
                target, after = (codes[position] | codes[position + 1] << 16) // 2, position + 2
            else:
                target, after = sum(codes[position + k] << (8 * k) for k in range(4)), position + 4
            if target not in starts:
                raise InputError("a segmented palette refers to a segment that is not there.")
            for _ in range(length):
                target = expand(target, True)
            return after
        raise InputError("a segmented palette is damaged.")

    position = 0
    while len(out) < count and position + 1 < len(codes):
        starts.append(position)
        position = expand(position, False)
    if len(out) != count:
        raise InputError("a look-up table is shorter than its descriptor says.")
    return np.array(out, dtype=np.int32)


def _little(item: Dataset) -> bool:
    return item.original_encoding[1] is not False
