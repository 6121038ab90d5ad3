"""The bytes of a DICOM file as a header and the place of its pixels, quietly and within bounds."""

from __future__ import annotations

import io
import logging
import struct
import threading
import warnings
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO, BinaryIO, cast

from pydicom import uid
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import UID

from scrutiq.core import InputError
from scrutiq.imaging.fileref import MAX_MEMBER_BYTES, FileRef

__all__ = ["Opened", "PixelElement", "guarded", "is_dicom", "opened", "tags"]

_UNDEFINED = 0xFFFFFFFF
_PIXELS = {0x7FE00008: "FloatPixelData", 0x7FE00009: "DoubleFloatPixelData", 0x7FE00010: "PixelData"}
_LONG_VRS = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
_SHORT_VRS = {"AE", "AS", "AT", "CS", "DA", "DS", "DT", "FL", "FD", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST"}
_VRS = _LONG_VRS | _SHORT_VRS | {"TM", "UI", "UL", "US"}


@dataclass(frozen=True)
class PixelElement:
    """Where the pixels are in the stream.

    Parameters
    ----------
    keyword : str
        ``PixelData``, ``FloatPixelData`` or ``DoubleFloatPixelData``.
    vr : str or None
        None with implicit VR.
    offset : int
        Of the first byte of the value.
    length : int or None
        As the element states it; None where it is undefined (encapsulated).
    """

    keyword: str
    vr: str | None
    offset: int
    length: int | None


@dataclass(frozen=True)
class Opened:
    """A DICOM file that is open: what was asked for of its header, and where its pixels are.

    Parameters
    ----------
    stream : binary file
        The data set's bytes, inflated where the file is deflated.
    size : int
        Length of ``stream`` in bytes.
    dataset : Dataset
        The elements asked for, of the data set and (group 0002) of the file meta information.
    syntax : UID
        Transfer syntax, as stated or, where the file states none, as found.
    pixels : PixelElement or None
    seen : frozenset of int
        Tags met before the pixels, whether or not they were asked for.
    complete : bool
        Whether the header ended in an orderly way.
    """

    stream: IO[bytes]
    size: int
    dataset: Dataset
    syntax: UID
    pixels: PixelElement | None
    seen: frozenset[int]
    complete: bool


def tags(keywords: Iterable[str]) -> list[int]:
    """Return the tags of DICOM keywords."""
    found = [(keyword, tag_for_keyword(keyword)) for keyword in keywords]
    if unknown := [keyword for keyword, tag in found if tag is None]:
        raise KeyError(f"not DICOM keywords: {unknown}")
    return [tag for _, tag in found if tag is not None]


def is_dicom(head: bytes, name: str = "") -> bool:
    """Tell from its first bytes whether a file is DICOM.

    Parameters
    ----------
    head : bytes
        At least the first 132 bytes, better 256.
    name : str
        The file's name. A data set without the preamble of PS3.10 (section 7.1) has no mark of its own: it is looked
        for only where the name ends in ``.dcm``, ``.dicom``, ``.ima`` or a number, or has no ending, and taken only
        where it begins with two well-formed elements in order.
    """
    if head[128:132] == b"DICM":
        return True
    suffix = PurePath(name).suffix.lower()
    return (suffix in ("", ".dcm", ".dicom", ".ima") or suffix[1:].isdigit()) and _bare(head)


def _bare(head: bytes) -> bool:
    # Two elements of group 0002 or 0008 in ascending order, in one of the four encodings.
    for endian in "<>":
        for implicit in (True, False):
            position, last = 0, -1
            for _ in range(2):
                if len(head) < position + 8:
                    break
                group, element = struct.unpack_from(f"{endian}HH", head, position)
                tag = group << 16 | element
                vr = head[position + 4 : position + 6].decode("latin-1")
                if group not in (2, 8) or tag <= last or (implicit and endian == ">") or (not implicit) != (vr in _VRS):
                    break
                if implicit:
                    (length,) = struct.unpack_from("<L", head, position + 4)
                    position += 8
                elif vr in _LONG_VRS:
                    if len(head) < position + 12:
                        break
                    (length,) = struct.unpack_from(f"{endian}L", head, position + 8)
                    position += 12
                else:
                    (length,) = struct.unpack_from(f"{endian}H", head, position + 6)
                    position += 8
                if length > 1 << 16:
                    break
                last, position = tag, position + length
            else:
                return True
            if last >= 0 and position >= len(head):  # the first element filled what was read
                return True
    return False


@contextmanager
def opened(ref: FileRef, wanted: Iterable[int], *, header_only: bool = False) -> Iterator[Opened]:
    """Open a file and read the wanted elements of its header.

    Parameters
    ----------
    ref : FileRef
    wanted : iterable of int
        Tags. Values of other elements are skipped, whatever their size.
    header_only : bool
        Whether the pixels will not be read, so that a zip member need not be unpacked whole.

    Raises
    ------
    InputError
        If it is no DICOM file.
    """
    size = ref.size
    if size == 0:
        raise InputError("the file is empty.", str(ref))
    with ref.open(sequential=header_only) as stream:
        yield _parse(stream, size, ref.name, list(wanted))


def _parse(stream: IO[bytes], size: int, name: str, wanted: list[int]) -> Opened:
    head = stream.read(512)
    if not is_dicom(head, "" if PurePath(name).suffix == "" else name):
        raise InputError("this is not a DICOM file: it has neither the DICM mark nor a data set at its beginning.")
    stream.seek(132 if head[128:132] == b"DICM" else 0)
    source = cast(BinaryIO, stream)

    def past_meta(tag: int, _vr: str | None, _length: int) -> bool:
        return int(tag) >> 16 != 2

    meta = read_dataset(source, False, True, stop_when=past_meta, specific_tags=tags(["TransferSyntaxUID"]))
    stated = meta.get("TransferSyntaxUID")
    if stated is not None and not isinstance(stated, UID):
        raise InputError("the file states more than one transfer syntax; it is damaged.")
    syntax = stated.strip() if stated else _find_syntax(stream)
    syntax = UID(syntax)
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), MAX_MEMBER_BYTES + 1)
        if len(content) > MAX_MEMBER_BYTES:
            raise InputError("the deflated file is larger than 1 GiB; store it uncompressed.")
        stream, size = io.BytesIO(content), len(content)
        source = stream

    found: list[PixelElement] = []
    seen: list[int] = []
    complete = True

    def at_pixels(tag: int, vr: str | None, length: int) -> bool:
        nonlocal complete
        tag = int(tag)
        if tag in _PIXELS:
            # pydicom asks once more, with length 0, when it guesses the encoding of a data set that begins here.
            found[:] = [PixelElement(_PIXELS[tag], vr, stream.tell(), None if length == _UNDEFINED else length)]
            return True
        seen.append(tag)
        if length != _UNDEFINED and stream.tell() + length > size:
            complete = False
            return True
        return False

    implicit = syntax == uid.ImplicitVRLittleEndian
    little = syntax != uid.ExplicitVRBigEndian
    dataset = read_dataset(source, implicit, little, stop_when=at_pixels, specific_tags=wanted)
    return Opened(stream, size, dataset, syntax, found[0] if found else None, frozenset(seen), complete)


