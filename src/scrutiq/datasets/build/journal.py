"""The journal: what is finished, on disk as it is finished, so that a build that is killed goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from scrutiq.core import Applied, FrozenDict, Noun, UsageError, VoiLut, Window

__all__ = ["Done", "Journal"]


class Done(Noun):
    """What became of one item.

    Parameters
    ----------
    item : str
        Its id.
    file : str, optional
        Path of the image in the data set; None where it could not be made.
    sha256 : str, optional
        Of the file.
    size : int
        Bytes of the file.
    shape : tuple of int
        Height and width, pixels.
    unit, data_range, spacing, voi
        As of `scrutiq.core.Image`.
    region : str, optional
        The part of the body, as the base states it.
    history : tuple of Applied
        What was made, with every parameter.
    facts : mapping
        What only the pixels tell: where a lesion was put, how far the image was deformed.
    error : str, optional
        Why it could not be made, one sentence.
    """

    item: str
    file: str | None = None
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    size: int = 0
    shape: tuple[int, int] | None = None
    unit: str | None = None
    data_range: tuple[float, float] | None = None
    spacing: tuple[float, float] | None = None
    voi: Window | VoiLut | None = None
    region: str | None = None
    history: tuple[Applied, ...] = ()
    facts: FrozenDict[str, Any] = FrozenDict()
    error: str | None = None


class Journal:
    """Finished items, one line of JSON each after a first line with the fingerprint of the plan.

    Parameters
    ----------
    path : path
    fingerprint : str
        Of the recipe, the plan and the version: a journal with another is refused.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.path = path
        self.fingerprint = fingerprint

    def start(self) -> None:
        """Begin an empty journal."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write({})

    def read(self) -> dict[str, Done]:
        """Return what is finished, and mend a last line that was cut short.

        Raises
        ------
        UsageError
            If the journal is of another recipe, of other bases, or of another version.
        """
        if not self.path.exists():
            self.start()
            return {}
        lines = self.path.read_bytes().splitlines()
        first = _parsed(lines[0]) if lines else None
        if first is None:  # interrupted before the first line was complete
            self.start()
            return {}
        if first.get("fingerprint") != self.fingerprint:
            raise UsageError(
                "--resume: this folder holds a data set of another recipe, other bases or another version of Scrutiq; "
                "use another --out, or leave --resume out to start anew."
            )
        found = [Done.model_validate(entry) for line in lines[1:] if (entry := _parsed(line)) is not None]
        done = {one.item: one for one in found}
        self._write(done)
        return done

    def add(self, done: Done) -> None:
        """Add one item; it is on the disk when this returns."""
        with self.path.open("ab") as file:
            file.write(_line(done.model_dump(mode="json")))
            file.flush()
            os.fsync(file.fileno())

    def _write(self, done: Mapping[str, Done]) -> None:
        partial = self.path.with_suffix(".partial")
        with partial.open("wb") as file:
            file.write(_line({"fingerprint": self.fingerprint}))
            file.writelines(_line(one.model_dump(mode="json")) for one in done.values())
        os.replace(partial, self.path)


def _line(entry: Mapping[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _parsed(line: bytes) -> dict[str, Any] | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None
