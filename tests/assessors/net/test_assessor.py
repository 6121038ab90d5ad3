"""``net:`` on given predictions: what is judged, found, written and declined."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scrutiq import rubrics
from scrutiq.assessors import open_assessor
from scrutiq.assessors.net import NetAssessor
from scrutiq.assessors.net.card import Card
from scrutiq.assessors.net.findings import region
from scrutiq.assessors.net.network import ScorePrediction
from scrutiq.core import Assessment, Case, Image, Severity, UsageError

Make = Callable[..., NetAssessor]

GOOD = {"ldct": {"overall": ScorePrediction(3.1, 0.4, (2.4, 3.8))}}
READ = {
    "ct-denoising": {
        "noise": ScorePrediction(6.2, 1.0, (4.5, 7.9)),
        "contrast": ScorePrediction(3.4, 0.5, (2.5, 4.3)),
    }
}


def judge(judge: NetAssessor, image: Image, rubric: str) -> Assessment:
    return judge.assess(Case(id="case", images={"target": image}), (rubrics.load(rubric),))[0]


class TestJudgements:
    def test_a_score_with_its_interval_and_levels(self, make_judge: Make, ct: Image) -> None:
        judge_ = make_judge(scores=GOOD)
        result = judge(judge_, ct, "ldct")
        found = result.judgements["overall"]
        assert (found.score, found.level, found.interval, found.coverage) == (3.1, "good", (2.4, 3.8), 0.9)
        assert found.probabilities is not None
        assert list(found.probabilities) == ["bad", "poor", "fair", "good", "excellent"]
        assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-9)
        assert max(found.probabilities, key=found.probabilities.__getitem__) == "good"
        assert (found.supervision, result.assessor, result.provenance.model_hash) == (
            *("proxy", "net:base"),
            judge_.card.hash,
        )
        assert "onnxruntime" in result.provenance.versions

    def test_what_was_learnt_from_a_proxy_says_so(self, make_judge: Make, ct: Image) -> None:
        for rubric in ("ldct", "medq"):
            result = judge(make_judge(scores=GOOD), ct, rubric)
            assert any(note.startswith("proxy-trained: ") for note in result.notes)
            assert "proxy-trained" in result.text
            assert {j.supervision for j in result.judgements.values()} == {"proxy"}
        assert "A formula of dose and views." in judge(make_judge(scores=GOOD), ct, "ldct").notes

    def test_what_was_learnt_from_readers_says_what_from(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(scores=READ), ct, "ct-denoising")
        assert result.judgements["noise"].supervision == "readers"
        assert "Fitted to 12 denoisers." in result.notes
        assert not any("proxy" in note for note in result.notes)
        assert result.declined.keys() == {"structure"}
        assert "90 % interval 4.5 to 7.9" in result.text

    def test_medq_follows_from_what_is_seen(self, make_judge: Make, ct: Image) -> None:
        seen = {"ct.low_dose": (0.9, 0.5), "ct.ring": (0.95, 0.9), "ct.kernel": (0.4, 0.38)}
        result = judge(make_judge(kinds=seen), ct, "medq")
        levels = {name: j.level for name, j in result.judgements.items()}
        assert levels == {
            **{"overall": "reject", "noise": "mild", "artefacts": "severe", "sharpness": "none"},
            **{"contrast": "none", "illumination": "none"},
        }
        clean = judge(make_judge(), ct, "medq")
        assert {j.level for j in clean.judgements.values()} == {"good", "none"}
        assert list(clean.judgements) == list(rubrics.load("medq").dimensions)

    def test_a_trained_overall_goes_before_the_worst_attribute(self, make_judge: Make, ct: Image) -> None:
        scores = {"medq": {"overall": ScorePrediction(1.6, 0.2, (1.2, 2.0))}}
        card = make_judge().card
        medq = card.rubrics["ldct"].model_copy(
            update={"hash": rubrics.load("medq").hash, "supervision": "readers", "note": "Graded fundus."}
        )
        trained = card.model_copy(update={"rubrics": type(card.rubrics)({**card.rubrics, "medq": medq})})
        result = judge(make_judge(trained, scores=scores, kinds={"ct.ring": (0.99, 1.0)}), ct, "medq")
        assert (result.judgements["overall"].score, result.judgements["overall"].supervision) == (1.6, "readers")
        assert result.judgements["artefacts"].supervision == "proxy"

    def test_several_rubrics_are_predicted_once(self, make_judge: Make, ct: Image) -> None:
        assessor = make_judge(scores=GOOD)
        case = Case(id="case", images={"target": ct})
        both = assessor.assess(case, (rubrics.load("medq"), rubrics.load("ct-iqa"), rubrics.load("ldct")))
        assert [a.status for a in both] == ["judged", "unjudged", "judged"]
        assert both[0].findings == both[1].findings
        assert assessor.network.asked == [["medq", "ldct"]]  # type: ignore[attr-defined]


class TestDeclines:
    def test_an_unusual_image(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(scores=GOOD, unusual=3.01), ct, "ldct")
        assert (result.status, result.judgements) == ("unjudged", {})
        assert "does not look like the CT images that net:base was trained on" in str(result.reason)
        assert "unusual by 3.01, and at most 3" in str(result.reason)
        assert result.findings == judge(open_assessor("measured:"), ct, "ldct").findings  # type: ignore[arg-type]
        assert judge(make_judge(scores=GOOD, unusual=3.0), ct, "ldct").status == "judged"

    def test_what_the_weights_do_not_know(self, make_judge: Make, ct: Image) -> None:
        assessor = make_judge(scores=GOOD)
        assert "not trained for the rubric ct-iqa; it knows medq, ldct, ct-denoising" in str(
            judge(assessor, ct, "ct-iqa").reason
        )
        photograph = Image(pixels=np.arange(3 * 96 * 96).reshape(96, 96, 3) % 255, modality="fundus")
        assert "trained on CT, MR; this image is fundus" in str(judge(assessor, photograph, "medq").reason)
        assert "gives no score on ct-denoising" in str(judge(assessor, ct, "ct-denoising").reason)
        unknown = ct.replace(modality="unknown", unit="grey level")
        assert "--modality" in str(judge(assessor, unknown, "ldct").reason)
        assert assessor.network.asked == [["ct-denoising"]]  # type: ignore[attr-defined]

    def test_what_the_network_itself_declines(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(declines="Too small."), ct, "ldct")
        assert (result.status, result.reason) == ("unjudged", "Too small.")

    def test_a_rubric_of_the_same_name_is_another_one(self, make_judge: Make, ct: Image) -> None:
        own = rubrics.load("ldct").model_copy(update={"description": "Ours."})
        result = make_judge(scores=GOOD).assess(Case(id="case", images={"target": ct}), (own,))[0]
        assert "not the one that net:base was trained for" in str(result.reason)

    def test_what_is_no_image(self, make_judge: Make) -> None:
        assessor = make_judge(scores=GOOD)
        for pixels in (np.zeros((1, 1)), np.full((96, 96), 7.0), np.full((96, 96), np.nan)):
            assert judge(assessor, Image(pixels=pixels, modality="CT", unit="HU"), "ldct").status == "unjudged"
        assert assessor.network.asked == []  # type: ignore[attr-defined]


class TestFindings:
    def test_each_that_is_known_is_a_finding(self, make_judge: Make, ct: Image) -> None:
        assessor = make_judge(kinds={"ct.ring": (0.9, 0.6)})
        found = {f.degradation: f for f in judge(assessor, ct, "medq").findings}
        assert found.keys() == set(assessor.card.degradations)
        ring, metal = found["ct.ring"], found["ct.metal"]
        assert (ring.severity, ring.value, ring.probability) == (Severity.MILD, 0.6, 0.9)
        assert [e.measurement for e in ring.evidence] == ["rings_hu"]
        assert (metal.severity, metal.evidence) == (Severity.NONE, ())

    def test_its_own_measurement_stands_among_the_measurements(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(kinds={"ct.ring": (0.9, 0.6)}), ct, "medq")
        (proof,) = next(f for f in result.findings if f.degradation == "ct.ring").evidence
        assert result.measurements["rings_hu"].value == proof.value
        assert "rings_hu" not in judge(make_judge(), ct, "medq").measurements

    def test_an_exception_rests_on_the_network_alone(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(kinds={"ct.metal": (0.97, 0.9)}), ct, "medq")
        metal = next(f for f in result.findings if f.degradation == "ct.metal")
        assert (metal.severity, metal.evidence, metal.disputed) == (Severity.SEVERE, (), False)
        assert "no measurement backs it" in result.text

    def test_no_measurement_is_forced_on_what_it_is_not_for(self, make_judge: Make, rng: np.random.Generator) -> None:
        colour = Image(pixels=rng.normal(40, 90, (96, 96, 3)), modality="CT", unit="HU", spacing=(0.7, 0.7))
        for name in ("ct.sparse_view", "ct.ring", "ct.limited_angle", "ct.motion", "ct.scatter"):
            result = judge(make_judge(kinds={name: (0.9, 0.8)}), colour, "medq")
            assert not next(f for f in result.findings if f.degradation == name).evidence

    def test_what_is_unlikely_is_absent(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(kinds={"ct.motion": (0.45, 0.44)}), ct, "medq")
        motion = next(f for f in result.findings if f.degradation == "ct.motion")
        assert (motion.severity, motion.value) == (Severity.NONE, pytest.approx(0.198))

    def test_severe_to_the_network_and_measured_as_absent(self, make_judge: Make, ct: Image) -> None:
        result = judge(make_judge(kinds={"ct.low_dose": (0.96, 0.9)}), ct, "ldct")
        assert not result.judgements
        result = judge(make_judge(kinds={"ct.low_dose": (0.96, 0.9)}, scores=GOOD), ct, "ldct")
        dose = next(f for f in result.findings if f.degradation == "ct.low_dose")
        assert dose.disputed
        assert dose.evidence[0].measurement == "noise_hu"
        said = [s for s in result.sentences if "contradict" in s.text]
        assert len(said) == 1
        assert "severe (probability 0.96), but image noise of" in said[0].text
        assert said[0].measurements == ("noise_hu",)
        assert any("contradict" in note for note in result.notes)

    def test_measured_as_severe_and_absent_to_the_network(
        self, make_judge: Make, ct: Image, rng: np.random.Generator
    ) -> None:
        noisy = ct.replace(pixels=ct.pixels + rng.normal(0, 90, ct.shape).astype(np.float32))
        result = judge(make_judge(scores=GOOD), noisy, "ldct")
        dose = next(f for f in result.findings if f.degradation == "ct.low_dose")
        assert (dose.severity, dose.disputed) == (Severity.NONE, True)
        assert "but the network sees none (probability 0.02): they contradict each other." in result.text
        # Another fault of the noise explains what was measured.
        named = judge(make_judge(scores=GOOD, kinds={"ct.residual_texture": (0.9, 0.8)}), noisy, "ldct")
        assert not next(f for f in named.findings if f.degradation == "ct.low_dose").disputed
        assert "Image noise of" in named.text
        assert "the network names no fault for it" in named.text

    def test_both_sure_and_of_one_mind(self, make_judge: Make, ct: Image, rng: np.random.Generator) -> None:
        noisy = ct.replace(pixels=ct.pixels + rng.normal(0, 90, ct.shape).astype(np.float32))
        result = judge(make_judge(kinds={"ct.low_dose": (0.98, 0.95)}, scores=GOOD), noisy, "ldct")
        assert not any(f.disputed for f in result.findings)
        assert "contradict" not in result.text
        assert "The network sees quantum noise from a low dose, severe (probability 0.98)" in result.text

    def test_what_is_measured_and_not_known_stays(self, make_judge: Make, make_card: Callable[..., Card]) -> None:
        blocky = np.kron(np.random.default_rng(0).normal(0, 60, (40, 40)), np.ones((8, 8)))
        image = Image(pixels=blocky, modality="CT", unit="HU", spacing=(0.7, 0.7))
        card = make_card(degradations=("ct.ring", "ct.low_dose"))
        result = judge(make_judge(card, scores=GOOD), image, "ldct")
        jpeg = next(f for f in result.findings if f.degradation == "any.jpeg")
        assert (jpeg.severity, jpeg.probability) == (Severity.SEVERE, None)
        assert "The network sees none of the 2 faults that it knows." in result.text
        assert "lockiness of" in result.text

    def test_the_strongest_points_to_where_the_map_is_high(self, make_judge: Make, ct: Image) -> None:
        evidence = np.full(ct.shape, 0.03, np.float32)
        evidence[64:112, 320:368] = 0.7
        evidence[200:216, 16:32] = 0.9
        kinds = {"ct.ring": (0.9, 0.6), "any.burned_in_overlay": (0.95, 0.8)}
        assessor = make_judge(kinds=kinds, cells=evidence, scores=GOOD)
        result = judge(assessor, ct, "ldct")
        found = {f.degradation: f.region for f in result.findings if f.region is not None}
        assert found == {"any.burned_in_overlay": (64, 320, 112, 368)}
        seen = assessor.evidence_map(Case(id="case", images={"target": ct}), result)
        assert seen is not None
        assert (seen.limits, seen.unit) == ((0.0, 1.0), "1")
        np.testing.assert_array_equal(seen.values, evidence)
        declined = judge(make_judge(unusual=9), ct, "ldct")
        assert assessor.evidence_map(Case(id="case", images={"target": ct}), declined) is None

    def test_everywhere_and_nowhere_are_no_place(self) -> None:
        assert region(np.full((64, 64), 0.8, np.float32)) is None
        assert region(np.zeros((64, 64), np.float32)) is None
        faint = np.zeros((64, 64), np.float32)
        faint[16:32, 16:32] = 0.04
        assert region(faint) is None
        frame = np.zeros((64, 64), np.float32)
        frame[0], frame[-1], frame[:, 0], frame[:, -1] = 1, 1, 1, 1
        assert region(frame) is None


class TestOpening:
    def test_names_and_options(self, tmp_path: Path) -> None:
        for uri, message in (
            ("net:", "needs the weights"),
            ("net:base?shots=10", "takes no option shots=10; its only one is notice=accepted"),
            ("net:base?notice=yes", "takes no option notice=yes"),
        ):
            with pytest.raises(UsageError, match=message):
                open_assessor(uri)
        with pytest.raises(UsageError, match="there are no weights here"):
            open_assessor(f"net:{tmp_path}")

    def test_a_notice_is_accepted_first(self, make_card: Callable[..., Card], tmp_path: Path) -> None:
        card = make_card(name="net_own", notice="Trained on images for research only.")
        (tmp_path / "model.json").write_text(card.model_dump_json())
        with pytest.raises(UsageError) as refused:
            open_assessor(f"net:{tmp_path}")
        notice = "the weights net_own come with a notice: Trained on images for research only. To accept it, write --"
        assert str(refused.value).startswith(notice)
        assert str(refused.value).endswith("?notice=accepted'.")
        opened = open_assessor(f"net:{tmp_path}?notice=accepted")
        assert opened.uri == "net:net_own", "a path is not recorded"

    def test_an_accepted_notice_is_recorded(self, make_judge: Make, ct: Image) -> None:
        assert judge(make_judge(accepted=True), ct, "medq").provenance.parameters == {"notice": "accepted"}
        assert judge(make_judge(), ct, "medq").provenance.parameters == {}
