"""Recipes: what is shipped is valid; what is not valid is said with its line and a remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scrutiq.core import UsageError
from scrutiq.datasets.build import load, names
from scrutiq.degradations import names as degradations

from .conftest import MEDQ, PAIRS, write_recipe


def test_every_shipped_recipe_is_valid() -> None:
    assert names() == ("angio-triplets", "ct-iqa", "ldct-factorial", "medq-style", "pairs")
    for name in names():
        recipe = load(name)
        assert recipe.name == recipe.kind == name


def test_the_proportions_of_the_shipped_recipe_are_those_of_the_paper() -> None:
    recipe = load("medq-style")
    assert recipe.kind == "medq-style"
    assert (recipe.none, recipe.mild, recipe.severe) == (0.238, 0.446, 0.316)
    assert recipe.specific == 0.572
    assert recipe.fine == pytest.approx(103 / 133)


def test_the_flaws_of_the_shipped_recipe_exist() -> None:
    recipe = load("angio-triplets")
    assert recipe.kind == "angio-triplets"
    assert set(recipe.flaws) <= set(degradations("XA"))


def test_the_hash_is_of_the_content_not_of_the_file(tmp_path: Path) -> None:
    first = load(write_recipe(tmp_path / "a.yaml", PAIRS))
    (tmp_path / "b.yaml").write_text("# a remark\n" + yaml.safe_dump(dict(reversed(PAIRS.items())), sort_keys=False))
    assert load(tmp_path / "b.yaml").hash == first.hash
    assert load(write_recipe(tmp_path / "c.yaml", PAIRS | {"seed": 12})).hash != first.hash


@pytest.mark.parametrize(
    ("recipe", "change", "message"),
    [
        (MEDQ, {"images": 25}, r"images is a multiple of 4 .*take 24"),
        (MEDQ, {"none": 0.5}, r"none, mild and severe sum to 1"),
        (MEDQ, {"modality": ["CT"]}, r"line \d+: modality is not a key .* did you mean 'modalities'"),
        (MEDQ, {"bases": {"max_sid": 96}}, r"bases.max_sid is not a key .* did you mean 'max_side'"),
        (MEDQ, {"modalities": ["CT", "CT"]}, r"a modality is named once"),
        (MEDQ, {"pairs": 3}, r"pairs: input should be a multiple of 2 \(it is 3\)"),
        (PAIRS, {"severities": [0, 0.5, 0.4]}, r"severities ascend within 0 and 1"),
        (PAIRS, {"kind": "pears"}, r"kind is one of ldct-factorial, ct-iqa, medq-style, pairs, angio-triplets"),
        (PAIRS, {"name": "My Set"}, r"name: "),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, recipe: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    path = write_recipe(tmp_path / "recipe.yaml", recipe | change)
    with pytest.raises(UsageError, match=message) as caught:
        load(path)
    assert "line " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_line_is_that_of_the_field(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    lines = yaml.safe_dump(PAIRS | {"series": 0}, sort_keys=False).splitlines()
    path.write_text("\n".join(lines))
    line = next(number for number, text in enumerate(lines, start=1) if text.startswith("series"))
    with pytest.raises(UsageError, match=f"line {line}: series: "):
        load(path)


def test_a_recipe_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Did you mean 'medq-style'"):
        load("medq-stile")
    with pytest.raises(UsageError, match="cannot be read"):
        load(tmp_path / "nowhere.yaml")
    (tmp_path / "broken.yaml").write_text("kind: [")
    with pytest.raises(UsageError, match=r"line \d: it is not YAML"):
        load(tmp_path / "broken.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(UsageError, match="kind is one of"):
        load(tmp_path / "empty.yaml")
