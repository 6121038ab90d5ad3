"""What the report says of the run as a whole: tables, distributions, volumes, and what was not judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from scrutiq.core import Assessment, Finding, Judgement, Rubric, ScrutiqError
from scrutiq.metrics import Measure
from scrutiq.reports import figures
from scrutiq.reports.measures import described
from scrutiq.reports.numbers import interval, number, score
from scrutiq.reports.pictures import displayed, reading_window, thumbnail
from scrutiq.reports.run import ReportRun, Volume
from scrutiq.reports.tables import worst_finding

__all__ = ["Distribution", "Overview", "Profile", "Refusals", "Row", "RubricTable", "VolumeView", "overview"]

#: Thumbnails are embedded for this many rows, and for every case that is shown in full.
THUMBNAIL_ROWS = 400


@dataclass(frozen=True)
class Row:
    """One case on one rubric."""

    number: int
    assessment: Assessment
    target: str | None
    thumbnail: str | None
    worst: Finding | None


@dataclass(frozen=True)
class RubricTable:
    """The rows of one rubric, and how its scores are distributed."""

    rubric: Rubric
    rows: tuple[Row, ...]
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True)
class Distribution:
    """A histogram, with the number of cases at each level."""

    title: str
    chart: Markup
    summary: str
    levels: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Profile:
    """A dimension's score along a volume."""

    title: str
    summary: str
    chart: Markup


@dataclass(frozen=True)
class VolumeView:
    """A volume's profiles on one rubric."""

    volume: Volume
    rubric: Rubric
    profiles: tuple[Profile, ...]


@dataclass(frozen=True)
class Refusals:
    """Cases that share a status and a reason."""

    status: str
    reason: str
    cases: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True)
class Overview:
    """Everything above the cases."""

    cases: int
    counts: Mapping[str, int]
    assessors: tuple[str, ...]
    notes: tuple[tuple[str, int], ...]
    tables: tuple[RubricTable, ...]
    volumes: tuple[VolumeView, ...]
    refusals: tuple[Refusals, ...]
    measures: tuple[Measure, ...]


def overview(run: ReportRun, targets: Mapping[str, str]) -> Overview:
    """Build the overview.

    Parameters
    ----------
    run : ReportRun
    targets : mapping of str to str
        Cases that are shown in full: case id to the id of their section.
    """
    by_case = run.by_case()
    numbers = {case: i for i, case in enumerate(by_case, start=1)}
    used = [r for r in dict.fromkeys(a.rubric for a in run.assessments) if r is not None]
    thumbnails = _thumbnails(run, by_case, targets)
    tables = tuple(_table(run, name, numbers, targets, thumbnails) for name in used)
    notes = Counter(note for assessments in by_case.values() for note in {n: 0 for a in assessments for n in a.notes})
    return Overview(
        cases=len(by_case),
        counts=Counter(_status(assessments) for assessments in by_case.values()),
        assessors=tuple(dict.fromkeys(a.assessor for a in run.assessments)),
        notes=tuple(sorted(notes.items(), key=lambda item: -item[1])),
        tables=tables,
        volumes=tuple(_volumes(run, used, targets)),
        refusals=_refusals(run),
        measures=tuple(described(run.assessments).values()),
    )


def _status(assessments: list[Assessment]) -> str:
    """Return a case's best status: a case that one rubric could judge is judged."""
    found = {a.status for a in assessments}
    return next(status for status in ("judged", "unjudged", "failed") if status in found)


def _thumbnails(run: ReportRun, by_case: Mapping[str, list[Assessment]], targets: Mapping[str, str]) -> dict[str, str]:
    made = {}
    for i, (case, assessments) in enumerate(by_case.items()):
        if (i >= THUMBNAIL_ROWS and case not in targets) or _status(assessments) == "failed":
            continue
        try:
            image = run.load(case).target
        except (ScrutiqError, OSError, KeyError):
            continue
        rubrics = [run.rubrics[a.rubric] for a in assessments if a.rubric is not None]
        made[case] = thumbnail(displayed(image, reading_window(image, rubrics)))
    return made


