"""`CaseRef`: a case that has been found but not decoded, small enough to send to another process."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from scrutiq.core import Case, FrozenDict, Image, InputError, Role, Source
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.frames import Frames
from scrutiq.imaging.kinds import Kind, open_frames
from scrutiq.imaging.options import Given, Sidecar, apply
from scrutiq.imaging.privacy import salted_hash

__all__ = ["CaseRef", "CaseVolume", "ImageRef"]


@dataclass(frozen=True)
class ImageRef:
    """One image of one file.

    Parameters
    ----------
    kind : Kind
    ref : FileRef
    frame : int
        Within the file.
    source : Source
        As it is reported: within what the user named, and within the series.
    sidecar : Sidecar, optional
        What the sidecar files say.
    """

    kind: Kind
    ref: FileRef
    frame: int
    source: Source
    sidecar: Sidecar | None = None

    def load(self, frames: Frames, given: Given) -> Image:
        """Decode the image from its open file, with what the user and the sidecars say of it.

        Raises
        ------
        InputError
        """
        if self.frame >= len(frames):
            raise InputError("the file has changed since it was listed.", str(self.ref))
        try:
            image = apply(frames.image(self.frame), given, self.sidecar, states_values=self.kind is Kind.DICOM)
        except InputError as error:
            raise InputError(error.reason, error.path or str(self.ref)) from None
        source = self.source
        if source.location is None and image.source.location is not None:
            source = source.model_copy(update={"location": image.source.location})
        return image.model_copy(update={"source": source})


@dataclass(frozen=True)
class CaseRef:
    """One case to judge, found and not yet decoded.

    Parameters
    ----------
    id : str
        Unique within a run, the same in the next run on the same files, free of names: a salted hash of the path, with
        the number of the frame where there are several; or the user's own id from a manifest.
    source : Source
        Of the target. ``path`` is relative to the INPUT that it was found in, with ``/`` between the parts.
    images : mapping of Role to ImageRef
        What the case is made of; empty where ``error`` is set.
    given : Given
        What the user states about it.
    error : InputError, optional
        Why it cannot be read, where that is known already. `load` raises it.
    """

    id: str
    source: Source
    images: FrozenDict[Role, ImageRef] = field(default_factory=FrozenDict)
    given: Given = field(default_factory=Given)
    error: InputError | None = None

    @property
    def stamp(self) -> str:
        """Salted hash of what is said of the images, and of the place, size and time of change of their files.

        Another stamp under the same id means that the case has to be judged anew: a slice that is added to a series
        moves the others on, so that the same id stands for another file.
        """
        parts = [
            (role, i.kind, i.frame, i.sidecar, os.path.abspath(i.ref.path), i.ref.member, _state(i.ref.path))
            for role, i in self.images.items()
        ]
        return salted_hash(repr((self.given, parts)))

    def load(self) -> Case:
        """Decode the case.

        The files that a case was read from stay open until another case is read in the same thread, so that the slices
        of a compressed volume, read in order, are unpacked once.

        Raises
        ------
        InputError
            If one of its images cannot be read.
        """
        if self.error is not None:
            raise self.error
        opened = _open({(image.kind, image.ref) for image in self.images.values()})
        images = {role: image.load(opened[image.kind, image.ref], self.given) for role, image in self.images.items()}
        return Case(id=self.id, images=FrozenDict(images))


class CaseVolume(Frames):
    """The target images of cases that belong together: the slices of a volume, the frames of a cine.

    Parameters
    ----------
    cases : tuple of CaseRef
        None of them with an ``error``.
    """

    def __init__(self, cases: tuple[CaseRef, ...]) -> None:
        self._cases = cases

    def __len__(self) -> int:
        return len(self._cases)

    def image(self, index: int) -> Image:
        return self._cases[index].load().target


_Key = tuple[Kind, FileRef, int, int]
_last = threading.local()


def _open(wanted: set[tuple[Kind, FileRef]]) -> dict[tuple[Kind, FileRef], Frames]:
    """Return the readers of these files, those of the last case where the files are the same and have not changed."""
    keys: dict[_Key, tuple[Kind, FileRef]] = {(*one, *_state(one[1].path)): one for one in wanted}
    kept: dict[_Key, Frames] = getattr(_last, "readers", {})
    # Dropped before the new ones are opened: two volumes need not fit in memory.
    kept = _last.readers = {key: kept[key] for key in keys.keys() & kept.keys()}
    for key, (kind, ref) in sorted(keys.items(), key=str):
        if key not in kept:
            kept[key] = open_frames(kind, ref)
    return {one: kept[key] for key, one in keys.items()}


def _state(path: Path) -> tuple[int, int]:
    try:
        state = path.stat()
    except OSError:  # opening it will say why
        return (0, 0)
    return (state.st_mtime_ns, state.st_size)
