"""The nouns: no invalid object can be built, none can be changed, and JSON loses nothing."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pydantic import ValidationError

from scrutiq.core import (
    Assessment,
    AssessmentSet,
    AssessorUri,
    Case,
    Evidence,
    Finding,
    FrozenDict,
    Image,
    InputError,
    Judgement,
    Measurement,
    MissingExtraError,
    Modality,
    Provenance,
    Sentence,
    Severity,
    Source,
    UsageError,
    VoiLut,
    Window,
)


def assessment(**changes: object) -> Assessment:
    fields: dict[str, object] = {
        "case": "c-1",
        "source": Source(path="ward/slice.dcm", frame=3),
        "modality": Modality.CT,
        "status": "judged",
        "rubric": "ldct",
        "assessor": "measured:",
        "judgements": {"overall": Judgement(score=3, quality=0.75, interval=(2, 4), level="good")},
        "findings": (
            Finding(
                degradation="ct.low_dose",
                severity=Severity.MILD,
                value=0.4,
                evidence=(Evidence(measurement="noise_hu", value=31, unit="HU", reference=(8, None)),),
            ),
        ),
        "measurements": {"noise_hu": Measurement(value=31, unit="HU")},
        "sentences": (
            Sentence(text="Noise is 31 HU.", measurements=("noise_hu",)),
            Sentence(text="It is high."),
        ),
        "provenance": Provenance(assessor="measured:"),
    }
    return Assessment(**{**fields, **changes})  # type: ignore[arg-type]


class TestImage:
    @given(
        hnp.arrays(
            st.sampled_from([np.uint8, np.int16, np.float32, np.float64]),
            st.one_of(hnp.array_shapes(min_dims=2, max_dims=2), st.just((4, 5, 3))),
        )
    )
    def test_survives_json_and_pickle(self, array: np.ndarray) -> None:
        with np.errstate(over="ignore"):
            image = Image(pixels=array, spacing=(0.5, 0.7), modality="MR", metadata={"te_ms": 30, "kernel": "B30f"})
        assert Image.from_json(image.to_json()) == image
        assert pickle.loads(pickle.dumps(image)) == image
        assert image.pixels.dtype == np.float32

    def test_is_a_copy_that_cannot_be_changed(self) -> None:
        array = np.zeros((2, 2), np.float32)
        image = Image(pixels=array)
        array[0, 0] = 7
        assert image.pixels[0, 0] == 0
        with pytest.raises(ValueError, match="read-only"):
            image.pixels[0, 0] = 1
        with pytest.raises(ValidationError):
            image.unit = "HU"
        with pytest.raises(TypeError, match="immutable"):
            image.metadata["kernel"] = "x"

    def test_non_finite_pixels_are_not_valid(self) -> None:
        image = Image(pixels=np.array([[1, np.nan], [np.inf, 2]]), valid=[[False, True], [True, True]])
        assert image.valid is not None
        assert image.valid.tolist() == [[False, False], [False, True]]
        assert Image(pixels=np.ones((2, 2))).valid is None

    def test_luma_is_bt601(self) -> None:
        image = Image(pixels=np.array([[[100.0, 0, 0], [0, 100, 0], [0, 0, 100]]]))
        np.testing.assert_allclose(image.grey(), [[29.9, 58.7, 11.4]], rtol=1e-6)

    @pytest.mark.parametrize(
        "fields",
        [
            {"pixels": np.zeros((0, 3))},
            {"pixels": np.zeros(4)},
            {"pixels": np.zeros((2, 2, 4))},
            {"pixels": np.zeros((2, 2), complex)},
            {"pixels": np.array([["a", "b"]])},
            {"pixels": np.zeros((2, 2)), "spacing": (0, 1)},
            {"pixels": np.zeros((2, 2)), "spacing": (float("nan"), 1)},
            {"pixels": np.zeros((2, 2)), "data_range": (255, 0)},
            {"pixels": np.zeros((2, 2)), "valid": np.ones((3, 2))},
            {"pixels": np.zeros((2, 2)), "unit": "HU", "modality": "MR"},
            {"pixels": np.zeros((2, 2)), "unit": ""},
            {"pixels": np.zeros((2, 2)), "modality": "PET"},
            {"pixels": np.zeros((2, 2)), "patient": "x"},
        ],
    )
    def test_an_invalid_one_cannot_be_built(self, fields: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Image(**fields)  # type: ignore[arg-type]

    def test_replace_validates(self) -> None:
        image = Image(pixels=np.zeros((2, 2)), modality="CT", unit="HU")
        assert image.replace(inverted=True).inverted
        with pytest.raises(ValidationError):
            image.replace(modality="MR")


class TestWindow:
    def test_bounds(self) -> None:
        assert Window(center=40, width=400).bounds == (-160, 239)
        assert Window.from_bounds(-160, 240).bounds == (-160, 240)

    def test_widths(self) -> None:
        Window(center=0, width=0.5, function="LINEAR_EXACT")
        for bad in ({"width": 0.5}, {"width": 0, "function": "SIGMOID"}, {"width": -4, "function": "LINEAR_EXACT"}):
            with pytest.raises(ValidationError):
                Window(center=0, **bad)  # type: ignore[arg-type]

    def test_lut_entries_fit_their_bits(self) -> None:
        VoiLut(first=-5, bits=8, entries=(0, 255))
        with pytest.raises(ValidationError):
            VoiLut(first=0, bits=8, entries=(0, 256))


class TestCase:
    def test_needs_a_target(self) -> None:
        image = Image(pixels=np.zeros((2, 2)))
        case = Case(id="a", images={"target": image, "reference": image})
        assert case.reference == image
        assert Case.from_json(case.to_json()) == case
        with pytest.raises(ValidationError, match="target"):
            Case(id="a", images={"reference": image})


class TestAssessment:
    def test_survives_json(self) -> None:
        one = assessment(provenance=Provenance(assessor="measured:", time="2026-11-22T12:00:00Z"))
        assert Assessment.from_json(one.to_json()) == one
        many = AssessmentSet.of([one, one])
        document = json.loads(many.to_json())
        assert document["schema_version"] == "1"
        assert document["assessments"][0]["text"] == "Noise is 31 HU. It is high."
        assert AssessmentSet.model_validate_json(many.to_json()) == many

    def test_quality_is_that_of_the_worst_dimension(self) -> None:
        worse = Judgement(score=1, quality=0.25, level="poor")
        assert assessment(judgements={"a": worse, "b": Judgement(score=4, quality=1, level="x")}).quality == 0.25

    def test_paths_can_be_removed(self) -> None:
        document = AssessmentSet.of([assessment()]).without_paths().to_json()
        assert "slice.dcm" not in document
        assert '"frame":3' in document

    @pytest.mark.parametrize(
        "changes",
        [
            {"judgements": {}},
            {"status": "unjudged"},
            {"status": "unjudged", "judgements": {}},
            {"status": "failed", "judgements": {}, "reason": ""},
            {"rubric": None},
            {"declined": {"overall": "why"}},
            {"measurements": {}},
            {
                "measurements": {"noise_hu": Measurement(value=31, unit="HU")},
                "sentences": [{"text": "a", "measurements": ["x"]}],
            },
        ],
    )
    def test_an_invalid_one_cannot_be_built(self, changes: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            assessment(**changes)

    @pytest.mark.parametrize(
        "fields",
        [
            {"score": 1, "quality": None, "level": "a"},
            {"score": 1, "quality": 1.2, "level": "a"},
            {"score": 1, "quality": 1, "level": "a", "interval": (2, 3)},
            {"score": float("nan"), "quality": 1, "level": "a"},
            {"score": 1, "quality": 1, "level": "a", "probabilities": {"a": 0.5}},
            {"score": None, "quality": None, "level": "a", "interval": (0, 1)},
            {"score": 1, "quality": 1, "level": "a", "coverage": 0.9},
            {"score": 1, "quality": 1, "level": "a", "interval": (1, 1), "coverage": 90},
            {"score": 1, "quality": 1, "level": "a", "supervision": "guess"},
        ],
    )
    def test_an_invalid_judgement_cannot_be_built(self, fields: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Judgement(**fields)  # type: ignore[arg-type]

    def test_an_invalid_finding_cannot_be_built(self) -> None:
        evidence = (Evidence(measurement="m", value=1, unit="HU"),)
        for changes in (
            {"evidence": ()},
            {"region": (5, 0, 2, 9)},
            {"degradation": "noise"},
            {"value": 2},
            {"probability": 1.1},
            {"disputed": True},
            {"evidence": (), "probability": 0.9, "disputed": True},
        ):
            with pytest.raises(ValidationError):
                Finding(**{"degradation": "ct.x", "severity": "mild", "value": 0, "evidence": evidence, **changes})

    def test_a_finding_rests_on_a_measurement_or_on_a_network(self) -> None:
        alone = Finding(degradation="ct.ring", severity="mild", value=0.5, probability=0.8)
        assert alone.evidence == ()
        assert Finding.from_json(alone.to_json()) == alone
        measured = Evidence(measurement="rings_hu", value=1, unit="HU", reference=(None, 4))
        assert Finding(**{**dict(alone), "severity": "severe", "evidence": (measured,), "disputed": True}).disputed


def test_another_schema_version_is_refused() -> None:
    document = json.loads(assessment().to_json())
    with pytest.raises(ValueError, match="schema_version"):
        Assessment.from_json(json.dumps({**document, "schema_version": "2"}))
    with pytest.raises(ValueError, match="JSON object"):
        Assessment.from_json("[]")


def test_frozen_dict() -> None:
    frozen = FrozenDict({"a": 1})
    assert pickle.loads(pickle.dumps(frozen)) == frozen
    assert hash(frozen) == hash(FrozenDict({"a": 1}))
    for change in (lambda: frozen.update(b=2), lambda: frozen.pop("a"), lambda: frozen.__setitem__("a", 2)):
        with pytest.raises(TypeError):
            change()


def test_errors_survive_a_worker_process() -> None:
    error = pickle.loads(pickle.dumps(InputError("it is empty.", "a/b.dcm")))
    assert (error.reason, error.path, str(error)) == ("it is empty.", "a/b.dcm", "a/b.dcm: it is empty.")
    missing = pickle.loads(pickle.dumps(MissingExtraError("Parquet", "parquet")))
    assert "scrutiq[parquet]" in str(missing)


def test_assessor_uri() -> None:
    uri = AssessorUri.parse("chat:openai/o3?shots=10&strategy=few")
    assert (uri.scheme, uri.model, uri.options) == ("chat", "openai/o3", {"shots": "10", "strategy": "few"})
    assert str(uri) == "chat:openai/o3?shots=10&strategy=few"
    assert str(AssessorUri.parse("measured:")) == "measured:"
    for bad in ("measured", ":x", "chat:m?shots", "9a:b"):
        with pytest.raises(UsageError):
            AssessorUri.parse(bad)


def test_import_is_light() -> None:
    code = (
        "import scrutiq.core, sys;"
        "heavy = {'torch', 'matplotlib', 'scipy.stats', 'skimage', 'pydicom', 'pandas', 'nibabel', 'PIL'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
