"""The plan: every image of a data set before the first is made. It follows from the recipe and the bases alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field, JsonValue

from scrutiq.core import FrozenDict, Modality, Noun

__all__ = ["Item", "Step", "apportion", "rng_of", "rounds", "seed_of"]

T = TypeVar("T")
K = TypeVar("K")


class Step(Noun):
    """One degradation to be made.

    Parameters
    ----------
    degradation : str
    severity : float
        In (0, 1].
    seed : int
        Of the generator that draws its parameters.
    settings : mapping
        Parameters that the recipe sets itself, instead of what ``severity`` would give.
    """

    degradation: str
    severity: Annotated[float, Field(gt=0, le=1)]
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    settings: FrozenDict[str, JsonValue] = FrozenDict()


class Item(Noun):
    """One image that is to be made.

    Parameters
    ----------
    id : str
        Unique in the data set.
    case : str
        What the image is judged as part of: equal for the images of a triplet or a graded series.
    role : str
        ``target``, ``mask``, ``contrast`` or ``reference``.
    base : str
        Id of the base.
    others : mapping of str to str
        Further bases that the image is made from, by role.
    group : str
        Patient or source: all images of a group are in one split.
    split : str
    modality : Modality
    steps : tuple of Step
        In the order in which they are made; empty for an image as it is.
    stem : str
        Path of the file in the data set, without its suffix.
    form : {"stored", "display"}
        ``stored``: float32 TIFF in the unit of the pixels for CT and for what has no range, PNG of 8 or 16 bits
        otherwise. ``display``: PNG of 8 bits, as displayed.
    facts : mapping
        What the design says of the image: factors, levels, what a question asks.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    case: str
    role: Literal["target", "mask", "contrast", "reference"] = "target"
    base: str
    others: FrozenDict[str, str] = FrozenDict()
    group: str
    split: str
    modality: Modality
    steps: tuple[Step, ...] = ()
    stem: str
    form: Literal["stored", "display"] = "stored"
    facts: FrozenDict[str, JsonValue] = FrozenDict()


def seed_of(seed: int, *key: object) -> int:
    """Return the seed of one random thing of a data set: a function of the recipe's seed and of its name only."""
    text = "\0".join(map(str, (seed, *key)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def rng_of(seed: int, *key: object) -> np.random.Generator:
    """Return a generator seeded by `seed_of`."""
    return np.random.default_rng(seed_of(seed, *key))


def apportion(total: int, shares: Mapping[K, float]) -> dict[K, int]:
    """Return whole numbers that sum to ``total``, as near to the shares as can be (largest remainder)."""
    whole = sum(shares.values())
    exact = {key: total * share / whole for key, share in shares.items()}
    counts = {key: int(value) for key, value in exact.items()}
    order = sorted(exact, key=lambda key: counts[key] - exact[key])  # a stable sort: the first of equals
    for key in order[: total - sum(counts.values())]:
        counts[key] += 1
    return counts


def rounds(values: Sequence[T], count: int, rng: np.random.Generator) -> list[T]:
    """Return ``count`` of the values: each as often as the others, in an order that differs from round to round."""
    if not values:
        raise ValueError("there is nothing to draw from")
    drawn: list[T] = []
    while len(drawn) < count:
        drawn += [values[i] for i in rng.permutation(len(values))]
    return drawn[:count]
