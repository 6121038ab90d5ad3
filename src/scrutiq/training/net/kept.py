"""What a run computed and keeps in its folder, so that going on does not compute it again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["digest", "kept"]

Arrays = dict[str, npt.NDArray[Any]]


def kept(path: Path, of: str, compute: Callable[[], Arrays]) -> Arrays:
    """Return arrays from a file, or compute them and write it.

    Parameters
    ----------
    path : Path
        An ``.npz`` file.
    of : str
        What they were computed from, as a `digest`; a file that was computed from something else is written again.
    compute : callable
        Returns arrays by name, none of objects.
    """
    if path.exists():
        with np.load(path) as found:
            if str(found["of"]) == of:
                return {name: found[name] for name in found.files if name != "of"}
    arrays = compute()
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, allow_pickle=False, of=np.array(of), **arrays)
    partial.replace(path)
    return arrays


def digest(*parts: bytes | str) -> str:
    """Return one SHA-256 of several contents."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part.encode() if isinstance(part, str) else part).digest())
    return whole.hexdigest()
