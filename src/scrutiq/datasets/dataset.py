"""`Dataset`: records, and the folder that their files lie in."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from scrutiq.core import Case, FrozenDict, Image, InputError, Modality, Role, UsageError
from scrutiq.datasets.record import Record

__all__ = ["Dataset"]


@dataclass(frozen=True)
class Dataset:
    """Records, where their files lie, and the scale of their scores.

    Attributes
    ----------
    name : str
    folder : Path
        What the paths of the records are relative to.
    records : tuple of Record
        In the order of the labels.
    rubric : str, optional
        Name of the shipped rubric whose dimensions the scores are on; None where there are none.
    notes : tuple of str
        What a user of the figures has to know: what was assumed of the layout, what was left out and how often.
    has_images : bool
        Whether the files of the records are there. A set that was published as labels only has none.
    """

    name: str
    folder: Path
    records: tuple[Record, ...]
    rubric: str | None = None
    notes: tuple[str, ...] = ()
    has_images: bool = True
    _embedded: Mapping[str, bytes] = field(default_factory=FrozenDict, repr=False, compare=False)

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for record in self.records:
            if record.id in seen:
                raise UsageError(
                    f"two records of {self.name} have the id {record.id!r}; rename the file of one of them."
                )
            seen.add(record.id)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def of_split(self, split: str) -> Dataset:
        """Return the records of one split.

        Raises
        ------
        UsageError
            If no record is in it.
        """
        kept = tuple(record for record in self.records if record.split == split)
        if not kept:
            splits = sorted({record.split for record in self.records if record.split is not None})
            raise UsageError(f"{self.name} has no split {split!r}; it has {', '.join(splits) or 'none'}.")
        return replace(self, records=kept)

    def path(self, record: Record, role: str = Role.TARGET) -> Path:
        """Return where a file of a record lies.

        Raises
        ------
        UsageError
            If the record has no file of this role, or the image is kept inside a table.
        InputError
            If a link leads out of the folder.
        """
        if role not in record.files:
            raise UsageError(f"the record {record.id!r} has no {role}.")
        written = record.files[role]
        if written in self._embedded:
            raise UsageError(f"the {role} of {record.id!r} is kept inside a table and has no file of its own.")
        return inside(self.folder, written)

    def image(self, record: Record, role: str = Role.TARGET) -> Image:
        """Decode an image of a record, the first one where its file holds several, of the record's modality.

        Raises
        ------
        InputError
            If it cannot be read.
        UsageError
            If the record has no file of this role.
        """
        from scrutiq.imaging import read

        modality = None if record.modality is Modality.UNKNOWN else record.modality
        written = record.files.get(role, "")
        if written in self._embedded:
            from tempfile import TemporaryDirectory

            with TemporaryDirectory(prefix="scrutiq-") as folder:
                draft = Path(folder, "image")
                draft.write_bytes(self._embedded[written])
                return read(draft, modality=modality, frame=0)
        return read(self.path(record, role), modality=modality, frame=0)

    def case(self, record: Record) -> Case:
        """Decode the images of a record whose roles are those of a `Case`.

        Raises
        ------
        InputError
            If one cannot be read.
        """
        roles = [role for role in Role if role.value in record.files]
        return Case(id=record.id, images=FrozenDict({role: self.image(record, role) for role in roles}))


def inside(folder: str | os.PathLike[str], written: str) -> Path:
    """Return a path inside a folder, links followed.

    Raises
    ------
    InputError
        If it leads out of the folder.
    """
    root = Path(folder).resolve()
    path = (root / written).resolve()
    if not path.is_relative_to(root):
        raise InputError("a path of the data set leads out of its folder.", written)
    return path
