"""Questions are dealt in blocks of equal text, so that no text can give its answer away.

Every question belongs to a block. The questions of a block have the same text and the same options in the same order,
are asked of different images, and each option is the right one once (yes/no: one yes and one no; what: each of the
faults on offer; how: none, mild and severe). Whoever reads the text alone is right once a block: no more than chance,
whatever he knows of how often a fault is asked for, how long its name is, or where answers stand.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from scrutiq.core import Severity
from scrutiq.datasets.build.plan import rng_of
from scrutiq.datasets.build.questions import KINDS, WHOLE, Ask, Kind, Shown, surely_absent, there, wordings
from scrutiq.datasets.build.wording import confusable

__all__ = ["deal"]

T = TypeVar("T")


def deal(images: Sequence[Shown], specific: float, seed: int, split: str) -> dict[str, list[Ask]]:
    """Return one question of each kind for every image of a split, in the order yes/no, what, how.

    Parameters
    ----------
    images : sequence of Shown
    specific : float
        Share of the questions that are specific to the modality; met as nearly as the blocks allow.
    seed : int
    split : str
    """
    dealt: dict[Kind, dict[str, Ask]] = {}
    owners = Counter(shown.modality for shown in images if shown.own is not None)
    wanted = specific * len(images) * len(KINDS)
    asked = 0
    # What one kind, or one modality, could not give, the next makes up for: the most flexible stand last.
    order: tuple[Kind, ...] = ("what", "how", "yes_no")
    for position, kind in enumerate(order):
        rng = rng_of(seed, split, kind)
        share = (wanted - asked) / ((len(KINDS) - position) * len(images))
        dealer = _Dealer(kind, rng)
        pool = [images[i] for i in rng.permutation(len(images))]
        rest: list[Shown] = []
        due = 0.0
        for modality in sorted({shown.modality for shown in images}, key=lambda m: (owners[m], m)):
            own = [shown for shown in pool if shown.modality is modality]
            due += share * len(own)
            rest += _MAKERS[kind][0](dealer, own, round(due) - dealer.specific)
        for shown in _MAKERS[kind][1](dealer, rest):
            dealer.alone(shown, images)
        asked += dealer.specific
        dealt[kind] = dealer.asks
    return {shown.id: [dealt[kind][shown.id] for kind in KINDS] for shown in images}


class _Dealer:
    """Makes blocks of one kind."""

    def __init__(self, kind: Kind, rng: np.random.Generator) -> None:
        self.kind = kind
        self.rng = rng
        self.asks: dict[str, Ask] = {}
        self.specific = 0
        self.blocks = 0

    def block(self, images: Sequence[Shown], asked: str, choices: Iterable[str], *, specific: bool) -> None:
        """Ask all of these images the same question."""
        polarity = "absent" if self.kind == "yes_no" and self.rng.random() < 0.4 else "present"
        ask = Ask(self.kind, specific, asked, polarity, 0, tuple(choices), self.blocks)
        ask = ask._replace(variant=int(self.rng.integers(len(wordings(ask)))))
        for shown in images:
            self.asks[shown.id] = ask
        self.specific += len(images) * specific
        self.blocks += 1

    def alone(self, shown: Shown, images: Sequence[Shown]) -> None:
        """Ask an image for which no block was left."""
        if self.kind == "yes_no":
            asked = ("reject", "fault")[int(self.rng.integers(2))]
            self.block([shown], asked, ("yes", "no"), specific=False)
        elif self.kind == "how":
            self.block([shown], "overall", self.order(_LEVELS), specific=False)
        else:
            right = shown.attribute or "none"
            others = sorted({other.attribute or "none" for other in images} - {right})
            drawn = [others[i] for i in self.rng.permutation(len(others))[:3]]
            self.block([shown], "attribute", self.shuffled([right, *drawn]), specific=False)

    def order(self, levels: tuple[str, ...]) -> tuple[str, ...]:
        """Return levels in their order or its reverse."""
        return levels if self.rng.random() < 0.5 else levels[::-1]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        return [values[i] for i in self.rng.permutation(len(values))]

    def first(self, pool: Sequence[Shown], fits: Callable[[Shown], bool]) -> Shown | None:
        return next((shown for shown in pool if fits(shown)), None)


_LEVELS = tuple(level.value for level in (Severity.NONE, Severity.MILD, Severity.SEVERE))


def _without(pool: list[Shown], taken: Iterable[Shown]) -> list[Shown]:
    gone = {shown.id for shown in taken}
    return [shown for shown in pool if shown.id not in gone]


def _specific_yes_no(dealer: _Dealer, pool: list[Shown], room: int) -> list[Shown]:
    # Faults in turn, so that each is asked for as often as it is made.
    for shown in [one for one in pool if one.own is not None]:
        if room < 2:
            break
        asked = shown.own
        assert asked is not None
        # An image without a fault of the modality first: the others have a question of their own to give.
        ranked = sorted(pool, key=lambda one: one.own is not None)
        partner = next((one for one in ranked if surely_absent(asked, one)), None)
        if partner is None or all(one.id != shown.id for one in pool):
            continue
        dealer.block([shown, partner], asked, ("yes", "no"), specific=True)
        pool = _without(pool, (shown, partner))
        room -= 2
    return pool


def _general_yes_no(dealer: _Dealer, pool: list[Shown]) -> list[Shown]:
    pool = dealer.shuffled(pool)
    while len(pool) >= 2:
        one = pool[0]
        pairs = []
        for other in pool[1:]:
            pairs = [asked for asked in _subjects(one, other) if _told_apart(asked, one, other)]
            if pairs:
                break
        else:
            return pool
        attributes = [asked for asked in pairs if asked not in WHOLE]
        chosen = attributes if attributes and dealer.rng.random() < 0.7 else pairs
        dealer.block([one, other], chosen[int(dealer.rng.integers(len(chosen)))], ("yes", "no"), specific=False)
        pool = _without(pool, (one, other))
    return pool


def _told_apart(asked: str, one: Shown, other: Shown) -> bool:
    return any(there(asked, a) and surely_absent(asked, b) for a, b in ((one, other), (other, one)))


def _subjects(one: Shown, other: Shown) -> list[str]:
    attributes = [shown.attribute for shown in (one, other) if shown.attribute is not None]
    return [*dict.fromkeys(attributes), "reject", "fault"]


def _specific_what(dealer: _Dealer, pool: list[Shown], room: int) -> list[Shown]:
    return _what(dealer, pool, "degradation", lambda one: one.own or ("none" if one.made is None else None), 3, room)


def _general_what(dealer: _Dealer, pool: list[Shown]) -> list[Shown]:
    def general(one: Shown) -> str | None:
        return "none" if one.made is None else None if one.own is not None else one.made

    # Faults of every kind of image first: there are more of them than attributes, and most are artefacts.
    crowded = Counter(one.attribute for one in pool)["artefacts"] > len(pool) / 4
    if crowded:
        artefacts = [one for one in pool if one.attribute in ("artefacts", None)]
        room = 4 * (Counter(one.attribute for one in pool)["artefacts"] - len(pool) // 4) // 3
        left = _what(dealer, artefacts, "degradation", general, 3, room)
        pool = [one for one in pool if one.attribute not in ("artefacts", None)] + left
    pool = _what(dealer, pool, "attribute", lambda one: one.attribute or "none", 3, len(pool))
    pool = _what(dealer, pool, "degradation", general, 3, len(pool))
    return _what(dealer, pool, "attribute", lambda one: one.attribute or "none", 2, len(pool))


def _what(
    dealer: _Dealer, pool: list[Shown], asked: str, key: Callable[[Shown], str | None], least: int, room: int
) -> list[Shown]:
    """Make blocks of four images of different keys, of ``least`` where no four are left."""
    while room >= least:
        block = _distinct(pool, key, min(4, room))
        if len(block) < least:
            break
        own = any(one.own is not None for one in block) and asked == "degradation"
        dealer.block(block, asked, dealer.shuffled([key(one) or "none" for one in block]), specific=own)
        pool = _without(pool, block)
        room -= len(block)
    return pool


def _distinct(pool: Sequence[Shown], key: Callable[[Shown], str | None], most: int) -> list[Shown]:
    """Return images of different keys, those first of which most are left; degradations that no reader would mix up."""
    buckets: dict[str, list[Shown]] = defaultdict(list)
    for shown in pool:
        if (name := key(shown)) is not None:
            buckets[name].append(shown)
    crowd = Counter(shown.attribute for shown in pool)
    chosen: dict[str, Shown] = {}
    for name in sorted(buckets, key=lambda n: (-len(buckets[n]), -crowd[buckets[n][0].attribute])):
        if len(chosen) == most:
            break
        fitting = (one for one in buckets[name] if _beside(name, one, chosen))
        if (one := next(fitting, None)) is not None:
            chosen[name] = one
    return list(chosen.values())


def _beside(name: str, shown: Shown, chosen: Mapping[str, Shown]) -> bool:
    """Return whether an image can be asked with those chosen: no option is a fault that the base of another has."""
    if "." in name and any("." in other and confusable(name, other) for other in chosen):
        return False
    faults = [(key, one) for key, one in (*chosen.items(), (name, shown)) if key != "none"]
    return all(
        key == mine or surely_absent(key, Shown(one.id, one.modality, None, one.severity, one.flaws))
        for mine, one in (*chosen.items(), (name, shown))
        for key, _ in faults
    )


def _specific_how(dealer: _Dealer, pool: list[Shown], room: int) -> list[Shown]:
    for shown in [one for one in pool if one.own is not None and one.severity is Severity.SEVERE]:
        if room < 3:
            break
        asked = shown.own
        assert asked is not None
        mild = dealer.first(pool, lambda one, asked=asked: one.made == asked and one.severity is Severity.MILD)  # type: ignore[misc]
        none = _spare(dealer, pool, lambda one, asked=asked: surely_absent(asked, one))  # type: ignore[misc]
        if mild is None or none is None:
            continue
        block = [none, mild, shown]
        dealer.block(block, asked, dealer.order(_LEVELS), specific=True)
        pool = _without(pool, block)
        room -= 3
    return pool


def _general_how(dealer: _Dealer, pool: list[Shown]) -> list[Shown]:
    pool = dealer.shuffled(pool)
    severe = [one for one in pool if one.severity is Severity.SEVERE]
    for number, shown in enumerate(severe):
        # The image as a whole and one attribute take turns.
        for asked in (["overall", shown.attribute], [shown.attribute, "overall"])[number % 2]:
            assert asked is not None
            mild = dealer.first(
                pool,
                lambda one, asked=asked: (
                    one.severity is Severity.MILD and (asked == "overall" or one.attribute == asked)
                ),  # type: ignore[misc]
            )
            none = (
                dealer.first(pool, lambda one: one.severity is Severity.NONE)
                if asked == "overall"
                else _spare(dealer, pool, lambda one, asked=asked: surely_absent(asked, one))  # type: ignore[misc]
            )
            if mild is not None and none is not None:
                block = [none, mild, shown]
                dealer.block(block, asked, dealer.order(_LEVELS), specific=False)
                pool = _without(pool, block)
                break
    # MedQ-Bench has fewer severe images than a third: what is left has no severe partner.
    while len(pool) >= 2:
        mild = dealer.first(pool, lambda one: one.severity is Severity.MILD)
        none = dealer.first(pool, lambda one: one.severity is Severity.NONE)
        if mild is None:
            break
        asked = mild.attribute if none is None or dealer.rng.random() < 0.5 else "overall"
        if asked != "overall":
            none = dealer.first(pool, lambda one, asked=asked: surely_absent(asked, one))  # type: ignore[misc]
        if none is None:
            break
        assert asked is not None
        dealer.block([none, mild], asked, dealer.order(_LEVELS), specific=False)
        pool = _without(pool, (none, mild))
    return pool


def _spare(dealer: _Dealer, pool: Sequence[Shown], fits: Callable[[Shown], bool]) -> Shown | None:
    """Return an image without the fault: a clean one, or one of the mild ones in excess of the severe."""
    fitting = [one for one in pool if fits(one)]
    count = Counter(one.severity for one in pool)
    excess = count[Severity.MILD] > count[Severity.SEVERE]
    mild = [one for one in fitting if one.severity is Severity.MILD]
    none = [one for one in fitting if one.severity is Severity.NONE]
    ordered = (
        [*mild, *none] if excess and len(mild) and dealer.rng.random() < 0.4 else [*none, *(mild if excess else [])]
    )
    return ordered[0] if ordered else None


_MAKERS: dict[
    Kind,
    tuple[
        Callable[[_Dealer, list[Shown], int], list[Shown]],
        Callable[[_Dealer, list[Shown]], list[Shown]],
    ],
] = {
    "yes_no": (_specific_yes_no, _general_yes_no),
    "what": (_specific_what, _general_what),
    "how": (_specific_how, _general_how),
}
