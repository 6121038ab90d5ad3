"""Whether stated probabilities mean what they say: the reliability diagram, ECE, and the Brier score.

Bins hold equal numbers of observations: bins of equal width leave most of them nearly empty where a model is sure, and
the error of a nearly empty bin is noise (Nixon et al., CVPR Workshops 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.bootstrap import Array, cluster_index, draw, interval

__all__ = ["Bin", "Reliability", "brier", "ece", "reliability", "top_label"]

Numbers = Sequence[float] | npt.NDArray[Any]

#: Fewer clusters than these give no interval, as in `scrutiq.metrics.agreement`.
LEAST_CLUSTERS = 5


@dataclass(frozen=True)
class Bin:
    """One point of a reliability diagram.

    Attributes
    ----------
    n : int
        Observations in it.
    confidence : float
        Their mean probability, [0, 1].
    frequency : float
        How often the event occurred among them, [0, 1]; equal to ``confidence`` in a calibrated model.
    """

    n: int
    confidence: float
    frequency: float


@dataclass(frozen=True)
class Reliability:
    """How far probabilities lie from frequencies.

    Attributes
    ----------
    n, n_clusters : int
        Observations, and independent groups that they come from.
    ece : float
        Expected calibration error, [0, 1]; 0 is best.
    brier : float
        Mean squared difference of probability and outcome, [0, 1]; 0 is best, 0.25 is a constant one half.
    ece_ci, brier_ci : (low, high) or None
        None where there are fewer than 5 clusters, or no resamples.
    bins : tuple of Bin
        In ascending order of confidence.
    level : float
        Of the intervals.
    n_boot, seed : int
    """

    n: int
    n_clusters: int
    ece: float
    brier: float
    ece_ci: tuple[float, float] | None
    brier_ci: tuple[float, float] | None
    bins: tuple[Bin, ...]
    level: float
    n_boot: int
    seed: int


def reliability(
    probability: Numbers,
    outcome: Numbers,
    *,
    bins: int = 10,
    clusters: Sequence[Any] | npt.NDArray[Any] | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Reliability:
    """Return the reliability diagram of a binary event, with ECE and Brier score and their intervals.

    Parameters
    ----------
    probability : array_like of float, shape (n,)
        In [0, 1].
    outcome : array_like of bool or {0, 1}, shape (n,)
    bins : int
        Bins of equal number, at least 1. Equal probabilities share a bin, so that the result does not depend on the
        order; a bin can then be larger, and another empty, which is left out.
    clusters : sequence, shape (n,), optional
        What each observation belongs to (patient, source); whole clusters are resampled.
    n_boot : int
        Resamples; 0 gives no intervals.
    seed : int
    level : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there is nothing, the shapes differ, a probability lies outside [0, 1], an outcome is neither 0 nor 1, or an
        option is out of range.

    Notes
    -----
    ECE is the sum over bins of |frequency - confidence|, weighted by the share of observations (Naeini, Cooper and
    Hauskrecht, AAAI 2015, there with bins of equal width; Guo et al., ICML 2017, equation 3). It is never negative, and
    chance alone lifts it: of a calibrated model the expected value is about 0.4 sqrt(bins / n) at probabilities near
    one half. Its bootstrap, with the bins of the whole sample, carries the same lift again, so the interval lies high
    rather than low. Brier score: Brier 1950, halved for two classes as is usual.
    """
    p, y = _binary(probability, outcome)
    if bins < 1 or n_boot < 0 or not 0 < level < 1:
        raise ValueError("bins is at least 1, n_boot not negative, and level lies between 0 and 1.")
    index, n_clusters = cluster_index(clusters, len(p))
    place = _places(p, bins)
    filled, place = np.unique(place, return_inverse=True)
    sums = _sums(index, n_clusters, place, len(filled), p, y)
    errors = np.zeros(n_clusters)
    np.add.at(errors, index, (p - y) ** 2)
    sizes = np.bincount(index, minlength=n_clusters).astype(np.float64)

    def values(counts: Array) -> tuple[Array, Array]:
        total = counts @ sizes
        return np.abs(counts @ (sums[0] - sums[1])).sum(axis=1) / total, counts @ errors / total

    (expected,), (score,) = values(np.ones((1, n_clusters)))
    cis: list[tuple[float, float] | None] = [None, None]
    if n_boot and n_clusters >= LEAST_CLUSTERS:
        drawn = values(draw(n_clusters, n_boot, np.random.default_rng(seed)))
        cis = [interval(float(v), d, n_clusters, level) for v, d in zip((expected, score), drawn, strict=True)]
    n = np.bincount(place)
    made = tuple(
        Bin(int(k), float(a / k), float(b / k))
        for k, a, b in zip(n, sums[0].sum(axis=0), sums[1].sum(axis=0), strict=True)
    )
    return Reliability(
        n=len(p),
        n_clusters=n_clusters,
        ece=float(expected),
        brier=float(score),
        ece_ci=cis[0],
        brier_ci=cis[1],
        bins=made,
        level=level,
        n_boot=n_boot,
        seed=seed,
    )


def ece(probability: Numbers, outcome: Numbers, bins: int = 10) -> float:
    """Return the expected calibration error, [0, 1], of a binary event; parameters and errors as in `reliability`."""
    return reliability(probability, outcome, bins=bins, n_boot=0).ece


def top_label(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, Array]:
    """Return the confidence in the most probable class, and whether it was right, to be given to `reliability`.

    The ECE of these two is the usual multi-class one (Guo et al., ICML 2017, section 2). It says nothing of the
    probabilities of the other classes. Of equally probable classes the first counts.

    Parameters
    ----------
    probabilities : array_like of float, shape (n, K)
        Rows sum to 1.
    labels : array_like of int, shape (n,)
        True class, 0 to K - 1.

    Returns
    -------
    confidence, correct : ndarray of float64, shape (n,)

    Raises
    ------
    ValueError
        If the shapes do not fit, rows do not sum to 1, or a label is no class.
    """
    p, k = _classes(probabilities, labels)
    top = p.argmax(axis=1)
    return p[np.arange(len(p)), top], (top == k).astype(np.float64)


def brier(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Return the Brier score over all classes, [0, 2]; 0 is best (Brier, Monthly Weather Review 78, 1950, equation 2).

    With two classes it is twice the binary score that `reliability` gives. Parameters and errors as in `top_label`.
    """
    p, k = _classes(probabilities, labels)
    true = np.zeros_like(p)
    true[np.arange(len(p)), k] = 1
    return float(((p - true) ** 2).sum(axis=1).mean())


