"""Which of two images is better, and why."""

from __future__ import annotations

from scrutiq.core import Assessment, Dimension, Judgement, Rubric, Sentence
from scrutiq.core.comparison import Comparison, DimensionComparison, Verdict
from scrutiq.core.noun import FrozenDict
from scrutiq.metrics import MEASURES

__all__ = ["compare"]

#: Differences of quality below this are called equal: a twentieth of the scale.
EQUAL = 0.05


def compare(a: Assessment, b: Assessment, rubric: Rubric) -> Comparison:
    """Compare two assessments of the same rubric.

    The better image is the one with the higher quality of its worst dimension (`Assessment.quality`); where these are
    within 0.05 of each other, the higher mean quality over the dimensions judged on both; where these are too, equal.
    Scores of two assessors are not compared.

    Parameters
    ----------
    a, b : Assessment
    rubric : Rubric
    """
    shared = [
        name
        for name in rubric.dimensions
        if a.assessor == b.assessor
        and (x := a.judgements.get(name))
        and (y := b.judgements.get(name))
        and x.quality is not None
        and y.quality is not None
    ]
    dimensions = {name: _dimension(rubric.dimension(name), a.judgements[name], b.judgements[name]) for name in shared}
    better: Verdict | None = None
    if shared:
        worst = min(_quality(a, name) for name in shared) - min(_quality(b, name) for name in shared)
        mean = sum(d.difference for d in dimensions.values()) / len(dimensions)
        better = _verdict(worst) if _verdict(worst) != "equal" else _verdict(mean)
    return Comparison(
        a=a,
        b=b,
        rubric=rubric.name,
        better=better,
        dimensions=FrozenDict(dimensions),
        sentences=tuple(_sentences(a, b, rubric, better, dimensions)),
    )


def _quality(assessment: Assessment, dimension: str) -> float:
    quality = assessment.judgements[dimension].quality
    assert quality is not None
    return quality


def _verdict(difference: float) -> Verdict:
    return "equal" if abs(difference) < EQUAL else "a" if difference > 0 else "b"


def _qualities(scale: Dimension, interval: tuple[float, float]) -> tuple[float, float]:
    """Return the range of quality over an interval of scores."""
    ends = [scale.quality(score) for score in interval]
    if scale.ideal is not None and interval[0] <= scale.ideal <= interval[1]:
        ends.append(1.0)
    return min(ends), max(ends)


def _dimension(scale: Dimension, a: Judgement, b: Judgement) -> DimensionComparison:
    assert a.quality is not None
    assert b.quality is not None
    apart = False
    if a.interval is not None and b.interval is not None:
        (a_low, a_high), (b_low, b_high) = (_qualities(scale, interval) for interval in (a.interval, b.interval))
        apart = a_high < b_low or b_high < a_low
    difference = a.quality - b.quality
    return DimensionComparison(better=_verdict(difference), difference=difference, clear=apart)


def _sentences(
    a: Assessment, b: Assessment, rubric: Rubric, better: Verdict | None, dimensions: dict[str, DimensionComparison]
) -> list[Sentence]:
    if better is None:
        reasons = " ".join(f"{label}: {x.reason}" for label, x in (("A", a), ("B", b)) if x.status != "judged")
        if not reasons and a.assessor != b.assessor:
            reasons = f"A was judged by {a.assessor}, B by {b.assessor}; name one with --assessor."
        return [Sentence(text=f"The two cannot be compared on {rubric.name}. {reasons}".strip())]
    opening = {
        "a": "A is the better image on this rubric.",
        "b": "B is the better image on this rubric.",
        "equal": "The two images are equally good on this rubric, within a twentieth of its scale.",
    }[better]
    sentences = [Sentence(text=opening)]
    for name, row in dimensions.items():
        title = rubric.dimension(name).title
        x, y = a.judgements[name], b.judgements[name]
        if row.better == "equal":
            text = f"{title} is equal: {x.score:.3g} and {y.score:.3g}."
        else:
            sure = "clearly better" if row.clear else "better, with overlapping intervals,"
            text = (
                f"{title} is {sure} in {row.better.upper()}: A {x.score:.3g} ({x.level}), B {y.score:.3g} ({y.level})."
            )
        sentences.append(Sentence(text=text))
    for measurement, mine in a.measurements.items():
        theirs = b.measurements.get(measurement)
        cited = any(e.measurement == measurement for x in (a, b) for f in x.findings for e in f.evidence)
        if theirs is None or not cited or mine.unit != theirs.unit:
            continue
        entry = MEASURES.get(measurement)
        title = entry.title if entry is not None else measurement.replace("_", " ")
        unit = "" if mine.unit == "1" else f" {mine.unit}"
        text = f"{title[0].upper()}{title[1:]}: {mine.value:.4g}{unit} in A, {theirs.value:.4g}{unit} in B."
        sentences.append(Sentence(text=text, measurements=(measurement,)))
    return sentences
