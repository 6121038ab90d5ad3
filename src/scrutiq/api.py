"""The Python face: judge, compare and check agreement in one call each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from scrutiq import rubrics
from scrutiq.assessors import Batch, Loadable, default_assessor, default_rubric, open_assessor, run
from scrutiq.assessors import compare as compare_assessments
from scrutiq.core import (
    Assessment,
    AssessmentSet,
    Case,
    Comparison,
    Image,
    Role,
    Rubric,
    Source,
    UsageError,
    Window,
)
from scrutiq.imaging import CaseRef, Found, Given, find_cases, from_array
from scrutiq.metrics.tables import agree_files as agree
from scrutiq.reports import ReportRun, write_csv, write_html, write_json, write_parquet

__all__ = ["Results", "agree", "assess", "compare"]

Input = str | os.PathLike[str] | npt.NDArray[Any] | Image | Case


@dataclass(frozen=True)
class _InMemory:
    """A case that the caller already holds."""

    case: Case

    @property
    def id(self) -> str:
        return self.case.id

    @property
    def source(self) -> Source:
        return self.case.target.source

    def load(self) -> Case:
        return self.case


@dataclass(frozen=True)
class Results(Sequence[Assessment]):
    """The assessments of a run, one a case and rubric, in the order of the input.

    Attributes
    ----------
    assessments : tuple of Assessment
    batch : Batch
        What was asked.
    skipped : mapping of str to int
        Files passed over because they do not claim to be images, counted by kind.
    """

    assessments: tuple[Assessment, ...]
    batch: Batch
    cases: Mapping[str, Loadable]
    skipped: Mapping[str, int] = field(default_factory=dict)

    @overload
    def __getitem__(self, index: int) -> Assessment: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Assessment, ...]: ...
    def __getitem__(self, index: int | slice) -> Assessment | tuple[Assessment, ...]:
        return self.assessments[index]

    def __len__(self) -> int:
        return len(self.assessments)

    def __iter__(self) -> Iterator[Assessment]:
        return iter(self.assessments)

    def count(self, status: str) -> int:
        """Return how many assessments have this status (``judged``, ``unjudged``, ``failed``)."""
        return sum(a.status == status for a in self.assessments)

    def to_json(self, indent: int | None = None, show_paths: bool = True) -> str:
        """Return the run as one JSON document (schema: ``AssessmentSet``)."""
        document = AssessmentSet.of(self.assessments)
        return (document if show_paths else document.without_paths()).to_json(indent)

    def report(self, path: str | os.PathLike[str], *, show_paths: bool = False, detail: int = 60) -> Path:
        """Write one self-contained HTML file and return its path.

        Parameters
        ----------
        path : path-like
        show_paths : bool
            Write file paths too; they can identify a patient.
        detail : int
            How many cases are shown in full, the worst first; the overview has all of them.
        """
        named = {a.rubric for a in self.assessments if a.rubric is not None}
        known = {rubric.name: rubric for rubric in (*rubrics.shipped(), *self.batch.rubrics)}
        report = ReportRun(
            assessments=self.assessments,
            rubrics={name: known[name] for name in sorted(named)},
            load=lambda case: self.cases[case].load(),
            evidence=open_assessor(self.batch.assessor).evidence_map,
            command=f"scrutiq assess --assessor {self.batch.assessor}"
            + "".join(f" --rubric {rubric.name}" for rubric in self.batch.rubrics),
            skipped=self.skipped,
        )
        write_html(report, Path(path), show_paths=show_paths, detail=detail)
        return Path(path)

    def write(self, folder: Path, *, show_paths: bool = False, detail: int = 60, parquet: bool = False) -> Path:
        """Write ``report.html``, ``assessments.json`` and ``judgements.csv`` to a folder; return the report's path."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(self.assessments, folder / "assessments.json", show_paths=show_paths)
        write_csv(self.assessments, folder / "judgements.csv", show_paths=show_paths)
        if parquet:
            write_parquet(self.assessments, folder / "judgements.parquet", show_paths=show_paths)
        return self.report(folder / "report.html", show_paths=show_paths, detail=detail)


