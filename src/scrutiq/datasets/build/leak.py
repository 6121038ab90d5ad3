"""Whether the text of a question gives its answer away: a classifier that never sees an image.

Two readers of text are trained on one half of the questions and asked on the other, whose bases they have not seen: one
scores each option (conditional logit on n-grams of the option, alone and crossed with those of the question, its place
and its length), one the place of the answer (multinomial logit on n-grams of question and options). Both are fitted by
L-BFGS with a ridge penalty (scipy). The better of the two on the unseen half counts, which favours finding a leak.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.datasets.record import Question

__all__ = ["Leak", "find_leaks"]

_BINS = 2048
_RIDGE = 1.0
#: How far above chance a text-only reader may be.
TOLERANCE = 0.05
#: Beats chance by more than the tolerance, and by more than luck explains: lower end of the 95 % interval.
_Z = 1.959964


@dataclass(frozen=True)
class Leak:
    """What a reader of text alone gets right.

    Attributes
    ----------
    kind : str
        Of the questions; ``all`` for all together.
    questions : int
        Asked on bases that were not trained on.
    accuracy, chance : float
        Share of right answers, and what guessing gives.
    low, high : float
        Wilson's 95 % interval of the accuracy.
    """

    kind: str
    questions: int
    accuracy: float
    chance: float
    low: float
    high: float

    @property
    def leaks(self) -> bool:
        """Whether it beats chance by more than five points, and by more than luck explains."""
        return self.accuracy > self.chance + TOLERANCE and self.low > self.chance

    def __str__(self) -> str:
        return (
            f"{self.kind}: {100 * self.accuracy:.1f} % right from the text alone [{100 * self.low:.1f}, "
            f"{100 * self.high:.1f}], chance {100 * self.chance:.1f} %, {self.questions} questions"
        )


def find_leaks(train: Sequence[Question], test: Sequence[Question]) -> list[Leak]:
    """Return what text alone gives away, for each kind of question and for all together.

    Parameters
    ----------
    train, test : sequence of Question
        With answers, on different bases.
    """
    kinds = sorted({question.kind for question in test})
    found = []
    right_of: dict[str, npt.NDArray[np.bool_]] = {}
    for kind in kinds:
        known = [question for question in train if question.kind == kind]
        asked = [question for question in test if question.kind == kind]
        if not known:
            continue
        right = max((reader(known, asked) for reader in (_by_option, _by_place)), key=lambda r: float(r.mean()))
        right_of[kind] = right
        found.append(_leak(kind, right, asked))
    if len(found) > 1:
        every = [question for kind in right_of for question in test if question.kind == kind]
        found.append(_leak("all", np.concatenate(list(right_of.values())), every))
    return found


def _leak(kind: str, right: npt.NDArray[np.bool_], asked: Sequence[Question]) -> Leak:
    n, p = len(right), float(right.mean())
    middle, half = p + _Z**2 / (2 * n), _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n * n))
    scale = 1 + _Z**2 / n
    chance = float(np.mean([1 / len(question.options) for question in asked]))
    return Leak(kind, n, p, chance, (middle - half) / scale, (middle + half) / scale)


def _by_option(train: Sequence[Question], test: Sequence[Question]) -> npt.NDArray[np.bool_]:
    """Return which of the test questions are answered rightly by a conditional logit over their options."""
    from scipy.optimize import minimize

    x, group, right = _design(train)
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])

    def loss(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        utility = x @ w
        utility -= np.maximum.reduceat(utility, starts)[group]
        power = np.exp(utility)
        share = power / np.add.reduceat(power, starts)[group]
        value = -np.log(np.maximum(share[right], 1e-300)).sum() + _RIDGE / 2 * w @ w
        return float(value), x.T @ (share - right) + _RIDGE * w

    w = minimize(loss, np.zeros(_BINS), jac=True, method="L-BFGS-B", options={"maxiter": 60}).x
    z, asked, answer = _design(test)
    score = z @ w
    return np.array([answer[asked == k][int(score[asked == k].argmax())] for k in range(len(test))], dtype=bool)


def _design(
    questions: Sequence[Question],
) -> tuple[Any, npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    from scipy.sparse import csr_matrix

    columns: list[int] = []
    values: list[float] = []
    edges, group, right = [0], [], []
    for number, question in enumerate(questions):
        lengths = [len(option) for option in question.options]
        asked = _grams(question.text)
        for place, option in enumerate(question.options):
            own = _grams(option)
            names = [*own, *(f"{word}|{other}" for word in asked for other in own), f"place {place}"]
            names += ["longest"] * (lengths[place] == max(lengths)) + ["shortest"] * (lengths[place] == min(lengths))
            found: dict[int, float] = {}
            for name in names:
                index, sign = _hashed(name)
                found[index] = found.get(index, 0.0) + sign
            columns += found
            values += found.values()
            edges.append(len(columns))
            group.append(number)
            right.append(place == question.answer)
    x = csr_matrix((values, columns, edges), shape=(len(group), _BINS))
    return x, np.array(group), np.array(right)


def _by_place(train: Sequence[Question], test: Sequence[Question]) -> npt.NDArray[np.bool_]:
    """Return which of the test questions are answered rightly by a multinomial logit over the places A, B, ..."""
    from scipy.optimize import minimize

    places = max(len(question.options) for question in (*train, *test))
    x, z = _texts(train), _texts(test)
    right = np.array([question.answer for question in train])
    allowed = np.array([[place < len(q.options) for place in range(places)] for q in train])

    def loss(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        w = flat.reshape(_BINS, places)
        utility = np.where(allowed, x @ w, -np.inf)
        utility -= utility.max(axis=1, keepdims=True)
        power = np.exp(utility)
        share = power / power.sum(axis=1, keepdims=True)
        rows = np.arange(len(right))
        value = -np.log(np.maximum(share[rows, right], 1e-300)).sum() + _RIDGE / 2 * flat @ flat
        share[rows, right] -= 1
        return float(value), np.asarray(x.T @ share).ravel() + _RIDGE * flat

    start = np.zeros(_BINS * places)
    w = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 40}).x.reshape(_BINS, places)
    score = np.asarray(z @ w)
    for row, question in enumerate(test):
        score[row, len(question.options) :] = -np.inf
    return np.asarray(score.argmax(axis=1) == np.array([question.answer for question in test]))


def _texts(questions: Sequence[Question]) -> Any:
    from scipy.sparse import csr_matrix

    rows, columns, values = [], [], []
    for number, question in enumerate(questions):
        names = [*_grams(question.text)]
        for place, option in enumerate(question.options):
            names += [f"{place} {gram}" for gram in _grams(option)]
        for name in [*names, "bias"]:
            index, sign = _hashed(name)
            rows.append(number)
            columns.append(index)
            values.append(sign)
    return csr_matrix((values, (rows, columns)), shape=(len(questions), _BINS))


def _grams(text: str) -> list[str]:
    """Return the words of a text and the pairs of neighbouring words."""
    found = re.findall(r"[a-z0-9/]+", text.lower())
    return [*found, *(f"{a} {b}" for a, b in pairwise(found))]


def _hashed(name: str) -> tuple[int, float]:
    digest = zlib.crc32(name.encode())
    return digest % _BINS, 1.0 if digest >> 31 else -1.0
