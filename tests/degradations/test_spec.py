"""The contract of an entry, and how entries are found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from pydantic import ValidationError

from scrutiq.core import Applied, Image, Modality, Severity, UsageError
from scrutiq.degradations import Degradation, Thresholds, get, make, names, replay
from scrutiq.degradations.registry import FOLDERS

STATED = {"clean": 1, "mild": 2, "severe": 4, "worst": 8, "basis": "worked out by hand"}


class TestThresholds:
    def test_severity_is_interpolated_on_the_scale(self) -> None:
        linear, log = Thresholds(**STATED), Thresholds(**STATED, scale="log")
        assert [linear.severity(v) for v in (0, 1, 2, 4, 8, 9)] == pytest.approx([0, 0, 1 / 3, 2 / 3, 1, 1])
        assert linear.severity(3) == pytest.approx(0.5)
        assert log.severity(8**0.5) == pytest.approx(0.5)
        assert log.severity(-1) == 0

    def test_falling_measurements(self) -> None:
        falling = Thresholds(clean=8, mild=4, severe=2, worst=1, basis="by hand")
        assert not falling.rises
        assert falling.reference == (4, None)
        assert falling.severity(3) == pytest.approx(0.5)
        assert Thresholds(**STATED).reference == (None, 2)

    @pytest.mark.parametrize("change", [{"mild": 1}, {"mild": 5}, {"basis": ""}, {"clean": -1, "scale": "log"}])
    def test_what_makes_no_sense_is_refused(self, change: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            Thresholds(**{**STATED, **change})


@pytest.mark.parametrize(
    ("value", "word"), [(0, "none"), (1 / 3, "none"), (0.34, "mild"), (2 / 3, "mild"), (1, "severe")]
)
def test_the_words_of_severity(value: float, word: str) -> None:
    assert Severity.of(value) == word


class TestRegistry:
    def test_names_are_ordered_by_folder(self) -> None:
        folders = [name.partition(".")[0] for name in names()]
        assert folders == sorted(folders, key=FOLDERS.index)

    def test_those_of_a_modality_include_the_general_ones(self) -> None:
        assert "any.jpeg" in names("MR")
        assert {name.partition(".")[0] for name in names(Modality.FUNDUS)} <= {"fundus", "any"}
        assert names(Modality.US) == ()

    def test_a_slip_of_the_pen_gets_a_hint(self) -> None:
        with pytest.raises(UsageError, match=r"Did you mean 'any\.jpeg'"):
            get("any.jpg")


def _brighter(image: Image, parameters: dict[str, float]) -> Image:
    return image.replace(pixels=image.pixels + parameters["by"])


@pytest.fixture
def brighter() -> Degradation:
    return dataclasses.replace(
        get("any.jpeg"), draw=lambda image, severity, rng: {"by": 300 * severity}, apply=_brighter
    )


class TestDegradation:
    image = Image(pixels=np.full((32, 32), 10.0), modality=Modality.XA, data_range=(0, 255))

    def test_the_result_is_cut_to_the_range_of_the_format(self, brighter: Degradation) -> None:
        made = brighter.make(self.image, 1, np.random.default_rng(0))
        assert float(made.pixels.max()) == 255
        assert made.history == (Applied(degradation="any.jpeg", severity=1, parameters={"by": 300}),)

    def test_a_changed_shape_is_a_fault_of_the_entry(self, brighter: Degradation) -> None:
        cropping = dataclasses.replace(brighter, apply=lambda image, _: image.replace(pixels=image.pixels[1:]))
        with pytest.raises(AssertionError, match="changed the shape"):
            cropping.make(self.image, 1, np.random.default_rng(0))

    def test_only_what_json_holds_can_be_drawn(self, brighter: Degradation) -> None:
        for by in (float("nan"), np.zeros(2)):
            odd = dataclasses.replace(brighter, draw=lambda image, severity, rng, by=by: {"by": by})
            with pytest.raises((ValueError, TypeError)):
                odd.make(self.image, 1, np.random.default_rng(0))

    def test_the_distance_is_rmse_and_has_a_unit(self, brighter: Degradation) -> None:
        made = brighter.make(self.image, 0.1, np.random.default_rng(0))
        assert brighter.distance(self.image, made) == pytest.approx(30)
        structural = dataclasses.replace(brighter, metric="ssim")
        assert structural.distance(self.image, self.image) == pytest.approx(0)
        with pytest.raises(UsageError, match="display range is known"):
            structural.distance(self.image.replace(data_range=None), made)

    def test_several_are_replayed_in_their_order(self) -> None:
        rng = np.random.default_rng(0)
        image = self.image.replace(pixels=rng.uniform(0, 255, (48, 48)))
        once = make(image, "any.jpeg", 0.9, 1)
        twice = make(once, "any.jpeg", 0.4, 2)
        assert len(twice.history) == 2
        assert replay(twice, image) == twice
        assert replay(twice, once) == twice

    def test_a_finding_carries_its_evidence(self) -> None:
        rng = np.random.default_rng(0)
        image = self.image.replace(pixels=rng.uniform(0, 255, (64, 64)))
        found = get("any.jpeg").find(make(image, "any.jpeg", 1, 0))
        assert found is not None
        assert found.evidence[0].measurement == "blockiness"
        assert found.severity is Severity.of(found.value)
        assert get("any.jpeg").find(self.image) is None  # nothing varies in it
