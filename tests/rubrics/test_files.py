"""The shipped rubrics, and what the checker says of a broken one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scrutiq import rubrics
from scrutiq.core import Dimension, Modality, Role, Rubric, RubricError

SHIPPED = rubrics.shipped()
DIMENSIONS = [pytest.param(d, id=f"{r.name}-{n}") for r in SHIPPED for n, d in r.dimensions.items()]


def test_the_five_scales_ship() -> None:
    assert rubrics.names() == ("angio", "ct-denoising", "ct-iqa", "ldct", "medq")


@pytest.mark.parametrize("rubric", SHIPPED, ids=lambda r: r.name)
def test_survives_json(rubric: Rubric) -> None:
    again = Rubric.from_json(rubric.to_json())
    assert again == rubric
    assert again.hash == rubric.hash


def test_scales_are_those_of_the_papers() -> None:
    ct = rubrics.load("ct-iqa")
    assert ct.window is not None
    assert ct.window.bounds == (-160, 240)
    assert {(d.range, d.better) for d in ct.dimensions.values()} == {((1, 4), "lower")}
    assert [n for n, d in ct.dimensions.items() if d.not_applicable] == ["lesion"]
    angio = rubrics.load("angio")
    assert set(angio.requires) == {Role.TARGET, Role.MASK, Role.CONTRAST}
    assert [level.score for level in angio.dimension("oq").levels] == [10, 30, 50, 70, 90]
    assert angio.dimension("vmc").boundaries == (20, 40, 60, 80)
    noise = rubrics.load("ct-denoising").dimension("noise")
    assert (noise.range, noise.better, noise.ideal) == ((1, 14), "near", 7)
    assert rubrics.load("ldct").dimension("overall").range == (0, 4)
    assert [level.word for level in rubrics.load("medq").dimension("overall").levels] == ["reject", "usable", "good"]
    assert Modality.FUNDUS in rubrics.load("medq").modalities


@pytest.mark.parametrize("scale", DIMENSIONS)
@given(share=st.floats(0, 1))
def test_quality_and_score_are_inverse(scale: Dimension, share: float) -> None:
    sides = ("below", "above") if scale.better == "near" else (None,)
    for side in sides:
        score = scale.score(share, side)  # type: ignore[arg-type]
        assert scale.range[0] <= score <= scale.range[1]
        assert scale.quality(score) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("scale", DIMENSIONS)
@given(a=st.floats(0, 1), b=st.floats(0, 1))
def test_quality_is_monotone_in_the_stated_direction(scale: Dimension, a: float, b: float) -> None:
    low, high = scale.range
    a, b = sorted(low + (high - low) * share for share in (a, b))
    if scale.better == "higher":
        assert scale.quality(a) <= scale.quality(b)
    elif scale.better == "lower":
        assert scale.quality(a) >= scale.quality(b)
    else:
        assert scale.ideal is not None
        if b <= scale.ideal:
            assert scale.quality(a) <= scale.quality(b)
        if a >= scale.ideal:
            assert scale.quality(a) >= scale.quality(b)


@pytest.mark.parametrize("scale", DIMENSIONS)
def test_every_level_owns_its_score(scale: Dimension) -> None:
    for level in scale.levels:
        assert scale.level(level.score) == level
        assert scale.named(level.word.upper()) == level
        certain = {other.word: float(other == level) for other in scale.levels}
        assert scale.expected_score(certain) == level.score


@pytest.mark.parametrize("scale", DIMENSIONS)
@given(share=st.floats(0, 1))
def test_the_level_is_the_nearest(scale: Dimension, share: float) -> None:
    score = scale.range[0] + share * (scale.range[1] - scale.range[0])
    score = min(max(score, scale.range[0]), scale.range[1])
    chosen = abs(scale.level(score).score - score)
    assert chosen == pytest.approx(min(abs(level.score - score) for level in scale.levels), abs=1e-9)


@pytest.mark.parametrize("scale", DIMENSIONS)
@given(share=st.floats(0, 1), spread=st.floats(0, 3))
def test_levels_share_a_normal_distribution(scale: Dimension, share: float, spread: float) -> None:
    low, high = scale.range
    score = min(max(low + share * (high - low), low), high)
    found = scale.distribution(score, spread * (high - low))
    assert list(found) == [level.word for level in scale.levels]
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)
    assert min(found.values()) >= 0
    if spread == 0:
        assert found[scale.level(score).word] == 1


def test_levels_share_it_as_drawing_from_it_does(rng: np.random.Generator) -> None:
    scale = rubrics.load("ldct").dimension("overall")
    drawn = rng.normal(2.9, 0.6, 400_000)
    drawn = drawn[(drawn >= 0) & (drawn <= 4)]
    words, counts = np.unique([scale.level(score).word for score in drawn], return_counts=True)
    found = scale.distribution(2.9, 0.6)
    for word, count in zip(words, counts, strict=True):
        assert found[word] == pytest.approx(count / drawn.size, abs=0.003)


@pytest.mark.parametrize("rubric", SHIPPED, ids=lambda r: r.name)
@given(data=st.data())
def test_captions_read_back_exactly(rubric: Rubric, data: st.DataObject) -> None:
    scores: dict[str, float | None] = {}
    for name, scale in rubric.dimensions.items():
        choices: list[float | None] = [level.score for level in scale.levels]
        if scale.not_applicable:
            choices.append(None)
        scores[name] = data.draw(st.sampled_from(choices))
    caption = rubric.write_caption(scores)
    assert rubric.read_caption(caption) == scores
    assert rubric.read_caption("  " + caption.upper().replace(" ", "\n ") + ".") == scores


def test_a_caption_off_the_template_is_refused() -> None:
    ct = rubrics.load("ct-iqa")
    with pytest.raises(RubricError, match="does not follow the template"):
        ct.read_caption("Image noise and structural fidelity: quite good")
    with pytest.raises(RubricError, match="needs a score for each"):
        ct.write_caption({"noise": 1})
    with pytest.raises(RubricError, match="does not allow"):
        ct.write_caption({"noise": None, "structures": 1, "lesion": None, "confidence": 1})


def test_judge_refuses_what_is_off_the_scale() -> None:
    ct = rubrics.load("ct-iqa")
    with pytest.raises(RubricError, match="outside the range"):
        ct.judge("noise", 4.5)
    with pytest.raises(RubricError, match="no dimension 'nose'"):
        ct.judge("nose", 1)
    assert ct.judge("lesion").level == "no lesion"
    assert ct.judge("noise", 1.4, interval=(0.2, 2)).interval == (1, 2)


def test_the_checker_names_line_and_remedy(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        """name: My Rubric
title: x
description: d
modalities: [CT, PET]
dimensions:
  noise:
    titel: N
    description: d
    range: [4, 1]
    better: lowest
    levels:
      - {score: a, word: x, criterion: y}
      - {score: 2, word: z, criterion: y}
