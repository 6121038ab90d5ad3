"""Questions are dealt so that their texts say nothing; texts follow from what was made and read as a reader writes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np
import pytest

from scrutiq.core import Applied, Modality, Severity
from scrutiq.datasets import Question
from scrutiq.datasets.build.dealing import deal
from scrutiq.datasets.build.leak import find_leaks
from scrutiq.datasets.build.plan import apportion, rng_of, rounds, seed_of
from scrutiq.datasets.build.questions import KINDS, Ask, Shown, answer, options, question
from scrutiq.datasets.build.wording import comparison, confusable, description, region_of
from scrutiq.degradations import names, words

MODALITIES = (Modality.XA, Modality.ENDOSCOPY)


def images(count: int, seed: int) -> list[Shown]:
    """Return images with the severities of the paper, faults drawn as the recipe draws them."""
    rng = np.random.default_rng(seed)
    found = []
    for modality in MODALITIES:
        counts = apportion(count, {Severity.NONE: 0.238, Severity.MILD: 0.446, Severity.SEVERE: 0.316})
        severe = rounds(names(modality), counts[Severity.SEVERE], rng)
        mild = [*severe, *rounds(names(modality), counts[Severity.MILD] - len(severe), rng)]
        made = [(None, Severity.NONE)] * counts[Severity.NONE]
        made += [(name, Severity.MILD) for name in mild] + [(name, Severity.SEVERE) for name in severe]  # type: ignore[misc]
        found += [Shown(f"{modality}-{k}", modality, name, level) for k, (name, level) in enumerate(made)]
    return found


def put(ask: Ask, shown: Shown) -> Question:
    return Question(
        text=question(ask, shown.modality),
        options=options(ask),
        answer=ask.choices.index(answer(ask, shown)),
        kind=ask.kind,
    )


@pytest.fixture(scope="module")
def dealt() -> tuple[list[Shown], dict[str, list[Ask]]]:
    shown = images(60, 1)
    return shown, deal(shown, 0.5, 3, "dev")


def test_every_image_has_one_question_of_each_kind(dealt: tuple[list[Shown], dict[str, list[Ask]]]) -> None:
    shown, asks = dealt
    assert asks.keys() == {one.id for one in shown}
    assert all(tuple(ask.kind for ask in found) == KINDS for found in asks.values())


def test_in_a_block_the_text_is_one_and_every_answer_is_right_once(
    dealt: tuple[list[Shown], dict[str, list[Ask]]],
) -> None:
    shown, asks = dealt
    for place in range(3):
        blocks: dict[int, list[tuple[Question, Shown]]] = defaultdict(list)
        for one in shown:
            ask = asks[one.id][place]
            blocks[ask.block].append((put(ask, one), one))
        whole = 0
        for found in blocks.values():
            questions = [q for q, _ in found]
            # A general question does not name the modality, so that its text is one for all.
            assert len({(q.text, q.options) for q in questions}) == 1
            if sorted(str(q.answer) for q in questions) == [str(k) for k in range(len(questions[0].options))]:
                whole += len(questions)
        assert whole >= 0.85 * len(shown)


def test_a_reader_of_text_alone_is_no_better_than_chance() -> None:
    found = []
    for seed in (1, 2):
        shown = images(60, seed)
        asks = deal(shown, 0.5, seed, "dev")
        found.append([put(ask, one) for one in shown for ask in asks[one.id]])
    leaks = find_leaks(*found)
    assert [leak.kind for leak in leaks] == ["how", "what", "yes_no", "all"]
    for leak in leaks:
        assert leak.accuracy < leak.chance + 0.05
        assert leak.low < leak.chance < leak.high


@pytest.mark.parametrize("how", ["word", "length", "place", "frequency"])
def test_a_leak_of_any_sort_is_found(how: str) -> None:
    """Questions of two options in which the right one has a word of its own, is longer, stands first, or is common."""
    halves = []
    for half in (0, 1):
        rng = np.random.default_rng(half)
        found = []
        for _ in range(150):
            right = int(rng.random() < (0.9 if how == "place" else 0.5))
            pair = [str(w) for w in rng.permutation(["alpha", "bravo", "delta", "gamma", "kappa", "sigma"])[:2]]
            if how == "word":
                pair[right] += " visible"
            elif how == "length":
                pair[right] = "x" * int(rng.integers(20, 40))
            elif how == "frequency" and rng.random() < 0.6:
                pair[right], pair[1 - right] = "noise", "omega"
            found.append(Question(text="Which?", options=tuple(pair), answer=right, kind="what"))
        halves.append(found)
    (leak,) = find_leaks(*halves)
    assert leak.leaks, str(leak)


def test_what_could_be_mixed_up_is_not_asked_beside_each_other(
    dealt: tuple[list[Shown], dict[str, list[Ask]]],
) -> None:
    shown, asks = dealt
    for one in shown:
        yes_no, what, how = asks[one.id]
        faults = [key for key in what.choices if "." in key]
        assert not any(confusable(a, b) for a in faults for b in faults if a != b)
        for ask, away in ((yes_no, ("no",)), (how, ("none",))):
            if "." in ask.asked and one.made not in (None, ask.asked):
                absent = answer(ask, one) in away or ask.polarity == "absent"
                assert absent
                assert one.made is not None
                assert not confusable(ask.asked, one.made)


def test_kinds_of_blur_and_of_motion_can_be_mixed_up() -> None:
    assert confusable("xa.motion_blur", "xa.motion_blur")
    blurs = [name for name in names("endoscopy") if words(name).attribute == "sharpness"]
    assert all(confusable(one, other) for one in blurs for other in blurs)
    assert not confusable("xa.quantum_mottle", "xa.missing_branches")


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?])\s+(?=[A-Z])", text) if part]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("severity", [0.5, 0.9])
def test_a_description_has_the_five_parts_of_the_paper(name: str, severity: float) -> None:
    from scrutiq.degradations import get

    modality = get(name).modalities[0]
    history = (Applied(degradation=name, severity=severity),)
    said = words(name)
    for seed in range(4):
        text = description(modality, region_of(modality, "ABDOMEN"), history, (seed, "x"))
        assert 3 <= len(sentences(text)) <= 5, text
        assert "the abdomen" in text
        assert said.term in text
        assert str(said.at(Severity.of(severity))) in text
        assert said.cause in text
        assert said.cost[1:] in text
        assert text.endswith(f"the quality of this image is {'usable' if severity < 0.6 else 'reject'}.")
        assert "{" not in text
        assert "  " not in text


def test_the_description_of_a_good_image() -> None:
    for seed in range(4):
        text = description(Modality.MR, None, (), (seed, "x"))
        assert text.startswith(("This is an MRI image", "Shown is an MRI image"))
        assert text.endswith("Overall, the quality of this image is good.")
        assert 3 <= len(sentences(text)) <= 5


def test_a_comparison_prefers_what_was_made_less_severe() -> None:
    low, high = (Applied(degradation="xa.quantum_mottle", severity=s) for s in (0.45, 0.7))
    text, better, grain = comparison((low,), (high,), (1, "a"))
    assert (better, grain) == ("first", "fine")
    assert text.endswith("Overall, the first image has higher quality.")
    text, better, grain = comparison((high,), (), (1, "a"))
    assert (better, grain) == ("second", "coarse")
    assert "the first image is severely degraded (quantum mottle)" in text.lower()
    with pytest.raises(ValueError, match="no order"):
        comparison((low,), (low,), (1, "a"))


def test_regions_are_words() -> None:
    assert region_of(Modality.CT, "CHEST") == "the chest"
    assert region_of(Modality.CT, "CSPINE") == "the cervical spine"
    assert region_of(Modality.CT, None) is None
    assert region_of(Modality.FUNDUS, None) == "the retina"


def test_apportion_and_rounds() -> None:
    assert apportion(10, {"a": 0.238, "b": 0.446, "c": 0.316}) == {"a": 2, "b": 5, "c": 3}
    assert sum(apportion(7, dict.fromkeys(range(3), 1.0)).values()) == 7
    drawn = rounds("abc", 7, np.random.default_rng(0))
    assert max(Counter(drawn).values()) - min(Counter(drawn).values()) == 1


def test_seeds_follow_from_names() -> None:
    # Fixed for ever: another value would be another data set.
    assert seed_of(1, "dev", 3) == seed_of(1, "dev", 3) != seed_of(2, "dev", 3)
    assert seed_of(20261125, "dev-ct-00000") == 5624257480977751882
    assert rng_of(1, "x").integers(100) == rng_of(1, "x").integers(100)
