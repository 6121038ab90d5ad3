"""`find_cases`: every case in what the user named, found by headers only and decoded later."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path, PurePosixPath

from scrutiq.core import FrozenDict, InputError, Role, Source, UsageError
from scrutiq.imaging.caseref import CaseRef, ImageRef
from scrutiq.imaging.fileref import FileRef
from scrutiq.imaging.kinds import stem
from scrutiq.imaging.manifest import Row, is_manifest, read_manifest
from scrutiq.imaging.options import Given
from scrutiq.imaging.privacy import salted_hash
from scrutiq.imaging.scan import Scanner, Unit

__all__ = ["Found", "find_cases"]


def find_cases(
    inputs: Sequence[Path | str], *, given: Given | None = None, roles: Mapping[Role, Path] | None = None
) -> Found:
    """Find the cases in what the user named.

    Parameters
    ----------
    inputs : sequence of path
        Each a file, a folder (searched recursively), a DICOM study, a DICOMDIR, a zip archive of these, or a manifest
        (see `scrutiq.imaging.manifest`). What is named itself is always an input; in a folder or an archive, files that
        do not claim to be images are counted in ``skipped``. The slices of a volume, the pages of a TIFF and the frames
        of a cine are a case each.
    given : Given, optional
        What the user states about every image.
    roles : mapping of Role to path, optional
        Images beside the targets. A file goes with every target: frame by frame where both have as many, else it must
        hold one image. In a folder, the file with the target's relative path (the ending may differ) goes with it,
        else the only one with its name; where there is one target (a file, a series), also the folder's only image.

    Returns
    -------
    Found
        Iterate over it once to find the cases, in a fixed order: as named, files before subfolders, by name with
        numbers in order, slices by position.

    Raises
    ------
    UsageError
        If a role's path, or the salt of the ids (``SCRUTIQ_SALT``), cannot be used.
    """
    return Found(inputs, given or Given(), roles or {})


class Found:
    """The cases that `find_cases` finds while it is iterated over.

    Attributes
    ----------
    skipped : Counter of str
        How many files were passed over, by kind ("files that are not images"); complete when the iteration is.
    """

    def __init__(self, inputs: Sequence[Path | str], given: Given, roles: Mapping[Role, Path]) -> None:
        self.skipped: Counter[str] = Counter()
        self._given = given
        salted_hash("")  # a salt that cannot be used is a wrong call, not the fault of each file
        self._scanner = Scanner()
        self._roles = {role: _Partners(role, Path(path)) for role, path in roles.items()}
        self._taken: set[str] = set()
        self._seen: set[tuple[FileRef, int]] = set()
        self._cases = self._find([Path(one) for one in inputs])

    def __iter__(self) -> Iterator[CaseRef]:
        return self._cases

    def _find(self, inputs: Sequence[Path]) -> Iterator[CaseRef]:
        self._scanner.skipped = self.skipped
        for path in inputs:
            if is_manifest(path):
                yield from self._manifest(path)
                continue
            units = self._scanner.units(path)
            first = list(islice(units, 2))
            for partners in self._roles.values():
                partners.one_target = len(inputs) == len(first) == 1
            for unit in chain(first, units):
                # What is named twice, by itself and with its folder, is judged once.
                places = [(_absolute(i.ref), i.frame) for i in unit.images] or [(_absolute(unit.ref), 0)]
                again = [place in self._seen for place in places]
                self._seen.update(places)
                if not all(again):
                    cases = self._cases_of(unit, self._name(unit), self._given, self._roles)
                    yield from (case for case, seen in zip(cases, again, strict=True) if not seen)

    def _manifest(self, path: Path) -> Iterator[CaseRef]:
        try:
            for row in read_manifest(path):
                yield from self._row(path, row)
        except InputError as error:
            yield CaseRef(self._fresh(path.name), Source(path=path.name), error=error)

    def _row(self, manifest: Path, row: Row) -> Iterator[CaseRef]:
        written = row.paths.get(Role.TARGET)
        source = Source(path=None if written is None else written.as_posix())
        name = row.id if row.id is not None else self._fresh(f"{source.path}")
        try:
            if row.error is not None:
                raise row.error
            if name in self._taken and row.id is not None:
                name = self._fresh(f"{row.number}")
                raise InputError(f"row {row.number} of the manifest has an id that an earlier row has.", str(manifest))
            roles: dict[Role, _Partners] = dict(self._roles)
            for role, path in row.paths.items():
                if role is not Role.TARGET:
                    roles[role] = _Partners(role, manifest.parent / path, one_target=True)
            unit = _only(self._scanner, manifest.parent / row.paths[Role.TARGET], source.path or "")
        except UsageError as error:
            self._taken.add(name)
            yield CaseRef(name, source, error=InputError(str(error)))
            return
        except InputError as error:
            self._taken.add(name)
            yield CaseRef(name, source, error=error)
            return
        cases = list(self._cases_of(unit, name, self._given.over(row.given), roles, row.frame))
        if len(cases) > 1 and any(case.id in self._taken for case in cases):
            reason = f"row {row.number} of the manifest gives its frames an id that an earlier row has."
            yield CaseRef(self._fresh(f"{row.number}"), source, error=InputError(reason, str(manifest)))
            return
        self._taken.update(case.id for case in cases)
        yield from cases

    def _cases_of(
        self, unit: Unit, name: str, given: Given, roles: Mapping[Role, _Partners], frame: int | None = None
    ) -> Iterator[CaseRef]:
        if unit.error is not None:
            yield CaseRef(name, Source(path=unit.path), given=given, error=unit.error)
            return
        if frame is not None and frame >= len(unit.images):
            reason = f"frame {frame} is asked for and there are {len(unit.images)}, counted from 0."
            yield CaseRef(name, Source(path=unit.path), given=given, error=InputError(reason, str(unit.ref)))
            return
        count = len(unit.images)
        for index, target in enumerate(unit.images):
            if frame not in (None, target.source.frame):
                continue
            id = name if count == 1 or frame is not None else f"{name}-{target.source.frame:04d}"
            try:
                images = {role: partners.of(unit, index) for role, partners in roles.items()}
            except InputError as error:
                yield CaseRef(id, target.source, given=given, error=error)
                continue
            yield CaseRef(id, target.source, FrozenDict({Role.TARGET: target, **images}), given)

    def _name(self, unit: Unit) -> str:
        """Return the id of a unit: of its path, which is the same on another machine, where no other input has it."""
        name = f"c-{salted_hash(unit.path)}"
        if name in self._taken:
            return self._fresh(str(_absolute(unit.ref)))
        self._taken.add(name)
        return name

    def _fresh(self, text: str) -> str:
        """Return an id that is not taken."""
        number = 0
        while (name := f"c-{salted_hash(f'{text}|{number}' if number else text)}") in self._taken:
            number += 1
        self._taken.add(name)
        return name


class _Partners:
    """The images of one role: which of them goes with which target.

    ``one_target`` says that there is no other target, so that the only image of a folder is meant for it.
    """

    def __init__(self, role: Role, path: Path, one_target: bool = False) -> None:
        if role is Role.TARGET:
            raise UsageError("the target is the INPUT itself; a role is one of reference, mask, contrast, other.")
        self.one_target = one_target
        self._role = role
        self._folder = path.is_dir()
        if not path.exists():
            raise UsageError(f"there is no file or folder for the role '{role}'.")
        units = list(Scanner().units(path))
        if not units:
            raise UsageError(f"the folder for the role '{role}' holds no image.")
        self._only = units[0] if len(units) == 1 else None
        if self._only is None and not self._folder:
            raise UsageError(f"the file for the role '{role}' holds {len(units)} series; name one.")
        self._by_path: dict[str, Unit] = {}
        self._by_name: dict[str, list[Unit]] = {}
        for unit in units:
            for member in unit.members:
                key = _key(member)
                self._by_path.setdefault(key, unit)
                self._by_name.setdefault(PurePosixPath(key).name, []).append(unit)

    def of(self, target: Unit, index: int) -> ImageRef:
        """Return the image that goes with one image of a target.

        Raises
        ------
        InputError
            If there is none.
        """
        unit = self._only
        if self._folder:
            key = _key(target.path)
            same = self._by_name.get(PurePosixPath(key).name, [])
            unit = self._by_path.get(key) or (same[0] if len(same) == 1 else None)
            if unit is None and self.one_target:
                unit = self._only
        if unit is None:
            raise InputError(f"no file of the same name is in the folder for the role '{self._role}'.", str(target.ref))
        if unit.error is not None:
            raise InputError(f"the image in the role '{self._role}' cannot be used: {unit.error.reason}", str(unit.ref))
        if len(unit.images) not in (1, len(target.images)):
            raise InputError(
                f"there are {len(unit.images)} images in the role '{self._role}', and {len(target.images)} to judge.",
                str(unit.ref),
            )
        return unit.images[index if len(unit.images) > 1 else 0]


def _key(path: str) -> str:
    pure = PurePosixPath(path)
    return (pure.parent / stem(pure.name)).as_posix()


def _only(scanner: Scanner, path: Path, written: str) -> Unit:
    """Return the unit of a manifest's target, with the path as the manifest writes it."""
    units = list(scanner.units(path))
    if len(units) != 1:
        raise InputError(f"the target holds {len(units)} images or series; name one.", str(path))
    unit = units[0]
    images = tuple(
        ImageRef(i.kind, i.ref, i.frame, i.source.model_copy(update={"path": written}), i.sidecar) for i in unit.images
    )
    return Unit(written, unit.ref, images, (written,), unit.error)


def _absolute(ref: FileRef) -> FileRef:
    return FileRef(Path(os.path.abspath(ref.path)), ref.member)
