"""`ReportRun`: what a report is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from scrutiq.core import Assessment, Case, EvidenceMap, Rubric, UsageError

__all__ = ["ReportRun", "Volume"]


@dataclass(frozen=True)
class Volume:
    """Cases of one series, in order of position.

    Attributes
    ----------
    series : str
        Salted hash of the series.
    cases : tuple of str
        Case ids.
    positions : tuple of float
        Of each case, in ``unit``, ascending.
    unit : {"mm", "index"}
        ``mm`` where every case states its location along the series' normal, else the zero-based index.
    """

    series: str
    cases: tuple[str, ...]
    positions: tuple[float, ...]
    unit: str


@dataclass(frozen=True)
class ReportRun:
    """A finished run, with the means to look at its images again.

    Attributes
    ----------
    assessments : sequence of Assessment
        In run order, one a case and rubric.
    rubrics : mapping of str to Rubric
        By name; every rubric that an assessment names.
    load : callable
        Case id to `Case`. A `ScrutiqError`, `OSError` or `KeyError` means that the image cannot be read again.
    evidence : callable
        Case and assessment to `EvidenceMap`, or None where there is no map.
    title : str
    command : str, optional
        What was run, without paths.
    skipped : mapping of str to int
        How many files were passed over, by reason.

    Raises
    ------
    UsageError
        If an assessment names a rubric or a dimension that is not given.
    """

    assessments: Sequence[Assessment]
    rubrics: Mapping[str, Rubric]
    load: Callable[[str], Case]
    evidence: Callable[[Case, Assessment], EvidenceMap | None]
    title: str = "Image quality report"
    command: str | None = None
    skipped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for assessment in self.assessments:
            if assessment.rubric is None:
                continue
            if assessment.rubric not in self.rubrics:
                raise UsageError(f"the report needs the rubric {assessment.rubric!r}, which was not given.")
            named = assessment.judgements.keys() | assessment.declined.keys()
            if unknown := named - self.rubrics[assessment.rubric].dimensions.keys():
                raise UsageError(f"the rubric {assessment.rubric!r} has no dimension {sorted(unknown)[0]!r}.")

    def by_case(self) -> dict[str, list[Assessment]]:
        """Return the assessments of each case, in run order."""
        cases: dict[str, list[Assessment]] = {}
        for assessment in self.assessments:
            cases.setdefault(assessment.case, []).append(assessment)
        return cases

    def volumes(self) -> list[Volume]:
        """Return the series of at least three cases, in run order."""
        series: dict[str, dict[str, Assessment]] = {}
        for assessment in self.assessments:
            if assessment.source is not None and assessment.source.series is not None:
                series.setdefault(assessment.source.series, {}).setdefault(assessment.case, assessment)
        volumes = []
        for name, cases in series.items():
            sources = {case: a.source for case, a in cases.items() if a.source is not None}
            places = {case: s.location for case, s in sources.items() if s.location is not None}
            # Equal locations (several echoes, phases or a cine) say nothing of the order; the index does.
            unit = "mm" if len(set(places.values())) == len(cases) else "index"
            where = places if unit == "mm" else {case: float(s.frame) for case, s in sources.items()}
            if len(where) >= 3 and len(set(where.values())) == len(where):
                order = sorted(where, key=lambda case: where[case])
                volumes.append(Volume(name, tuple(order), tuple(where[case] for case in order), unit))
        return volumes

    def choose(self, detail: int) -> tuple[str, ...]:
        """Return the cases that are shown in full, in run order.

        Judged cases only. Where there are more than ``detail``: half are the worst by quality; then each volume's
        worst slice, its middle slice and its next two worst; then an even sample of the run.
        """
        quality: dict[str, float] = {}
        for case, assessments in self.by_case().items():
            if any(a.status == "judged" for a in assessments):
                quality[case] = min((a.quality for a in assessments if a.quality is not None), default=2.0)
        if len(quality) <= detail:
            return tuple(quality)
        chosen = dict.fromkeys(sorted(quality, key=lambda case: quality[case])[: detail // 2])
        rounds: list[list[str]] = [[], [], [], []]
        for volume in self.volumes():
            judged = [case for case in volume.cases if case in quality]
            if not judged:
                continue
            worst = sorted(judged, key=lambda case: quality[case])[:3]
            for turn, case in zip(rounds, [worst[0], judged[len(judged) // 2], *worst[1:]], strict=False):
                turn.append(case)
        for turn in rounds:
            for case in turn:
                if len(chosen) < detail:
                    chosen.setdefault(case)
        rest = [case for case in quality if case not in chosen]
        room = detail - len(chosen)
        chosen.update(dict.fromkeys(rest[i * len(rest) // room] for i in range(room)))
        return tuple(case for case in quality if case in chosen)