def assess(
    inputs: Input | Iterable[Input],
    rubric: str | os.PathLike[str] | Rubric | Sequence[str | os.PathLike[str] | Rubric] | None = None,
    assessor: str | None = None,
    *,
    roles: Mapping[Role | str, str | os.PathLike[str]] | None = None,
    modality: str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
    jobs: int = 1,
    journal: Path | None = None,
    resume: bool = False,
    progress: Callable[[int, tuple[Assessment, ...]], None] | None = None,
) -> Results:
    """Judge images.

    Parameters
    ----------
    inputs : path, array, Image, Case, or many of these
        A path is a file, a folder (searched recursively), a DICOMDIR, a zip or a manifest. An array has shape (H, W)
        or (H, W, 3); an integer array's ``data_range`` is that of its dtype.
    rubric : str, path, Rubric or several, optional
        The scale to judge on; by default it follows from each case (`scrutiq.assessors.default_rubric`).
    assessor : str, optional
        URI; by default the best local one.
    roles : mapping of Role to path, optional
        Images beside the target, where the input is one image.
    modality : str, optional
    window : (centre, width), optional
    spacing : float or (row, column), optional
        mm. These three say what a plain raster does not, and override what a file states.
    jobs : int
        Processes.
    journal, resume
        See `scrutiq.assessors.run`.
    progress : callable, optional
        Called with the number of cases in all and the assessments of the case just finished.

    Raises
    ------
    UsageError
        If the call itself is wrong. Inputs that cannot be used do not raise: they come back ``failed``.
    """
    chosen = tuple(_rubric(one) for one in _several(rubric))
    given = Given.of(modality=modality, window=window, spacing=spacing)
    batch = Batch(assessor or default_assessor(), chosen, options=repr(given))
    cases, skipped = _cases(_several(inputs), given, {Role(r): Path(p) for r, p in (roles or {}).items()})
    total = len(cases)
    done = run(
        cases,
        batch,
        jobs=jobs,
        journal=journal,
        resume=resume,
        progress=None if progress is None else lambda found: progress(total, found),
    )
    return Results(tuple(done), batch, {case.id: case for case in cases}, skipped)


def compare(
    a: Input,
    b: Input,
    rubric: str | os.PathLike[str] | Rubric | None = None,
    assessor: str | None = None,
    *,
    modality: str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
) -> Comparison:
    """Say which of two images is better, and why.

    The parameters are those of `assess`.

    Raises
    ------
    UsageError
        If an input holds more than one image, or the two follow different rubrics and none is named.
    InputError
        If one of them cannot be read.
    """
    given = Given.of(modality=modality, window=window, spacing=spacing)
    loaded = []
    for label, one in (("A", a), ("B", b)):
        cases, _ = _cases([one], given, {})
        if len(cases) != 1:
            raise UsageError(f"compare takes single images; {label} holds {len(cases)}.")
        loaded.append(cases[0].load())
    chosen = [_rubric(rubric)] if rubric is not None else [default_rubric(case) for case in loaded]
    if len({one.name for one in chosen}) > 1:
        raise UsageError(f"A follows the rubric {chosen[0].name}, B {chosen[1].name}; name one with --rubric.")
    judge = open_assessor(assessor or default_assessor())
    first, second = (judge.assess(case, (chosen[0],))[0] for case in loaded)
    return compare_assessments(first, second, chosen[0])


def _rubric(one: str | os.PathLike[str] | Rubric) -> Rubric:
    return one if isinstance(one, Rubric) else rubrics.load(one)


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str | os.PathLike | Image | Case | Rubric | np.ndarray):
        return [value]
    return list(value)


def _cases(inputs: Sequence[Input], given: Given, roles: Mapping[Role, Path]) -> tuple[list[Loadable], dict[str, int]]:
    paths = [one for one in inputs if isinstance(one, str | os.PathLike)]
    cases: list[Loadable] = []
    skipped: dict[str, int] = {}
    if paths:
        found: Found = find_cases([Path(path) for path in paths], given=given, roles=roles)
        refs: list[CaseRef] = list(found)
        cases.extend(refs)
        skipped = dict(found.skipped)
    for number, one in enumerate((one for one in inputs if not isinstance(one, str | os.PathLike)), start=1):
        if isinstance(one, Case):
            cases.append(_InMemory(one))
            continue
        images = [one] if isinstance(one, Image) else from_array(np.asarray(one), given=given)
        for index, image in enumerate([images] if isinstance(images, Image) else images):
            cases.append(
                _InMemory(Case(id=f"image-{number}" + (f"-{index}" if index else ""), images={Role.TARGET: image}))
            )
    ids = [case.id for case in cases]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise UsageError(f"two cases have the id {twice!r}; ids are distinct within a run.")
    return cases, skipped
