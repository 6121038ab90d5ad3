"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from scrutiq.core import UsageError

__all__ = ["atomic"]


@contextmanager
def atomic(path: str | os.PathLike[str], *, binary: bool = False) -> Iterator[IO[Any]]:
    """Open a temporary file beside ``path`` that replaces it when the block ends without an error.

    Parameters
    ----------
    path : path
        Its folder must exist. A link is followed.
    binary : bool
        Text is UTF-8 with ``\\n`` on every platform, so that equal input gives equal bytes.

    Raises
    ------
    UsageError
        If ``path`` is there and is no plain file: a folder, or a device such as /dev/null, which must not be replaced.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise UsageError(f"{os.fspath(path)!r} is not a file that can be replaced: name a file.")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:60]}.", suffix=".tmp")
    try:
        with open(handle, "wb") if binary else open(handle, "w", encoding="utf-8", newline="\n") as file:
            yield file
        # mkstemp makes the file private; give it the permissions that a plain open() would have given.
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
