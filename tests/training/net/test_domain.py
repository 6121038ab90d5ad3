"""The fit of the domain check: on made-up features it declines what it must, and on real images parts stay apart."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from scrutiq.assessors.net.planes import luma
from scrutiq.assessors.net.statistics import STATISTICS, statistics
from scrutiq.core import UsageError
from scrutiq.training.net.domain import Declined, Fit, evaluate, fit, label
from scrutiq.training.net.looks import Look, Row, looks, rows
from scrutiq.training.net.recipe import load_net_recipe

RECIPE = Path(__file__).parents[3] / "src" / "scrutiq" / "training" / "recipes" / "net_base.yaml"
#: Centres of the kinds in the second to fourth feature; the first is the share of coloured pixels.
CENTRES = {
    "CT": (4, 0, 0),
    "MR": (0, 4, 0),
    "histopathology": (0, 0, 4),
    "photograph": (-4, 0, 0),
    "screenshot": (0, -4, 0),
}


def made(part: str, seed: int, kinds: tuple[str, ...] = tuple(CENTRES), spread: float = 0.5) -> list[Row]:
    rng = np.random.default_rng(seed)
    found = []
    for kind in kinds:
        for source in range(12):
            shift = rng.normal(0, 0.3, 3)
            for _ in range(5):
                place = np.array(CENTRES[kind]) + shift + rng.normal(0, spread, 3)
                colour = 0.6 if kind in ("histopathology", "photograph") else 0.0
                features = np.array([colour, *place, *rng.normal(0, 1, 3)], dtype=np.float32)
                state = "good" if kind in ("CT", "MR", "histopathology") else "varied"
                found.append(Row(kind, f"{part}/{kind}/{source}", part, state, False, features))
    return found


@pytest.fixture(scope="module")
def fitted() -> Fit:
    return fit([*made("fit", 1), *made("validation", 2)], ("CT", "MR", "histopathology"), 7)


def test_one_threshold_takes_the_domain_and_declines_the_rest(fitted: Fit) -> None:
    table = evaluate(fitted, made("test", 3))
    assert {(one.claim, one.kind) for one in table} >= {("CT", "good"), ("CT", "MR"), ("MR", "photograph")}
    for one in table:
        assert one.pictures == 60
        assert one.sources == 12
        assert one.interval[0] <= one.share <= one.interval[1]
        assert one.share < 0.05 if one.kind == "good" else one.share > 0.95, one


def test_what_it_never_saw_is_declined_for_its_distance(fitted: Fit) -> None:
    strange = np.array([0.0, 30, 30, 30, 30, 30, 30], dtype=np.float32)
    found = evaluate(fitted, [Row("pattern", "x", "test", "varied", False, strange)])
    assert [one.share for one in found] == [1, 1, 1]


def test_the_card_says_what_was_declined_and_of_how_many_sources(fitted: Fit) -> None:
    assert fitted.card.declined["good"] < 0.02
    assert fitted.card.declined["photograph"] > 0.98
    assert fitted.card.sources["photograph"] == 24  # 12 held out in folds, 12 of the validation
    assert fitted.card.modalities == ("CT", "MR", "histopathology")


def test_the_same_pictures_give_the_same_model(fitted: Fit) -> None:
    again = fit([*made("fit", 1), *made("validation", 2)], ("CT", "MR", "histopathology"), 7)
    assert again.model.to_bytes() == fitted.model.to_bytes()
    assert again.card == fitted.card


def test_the_test_part_is_not_looked_at(fitted: Fit) -> None:
    disturbed = [Row("CT", r.source, "test", "good", False, r.features * 0 + 99) for r in made("test", 9, ("CT",))]
    again = fit([*made("fit", 1), *made("validation", 2), *disturbed], ("CT", "MR", "histopathology"), 7)
    assert again.model.to_bytes() == fitted.model.to_bytes()


def test_a_modality_without_pictures_is_refused() -> None:
    with pytest.raises(UsageError, match="no picture of XA"):
        fit(made("fit", 1), ("CT", "XA"), 7)


def test_the_interval_is_that_of_wilson(fitted: Fit) -> None:
    row = made("test", 3, ("CT",))[0]
    one = next(e for e in evaluate(fitted, [row] * 10) if e.claim == "CT")
    assert one.share == 0
    assert one.interval == pytest.approx((0, 0.2775), abs=1e-4)  # of 0 in 10
    assert isinstance(one, Declined)


def test_colour_made_grey_is_a_kind_of_its_own_and_not_tried_under_its_own_claim(fitted: Fit) -> None:
    row = made("test", 3, ("histopathology",))[0]
    was = Row(row.kind, row.source, "test", "varied", True, row.features)
    assert label(was) == "histopathology grey"
    assert {one.claim for one in evaluate(fitted, [was])} == {"CT", "MR"}


def test_grey_is_luma() -> None:
    assert luma(np.array([[[255, 0, 0]]], dtype=np.uint8)).tolist() == [[76]]
    assert luma(np.array([[9]], dtype=np.uint8)).tolist() == [[9]]


def test_rows_put_the_features_one_after_the_other() -> None:
    shown = np.full((20, 30), 128, dtype=np.uint8)
    found = next(rows(iter([Look(shown, "CT", "a", "fit", "good")]), (statistics, lambda seen: seen.mean(axis=(1, 2)))))
    assert found.features.shape == (len(STATISTICS) + 3,)
    assert found.features[-3:] == pytest.approx(128 / 255)


@pytest.mark.shared
def test_real_images_of_the_domain_keep_to_the_split_of_the_recipe(shared: Path) -> None:
    recipe = load_net_recipe(RECIPE)
    small = recipe.model_copy(
        update={"modalities": {m: d for m, d in recipe.modalities.items() if m.value == "histopathology"}}
    )
    found = list(islice(looks(small, shared, share=0.1), 60))
    inside = [look for look in found if look.kind == "histopathology"]
    parts: dict[str, set[str]] = {}
    for look in inside:
        parts.setdefault(look.source, set()).add(look.part)
        assert look.levels.dtype == np.uint8
    assert all(len(where) == 1 for where in parts.values())
    assert {look.state for look in inside if look.part == "fit"} == {"good", "varied", "degraded"}
    refused = {look.source.split("/")[0] for look in found if look.part != "test"}
    assert "histo_monuseg" not in refused
    assert any(look.source.startswith("histo_monuseg/") and look.part == "test" for look in inside)
