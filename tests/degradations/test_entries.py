"""What every degradation must do, on a real image of each modality that it can befall."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scrutiq.core import Image, Modality, Severity, UsageError
from scrutiq.degradations import Degradation, VolumeDegradation, get, names, words
from scrutiq.metrics import MEASURES

from .conftest import base, volume

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "src" / "scrutiq" / "degradations"
EVIDENCE = json.loads((ROOT / "docs" / "reference" / "degradation_evidence.json").read_text("utf-8"))["entries"]
PAIRS = [(name, modality) for name in names() for modality in get(name).modalities]


def subject(entry: Degradation, modality: Modality) -> Any:
    return volume(modality) if isinstance(entry, VolumeDegradation) else base(modality)


def made(entry: Degradation, modality: Modality, severity: float, seed: int = 3) -> Any:
    return entry.make(subject(entry, modality), severity, np.random.default_rng(seed))


def slices(image: Any) -> tuple[Image, ...]:
    return (image,) if isinstance(image, Image) else tuple(image)


def differs(entry: Degradation, modality: Modality, seed: int) -> bool:
    """Return whether a seed draws something else than seed 3 does."""
    image = subject(entry, modality)
    one, other = (json.dumps(dict(entry.draw(image, 0.7, np.random.default_rng(k)))) for k in (3, seed))
    return one != other


def test_every_module_has_words_and_every_word_a_module() -> None:
    modules = {
        f"{path.parent.name}.{path.stem}"
        for path in FOLDER.glob("*/*.py")
        if "DEGRADATION =" in path.read_text("utf-8")
    }
    assert modules == set(names())


@pytest.mark.parametrize("name", names())
class TestName:
    def test_it_is_complete(self, name: str) -> None:
        entry, block = get(name), words(name)
        assert entry.words == block
        for text in (block.seen, block.cause, block.cost):
            assert re.match(r"[A-Z0-9].*[a-z0-9)]\.$", text), text
        for phrase in (block.term, block.mild, block.severe, *block.synonyms):
            assert not phrase.endswith("."), phrase
        assert block.mild != block.severe
        assert block.at(Severity.NONE) is None
        assert block.term not in block.synonyms
        assert entry.thresholds.basis
        assert entry.__doc__

    def test_its_measurement_is_described(self, name: str) -> None:
        measure = get(name).measurement
        assert measure.source
        assert measure.limits
        low, high = measure.range
        assert all(low <= knot <= high for knot in get(name).thresholds.knots)
        if measure.name in MEASURES:
            assert MEASURES[measure.name] is measure

    def test_it_is_shown_in_the_documentation(self, name: str) -> None:
        page = (ROOT / "docs" / "reference" / "degradations.md").read_text("utf-8")
        assert f"`{name}`" in page
        picture = ROOT / "docs" / "assets" / "degradations" / f"{name}.webp"
        assert picture.name in page
        assert picture.is_file(), f"run scripts/make_degradation_pictures.py {name}"


@pytest.mark.parametrize(("name", "modality"), [pair for pair in PAIRS if not get(pair[0]).volume])
@pytest.mark.parametrize("shape", [(64, 64), (72, 90, 3)])
def test_holes_in_an_image_do_not_break_its_measurement(name: str, modality: Modality, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, shape)
    pixels[20:23, 30:34] = np.nan
    unit = {"unit": "HU"} if modality is Modality.CT else {"data_range": (0, 255)}
    found = get(name).measure(Image(pixels=pixels, modality=modality, spacing=(0.7, 0.7), **unit))
    assert found is None or np.isfinite(found.value)


def test_no_two_have_the_same_term_in_one_modality() -> None:
    for modality in Modality:
        terms = [words(name).term for name in names(modality)]
        assert len(set(terms)) == len(terms)


def test_a_measurement_s_name_stands_for_one_measurement() -> None:
    known = dict(MEASURES)
    for name in names():
        measure = get(name).measurement
        assert known.setdefault(measure.name, measure) is measure, f"{name}: {measure.name} stands for two things"


@pytest.mark.parametrize("row", EVIDENCE, ids=lambda row: f"{row['name']}-{row['modality']}")
def test_what_is_used_as_evidence_met_the_criteria_on_real_bases(row: dict[str, Any]) -> None:
    entry = get(row["name"])
    assert row["measurement"] == entry.measurement.name, "run bench/bench_degradations.py --write"
    assert row["ratio"] <= 2
    if entry.exception is None:
        assert row["rho"] >= 0.95
        assert row["auroc"] >= 0.8
        assert row["rank"] <= 3


def test_every_entry_of_single_images_was_measured() -> None:
    pairs = {(name, modality.value) for name, modality in PAIRS if not get(name).volume}
    assert {(row["name"], row["modality"]) for row in EVIDENCE} == pairs


@pytest.mark.parametrize(("name", "modality"), PAIRS)
class TestMake:
    def test_no_severity_returns_the_input(self, name: str, modality: Modality) -> None:
        entry = get(name)
        image = subject(entry, modality)
        same = entry.make(image, 0, np.random.default_rng(0))
        assert same is image or all(a is b for a, b in zip(same, image, strict=True))

    def test_what_was_drawn_is_recorded_and_replayed(self, name: str, modality: Modality) -> None:
        entry = get(name)
        image, first = subject(entry, modality), made(entry, modality, 0.7)
        for before, after in zip(slices(image), slices(first), strict=True):
            assert (after.shape, after.unit, after.modality) == (before.shape, before.unit, before.modality)
            assert after.pixels.ndim == before.pixels.ndim
            assert np.isfinite(after.pixels).all()
            applied = after.history[-1]
            assert (applied.degradation, applied.severity) == (name, 0.7)
            assert type(applied).from_json(applied.to_json()) == applied
            if (region := applied.parameters.get("region")) is not None:
                top, left, bottom, right = region  # type: ignore[misc]
                assert 0 <= top < bottom <= after.shape[0]
                assert 0 <= left < right <= after.shape[1]
        applied = slices(first)[0].history[-1]
        again = entry.replay(image, type(applied).model_validate_json(json.dumps(applied.model_dump(mode="json"))))
        for one, other in zip(slices(first), slices(again), strict=True):
            assert np.array_equal(one.pixels, other.pixels)

    def test_a_seed_gives_the_same_and_another_seed_another(self, name: str, modality: Modality) -> None:
        entry = get(name)
        one, same = made(entry, modality, 0.7, 3), made(entry, modality, 0.7, 3)
        assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(slices(one), slices(same), strict=True))
        assert any(differs(entry, modality, seed) for seed in range(4, 12))

    def test_the_severity_grows_in_even_steps(self, name: str, modality: Modality) -> None:
        entry = get(name)
        image = subject(entry, modality)
        away = [entry.distance(image, made(entry, modality, k / 10)) for k in range(1, 11)]
        assert min(away) > 0
        steps = [b / a for a, b in pairwise(away)]
        assert max(steps) <= 2, steps
        assert min(steps) >= 0.5, steps
        assert away[-1] > away[0]

    def test_its_own_measurement_sees_it(self, name: str, modality: Modality) -> None:
        entry = get(name)
        if entry.exception is not None:
            return
        values = [entry.measure(made(entry, modality, s)) for s in (0.0, 1.0)]
        if None in values:
            reason = entry.measurement.result(base(modality)) if not entry.volume else ""
            assert str(reason).endswith("."), "a measurement without a value says why"
            return
        clean, worst = (v.value for v in values if v is not None)
        assert worst > clean if entry.thresholds.rises else worst < clean
        low, high = entry.measurement.range
        assert low <= min(clean, worst)
        assert max(clean, worst) <= high


def test_a_severity_outside_its_range_is_refused(ct: Image) -> None:
    for severity in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="severity lies between 0"):
            get("any.jpeg").make(ct, severity, np.random.default_rng(0))


def test_another_modality_is_refused(ct: Image) -> None:
    for name in names():
        if ct.modality in get(name).modalities:
            continue
        with pytest.raises(UsageError, match="is a degradation of"):
            get(name).make(ct, 0.5, np.random.default_rng(0))


def test_one_image_is_no_volume(ct: Image) -> None:
    found = [get(name) for name in names() if get(name).volume]
    for entry in found:
        with pytest.raises(UsageError, match="give a volume, not one image"):
            entry.make(ct, 0.5, np.random.default_rng(0))
