from __future__ import annotations

import json
from collections import Counter
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from scrutiq.core import InputError, Modality
from scrutiq.datasets.bases import base
from scrutiq.training.net.recipe import NetRecipe, load_net_recipe
from scrutiq.training.net.samples import CHANGES, Samples, degradations_of, make_samples, parts, plan, scenes

RECIPES = Path(str(resources.files("scrutiq.training"))) / "recipes"


@pytest.fixture(scope="module")
def recipe() -> NetRecipe:
    return load_net_recipe(RECIPES / "net_base.yaml")


def test_what_ships_is_trained_on_what_may_ship_only(recipe: NetRecipe) -> None:
    assert recipe.shipped
    for data in recipe.modalities.values():
        assert all(base(name).shipped_weights for name in data.train)


def test_a_refused_base_is_refused(recipe: NetRecipe, tmp_path: Path) -> None:
    text = (RECIPES / "net_base.yaml").read_text("utf-8").replace("train: [histo_tiles]", "train: [histo_monuseg]")
    (tmp_path / "recipe.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match="CC BY-NC-SA"):
        load_net_recipe(tmp_path / "recipe.yaml")


def test_weights_that_do_not_ship_carry_a_notice() -> None:
    other = load_net_recipe(RECIPES / "net_research.yaml")
    assert not other.shipped
    assert other.notice


@pytest.mark.parametrize("text", ["[]", "name: x", "modalities: {CT: {train: [nothing_of_that_name], each: {}}}"])
def test_what_is_no_recipe_is_refused_in_a_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(text, "utf-8")
    with pytest.raises(InputError, match="not a recipe"):
        load_net_recipe(tmp_path / "recipe.yaml")


@pytest.mark.shared
def test_the_split_is_the_one_that_is_committed(recipe: NetRecipe, shared: Path) -> None:
    committed = json.loads((RECIPES / "net_base.splits.json").read_text("utf-8"))
    assert parts(scenes(recipe, shared)) == committed


@pytest.mark.shared
def test_no_group_is_in_two_parts_and_any_beginning_is_a_fair_selection(recipe: NetRecipe, shared: Path) -> None:
    found = scenes(recipe, shared)
    parts: dict[str, set[str]] = {}
    for scene in found:
        parts.setdefault(scene.base.group, set()).add(scene.part)
    assert all(len(of) == 1 for of in parts.values())
    tested = {s.base.group for s in found if s.part == "test" and s.modality is Modality.CT}
    assert len(tested) >= 10
    plans = plan(recipe, found)
    assert len({one.id for one in plans}) == len(plans)
    first = Counter(one.steps[0][0] for one in plans[len(plans) // 2 :] if one.steps and one.scene.part == "train")
    every = Counter(one.steps[0][0] for one in plans if one.steps and one.scene.part == "train")
    for name in degradations_of(Modality.CT):
        assert 0.25 < first[name] / every[name] < 0.75


@pytest.mark.shared
def test_samples_are_what_their_rows_say_and_are_not_made_twice(
    recipe: NetRecipe, shared: Path, tmp_path: Path
) -> None:
    small = recipe.shortened()
    plans = [one for one in plan(small, scenes(small, shared)) if one.scene.modality is not Modality.CT]
    chosen = [p for p in plans if p.kind == "clean"][:2] + [p for p in plans if p.kind == "degraded"][:4]
    make_samples(chosen[:3], tmp_path, jobs=1)
    with (tmp_path / "samples.jsonl").open("a") as rows:
        rows.write('{"id": "cut sho')
    (tmp_path / "samples.jsonl").write_text(
        "\n".join((tmp_path / "samples.jsonl").read_text("utf-8").splitlines()[:-1]) + "\n", "utf-8"
    )
    before = (tmp_path / "pixels.bin").stat().st_size
    make_samples(chosen, tmp_path, jobs=1)
    samples = Samples(tmp_path)
    assert [row["id"] for row in samples.rows] == [one.id for one in chosen]
    assert (tmp_path / "pixels.bin").stat().st_size > before
    for row in samples.rows:
        level, change = samples.level(row), samples.change(row)
        assert list(level.shape) == row["shape"]
        assert change.shape == (-(-level.shape[0] // 16), -(-level.shape[1] // 16))
        assert len(row["change"]) == len(CHANGES)
        if row["kind"] == "clean":
            assert not change.any()
            np.testing.assert_allclose(row["change"][1:4], 1, atol=1e-3)
        else:
            assert change.any()
    assert json.loads((tmp_path / "samples.jsonl").read_text("utf-8").splitlines()[0])["part"] in ("train", "test")
