"""`Record`: one labelled image, pair, triplet or question of a data set."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue, model_validator

from scrutiq.core import Applied, FrozenDict, Modality, Noun

__all__ = ["Question", "Record", "relative_path"]

_MAX_ID = 200


def relative_path(text: str) -> str:
    """Return a path that stays inside the folder it is relative to, with ``/`` between its parts.

    Raises
    ------
    ValueError
        If it is empty or absolute, leads out of the folder, or holds a control character.
    """
    # A backslash separates on one system and is part of a name on another; a colon names a drive or a stream.
    parts = PurePosixPath(text).parts
    if not parts or not text.isprintable() or "\\" in text or text.startswith("/") or ".." in parts or ":" in parts[0]:
        raise ValueError(f"{text!r} is not a path inside the folder of the data set")
    return str(PurePosixPath(*parts))


RelativePath = Annotated[str, AfterValidator(relative_path)]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError(f"{text!r} holds control characters, or space at an end")
    return text


class Question(Noun):
    """A question about the images of a record, with options to choose from.

    Parameters
    ----------
    text : str
    options : tuple of str
        Two or more, shown in this order, as A, B, ... Published questions may hold one twice.
    answer : int, optional
        Zero-based index of the right option; None where it is not published.
    kind : str
        What is asked for: ``yes_no``, ``what``, ``how``; empty where not known.
    """

    text: Annotated[str, Field(min_length=1)]
    options: Annotated[tuple[str, ...], Field(min_length=2)]
    answer: Annotated[int | None, Field(ge=0)] = None
    kind: str = ""

    @model_validator(mode="after")
    def _check(self) -> Question:
        if self.answer is not None and self.answer >= len(self.options):
            raise ValueError(f"the answer is option {self.answer + 1} of {len(self.options)}")
        return self


class Record(Noun):
    """One labelled image, pair, triplet or question: what loaders return, builders write, and training reads.

    Everything but ``id`` and ``files`` may be missing, because published sets differ in what they say. What is not
    known is absent, never a filler value.

    Parameters
    ----------
    id : str
        Unique within the data set.
    files : mapping of str to str
        Paths by role, relative to the folder of the data set, with ``/``. Roles are those of `scrutiq.core.Role`
        (``target``, ``reference``, ``mask``, ``contrast``, ``other``); of a pair that is compared, ``target`` is the
        first image and ``other`` the second. Builders may add more (``vessels``). Absolute paths and paths that leave
        the folder are refused. A path may end in ``#`` and a place: an image that is kept inside a table.
    modality : Modality
    split : str, optional
        ``train``, ``val``, ``dev``, ``test``.
    group : str, optional
        Patient or source: what a split, a fold and a bootstrap keep together.
    base : str, optional
        Name in the table of bases (`scrutiq.datasets.bases`), from which the licence follows.
    scores : mapping of str to float
        By dimension of the data set's rubric, on the rubric's scale; the mean where there are several readers.
    readers : mapping of str to mapping of str to float
        Scores of each reader, by dimension and then by reader; a reader that gave none is absent.
    text : str, optional
        Caption, description or explanation that belongs to the images.
    applied : tuple of Applied
        Degradations that were made in the target, first to last; empty where the image is as it came.
    question : Question, optional
    extra : mapping of str to JSON value
        Anything else that results may be broken down by, by column name.
    """

    id: Annotated[str, Field(min_length=1, max_length=_MAX_ID), AfterValidator(_printable)]
    files: Annotated[FrozenDict[_Name, RelativePath], Field(min_length=1)]
    modality: Modality = Modality.UNKNOWN
    split: _Name | None = None
    group: Annotated[str, Field(min_length=1)] | None = None
    base: _Name | None = None
    scores: FrozenDict[_Name, float] = FrozenDict()
    readers: FrozenDict[_Name, FrozenDict[str, float]] = FrozenDict()
    text: str | None = None
    applied: tuple[Applied, ...] = ()
    question: Question | None = None
    extra: FrozenDict[str, JsonValue] = FrozenDict()
