"""Files that appear whole or not at all."""

from __future__ import annotations

import os
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
    draft = target.with_name(f".{target.name[:60]}.partial")
    draft.unlink(missing_ok=True)  # a run that was killed left it
    try:
        with open(draft, "xb") if binary else open(draft, "x", encoding="utf-8", newline="\n") as file:
            yield file
        os.replace(draft, target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
