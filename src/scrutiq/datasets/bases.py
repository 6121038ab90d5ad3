"""The table of bases: every set of real images, its licence, what may be done with it, and how it is split.

``bases.yaml`` beside this module is the table; ``docs/explanation/data-and-licences.md`` says the same in words, and a
test compares the two. The images themselves are not in the package: they lie in a data folder (`data_folder`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from scrutiq.core import FrozenDict, Image, InputError, Modality, Noun, UsageError

__all__ = ["Base", "BaseImage", "Grouping", "base", "bases", "data_folder", "middle"]

#: Where the data folder is looked for when none is given: ``$SCRUTIQ_SHARED/data``, else this.
_BESIDE = Path("..") / "shared" / "data"
#: Digits of the hash that stands for a patient.
_DIGITS = 12


def data_folder(folder: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder that holds the sets.

    Parameters
    ----------
    folder : path, optional
        By default ``data`` in the folder that the environment variable ``SCRUTIQ_SHARED`` names, else
        ``../shared/data``.

    Raises
    ------
    UsageError
        If there is no such folder.
    """
    shared = os.environ.get("SCRUTIQ_SHARED")
    found = Path(folder) if folder is not None else Path(shared) / "data" if shared else _BESIDE
    if not found.is_dir():
        raise UsageError(
            f"there is no folder of base images at {found}; name one, or set SCRUTIQ_SHARED to the folder that holds "
            "'data'."
        )
    return found


class Grouping(Noun):
    """How the images of a set fall into groups that a split keeps together.

    Parameters
    ----------
    by : str
        ``dicom_patient`` (PatientID), ``path`` (the groups of ``pattern`` in the path), ``table`` (``column`` of the
        row of a CSV ``table`` whose ``key`` is the file's name), ``listed`` (``sources``: globs by name), ``file``
        (each on its own), or ``set`` (the whole set is one).
    unit : {"patient", "source"}
        What a group is. A source is a recording, a slide, an instrument: what is known where patients are not.
    """

    by: Literal["dicom_patient", "path", "table", "listed", "file", "set"]
    unit: Literal["patient", "source"]
    pattern: str | None = None
    table: str | None = None
    key: str | None = None
    column: str | None = None
    sources: FrozenDict[str, tuple[str, ...]] = FrozenDict()

    @model_validator(mode="after")
    def _check(self) -> Grouping:
        needs = {"path": self.pattern, "table": self.table and self.key and self.column, "listed": self.sources}
        if self.by in needs and not needs[self.by]:
            raise ValueError(f"grouping by {self.by} lacks what it needs")
        return self


class Where(Noun):
    """A condition on the row of a CSV table: ``column`` holds ``value`` for the file that ``path`` names."""

    table: str
    path: str
    column: str
    value: str


