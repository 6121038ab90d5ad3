"""Sidecar files on disk and in archives: which of them speak about an image (see `scrutiq.imaging.options`)."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from scrutiq.core import InputError
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.kinds import stem
from scrutiq.imaging.options import MAX_SIDECAR_BYTES, Sidecar, read_sidecar

__all__ = ["FOLDER_SIDECAR", "Sidecars"]

FOLDER_SIDECAR = "scrutiq.json"


class Sidecars:
    """Looks sidecars up, and remembers those of folders."""

    def __init__(self) -> None:
        self._folders: dict[FileRef, Sidecar | InputError | None] = {}

    def of(self, ref: FileRef) -> Sidecar | None:
        """Return what the sidecars say of a file; None where there are none.

        Raises
        ------
        InputError
            If one of them is not valid.
        """
        own = _read(_beside(ref, f"{stem(ref.name)}.json"), strict=False)
        return _merged(own, self._of_folder(ref))

    def _of_folder(self, ref: FileRef) -> Sidecar | None:
        """Return what ``scrutiq.json`` says in the folder of a file (or folder) and above."""
        beside = _beside(ref, FOLDER_SIDECAR)
        if beside not in self._folders:
            try:
                above = _above(beside)
                self._folders[beside] = _merged(
                    _read(beside, strict=True), None if above is None else self._of_folder(above)
                )
            except InputError as error:
                self._folders[beside] = error
        found = self._folders[beside]
        if isinstance(found, InputError):
            raise found
        return found


def _merged(near: Sidecar | None, far: Sidecar | None) -> Sidecar | None:
    return near.over(far) if near is not None and far is not None else near or far


def _beside(ref: FileRef, name: str) -> FileRef:
    if ref.member is None:
        return FileRef(ref.path.absolute().with_name(name))
    return FileRef(ref.path, str(PurePosixPath(ref.member).with_name(name)))


def _above(ref: FileRef) -> FileRef | None:
    """Return the folder that a file stands in, as if it were a file; None at the top."""
    if ref.member is not None:
        inside = str(PurePosixPath(ref.member).parent)
        return FileRef(ref.path, None if inside in (".", "/") else inside)
    folder = ref.path.parent
    return None if folder == folder.parent else FileRef(folder)


def _read(ref: FileRef, *, strict: bool) -> Sidecar | None:
    try:
        if ref.member is None and not Path(ref.path).is_file():
            return None
        content = ref.head(MAX_SIDECAR_BYTES + 1)
    except (InputError, OSError):
        return None
    return read_sidecar(content, strict=strict)
