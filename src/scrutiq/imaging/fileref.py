"""`FileRef`: a file on disk or inside a zip archive, named but not open, cheap to pickle."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

from scrutiq.core import InputError

__all__ = ["MAX_MEMBER_BYTES", "FileRef"]

#: A zip member is unpacked in memory (never to disk: it may be a patient's); a larger one is refused.
MAX_MEMBER_BYTES = 1 << 30


@dataclass(frozen=True)
class FileRef:
    """A file, or a member of a zip archive.

    Parameters
    ----------
    path : Path
        The file, or the archive.
    member : str, optional
        Name inside the archive, as the archive writes it.
    """

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """The last part of the name, of the member where there is one."""
        return self.path.name if self.member is None else self.member.rsplit("/", 1)[-1]

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.path}/{self.member}"

    @property
    def size(self) -> int:
        """Size in bytes, unpacked.

        Raises
        ------
        InputError
            If the file is not there or the archive cannot be read.
        """
        try:
            if self.member is None:
                return self.path.stat().st_size
            return _archive(self.path).getinfo(self.member).file_size
        except Exception as error:
            raise self._refuse(error) from None

    def open(self, sequential: bool = False) -> IO[bytes]:
        """Open for reading; close it after use.

        Parameters
        ----------
        sequential : bool
            Whether it is read from the front only, and perhaps not to its end. A zip member is then unpacked as it is
            read instead of whole.

        Raises
        ------
        InputError
            If it cannot be opened, or a zip member is larger than `MAX_MEMBER_BYTES`.
        """
        try:
            state = self.path.stat()
            if not stat.S_ISREG(state.st_mode) and not stat.S_ISDIR(state.st_mode):
                raise InputError("this is no regular file (a pipe or a device); it is not read.", str(self))
            if self.member is None:
                return self.path.open("rb")
            if sequential:
                return _archive(self.path).open(self.member)
            content = _unpack(self.path, self.member, state.st_mtime_ns, state.st_size)
        except InputError:
            raise
        except Exception as error:
            raise self._refuse(error) from None
        if len(content) > MAX_MEMBER_BYTES:
            raise InputError(
                "a file in the archive is larger than 1 GiB; unpack the archive and name the folder.", str(self)
            )
        return io.BytesIO(content)

    def head(self, count: int) -> bytes:
        """Return the first ``count`` bytes, fewer where the file is shorter.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        with self.open(sequential=True) as stream:
            try:
                return stream.read(count)
            except Exception as error:
                raise self._refuse(error) from None

    def _refuse(self, error: Exception) -> InputError:
        where = str(self)
        if isinstance(error, (FileNotFoundError, KeyError)):
            return InputError("the file is not there; it may have been moved or deleted.", where)
        if isinstance(error, PermissionError):
            return InputError("the file may not be read; check its permissions.", where)
        if isinstance(error, IsADirectoryError):
            return InputError("this is a folder, not a file.", where)
        if isinstance(error, RuntimeError) and "encrypted" in str(error):
            return InputError("the archive is encrypted; unpack it first.", where)
        if isinstance(error, (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)):
            return InputError("the archive is damaged or packed in a way that cannot be read; pack it again.", where)
        if isinstance(error, OSError):
            return InputError("the file cannot be read from its disk.", where)
        return InputError("the file cannot be opened.", where)


def _archive(path: Path) -> zipfile.ZipFile:
    state = path.stat()
    # An open archive shares its file position with a forked child, hence one for each process.
    return _open_archive(str(path), state.st_mtime_ns, state.st_size, os.getpid())


@lru_cache(maxsize=1)
def _unpack(path: Path, member: str, _changed: int, _size: int) -> bytes:
    # The last member stays unpacked: the frames of a cine are asked for one after the other.
    with _archive(path).open(member) as stream:
        return stream.read(MAX_MEMBER_BYTES + 1)


@lru_cache(maxsize=4)
def _open_archive(path: str, _changed: int, _size: int, _process: int) -> zipfile.ZipFile:
    return zipfile.ZipFile(path)
