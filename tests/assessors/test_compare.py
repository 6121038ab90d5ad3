"""Which of two images is better, and why."""

from __future__ import annotations

import pytest

from scrutiq import rubrics
from scrutiq.assessors import compare
from scrutiq.core import Assessment, Comparison, Measurement, Provenance

LDCT = rubrics.load("ldct")
IQA = rubrics.load("ct-iqa")


def judged(score: float, interval: tuple[float, float] | None = None, noise: float = 20) -> Assessment:
    return Assessment(
        case="c",
        status="judged",
        rubric="ldct",
        assessor="measured:",
        judgements={"overall": LDCT.judge("overall", score, interval=interval)},
        findings=[
            {
                "degradation": "ct.low_dose",
                "severity": "none",
                "value": 0,
                "evidence": [{"measurement": "noise_hu", "value": noise, "unit": "HU"}],
            }
        ],
        measurements={"noise_hu": Measurement(value=noise, unit="HU")},
        provenance=Provenance(assessor="measured:"),
    )


@pytest.mark.parametrize(("a", "b", "better"), [(3, 2, "a"), (1, 3.5, "b"), (3, 3.1, "equal")])
def test_the_better_one(a: float, b: float, better: str) -> None:
    found = compare(judged(a), judged(b), LDCT)
    assert found.better == found.dimensions["overall"].better == better
    assert found.dimensions["overall"].difference == pytest.approx((a - b) / 4)
    assert Comparison.from_json(found.to_json()) == found


def test_clear_means_that_the_intervals_are_apart() -> None:
    apart = compare(judged(3, (2.5, 3.5)), judged(1, (0.5, 1.5)), LDCT)
    touching = compare(judged(3, (2, 3.5)), judged(1.5, (1, 2.2)), LDCT)
    assert apart.dimensions["overall"].clear
    assert not touching.dimensions["overall"].clear
    assert "clearly better in A" in " ".join(s.text for s in apart.sentences)
    assert "overlapping intervals" in " ".join(s.text for s in touching.sentences)


def test_it_says_why() -> None:
    found = compare(judged(3, noise=20), judged(2, noise=40), LDCT)
    why = next(s for s in found.sentences if s.measurements == ("noise_hu",))
    assert "20 HU in A, 40 HU in B" in why.text


def test_the_worst_dimension_decides_and_the_mean_breaks_a_tie() -> None:
    def both(noise: float, structures: float) -> Assessment:
        judgements = {"noise": IQA.judge("noise", noise), "structures": IQA.judge("structures", structures)}
        return judged(1).model_copy(update={"judgements": judgements, "rubric": "ct-iqa"})

    assert compare(both(1, 4), both(2, 3), IQA).better == "b"  # 4 is worst
    assert compare(both(1, 3), both(2, 3), IQA).better == "a"


def test_an_unjudged_image_cannot_be_compared() -> None:
    nothing = Assessment(
        case="c",
        status="unjudged",
        reason="The image is constant.",
        rubric="ldct",
        assessor="measured:",
        provenance=Provenance(assessor="measured:"),
    )
    found = compare(judged(3), nothing, LDCT)
    assert found.better is None
    assert "B: The image is constant." in found.sentences[0].text


def test_clear_is_a_matter_of_quality_not_of_score() -> None:
    study = rubrics.load("ct-denoising")

    def noise(score: float, interval: tuple[float, float]) -> Assessment:
        judgements = {"noise": study.judge("noise", score, interval=interval)}
        return judged(1).model_copy(update={"judgements": judgements, "rubric": study.name})

    # On both sides of the ideal of 7 the scores are apart, the qualities are not.
    assert not compare(noise(4.6, (3, 6.4)), noise(9, (7, 11)), study).dimensions["noise"].clear
    assert compare(noise(2, (1, 2.5)), noise(7, (6, 8)), study).dimensions["noise"].clear


def test_scores_of_two_assessors_are_not_compared() -> None:
    other = judged(2).model_copy(update={"assessor": "net:base"})
    found = compare(judged(3), other, LDCT)
    assert (found.better, found.dimensions) == (None, {})
    assert "A was judged by measured:, B by net:base; name one with --assessor." in found.sentences[0].text
    assert compare(other, other, LDCT).better == "equal"