def _places(p: Array, bins: int) -> npt.NDArray[np.intp]:
    """Return the bin of each probability by its mid-rank, so that equal ones fall together."""
    _, group, sizes = np.unique(p, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2
    return np.asarray(np.minimum(np.floor(bins * middle[group] / len(p)), bins - 1), dtype=np.intp)


def _sums(
    index: npt.NDArray[np.intp], n_clusters: int, place: npt.NDArray[np.intp], n_bins: int, p: Array, y: Array
) -> Array:
    """Return the sums of probability and of outcome by cluster and bin, shape (2, G, bins)."""
    sums = np.zeros((2, n_clusters, n_bins))
    for row, values in zip(sums, (p, y), strict=True):
        np.add.at(row, (index, place), values)
    return sums


def _binary(probability: Numbers, outcome: Numbers) -> tuple[Array, Array]:
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(
            f"probabilities and outcomes are two lists of the same length, not of shapes {p.shape} and {y.shape}."
        )
    if not ((p >= 0) & (p <= 1)).all() or not np.isin(y, (0, 1)).all():
        raise ValueError("probabilities lie in [0, 1], and outcomes are 0 or 1.")
    return p, y


def _classes(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[Array, npt.NDArray[np.intp]]:
    p, k = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    if p.ndim != 2 or k.shape != p.shape[:1] or not p.size:
        raise ValueError(f"probabilities are (n, K) and labels (n,), not {p.shape} and {k.shape}.")
    if not ((p >= 0) & (p <= 1)).all() or (np.abs(p.sum(axis=1) - 1) > 1e-6).any():
        raise ValueError("the probabilities of the classes lie in [0, 1] and sum to 1 in each row.")
    if not np.issubdtype(k.dtype, np.integer) or k.min() < 0 or k.max() >= p.shape[1]:
        raise ValueError(f"labels are whole numbers from 0 to {p.shape[1] - 1}.")
    return p, k.astype(np.intp)