class Base(Noun):
    """One set of the table of bases.

    Parameters
    ----------
    name : str
        Without spaces; where a set is under several licences, each part is a base.
    listed : str
        The row of ``docs/explanation/data-and-licences.md``.
    kind : {"images", "ratings", "texts"}
    modality : Modality, optional
        None where each file states its own.
    what : str
    files : tuple of str
        Globs from the data folder: every image.
    clean : tuple of str
        Globs of the images that are fit to be degraded; ``excluded`` of these (``except`` in the file) are not.
    clean_where : Where, optional
        Only those whose row says so.
    why : str
        What was left out, and why; empty where nothing was.
    slices : int
        How many slices of a volume, or frames of a cine, are taken, evenly spaced over its middle half (at the centres
        of as many equal parts); of a series of volumes, from the first. 0: each file is one image.
    sequences : str, optional
        CSV table that says which frame of an angiographic sequence is which; see `BaseImage.companions`.
    group : Grouping, optional
        There for images.
    id_pattern : str, optional
        Its groups, in the path, make the id (``id`` in the file).
    licence : str
        As stated at the source.
    in_repository : {"may be", "a few, with attribution", "no"}
        Whether files may be copied into the repository.
    shipped_weights : bool
        Whether weights that are shipped may be trained on it.
    attribution_required : bool
        Whether such weights have to carry the attribution.
    attribution : str
        Whom to name.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    listed: str
    kind: Literal["images", "ratings", "texts"]
    modality: Modality | None = None
    what: str
    files: tuple[str, ...] = ()
    clean: tuple[str, ...] = ()
    excluded: Annotated[tuple[str, ...], Field(alias="except")] = ()
    clean_where: Where | None = None
    why: str = ""
    slices: Annotated[int, Field(ge=0)] = 0
    sequences: str | None = None
    group: Grouping | None = None
    id_pattern: Annotated[str | None, Field(alias="id")] = None
    licence: str
    in_repository: Literal["may be", "a few, with attribution", "no"]
    shipped_weights: bool
    attribution_required: bool = False
    attribution: str

    @model_validator(mode="after")
    def _check(self) -> Base:
        if (self.kind == "images") != bool(self.files and self.group):
            raise ValueError("a set of images has files and a grouping, and no other set has")
        if self.kind == "images" and (self.excluded or not self.clean) and not self.why:
            raise ValueError("say why an image is not clean")
        return self

    @property
    def has_clean_images(self) -> bool:
        """Whether any of its images is fit to be degraded."""
        return bool(self.clean)

    def images(self, data: str | os.PathLike[str] | None = None, *, clean: bool = True) -> Iterator[BaseImage]:
        """Yield the images of the set, in the order of their paths, none of them decoded yet.

        Parameters
        ----------
        data : path, optional
            The data folder; see `data_folder`.
        clean : bool
            Only those fit to be degraded; else all.

        Raises
        ------
        UsageError
            If the set has no images, is not in the data folder, or a table of it lacks a file.
        """
        if self.kind != "images":
            raise UsageError(f"the set {self.name} holds {self.kind}, no images.")
        folder = data_folder(data)
        everything = sorted({path for glob in self.files for path in folder.glob(glob) if path.is_file()})
        if not everything:
            raise UsageError(f"the set {self.name} is not in {folder}; there is no {' or '.join(self.files)}.")
        paths = [path.relative_to(folder).as_posix() for path in everything]
        if clean:
            paths = self._clean(folder, paths)
        group_of = _groups(self, folder)
        rows = {} if self.sequences is None else _sequences(folder, self.sequences)
        for path in paths:
            for frame in self._frames(folder, path):
                yield BaseImage(
                    id=self._id(path) + ("" if frame is None else f"-{frame:03d}"),
                    base=self.name,
                    group=group_of(path),
                    modality=self.modality,
                    file=path,
                    frame=frame,
                    companions=rows.get(path, FrozenDict()),
                    folder=folder,
                )

    def _clean(self, folder: Path, paths: list[str]) -> list[str]:
        good = {path.relative_to(folder).as_posix() for glob in self.clean for path in folder.glob(glob)}
        good -= {path.relative_to(folder).as_posix() for glob in self.excluded for path in folder.glob(glob)}
        if (where := self.clean_where) is not None:
            root = where.table.rsplit("/", 1)[0]
            rows = _table(folder, where.table)
            good &= {f"{root}/{row[where.path]}" for row in rows if row[where.column] == where.value}
        return [path for path in paths if path in good]

    def _frames(self, folder: Path, path: str) -> list[int | None]:
        """Return which frames of a file are taken; [None] where it is one image."""
        if self.slices == 0:
            return [None]
        from scrutiq.imaging import find_cases

        found = [case for case in find_cases([folder / path]) if case.error is None]
        places = {case.source.location for case in found} - {None}
        per_volume = len(places) or len(found)  # a series of volumes holds each place several times
        frames = sorted(case.source.frame for case in found)[:per_volume]
        return [frames[index] for index in middle(len(frames), self.slices)]

    def _id(self, path: str) -> str:
        if self.id_pattern is not None:
            found = re.search(self.id_pattern, path)
            if found is None:
                raise UsageError(f"a file of the set {self.name} is not named as expected: {path}.")
            name = "-".join(found.groups())
        else:
            name = path.rsplit("/", 1)[-1].split(".")[0]
        return f"{self.name}-" + re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")


def middle(total: int, wanted: int) -> list[int]:
    """Return ``wanted`` indices, evenly spaced over the middle half of ``total``; fewer where it holds fewer.

    The middle half is divided into as many equal parts, and the index at the centre of each is taken.
    """
    places = (np.arange(wanted) + 0.5) / wanted  # centres of the parts, in [0, 1]
    return sorted({int(total * (0.25 + 0.5 * place)) for place in places}) if total else []


@dataclass(frozen=True)
class BaseImage:
    """One image of a base, known by its file and decoded when it is read.

    Attributes
    ----------
    id : str
        Of the base and the file (and frame), the same on every machine; letters, digits, ``_`` and ``-``.
    base : str
        Name of the base.
    group : str
        The patient or source, as ``base/group``. A patient is a hash: of an identifier that is public with the set, so
        that it is the same for everyone, which a split has to be.
    modality : Modality, optional
        None: as the file states.
    file : str
        From the data folder, with ``/``.
    frame : int, optional
        Zero-based, of a volume or a cine.
    companions : mapping of str to str
        For the key frame of an angiographic sequence: ``mask``, the first frame, before the contrast agent arrives
        (for subtraction), and ``vessels``, the vessels as drawn by the authors of the set, both from the data folder.
    folder : Path
        The data folder.
    """

    id: str
    base: str
    group: str
    modality: Modality | None
    file: str
    frame: int | None
    folder: Path
    companions: Mapping[str, str] = field(default_factory=FrozenDict)

    def read(self) -> Image:
        """Decode the image, with the modality of the table and the spacing that the file states.

        Raises
        ------
        InputError
            If the file cannot be read.
        """
        return self._read(self.file, self.frame)

    def read_mask(self) -> Image:
        """Decode the first frame of the sequence, before the contrast agent arrives.

        Raises
        ------
        UsageError
            If the image is no key frame of a sequence.
        """
        return self._read(self._companion("mask"), None)

    def read_vessels(self) -> npt.NDArray[np.bool_]:
        """Return where the vessels are, as drawn by the authors of the set: shape (H, W), True inside.

        The drawing is stored as JPEG: values of at least half the range are inside.

        Raises
        ------
        UsageError
            If the image is no key frame of a sequence.
        """
        drawn = self._read(self._companion("vessels"), None)
        return np.asarray(drawn.grey() >= 127.5)

    def _companion(self, name: str) -> str:
        if name not in self.companions:
            raise UsageError(f"the image {self.id} has no {name}: it is no key frame of a sequence.")
        return self.companions[name]

    def _read(self, file: str, frame: int | None) -> Image:
        from scrutiq.imaging import read

        return read(self.folder / file, modality=self.modality, frame=0 if frame is None else frame)


@lru_cache(maxsize=1)
def _all() -> tuple[Base, ...]:
    import yaml

    text = resources.files("scrutiq.datasets").joinpath("bases.yaml").read_text("utf-8")
    return tuple(Base.model_validate(entry) for entry in yaml.safe_load(text))


def bases(
    modality: Modality | str | None = None, shipped_weights_only: bool = False, *, clean_only: bool = False
) -> tuple[Base, ...]:
    """Return the sets of the table.

    Parameters
    ----------
    modality : Modality or str, optional
        Only those of this modality.
    shipped_weights_only : bool
        Only those that weights which are shipped may be trained on.
    clean_only : bool
        Only those with images that are fit to be degraded.

    Raises
    ------
    UsageError
        If there is no such modality.
    """
    if modality is not None:
        from scrutiq.imaging import parse_modality

        modality = parse_modality(str(modality))
    return tuple(
        one
        for one in _all()
        if (modality is None or one.modality is modality)
        and (one.shipped_weights or not shipped_weights_only)
        and (one.has_clean_images or not clean_only)
    )


def base(name: str) -> Base:
    """Return the set of this name.

    Raises
    ------
    UsageError
        If there is none.
    """
    for one in _all():
        if one.name == name:
            return one
    raise UsageError(f"there is no base {name!r}; the bases are {', '.join(one.name for one in _all())}.")


def _table(folder: Path, name: str) -> list[dict[str, str]]:
    try:
        text = (folder / name).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise UsageError(f"the table {name} cannot be read in {folder}.") from None
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _sequences(folder: Path, name: str) -> dict[str, FrozenDict[str, str]]:
    """Return the companions of each key frame."""
    root = name.rsplit("/", 1)[0]
    rows = _table(folder, name)
    first = {(row["patient"], row["sequence"]): f"{root}/{row['file']}" for row in rows if row["role"] == "first_frame"}
    return {
        f"{root}/{row['file']}": FrozenDict(
            {"mask": first[row["patient"], row["sequence"]], "vessels": f"{root}/{row['mask_file']}"}
        )
        for row in rows
        if row["role"] == "author_keyframe" and row["mask_file"]
    }


def _groups(one: Base, folder: Path) -> Callable[[str], str]:
    """Return a function from a path of the set to its group."""
    rule = one.group
    assert rule is not None
    cells: dict[str, str] = {}
    if rule.by == "table":
        cells = {row[rule.key or ""]: row[rule.column or ""] for row in _table(folder, rule.table or "")}

    def value(path: str) -> str | None:
        match rule.by:
            case "set":
                return "all"
            case "file":
                return path
            case "path":
                found = re.search(rule.pattern or "", path)
                return None if found is None else "-".join(found.groups())
            case "table":
                return cells.get(path.rsplit("/", 1)[-1])
            case "listed":
                return next((name for name, globs in rule.sources.items() if path in globs), None)
            case "dicom_patient":
                return _patient(folder / path)

    def group(path: str) -> str:
        known = value(path)
        if not known:
            raise UsageError(f"the {rule.unit} of {path} is not known, so the set {one.name} cannot be split.")
        if rule.unit == "source" and rule.by in ("path", "listed", "set"):
            return f"{one.name}/{known}"
        return f"{one.name}/{hashlib.sha256(f'{one.name}:{known}'.encode()).hexdigest()[:_DIGITS]}"

    return group


def _patient(path: Path) -> str:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    try:
        return str(dcmread(path, stop_before_pixels=True, specific_tags=["PatientID"]).get("PatientID", ""))
    except (InvalidDicomError, OSError):
        raise InputError("it is not a DICOM file.", str(path)) from None
