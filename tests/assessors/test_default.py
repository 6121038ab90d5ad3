"""``default:`` asks ``net:base`` where it knows modality and rubric, else ``measured:``, and says which it was."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scrutiq import rubrics
from scrutiq.assessors.default import DefaultAssessor
from scrutiq.assessors.measured import MeasuredAssessor
from scrutiq.assessors.net import NetAssessor
from scrutiq.assessors.net.network import ScorePrediction
from scrutiq.core import Assessment, Case, Image

Make = Callable[..., NetAssessor]
LDCT = {"ldct": {"overall": ScorePrediction(3.0, 0.4, (2.5, 3.5))}}


@pytest.fixture
def judge(make_judge: Make) -> DefaultAssessor:
    return DefaultAssessor(make_judge(scores=LDCT), MeasuredAssessor())


@pytest.fixture
def case(ct: Image) -> Case:
    return Case(id="case", images={"target": ct})


def test_each_rubric_goes_to_who_knows_it(judge: DefaultAssessor, case: Case) -> None:
    asked = [rubrics.load(name) for name in ("ct-iqa", "ldct", "angio")]
    made = judge.assess(case, asked)
    assert [a.rubric for a in made] == ["ct-iqa", "ldct", "angio"]
    assert [a.assessor for a in made] == ["measured:", "net:base", "measured:"]
    assert [a.status for a in made] == ["judged", "judged", "unjudged"]
    assert [a.provenance.assessor for a in made] == [a.assessor for a in made]


def test_each_map_is_that_of_who_judged(judge: DefaultAssessor, case: Case) -> None:
    measured, net = judge.assess(case, [rubrics.load(name) for name in ("ct-iqa", "ldct")])
    maps = [judge.evidence_map(case, one) for one in (measured, net)]
    assert [seen.name for seen in maps if seen is not None] == ["noise_hu", "degradation as the network sees it"]


def judged_by(judge: DefaultAssessor, image: Image, rubric: str) -> Assessment:
    return judge.assess(Case(id="case", images={"target": image}), (rubrics.load(rubric),))[0]


def test_other_modalities_are_measured(judge: DefaultAssessor, rng: np.random.Generator) -> None:
    photograph = Image(pixels=rng.integers(0, 255, (128, 128, 3)), modality="fundus", data_range=(0, 255))
    assert judged_by(judge, photograph, "medq").assessor == "measured:"


def test_images_too_small_for_the_network_are_measured(judge: DefaultAssessor, case: Case) -> None:
    small = case.target.replace(pixels=case.target.pixels[200:248, 200:248], valid=None)
    assert judged_by(judge, small, "medq").assessor == "measured:"


def test_what_the_network_does_not_recognise_stays_declined(make_judge: Make, case: Case) -> None:
    judge = DefaultAssessor(make_judge(scores=LDCT, unusual=4), MeasuredAssessor())
    declined = judged_by(judge, case.target, "ldct")
    assert (declined.status, declined.assessor) == ("unjudged", "net:base")
    assert "does not look like" in str(declined.reason)
    assert declined.findings
