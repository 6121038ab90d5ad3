"""What is said of a degraded image: descriptions and comparisons, from what was made and in the entries' words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any, TypeVar

import yaml

from scrutiq.core import Applied, Modality, Severity
from scrutiq.datasets.build.plan import rng_of
from scrutiq.degradations import Words, words

__all__ = ["comparison", "confusable", "description", "made", "modality_word", "quality_word", "region_of", "texts"]

T = TypeVar("T")


@cache
def texts() -> dict[str, Any]:
    """Return the templates of ``medq.yaml``."""
    file = resources.files("scrutiq.datasets.build").joinpath("medq.yaml")
    document: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return document


def made(history: Sequence[Applied]) -> tuple[str | None, Severity]:
    """Return the degradation that was made last and how severe it is; None and none for an image as it came."""
    if not history:
        return None, Severity.NONE
    return history[-1].degradation, Severity.of(history[-1].severity)


def modality_word(modality: Modality) -> str:
    word: str = texts()["modality"][modality.value]
    return word


def quality_word(severity: Severity) -> str:
    """Return good, usable or reject (MedQ-Bench, appendix A.1)."""
    word: str = texts()["quality"][severity.value]
    return word


def region_of(modality: Modality, body_part: str | None, base: str | None = None) -> str | None:
    """Return the region in words: of the body part that a file states, of its set, of its modality, else None."""
    if body_part:
        known: str = texts()["region"].get(body_part.upper(), "the " + body_part.replace("_", " ").lower())
        return known
    implied: str | None = texts()["set"].get(base) or texts()["implied"].get(modality.value)
    return implied


def description(modality: Modality, region: str | None, history: Sequence[Applied], key: tuple[object, ...]) -> str:
    """Return a no-reference description in three to five sentences.

    Its parts are those of MedQ-Bench, section 2.3.1: modality and region; degradation and severity; technical cause;
    diagnostic impact; good, usable or reject.

    Parameters
    ----------
    modality : Modality
    region : str or None
        In words.
    history : sequence of Applied
        What was made; at most one degradation.
    key : tuple
        Seed and id: they choose among wordings.
    """
    parts, rng = texts()["description"], rng_of(0, *key, "description")

    def pick(options: Sequence[str]) -> str:
        return options[int(rng.integers(len(options)))]

    name, severity = made(history)
    place = pick(parts["place" if region else "place_unknown"]).format(
        article=texts()["article"][modality.value], modality=modality_word(modality), region=region
    )
    if name is None or severity is Severity.NONE:
        body = pick(parts["good"])
    else:
        said = words(name)
        body = pick(parts[severity.value]).format(
            term=said.term,
            phrase=said.at(severity),
            cause=said.cause,
            cost=said.cost,
            mild_cost=pick(parts["mild_cost"]).format(cost=_lowered(said.cost)),
        )
    return " ".join([place, body.strip(), parts["overall"].format(quality=quality_word(severity))])


def comparison(first: Sequence[Applied], second: Sequence[Applied], key: tuple[object, ...]) -> tuple[str, str, str]:
    """Return the comparison of two images of one base, which is better (``first``, ``second``), and the grain.

    ``fine`` where both have the same degradation, visible in both; ``coarse`` otherwise. The better image is the one
    that was made less severe.
    """
    parts, rng = texts()["comparison"], rng_of(0, *key, "comparison")
    level = [history[-1].severity if history else 0.0 for history in (first, second)]
    if level[0] == level[1]:
        raise ValueError("two images of equal severity have no order")
    order = ("first", "second") if level[0] < level[1] else ("second", "first")
    better, worse = (first, second) if level[0] < level[1] else (second, first)
    name, severity = made(worse)
    assert name is not None
    said = words(name)
    other, other_severity = made(better)
    grain = "fine" if other == name and other_severity is not Severity.NONE else "coarse"
    options = parts[grain]
    text: str = options[int(rng.integers(len(options)))].format(
        good=order[0],
        bad=order[1],
        term=said.term,
        phrase=said.at(Severity.MILD if grain == "fine" else severity),
        cost=said.cost,
        good_shows=_shows(other, other_severity),
        bad_shows=_shows(name, severity),
    )
    return " ".join(text.split()), order[0], grain


def _shows(name: str | None, severity: Severity) -> str:
    parts = texts()["comparison"]
    if name is None or severity is Severity.NONE:
        clean: str = parts["clean"]
        return clean
    said = words(name)
    text: str = parts["one"].format(term=said.term, degree=parts["degree"][severity.value], phrase=said.at(severity))
    return text


def confusable(one: str, other: str) -> bool:
    """Return whether a reader could take one degradation for the other, so that neither is asked for beside the other.

    Two faults that act on the same attribute by nature (two kinds of noise, of blur), that are given away by the same
    measurement, or whose names share a word.
    """
    if one == other:
        return True
    a, b = words(one), words(other)
    if a.attribute == b.attribute and a.attribute != "artefacts":
        return True
    return bool(_stems(one, a) & _stems(other, b)) or _measurement(one) == _measurement(other)


@cache
def _measurement(name: str) -> str:
    from scrutiq.degradations import get

    return get(name).measurement.name


#: Words that say nothing of which fault it is.
_COMMON = frozenset(
    ("artefact", "artefacts", "image", "images", "field", "signal", "reconstruction", "light", "effect")
)


def _stems(name: str, said: Words) -> set[str]:
    text = " ".join([name.partition(".")[2].replace("_", " "), said.term, *said.synonyms]).lower()
    return {word[:6] for word in re.findall(r"[a-z]{5,}", text) if word not in _COMMON}


def _lowered(sentence: str) -> str:
    """Return a sentence as it continues after a colon: a capital that is not part of a name or abbreviation falls."""
    first, _, rest = sentence.partition(" ")
    plain = (first[:1].isupper() and first[1:].islower()) or len(first) == 1
    return f"{first.lower()} {rest}" if plain else sentence
