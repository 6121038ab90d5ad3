"""Which cases are shown in full, and what counts as a volume."""

from __future__ import annotations

import dataclasses

import pytest

from scrutiq import rubrics
from scrutiq.core import Assessment, Provenance, Source, UsageError
from scrutiq.reports import ReportRun


def light(case: str, quality: float, source: Source | None = None) -> Assessment:
    rubric = rubrics.load("ldct")
    return Assessment(
        case=case,
        source=source,
        status="judged",
        rubric="ldct",
        assessor="measured:",
        judgements={"overall": rubric.judge("overall", 4 * quality)},
        provenance=Provenance(assessor="measured:"),
    )


def run_of(*assessments: Assessment) -> ReportRun:
    def nothing(*_args: object) -> None:
        raise KeyError

    return ReportRun(assessments, {"ldct": rubrics.load("ldct")}, nothing, nothing)  # type: ignore[arg-type]


def test_the_worst_each_volume_and_an_even_sample_are_chosen() -> None:
    series = [light(f"v{i}", 0.9 - 0.02 * i, Source(series="s", frame=i, location=float(i))) for i in range(20)]
    loose = [light(f"c{i:03}", 0.1 if i in (7, 90) else 0.99) for i in range(100)]
    chosen = run_of(*loose, *series).choose(10)
    assert len(chosen) == 10
    assert {"c007", "c090"} <= set(chosen), "the worst"
    assert {"v19", "v18", "v17", "v10"} <= set(chosen), "of the volume the worst three and the middle"
    assert sum(case.startswith("c") for case in chosen) >= 4, "an even sample"
    everything = [a.case for a in (*loose, *series)]
    assert list(chosen) == [case for case in everything if case in chosen], "in run order"


@pytest.mark.parametrize("detail", [0, 1, 2, 3, 7, 60, 119, 120, 500])
def test_never_more_than_asked_and_never_fewer_than_there_are(detail: int) -> None:
    cases = [light(f"c{i}", i / 130, Source(series=f"s{i % 30}", frame=i)) for i in range(120)]
    chosen = run_of(*cases).choose(detail)
    assert len(set(chosen)) == len(chosen) == min(detail, 120)


def test_volumes_are_ordered_by_location_and_by_index_where_it_is_not_unique() -> None:
    places = [light(f"a{i}", 0.5, Source(series="a", frame=i, location=10.0 - i)) for i in range(4)]
    echoes = [light(f"b{i}", 0.5, Source(series="b", frame=i, location=1.0)) for i in range(4)]
    pair = [light(f"p{i}", 0.5, Source(series="p", frame=i)) for i in range(2)]
    first, second = run_of(*places, *echoes, *pair).volumes()
    assert (first.unit, first.cases) == ("mm", ("a3", "a2", "a1", "a0"))
    assert (second.unit, second.positions) == ("index", (0.0, 1.0, 2.0, 3.0))


def test_a_rubric_that_is_missing_is_refused() -> None:
    run = run_of(light("a", 0.5))
    with pytest.raises(UsageError, match="'ldct'"):
        dataclasses.replace(run, rubrics={})
    with pytest.raises(UsageError, match="'overall'"):
        dataclasses.replace(run, rubrics={"ldct": rubrics.load("ct-iqa")})