"""
    )
    problems = rubrics.check(path)
    assert any(p.startswith("line 7:") and "did you mean 'title'" in p for p in problems)
    assert any(p.startswith("line 4:") and "'PET'" in p for p in problems)
    assert any(p.startswith("line 12:") and "score" in p for p in problems)
    assert any("source is missing" in p for p in problems)
    with pytest.raises(RubricError, match="is not a valid rubric"):
        rubrics.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n- b\n", "a YAML mapping"),
        ("a: [1,\n", "line 2: it is not YAML"),
        ("", "a YAML mapping"),
    ],
)
def test_files_that_are_no_rubric(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    assert any(message in problem for problem in rubrics.check(path))


def levels(*rows: tuple[float, str, str]) -> list[dict[str, object]]:
    return [{"score": score, "word": word, "criterion": criterion} for score, word, criterion in rows]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"range": [4, 1]}, "range runs from low to high"),
        ({"ideal": 3}, "'ideal' is given if, and only if"),
        ({"better": "near", "ideal": 9}, "does not lie inside"),
        ({"levels": levels((2, "a", "a"), (1, "b", "b"))}, "asc"),
        (
            {"levels": levels((1, "a", "a"), (2, "A", "b"))},
            "word",
        ),
        (
            {"levels": levels((1, "a", "x"), (2, "b", "X"))},
            "crit",
        ),
        (
            {"levels": levels((0, "a", "a"), (2, "b", "b"))},
            "outside",
        ),
    ],
)
def test_an_invalid_dimension_cannot_be_built(change: dict[str, object], message: str) -> None:
    good = rubrics.load("ct-iqa").dimension("noise").model_dump()
    with pytest.raises(ValueError, match=message):
        Dimension.model_validate({**good, **change})


def test_an_unknown_name_suggests_a_known_one() -> None:
    with pytest.raises(RubricError, match="Did you mean 'ct-iqa'"):
        rubrics.load("ct-iq")
    with pytest.raises(RubricError, match="cannot be read"):
        rubrics.load("nowhere.yaml")
