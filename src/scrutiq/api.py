"""The Python face: judge, compare, degrade and check agreement in one call each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

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
    FrozenDict,
    Image,
    InputError,
    Role,
    Rubric,
    Source,
    UsageError,
    Window,
)
from scrutiq.degradations import Degradation, get
from scrutiq.degradations import make as make_degradation
from scrutiq.imaging import CaseRef, Given, find_cases, from_array, read
from scrutiq.imaging.options import apply
from scrutiq.imaging.privacy import salted_hash
from scrutiq.metrics.tables import agree_files as agree
from scrutiq.reports.run import ReportRun
from scrutiq.reports.tables import write_csv, write_json, write_parquet

if TYPE_CHECKING:
    from scrutiq.assessors.calibration import Calibration

__all__ = ["Results", "agree", "assess", "calibrate", "compare", "degradation", "degrade"]

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

    @property
    def stamp(self) -> str:
        return hashlib.sha256(self.case.to_json().encode()).hexdigest()

    def load(self) -> Case:
        return self.case


@dataclass(frozen=True)
class Results(Sequence[Assessment]):
    """The assessments of a run, one a case and rubric: first what was given by path, then the rest, each in order.

    Attributes
    ----------
    assessments : tuple of Assessment
    batch : Batch
        What was asked.
    cases : mapping of str to Loadable
        By id, to look at an image again: ``results.cases[results[0].case].load()``.
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
        from scrutiq.reports.html import write_html  # most runs write no report

        named = {a.rubric for a in self.assessments if a.rubric is not None}
        known = {rubric.name: rubric for rubric in (*rubrics.shipped(), *self.batch.rubrics)}
        judge = open_assessor(self.batch.assessor)
        report = ReportRun(
            assessments=self.assessments,
            rubrics={name: known[name] for name in sorted(named)},
            load=lambda case: self.cases[case].load(),
            evidence=judge.evidence_map,
            command=f"scrutiq assess --assessor {judge.uri}"
            + "".join(f" --rubric {rubric.name}" for rubric in self.batch.rubrics)
            + ("" if self.batch.calibration is None else " --calibration FILE"),
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
    calibration: str | os.PathLike[str] | Calibration | None = None,
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
        or (H, W, 3), or one axis more in front for several images; an integer array's ``data_range`` is that of its
        dtype.
    rubric : str, path, Rubric or several, optional
        The scale to judge on; by default it follows from each case (`scrutiq.assessors.default_rubric`).
    assessor : str, optional
        URI; by default the best local one.
    roles : mapping of Role to path, optional
        Images beside the target, for inputs given by path (`scrutiq.imaging.find_cases`).
    modality : str, optional
    window : (centre, width), optional
    spacing : float or (row, column), optional
        mm. These three say what a plain raster does not, and override what a file states.
    calibration : path or Calibration, optional
        Of a site (`calibrate`). Its assessor and rubric are used where none is named, and others are refused.
    jobs : int
        Processes. A script asks for more than one under ``if __name__ == "__main__"``.
    journal, resume
        See `scrutiq.assessors.run`.
    progress : callable, optional
        Called with the number of cases in all and the assessments of the case just finished.

    Raises
    ------
    UsageError
        If the call itself is wrong. Inputs that cannot be used do not raise: they come back ``failed``.
    InputError
        If the calibration cannot be read.
    """
    chosen = _rubrics(_several(rubric))
    given = Given.of(modality=modality, window=window, spacing=spacing)
    beside = _roles(roles or {})
    site = None
    if calibration is not None:
        site = _site(calibration)
        assessor, chosen = _of_site(site, assessor, chosen)
    batch = _batch(assessor or default_assessor(), chosen, given, beside, site)
    cases, skipped = _cases(_several(inputs), given, beside)
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


def calibrate(
    ratings: str | os.PathLike[str],
    inputs: Input | Iterable[Input] | None = None,
    rubric: str | os.PathLike[str] | Rubric | None = None,
    assessor: str | None = None,
    *,
    id_column: str | None = None,
    group_column: str | None = None,
    keep: bool = False,
    seed: int = 0,
    roles: Mapping[Role | str, str | os.PathLike[str]] | None = None,
    modality: str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
    jobs: int = 1,
    progress: Callable[[int, tuple[Assessment, ...]], None] | None = None,
) -> Calibration:
    """Fit a site's own scale from its ratings of 20 to 50 images, and measure by cross-validation what that gains.

    Parameters
    ----------
    ratings : path
        A table as `agree` reads it (CSV, TSV, JSON, JSONL): one row an image, with an id, and one column of ratings for
        each dimension of the rubric that was rated. An id is a case's, a path within the input, or a file's name.
    inputs : as in `assess`, optional
        The images; those without a rating are not judged. None: ``ratings`` is itself a manifest, with ``target``.
    rubric, assessor
        As in `assess`, but one rubric.
    id_column, group_column : str, optional
        Of ``ratings``. Images of one group (patient) are kept together in folds and intervals.
    keep : bool
        Record the fitted map even where it was not shown to help.
    seed : int
        Of folds and resamples.
    roles, modality, window, spacing, jobs, progress
        As in `assess`.

    Returns
    -------
    Calibration
        ``write(path)`` makes the file that ``assess(..., calibration=path)`` takes.

    Raises
    ------
    UsageError
        If the call itself is wrong: no column is a dimension, the images follow different rubrics or assessors.
    InputError
        If the table cannot be used, or fewer than 10 images are both rated and judged.
    """
    from scrutiq.assessors.site_ratings import calibrate_cases, read_ratings  # no other verb needs it

    table = read_ratings(ratings, id_column=id_column, group_column=group_column, is_manifest=inputs is None)
    chosen = _rubrics(_several(rubric))
    given = Given.of(modality=modality, window=window, spacing=spacing)
    beside = _roles(roles or {})
    batch = _batch(assessor or default_assessor(), chosen, given, beside, None)
    cases, _ = _cases(_several(ratings if inputs is None else inputs), given, beside)
    if inputs is None and len(cases) == 1 and isinstance(cases[0], CaseRef) and cases[0].error is not None:
        raise cases[0].error  # the table is no manifest
    beside_each = {one.id: tuple(one.images if isinstance(one, CaseRef) else one.load().images) for one in cases}
    return calibrate_cases(cases, beside_each, table, batch, keep=keep, seed=seed, jobs=jobs, progress=progress)


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
            raise UsageError(f"compare takes two single images; {label} holds {len(cases)}.")
        loaded.append(cases[0].load())
    chosen = [_rubric(rubric)] if rubric is not None else [default_rubric(case) for case in loaded]
    if len({one.name for one in chosen}) > 1:
        raise UsageError(f"A follows the rubric {chosen[0].name}, B {chosen[1].name}; name one with --rubric.")
    judge = open_assessor(assessor or default_assessor())
    first, second = (judge.assess(case, (chosen[0],))[0] for case in loaded)
    return compare_assessments(first, second, chosen[0])


def degradation(name: str) -> Degradation:
    """Return the degradation of a name (``ct.sparse_view``): how it is made, measured and named.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    return get(name)


def degrade(
    image: str | os.PathLike[str] | npt.NDArray[Any] | Image | Sequence[Image],
    name: str,
    severity: float,
    seed: int = 0,
    *,
    modality: str | None = None,
    window: Window | tuple[float, float] | None = None,
    spacing: float | tuple[float, float] | None = None,
    frame: int | None = None,
) -> Image | tuple[Image, ...]:
    """Degrade an image by the physics of one fault.

    Parameters
    ----------
    image : path, array, Image, or a volume as a sequence of Image
    name : str
        One of `scrutiq.degradations.names`.
    severity : float
        In [0, 1]; 0 returns the image as it is, 1 is the worst.
    seed : int
        The same seed gives the same fault.
    modality, window, spacing
        As in `assess`.
    frame : int, optional
        Which image of a file of several, zero-based.

    Returns
    -------
    Image or tuple of Image
        Its ``history`` records what was applied; a tuple for a degradation of volumes.

    Raises
    ------
    UsageError
        If there is no such degradation, it does not befall such an image, or there are several images and ``frame``
        does not say which.
    InputError
        If the image cannot be read.
    """
    entry = get(name)
    given = Given.of(modality=modality, window=window, spacing=spacing)
    if isinstance(image, str | os.PathLike):
        subject: Any = read(image, modality=modality, window=window, spacing=spacing, frame=frame)
    elif isinstance(image, Image):
        subject = apply(image, given, None, states_values=True)
    else:
        subject = from_array(image, given=given) if isinstance(image, np.ndarray) else image
    if not isinstance(subject, Image):
        subject = tuple(subject)
        if not entry.volume:
            raise UsageError(f"{name} is made in one image, and there are {len(subject)} here; say which with frame.")
    made: Image | tuple[Image, ...] = make_degradation(subject, entry.name, severity, seed)
    return made


def _rubric(one: str | os.PathLike[str] | Rubric) -> Rubric:
    return one if isinstance(one, Rubric) else rubrics.load(one)


def _batch(
    assessor: str, chosen: tuple[Rubric, ...], given: Given, beside: Mapping[Role, Path], site: Calibration | None
) -> Batch:
    # A hash, since a path can identify a patient.
    options = salted_hash(repr((given, sorted((role, path.absolute()) for role, path in beside.items()))))
    parameters = _parameters(given, beside)
    if site is not None:
        parameters = FrozenDict({**parameters, "calibration": site.hash})
    return Batch(assessor, chosen, options, parameters, site)


def _site(calibration: str | os.PathLike[str] | Calibration) -> Calibration:
    from scrutiq.assessors.calibration import read_calibration  # most runs have none

    return read_calibration(calibration) if isinstance(calibration, str | os.PathLike) else calibration


def _of_site(site: Calibration, assessor: str | None, chosen: tuple[Rubric, ...]) -> tuple[str, tuple[Rubric, ...]]:
    """Return the assessor and the rubric of a calibration; refuse those that a call names and that are others."""
    if not chosen and site.rubric not in rubrics.names():
        raise UsageError(
            f"the calibration was fitted on a rubric of your own, {site.rubric}; name its file with --rubric."
        )
    chosen = chosen or (rubrics.load(site.rubric),)
    if len(chosen) > 1:
        raise UsageError("a calibration is of one rubric; name that one only.")
    try:
        uri = open_assessor(assessor or site.assessor).uri
    except UsageError:
        if assessor is not None:
            raise
        raise UsageError(
            f"the calibration was fitted to scores of {site.assessor}; name its weights with --assessor."
        ) from None
    site.check(uri, chosen[0])
    return assessor or site.assessor, chosen


def _parameters(given: Given, roles: Mapping[Role, Path]) -> FrozenDict[str, str | int | float | bool | None]:
    """Return the options in force for the provenance: of the roles that they were given, not their paths."""
    said: dict[str, str | int | float | bool | None] = {}
    if given.modality is not None:
        said["modality"] = given.modality.value
    if given.window is not None:
        said["window"] = f"{given.window.center:g},{given.window.width:g}"
    if given.spacing is not None:
        said["spacing_mm"] = f"{given.spacing[0]:g},{given.spacing[1]:g}"
    if roles:
        said["roles"] = ",".join(sorted(roles))
    return FrozenDict(said)


def _rubrics(given: Sequence[str | os.PathLike[str] | Rubric]) -> tuple[Rubric, ...]:
    chosen = {one.hash: one for one in map(_rubric, given)}
    names = [one.name for one in chosen.values()]
    if len(set(names)) < len(names):
        raise UsageError("two rubrics have the same name; rename one in its file.")
    return tuple(chosen.values())


def _roles(given: Mapping[Role | str, str | os.PathLike[str]]) -> dict[Role, Path]:
    known = [role.value for role in Role if role is not Role.TARGET]
    for role in given:
        if role not in known:
            raise UsageError(f"a role is one of {', '.join(known)}, not {str(role)!r}.")
    return {Role(role): Path(path) for role, path in given.items()}


def _several(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, str | os.PathLike | Image | Case | Rubric | np.ndarray):
        return [value]
    if not isinstance(value, Iterable):
        raise UsageError(f"give a path, an array, an Image, a Case or many of these, not {type(value).__name__}.")
    return list(value)


def _cases(inputs: Sequence[Input], given: Given, roles: Mapping[Role, Path]) -> tuple[list[Loadable], dict[str, int]]:
    paths = [Path(one) for one in inputs if isinstance(one, str | os.PathLike)]
    others = [one for one in inputs if not isinstance(one, str | os.PathLike)]
    if others and roles:
        raise UsageError("roles go with inputs given by path; build a Case of images in memory.")
    found = find_cases(paths, given=given, roles=roles)
    cases: list[Loadable] = list(found)
    for number, one in enumerate(others, start=1):
        cases.extend(_in_memory(one, f"image-{number}", given))
    ids = [case.id for case in cases]
    if len(set(ids)) < len(ids):
        twice = next(one for one in ids if ids.count(one) > 1)
        raise UsageError(f"two cases have the id {twice!r}; ids are distinct within a run.")
    return cases, dict(found.skipped)


def _in_memory(one: npt.NDArray[Any] | Image | Case, name: str, given: Given) -> list[Loadable]:
    try:
        if isinstance(one, Case):
            images = {role: apply(image, given, None, states_values=True) for role, image in one.images.items()}
            return [_InMemory(Case(id=one.id, images=FrozenDict(images)))]
        if isinstance(one, Image):
            return [_InMemory(Case(id=name, images={Role.TARGET: apply(one, given, None, states_values=True)}))]
        found = from_array(one, given=given)
    except InputError as error:
        return [CaseRef(one.id if isinstance(one, Case) else name, Source(), error=error)]
    if isinstance(found, Image):
        return [_InMemory(Case(id=name, images={Role.TARGET: found}))]
    return [
        _InMemory(Case(id=f"{name}-{index:04d}", images={Role.TARGET: found[index]})) for index in range(len(found))
    ]
