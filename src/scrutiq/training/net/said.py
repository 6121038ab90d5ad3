"""What heads say of samples, and the factor on their logits that makes the probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from scrutiq.core import Modality
from scrutiq.training.net.heads import Heads, Seen, of_modality
from scrutiq.training.net.loop import vocabulary
from scrutiq.training.net.recipe import NetRecipe

__all__ = ["Said", "calibrated", "judged", "say"]

Values = npt.NDArray[np.float64]
Rows = Sequence[dict[str, Any]]


class Said:
    """What the heads say of samples.

    Attributes
    ----------
    logits : ndarray, shape (N, 1 + K)
        Of none and of each kind of the vocabulary; minus infinity for one of another modality.
    severity : ndarray, shape (N, K)
    proxy : ndarray, shape (N,)
    """

    def __init__(self, logits: Values, severity: Values, proxy: Values) -> None:
        self.logits, self.severity, self.proxy = logits, severity, proxy

    def probabilities(self, scale: npt.ArrayLike) -> Values:
        """Return the probabilities of none and each kind, shape (N, 1 + K), at a factor on the logits of each sample.

        C. Guo et al., "On calibration of modern neural networks", ICML 2017 (temperature scaling).
        """
        scaled = np.asarray(scale, np.float64)[..., None] * (self.logits - self.logits.max(1, keepdims=True))
        odds = np.exp(scaled)
        found: Values = odds / odds.sum(1, keepdims=True)
        return found


def say(
    heads: Mapping[tuple[Modality, bool], Heads],
    recipe: NetRecipe,
    rows: Rows,
    seen: Seen,
    compared: bool,
    *,
    pictured: bool = False,
) -> Said:
    """Return what the heads say of samples, without their references or with them, as they are or as pictures."""
    names = vocabulary(recipe)
    logits = np.full((len(rows), 1 + len(names)), -np.inf)
    severity, proxy = np.zeros((len(rows), len(names))), np.full(len(rows), np.nan)
    for modality in recipe.modalities:
        places, values = of_modality(modality, rows, seen, compared, pictured=pictured)
        one = heads[modality, compared]
        columns = np.array([names.index(name) for name in one.kinds])
        said, how, proxy[places] = one(values)
        logits[np.ix_(places, np.concatenate([[0], 1 + columns]))] = said
        severity[np.ix_(places, columns)] = how
    return Said(logits, severity, proxy)


def calibrated(recipe: NetRecipe, rows: Rows, said: Said) -> dict[Modality, float]:
    """Return the factor on the logits, by modality, at which the validation part is likeliest.

    A modality without a validation part gets that of all others together. Samples whose fault is too slight to be
    called one are left out: they are neither.
    """
    names = ("none", *vocabulary(recipe))
    truth = [max(row["steps"], key=lambda step: step[1], default=("none", 1.0)) for row in rows]

    def best(those: list[int]) -> float:
        part = Said(said.logits[those], said.severity[those], said.proxy[those])
        called = [names.index(truth[i][0]) for i in those]

        def loss(log_scale: float) -> float:
            likely = part.probabilities(np.full(len(those), np.exp(log_scale)))[np.arange(len(those)), called]
            return float(-np.log(np.maximum(likely, 1e-9)).mean())

        return float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))

    held = [i for i, row in enumerate(rows) if judged(row, "validation") and truth[i][1] > 1 / 3]
    by = {m: [i for i in held if rows[i]["modality"] == m.value] for m in recipe.modalities}
    return {m: best(those or held) if held else 1.0 for m, those in by.items()}


def judged(row: dict[str, Any], part: str) -> bool:
    """Return whether a sample of a part says which fault it has."""
    return bool(row["part"] == part and row["kind"] in ("clean", "degraded"))