def _table(
    run: ReportRun, name: str, numbers: Mapping[str, int], targets: Mapping[str, str], thumbnails: Mapping[str, str]
) -> RubricTable:
    rubric = run.rubrics[name]
    mine = [a for a in run.assessments if a.rubric == name]
    rows = tuple(Row(numbers[a.case], a, targets.get(a.case), thumbnails.get(a.case), worst_finding(a)) for a in mine)
    return RubricTable(rubric, rows, tuple(_distributions(rubric, mine)))


def _distributions(rubric: Rubric, assessments: list[Assessment]) -> list[Distribution]:
    made = []
    for name, scale in rubric.dimensions.items():
        judgements = [a.judgements[name] for a in assessments if name in a.judgements]
        if not judgements:
            continue
        scores = [j.score for j in judgements if j.score is not None]
        summary = figures.describe(scores, scale.range)
        chart = figures.histogram(
            scores, scale.range, label=f"{scale.title}: {summary}", edges=scale.boundaries, ideal=scale.ideal
        )
        found = Counter(j.level for j in judgements if j.level is not None)
        words = [level.word for level in scale.levels]
        if scale.not_applicable is not None and found[scale.not_applicable]:
            words.append(scale.not_applicable)
        made.append(Distribution(scale.title, chart, summary, tuple((word, found[word]) for word in words)))
    quality = [a.quality for a in assessments if a.quality is not None]
    if quality and len(rubric.dimensions) > 1:
        summary = figures.describe(quality, (0, 1))
        chart = figures.histogram(quality, (0, 1), label=f"Quality: {summary}")
        made.append(Distribution("Quality (worst dimension of each case)", chart, summary, ()))
    return made


def _volumes(run: ReportRun, used: list[str], targets: Mapping[str, str]) -> list[VolumeView]:
    found = {(a.case, a.rubric): a for a in run.assessments}
    made = []
    for volume in run.volumes():
        for name in used:
            rubric = run.rubrics[name]
            profiles = tuple(
                profile
                for dimension in rubric.dimensions
                if (profile := _profile(volume, rubric, dimension, found, targets)) is not None
            )
            if profiles:
                made.append(VolumeView(volume, rubric, profiles))
    return made


def _profile(
    volume: Volume,
    rubric: Rubric,
    dimension: str,
    found: Mapping[tuple[str, str | None], Assessment],
    targets: Mapping[str, str],
) -> Profile | None:
    scale = rubric.dimensions[dimension]
    judgements: list[Judgement | None] = []
    for case in volume.cases:
        assessment = found.get((case, rubric.name))
        judgements.append(None if assessment is None else assessment.judgements.get(dimension))
    if not any(j is not None and j.score is not None for j in judgements):
        return None

    def place(position: float) -> str:
        return f"{number(position)} mm" if volume.unit == "mm" else f"index {number(position)}"

    def describe(i: int) -> str:
        judgement = judgements[i]
        assert judgement is not None
        assert judgement.score is not None
        text = f"{place(volume.positions[i])}: {score(judgement.score, *scale.range)}"
        if judgement.interval is not None:
            text += f" ({interval(*(score(v, *scale.range) for v in judgement.interval))})"
        return f"{text}, {judgement.level}" if judgement.level else text

    scored = [(j.quality, i) for i, j in enumerate(judgements) if j is not None and j.quality is not None]
    worst = min(scored)[1]
    summary = f"{len(scored)} of {len(judgements)} slices scored; worst at {describe(worst)}."
    chart = figures.profile(
        volume.positions,
        judgements,
        scale,
        label=f"{scale.title} along the slices: {summary}",
        place=place,
        points={i: (targets[case], case) for i, case in enumerate(volume.cases) if case in targets},
        title=describe,
    )
    return Profile(scale.title, summary, chart)


def _refusals(run: ReportRun) -> tuple[Refusals, ...]:
    groups: dict[tuple[str, str], dict[tuple[str, str | None], None]] = {}
    for assessment in run.assessments:
        if assessment.status != "judged":
            key = (assessment.status, str(assessment.reason))
            path = None if assessment.source is None else assessment.source.path
            groups.setdefault(key, {})[(assessment.case, path)] = None
    order = sorted(groups, key=lambda key: (key[0] != "failed", -len(groups[key])))
    return tuple(Refusals(status, reason, tuple(groups[status, reason])) for status, reason in order)