def _find_syntax(stream: IO[bytes]) -> UID:
    """Return the native transfer syntax that the data set at this place is written in, where the file states none."""
    start = stream.tell()
    head = stream.read(6)
    stream.seek(start)
    if len(head) < 6:
        raise InputError("the file ends before its data set begins; it is truncated.")
    if head[4:6].decode("latin-1") not in _VRS:
        return uid.ImplicitVRLittleEndian
    # The first group is small: 0008 read in the wrong order is 0800.
    return uid.ExplicitVRLittleEndian if struct.unpack("<H", head[:2])[0] < 0x0400 else uid.ExplicitVRBigEndian


@contextmanager
def guarded(ref: FileRef, part: str) -> Iterator[None]:
    """Let nothing but `InputError` out, and nothing that the DICOM library says on the way.

    The library's messages and warnings quote the values they complain of, and those may name a patient.

    Parameters
    ----------
    ref : FileRef
    part : str
        What is being read, for the sentence: "header", "pixels".
    """
    with _QUIET:
        try:
            yield
        except InputError as error:
            raise (error if error.path else InputError(error.reason, str(ref))) from None
        except MemoryError:
            raise InputError(f"the DICOM {part} need more memory than there is.", str(ref)) from None
        except Exception:
            verb = "are" if part.endswith("s") else "is"
            raise InputError(f"the DICOM {part} {verb} damaged and cannot be read.", str(ref)) from None


class _Quiet:
    """Silence of the ``pydicom`` logger and of Python's warnings; several threads may ask for it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._depth = 0
        self._level = logging.NOTSET
        self._warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._depth == 0:
                logger = logging.getLogger("pydicom")
                self._level = logger.level
                logger.setLevel(logging.CRITICAL + 1)
                self._warnings = warnings.catch_warnings()
                self._warnings.__enter__()
                warnings.simplefilter("ignore")
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                logging.getLogger("pydicom").setLevel(self._level)
                self._warnings.__exit__(None, None, None)


_QUIET = _Quiet()
