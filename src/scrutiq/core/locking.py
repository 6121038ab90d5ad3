"""`alone`: one process at a time writes to a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scrutiq.core.errors import UsageError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

__all__ = ["alone"]


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """Hold a folder, which is made where it is missing; the lock goes with the process, however it ends.

    Parameters
    ----------
    folder : Path
    what : str
        What writes to it: "run", "build".

    Raises
    ------
    UsageError
        If another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"another {what} is writing to this --out; wait for it, or name another folder.") from None
        yield
    finally:
        os.close(descriptor)
