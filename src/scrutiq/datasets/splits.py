"""Splits by group: what belongs to one patient or one source stays together."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping

from scrutiq.core import UsageError

__all__ = ["split"]


def split(groups: Iterable[str], fractions: Mapping[str, float], seed: int) -> dict[str, str]:
    """Divide groups (patients, sources) among splits.

    Groups are counted, not images: a split's share of the images differs from its fraction where groups differ in
    size. The result depends on the set of groups, the fractions and the seed only, not on the order of the groups nor
    on the machine. Each split takes the whole part of its share of the groups, the rest goes by the largest remainder
    (Hamilton's method). While there are at least as many groups as splits of a positive fraction, none of these stays
    empty; with fewer groups the larger fractions are served first.

    Parameters
    ----------
    groups : iterable of str
        One a case, or each once; repeats count once.
    fractions : mapping of str to float
        Splits and their shares, each in [0, 1], 1 in all.
    seed : int

    Returns
    -------
    dict of str to str
        The split of each group, in the order of the groups' names.

    Raises
    ------
    UsageError
        If the fractions do not add up to 1 (within 1e-6), or one is negative.

    Examples
    --------
    >>> split(["a", "a", "b", "c", "d", "e"], {"train": 0.8, "test": 0.2}, seed=1)["a"]
    'train'
    """
    if not fractions or any(not 0 <= share <= 1 for share in fractions.values()):
        raise UsageError("the fractions of a split are between 0 and 1.")
    if not math.isclose(sum(fractions.values()), 1, abs_tol=1e-6):
        raise UsageError(f"the fractions of a split add up to 1, not {sum(fractions.values()):g}.")
    names = sorted(set(groups))
    shuffled = sorted(names, key=lambda name: hashlib.sha256(f"{seed}\0{name}".encode()).digest())
    of: dict[str, str] = {}
    position = 0
    for name, count in _quotas(len(names), fractions).items():
        of |= dict.fromkeys(shuffled[position : position + count], name)
        position += count
    return {name: of[name] for name in names}


def _quotas(total: int, fractions: Mapping[str, float]) -> dict[str, int]:
    """Return how many of ``total`` groups each split takes."""
    wanted = {name: share * total for name, share in fractions.items() if share > 0}
    # Rounded first: 0.7 * 10 is a hair less than 7 in floating point, and its whole part would be 6.
    quotas = {name: math.floor(round(value, 9)) for name, value in wanted.items()}
    left = sorted(wanted, key=lambda name: (quotas[name] - round(wanted[name], 9), -fractions[name]))
    for name in left[: total - sum(quotas.values())]:
        quotas[name] += 1
    for name in sorted(wanted, key=lambda name: -fractions[name]):
        largest = max(quotas, key=lambda other: quotas[other])
        if quotas[name] == 0 and quotas[largest] > 1:
            quotas[name] += 1
            quotas[largest] -= 1
    return quotas
