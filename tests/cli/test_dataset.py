"""``dataset build``, ``info`` and ``check``, on bundled images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

RECIPE = {
    "kind": "pairs",
    "name": "two-series",
    "title": "Two series",
    "description": "For the tests.",
    "seed": 3,
    "series": 2,
    "severities": [0, 1],
    "modalities": ["histopathology"],
    "test": 0.5,
    "bases": {"max_side": 96},
}


@pytest.fixture
def given(demo: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A recipe, and a data folder of the bundled tiles."""
    tiles = tmp_path / "data" / "histo_tiles"
    tiles.mkdir(parents=True)
    shutil.copy(demo / "images/histopathology/tile_1.jpg", tiles / "Tile_1.jpg")
    shutil.copy(demo / "images/histopathology/tile_2.jpg", tiles / "CRC_2.jpg")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(RECIPE), "utf-8")
    return recipe, tmp_path / "data"


def test_a_set_is_built_shown_and_checked(run, given, tmp_path: Path):
    (recipe, data), out = given, tmp_path / "out"
    built = run("dataset", "build", recipe, "--out", out, "--data", data)
    assert (built.status, built.out) == (0, "")
    assert built.error_lines[0] == "4 images, 4 records, 0 failed"
    shown = run("dataset", "info", out)
    assert shown.status == 0
    assert "Two series" in shown.out
    assert "histo_tiles" in shown.out
    card = run("dataset", "info", out, "--format", "json").json
    assert (card["images"], card["seed"]) == (4, 3)
    checked = run("dataset", "check", out, "--data", data, "--format", "json")
    assert (checked.status, checked.json["passed"], checked.json["problems"]) == (0, True, [])


def test_a_damaged_set_fails_its_check(run, given, tmp_path: Path):
    (recipe, data), out = given, tmp_path / "out"
    run("dataset", "build", recipe, "--out", out, "--data", data)
    victim = next(out.rglob("*.png"))
    victim.write_bytes(victim.read_bytes()[:-20])
    found = run("dataset", "check", out, "--data", data)
    assert found.status == 1
    assert any(line.startswith("problem: ") for line in found.error_lines)
    assert "problem" in found.out.splitlines()[-1]


def test_a_finished_set_is_not_built_over(run, given, tmp_path: Path):
    (recipe, data), out = given, tmp_path / "out"
    run("dataset", "build", recipe, "--out", out, "--data", data)
    again = run("dataset", "build", recipe, "--out", out, "--data", data)
    assert again.status == 2
    assert "add --resume" in again.error_lines[0]
    resumed = run("dataset", "build", recipe, "--out", out, "--data", data, "--resume")
    assert (resumed.status, resumed.error_lines[0]) == (0, "4 images, 4 records, 0 failed")


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("build", "medq-styl"), 2, "Did you mean 'medq-style'?"),
        (("build", "pairs", "--data", "nowhere"), 2, "there is no folder of base images"),
        (("info",), 1, "holds no finished data set"),
        (("check",), 1, "holds no finished data set"),
    ],
)
def test_a_wrong_call_is_one_sentence(run, tmp_path: Path, words, status, message):
    where = (tmp_path,) if words[0] != "build" else ("--out", tmp_path / "out")
    found = run("dataset", *words, *where)
    assert found.status == status
    assert len(found.error_lines) == 1
    assert message in found.error_lines[0]
