"""`GzipReader`: a gzip file read at any place, forwards or backwards, without unpacking it anew each time."""

from __future__ import annotations

import zlib
from bisect import bisect_right
from typing import IO, Any

__all__ = ["GzipReader"]

_PACKED = 1 << 14
_UNPACKED = 1 << 20
#: A place to resume from takes some 50 kB: the last 32 kB unpacked (RFC 1951) and the state of the decoder.
_PLACES = 1024


class GzipReader:
    """The unpacked bytes of a gzip file.

    To go back means to unpack from an earlier place. The standard library's reader knows one such place, the beginning,
    so that a volume that is read from its last slice to its first takes time with the square of its size. This reader
    keeps the state of the decoder at up to a thousand places as it passes them. Nothing is written to disk.

    Parameters
    ----------
    file : binary file
        Seekable; closed with the reader.
    size : int
        About how many bytes it unpacks to.
    """

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._spacing = max(_UNPACKED, size // _PLACES)
        self._places = [0]
        self._states: list[tuple[int, Any]] = [(0, zlib.decompressobj(31))]
        self._resume(0)

    def close(self) -> None:
        self._file.close()

    def seek(self, position: int) -> None:
        """Go to a place in the unpacked bytes, or to their end where that comes first.

        Raises
        ------
        EOFError, OSError, zlib.error
            If the file is damaged.
        """
        place = bisect_right(self._places, position) - 1
        if position < self._position or self._places[place] > self._position:
            self._resume(place)
        while self._position < position and self._inflate(min(position - self._position, _UNPACKED)):
            pass

    def read(self, count: int) -> bytes:
        """Return ``count`` bytes, fewer at the end. It raises what `seek` does."""
        parts = bytearray()
        while len(parts) < count and (part := self._inflate(min(count - len(parts), _UNPACKED))):
            parts += part
        return bytes(parts)

    def _resume(self, place: int) -> None:
        offset, state = self._states[place]
        self._position = self._places[place]
        self._decoder = state.copy()
        self._pending = b""
        self._file.seek(offset)

    def _inflate(self, limit: int) -> bytes:
        """Unpack at most ``limit`` bytes; none at the end of the file."""
        data = b""
        while not data:
            packed = self._pending or self._file.read(_PACKED)
            if self._decoder.eof:  # another member may follow (RFC 1952 section 2.2), or zeros that fill the last block
                self._pending = packed.lstrip(b"\0")
                if not packed:
                    return b""
                if self._pending:
                    self._decoder = zlib.decompressobj(31)
                continue
            data = self._decoder.decompress(packed, limit)
            self._pending = self._decoder.unused_data if self._decoder.eof else self._decoder.unconsumed_tail
            if not data and not packed:
                raise EOFError
        self._position += len(data)
        if self._position >= self._places[-1] + self._spacing and not self._decoder.eof:
            self._places.append(self._position)
            self._states.append((self._file.tell() - len(self._pending), self._decoder.copy()))
        return data
