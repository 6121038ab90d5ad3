"""From measurements to findings and scores: monotone, exact at the thresholds, and complete."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scrutiq import rubrics
from scrutiq.assessors.measured.derived import DERIVED
from scrutiq.assessors.measured.mappings import DimensionMapping, Term, judge, mapped
from scrutiq.assessors.measured.rules import Rule, rules
from scrutiq.core import Measurement, Modality, Rubric, Severity
from scrutiq.degradations.thresholds import interpolate
from scrutiq.metrics import MEASURES

RULES = tuple({id(rule): rule for modality in Modality for rule in rules(modality)}.values())
MAPPED = [rubric for rubric in rubrics.shipped() if mapped(rubric) is not None]
TERMS = [
    pytest.param(rubric, name, term, id=f"{rubric.name}-{name}-{term.measurement[0]}")
    for rubric in MAPPED
    for name, mapping in (mapped(rubric) or {}).items()
    for term in mapping.terms
]


@pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.degradation}-{r.measurement}")
class TestRules:
    def test_the_thresholds_are_where_the_words_change(self, rule: Rule) -> None:
        at = {name: rule.severity(getattr(rule, name)) for name in ("clean", "mild", "severe", "worst")}
        assert at == pytest.approx({"clean": 0, "mild": 1 / 3, "severe": 2 / 3, "worst": 1})

        def word(value: float) -> Severity:
            return rule.find(Measurement(value=value, unit="x"), None).severity

        between = (rule.mild * rule.severe) ** 0.5
        assert [word(v) for v in (rule.clean, between, rule.worst)] == list(Severity)

    @given(a=st.floats(0, 1000), b=st.floats(0, 1000))
    def test_severity_is_monotone(self, rule: Rule, a: float, b: float) -> None:
        a, b = sorted((a, b), reverse=rule.clean > rule.worst)
        assert 0 <= rule.severity(a) <= rule.severity(b) <= 1

    def test_it_rests_on_a_known_measurement_and_attribute(self, rule: Rule) -> None:
        assert rule.measurement in set(DERIVED) | set(MEASURES)
        assert rule.attribute in rubrics.load("medq").dimensions
        assert rule.degradation.split(".")[0] in {"any", *(m.value.lower() for m in rule.modalities)}
        finding = rule.find(Measurement(value=rule.worst, unit="x"), (0, 0, 8, 8))
        assert finding.region == (0, 0, 8, 8)
        assert rule.find(Measurement(value=rule.clean, unit="x"), (0, 0, 8, 8)).region is None


def test_every_judged_modality_has_rules_for_sharpness_or_noise() -> None:
    for modality in rubrics.load("medq").modalities:
        assert {"noise", "sharpness"} & {rule.attribute for rule in rules(modality)}, modality


def test_a_better_measurement_displaces_its_substitute() -> None:
    both = {name: Measurement(value=10, unit="x") for name in ("noise_hu", "noise_display")}
    assert {r.measurement for r in rules(Modality.CT, both)} == {"noise_hu"}
    assert {r.measurement for r in rules(Modality.CT, {"noise_display": both["noise_display"]})} == {"noise_display"}


def test_thresholds_out_of_order_are_refused() -> None:
    good = RULES[0].model_dump()
    with pytest.raises(ValidationError, match="ascend, or descend"):
        Rule.model_validate({**good, "mild": good["worst"] * 2})
    with pytest.raises(ValidationError, match="positive"):
        Rule.model_validate({**good, "scale": "log", "clean": -1})


@pytest.mark.parametrize(("rubric", "name", "term"), TERMS)
class TestTerms:
    @given(a=st.floats(1e-3, 1e4), b=st.floats(1e-3, 1e4))
    def test_scores_are_monotone_and_on_the_scale(
        self, rubric: Rubric, name: str, term: Term, a: float, b: float
    ) -> None:
        low, high = rubric.dimension(name).range
        a, b = sorted((a, b))
        falling = term.knots[0][1] > term.knots[-1][1]
        assert low <= term.score(a) <= high
        assert term.score(a) >= term.score(b) if falling else term.score(a) <= term.score(b)

    @given(value=st.floats(1e-3, 1e4))
    def test_the_interval_holds_the_score(self, rubric: Rubric, name: str, term: Term, value: float) -> None:
        below, above = term.interval(value)
        assert below <= term.score(value) <= above

    def test_knots_are_hit_exactly(self, rubric: Rubric, name: str, term: Term) -> None:
        for value, score in term.knots:
            assert term.score(value) == pytest.approx(score)


def test_every_mapping_is_of_a_shipped_rubric_and_whole() -> None:
    text = resources.files("scrutiq.assessors.measured").joinpath("mappings.yaml").read_text("utf-8")
    for name, dimensions in yaml.safe_load(text).items():
        assert dimensions.keys() == rubrics.load(name).dimensions.keys()
    assert {rubric.name for rubric in MAPPED} == {"ct-denoising", "ct-iqa", "ldct"}


def test_a_rubric_that_borrows_a_name_is_not_taken_for_the_shipped_one() -> None:
    ldct = rubrics.load("ldct")
    other = ldct.model_copy(update={"dimensions": rubrics.load("ct-iqa").dimensions})
    assert mapped(ldct) is not None
    assert mapped(other) is None


def test_a_dimension_gets_the_worst_of_its_terms() -> None:
    ldct = rubrics.load("ldct")
    sharp = {"noise_hu": Measurement(value=48, unit="HU"), "edge_rise_mm": Measurement(value=1, unit="mm")}
    blurred = {"noise_hu": Measurement(value=12, unit="HU"), "edge_rise_mm": Measurement(value=5.4, unit="mm")}
    assert judge(ldct, sharp)[0]["overall"].score == pytest.approx(2)
    assert judge(ldct, blurred)[0]["overall"].score == pytest.approx(1)
    judgements, declined, _ = judge(ldct, {"edge_rise_mm": Measurement(value=1, unit="mm")})
    assert not judgements
    assert "noise_hu" in declined["overall"]


def test_more_noise_never_scores_better() -> None:
    iqa = rubrics.load("ct-iqa")
    scores = []
    for noise in (5, 10, 20, 40, 80, 160):
        measured = {"noise_hu": Measurement(value=noise, unit="HU"), "edge_rise_mm": Measurement(value=1, unit="mm")}
        judgements, declined, evidence = judge(iqa, measured)
        scores.append(judgements["noise"].score)
        assert set(declined) == {"lesion", "confidence"}
        assert evidence["structures"] == ("noise_hu", "edge_rise_mm")
    assert scores == sorted(scores)  # 4 is worst


def test_a_mapping_needs_terms_or_a_reason() -> None:
    with pytest.raises(ValidationError, match="has terms, or a reason"):
        DimensionMapping()
    with pytest.raises(ValidationError, match="strictly monotone"):
        Term(measurement=("a",), knots=((1, 1), (2, 3), (3, 2)), tolerance=1.1)


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 10), (1, 10), (1.5, 15), (2, 20), (4, 30), (8, 40), (9, 40), (5.656854, 35)]
)
def test_interpolation(value: float, expected: float) -> None:
    knots, values = [1.0, 2.0, 4.0, 8.0], [10.0, 20.0, 30.0, 40.0]
    scale = "linear" if value < 2 else "log"
    assert interpolate(value, knots, values, scale) == pytest.approx(expected, abs=1e-4)  # type: ignore[arg-type]
    assert interpolate(value, knots[::-1], values[::-1], scale) == pytest.approx(expected, abs=1e-4)  # type: ignore[arg-type]
