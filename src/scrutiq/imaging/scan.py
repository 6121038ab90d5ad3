"""From files to units: one picture, the pages of one file, or the slices of one DICOM series."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from scrutiq.core import InputError, Source
from scrutiq.imaging.caseref import ImageRef
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.kinds import HEAD_BYTES, Kind, kind_by_content, kind_by_name, open_frames
from scrutiq.imaging.privacy import salted_hash
from scrutiq.imaging.sidecars import Sidecars

if TYPE_CHECKING:
    from scrutiq.imaging.dicom_header import DicomHeader

__all__ = ["Scanner", "Unit", "natural_key"]

_NOT_IMAGES = "files that are not images"
_NOTHING = "this is not an image of a kind that is read (DICOM, NIfTI, TIFF, PNG, JPEG, BMP, WebP, GIF, NumPy)."


@dataclass(frozen=True)
class Unit:
    """Images that were found together.

    Parameters
    ----------
    path : str
        Of the first file, relative to the INPUT.
    ref : FileRef
        The first file.
    images : tuple of ImageRef
        In order; empty where ``error`` is set.
    members : tuple of str
        The paths of all files.
    error : InputError, optional
        Why they cannot be read.
    """

    path: str
    ref: FileRef
    images: tuple[ImageRef, ...]
    members: tuple[str, ...]
    error: InputError | None = None


@dataclass(frozen=True)
class _Entry:
    ref: FileRef
    path: str


def natural_key(text: str) -> tuple[tuple[bool, int, str], ...]:
    """Return a sorting key that puts ``slice2`` before ``slice10``."""
    return tuple((part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", text))


class Scanner:
    """Finds units in files, folders and archives, and counts in ``skipped`` what it passed over."""

    def __init__(self) -> None:
        self.skipped: Counter[str] = Counter()
        self._sidecars = Sidecars()

    def units(self, path: Path) -> Iterator[Unit]:
        """Find the units of one INPUT, in a fixed order.

        A folder is searched recursively, files before subfolders, by name with numbers in order. In it, files that do
        not claim to be images by their first bytes or their name are passed over; hidden ones are not looked at. A file
        that is named itself is always an input.
        """
        if os.path.isdir(path):
            yield from self._folder(path, path, set())
            return
        entry = _Entry(FileRef(path), _text(path.name))
        try:
            kind = self._kind(entry, named=True)
        except InputError as error:
            yield _failed(entry, error)
            return
        if kind is Kind.ZIP:
            found = False
            for unit in self._archive(entry):
                found = True
                yield unit
            if not found:
                yield _failed(entry, InputError("the archive holds no image.", str(path)))
        elif kind is Kind.DICOM and path.name.upper().startswith("DICOMDIR"):
            yield from self._directory(entry)
        else:
            yield from self._files([entry], named=True)

    def _folder(self, folder: Path, top: Path, seen: set[tuple[int, int]]) -> Iterator[Unit]:
        try:
            state = folder.stat()
            if (state.st_dev, state.st_ino) in seen:  # a link back to a folder above, or a second way to this one
                return
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(folder) as listing:
                items = sorted((item for item in listing if not _hidden(item.name)), key=lambda i: natural_key(i.name))
            folders = [item for item in items if item.is_dir()]
            names = [item.name for item in items if item not in folders]
        except OSError:
            entry = _Entry(FileRef(folder), _relative(folder, top))
            yield _failed(entry, InputError("the folder may not be read; check its permissions.", str(folder)))
            return
        yield from self._files([_Entry(FileRef(folder / name), _relative(folder / name, top)) for name in names])
        for item in folders:
            yield from self._folder(folder / item.name, top, seen)

    def _archive(self, archive: _Entry) -> Iterator[Unit]:
        try:
            with zipfile.ZipFile(archive.ref.path) as opened:
                names = [info.filename for info in opened.infolist() if not info.is_dir()]
        except Exception:
            reason = "the archive is damaged or packed in a way that cannot be read; pack it again."
            yield _failed(archive, InputError(reason, str(archive.ref)))
            return
        folders: dict[str, list[_Entry]] = {}
        for name in sorted(set(names), key=natural_key):
            if not any(_hidden(part) for part in name.split("/")):
                entry = _Entry(FileRef(archive.ref.path, name), _text(f"{archive.path}/{name}"))
                folders.setdefault(name.rpartition("/")[0], []).append(entry)
        for entries in folders.values():
            yield from self._files(entries)

    def _directory(self, directory: _Entry) -> Iterator[Unit]:
        from scrutiq.imaging.dicom_header import dicomdir_members

        try:
            members = dicomdir_members(directory.ref)
        except InputError as error:
            yield _failed(directory, error)
            return
        base = directory.ref.path.parent
        # Media are written in upper case and often copied in lower case.
        entries = [_Entry(FileRef(_any_case(base, member)), member) for member in members]
        if not entries:
            yield _failed(directory, InputError("the DICOMDIR names no files.", str(directory.ref)))
        yield from self._files(entries, named=True)

    def _files(self, entries: Sequence[_Entry], named: bool = False) -> Iterator[Unit]:
        """Find the units among the files of one folder; a series stands where its first file does."""
        found: list[Callable[[], Iterable[Unit]]] = []
        series: dict[str, list[list[tuple[_Entry, DicomHeader]]]] = {}
        for entry in entries:
            try:
                kind = self._kind(entry, named)
                header = _header(entry) if kind is Kind.DICOM else None
            except InputError as error:
                found.append(partial(iter, [_failed(entry, error)]))
                continue
            if header is not None and header.frames == 1:
                groups = series.setdefault(header.series, [])
                group = next((one for one in groups if header.stacks_with(one[0][1])), None)
                if group is None:
                    group = []
                    groups.append(group)
                    found.append(partial(self._series, group))
                group.append((entry, header))
            elif kind is Kind.ZIP:
                found.append(partial(self._archive_in_folder, entry))
            elif kind is not None:
                found.append(partial(self._file, entry, kind, header))
        for units in found:
            yield from units()

    def _archive_in_folder(self, entry: _Entry) -> Iterator[Unit]:
        """Look into an archive that nobody named, and pass it over where it holds no image."""
        if entry.ref.member is not None:
            self.skipped["archives inside archives"] += 1
            return
        units = list(self._archive(entry))
        if not units or (len(units) == 1 and units[0].ref == entry.ref):
            self.skipped[_NOT_IMAGES] += 1
            return
        yield from units

    def _kind(self, entry: _Entry, named: bool) -> Kind | None:
        """Return what a file is; None, and counted, where it was not named and does not claim to be an image.

        Raises
        ------
        InputError
            If it was named or claims to be an image, and cannot be opened.
        """
        name = entry.ref.name
        refused: InputError | None = None
        head = b""
        try:
            _check_regular(entry.ref)
            head = entry.ref.head(HEAD_BYTES)
        except InputError as error:
            refused = error
        kind = kind_by_content(head, name) or kind_by_name(name)
        if not named:
            if kind is Kind.DICOM and name.upper().startswith("DICOMDIR"):
                return None  # the files that it names are found anyway
            if kind is None or (kind is Kind.ZIP and not head) or name.lower().endswith(".npz"):
                self.skipped[_NOT_IMAGES] += 1
                return None
        if refused is not None:
            raise refused
        if not head:
            raise InputError("the file is empty.")
        if kind is None:
            raise InputError(_NOTHING)
        return kind

    def _file(self, entry: _Entry, kind: Kind, header: DicomHeader | None = None) -> Iterator[Unit]:
        try:
            sidecar = self._sidecars.of(entry.ref)
            known = self._sources(entry, kind, header)
        except InputError as error:
            yield _failed(entry, error)
            return
        images = (
            ImageRef(kind, entry.ref, source.frame, source.model_copy(update={"path": entry.path}), sidecar)
            for source in known
        )
        yield Unit(entry.path, entry.ref, tuple(images), (entry.path,))

    def _sources(self, entry: _Entry, kind: Kind, header: DicomHeader | None) -> list[Source]:
        if kind is Kind.RASTER:  # one image: nothing to open before it is read
            return [Source()]
        if header is not None:
            from scrutiq.imaging.dicom import DicomFile

            series = _stack(entry, header)
            return [source.model_copy(update={"series": series}) for source in DicomFile(entry.ref).sources()]
        frames = open_frames(kind, entry.ref)
        return [frames.source(frame) for frame in range(len(frames))]

    def _series(self, group: Sequence[tuple[_Entry, DicomHeader]]) -> Iterator[Unit]:
        from scrutiq.imaging.dicom import DicomSeries

        entries = {header.ref: entry for entry, header in group}
        first, first_header = group[0]
        ordered = DicomSeries([header for _, header in group]).headers
        series = _stack(first, first_header)
        images = []
        for place, header in enumerate(ordered):
            entry = entries[header.ref]
            try:
                sidecar = self._sidecars.of(entry.ref)
            except InputError as error:
                yield _failed(first, error)
                return
            location = header.location(ordered[0].normal)
            source = Source(path=entry.path, frame=place, series=series, location=location)
            images.append(ImageRef(Kind.DICOM, entry.ref, 0, source, sidecar))
        yield Unit(first.path, first.ref, tuple(images), tuple(entry.path for entry, _ in group))


def _header(entry: _Entry) -> DicomHeader:
    from scrutiq.imaging.dicom_header import read_header

    header = read_header(entry.ref)
    if header.reason is not None:
        raise InputError(header.reason, str(entry.ref))
    return header


def _stack(first: _Entry, header: DicomHeader) -> str:
    """Return the series hash of files in one folder: the same series copied to another folder is another."""
    folder = os.path.dirname(os.path.abspath(first.ref.path))
    inside = "" if first.ref.member is None else f"{first.ref.path.name}/{first.ref.member.rpartition('/')[0]}"
    plane = [f"{round(cosine, 3) + 0.0:.3f}" for cosine in header.orientation or ()]
    return salted_hash(f"{header.series}|{'|'.join(plane)}|{folder}|{inside}")


def _failed(entry: _Entry, error: InputError) -> Unit:
    return Unit(entry.path, entry.ref, (), (entry.path,), InputError(error.reason, error.path or str(entry.ref)))


def _check_regular(ref: FileRef) -> None:
    """Refuse what would block or never end when read: a pipe, a device."""
    if ref.member is None:
        try:
            mode = ref.path.stat().st_mode
        except FileNotFoundError:
            reason = "the link leads nowhere." if ref.path.is_symlink() else "there is no such file."
            raise InputError(reason, str(ref)) from None
        except OSError:
            raise InputError("the file may not be read; check its permissions.", str(ref)) from None
        if not stat.S_ISREG(mode):
            raise InputError("this is not a regular file.", str(ref))


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _relative(path: Path, top: Path) -> str:
    return _text(path.relative_to(top).as_posix())


def _text(path: str) -> str:
    """Return a path as text that can be written: bytes that are no UTF-8 become escapes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _any_case(base: Path, member: str) -> Path:
    path = base
    for part in member.split("/"):
        exact = path / part
        if not exact.exists():
            with suppress(OSError):
                exact = next((p for p in path.iterdir() if p.name.casefold() == part.casefold()), exact)
        path = exact
    return path
