"""Intervals with a stated coverage from the residuals of images that were not fitted to, and how often they held.

What each guarantees, for one new observation that is exchangeable with those of the calibration:

===================  =====================================  =========================================================
function             residuals                              guarantee
===================  =====================================  =========================================================
`quantile`           of observations that took no part in   coverage of at least what is asked, whatever the model
                     the fit (split conformal)              and the distribution
`group_quantile`     the same, in groups (slices of         the same for a first observation of a new group, where
                     patients), not in the fit              groups are exchangeable, and observations within each
either, of           each predicted by a model fitted       none of its own, for the interval around the final
leave-group-out      without its group (cross-validation)   model: in practice close, and exact only as far as
residuals                                                   leaving a group out changes the model little. (Jackknife+
                                                            and CV+, which keep every model, have twice the miss rate
                                                            as their worst case; Barber et al., 2021.)
===================  =====================================  =========================================================

Coverage is marginal: over images as they come, not for each kind of image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.bootstrap import Array, cluster_index, draw, interval

__all__ = ["Coverage", "constant_width", "coverage", "group_quantile", "normalised", "quantile"]

Numbers = Sequence[float] | npt.NDArray[Any]
Labels = Sequence[Any] | npt.NDArray[Any]

#: Fewer clusters than these give no interval, as in `scrutiq.metrics.agreement`.
LEAST_CLUSTERS = 5


@dataclass(frozen=True)
class Coverage:
    """How intervals did on observations whose truth is known.

    Attributes
    ----------
    n, n_clusters : int
        Observations, and independent groups that they come from.
    coverage : float
        Share of the truths inside their interval, ends included, [0, 1].
    median_width : float
        In the unit of the truth.
    coverage_ci, median_width_ci : (low, high) or None
        None where there are fewer than 5 clusters, no resamples, or all resamples agree: where every interval held,
        resampling cannot say how sure that is.
    level : float
        Of these two.
    n_boot, seed : int
    """

    n: int
    n_clusters: int
    coverage: float
    median_width: float
    coverage_ci: tuple[float, float] | None
    median_width_ci: tuple[float, float] | None
    level: float
    n_boot: int
    seed: int


def quantile(scores: Numbers, coverage: float) -> float:
    """Return the split-conformal quantile: the ceil((n + 1) coverage)-th smallest score.

    Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, JASA 2018, algorithm 2. A new exchangeable score lies at or below it
    with a probability of at least ``coverage``, and of at most ``coverage`` + 1 / (n + 1) where scores are never equal.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
        Conformity scores, |truth - prediction| say; finite.
    coverage : float
        In (0, 1).

    Returns
    -------
    float
        Infinite where there are too few: fewer than coverage / (1 - coverage), 9 for nine in ten.

    Raises
    ------
    ValueError
        If a score is not finite, or ``coverage`` not in (0, 1).
    """
    s = np.sort(_scores(scores, coverage))
    rank = _ceil((len(s) + 1) * coverage)
    return float(s[max(rank, 1) - 1]) if rank <= len(s) else float("inf")


def group_quantile(scores: Numbers, groups: Labels, coverage: float) -> float:
    """Return the conformal quantile of scores that come in groups, each group counting the same.

    The scores of G groups have the mass 1 / (G + 1) a group, shared equally within it, and the rest lies at infinity
    (hierarchical conformal prediction: Lee, Barber and Willett, "Distribution-free inference with hierarchical data",
    2023). Pooling the scores as if each stood alone promises more than it keeps: ten slices of one patient are nearer
    to one observation than to ten. See the module for what holds of leave-group-out residuals.

    Parameters
    ----------
    scores : array_like of float, shape (n,)
    groups : sequence, shape (n,)
        What each belongs to (patient, source).
    coverage : float
        In (0, 1).

    Returns
    -------
    float
        Infinite where there are too few groups: fewer than coverage / (1 - coverage).

    Raises
    ------
    ValueError
        As `quantile`, or if the lengths differ.
    """
    s = _scores(scores, coverage)
    index, n_groups = cluster_index(groups, len(s))
    order = np.argsort(s, kind="stable")
    mass = (1 / np.bincount(index, minlength=n_groups))[index][order] / (n_groups + 1)
    reached = np.flatnonzero(np.cumsum(mass) >= coverage - 1e-9)
    return float(s[order][reached[0]]) if len(reached) else float("inf")


def constant_width(residuals: Numbers, coverage: float, groups: Labels | None = None) -> float:
    """Return the half-width that all intervals share, from residuals (truth - prediction) of calibration.

    It is the baseline of every interval whose width depends on the image: `normalised` has to be narrower in the median
    at the same coverage to be worth it. Parameters, result and errors as in `quantile` or, with ``groups``,
    `group_quantile`.
    """
    absolute = np.abs(np.asarray(residuals, dtype=np.float64))
    return quantile(absolute, coverage) if groups is None else group_quantile(absolute, groups, coverage)


def normalised(residuals: Numbers, spread: Numbers, coverage: float, groups: Labels | None = None) -> float:
    """Return the factor by which a predicted spread is multiplied to give the half-width of an interval.

    The score is |residual| / spread (Papadopoulos, Gammerman and Vovk, "Normalized nonconformity measures for
    regression conformal prediction", 2008). The guarantee does not depend on how good the spread is; only the
    widths do.

    Parameters
    ----------
    residuals : array_like of float, shape (n,)
        Truth less prediction.
    spread : array_like of float, shape (n,)
        Above 0, in the unit of the residuals, predicted without the truth.
    coverage, groups
        As in `quantile` and `group_quantile`.

    Raises
    ------
    ValueError
        As `group_quantile`, or if a spread is not above 0.
    """
    r, s = np.asarray(residuals, dtype=np.float64), np.asarray(spread, dtype=np.float64)
    if r.shape != s.shape or not (s > 0).all():
        raise ValueError("each residual has a predicted spread above 0.")
    return constant_width(r / s, coverage, groups)


def coverage(
    truth: Numbers,
    low: Numbers,
    high: Numbers,
    *,
    clusters: Labels | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Coverage:
    """Return how often intervals held the truth and how wide they were, with cluster-bootstrap intervals of both.

    Parameters
    ----------
    truth, low, high : array_like of float, shape (n,)
        Not NaN; ``low`` at most ``high``. An infinite end is allowed.
    clusters : sequence, shape (n,), optional
        What each observation belongs to; whole clusters are resampled.
    n_boot : int
        Resamples; 0 gives no intervals.
    seed : int
    level : float
        In (0, 1).

    Raises
    ------
    ValueError
        If there is nothing, the shapes differ, an end is NaN, or an interval runs from high to low.
    """
    t, a, b = (np.asarray(one, dtype=np.float64) for one in (truth, low, high))
    if t.ndim != 1 or not len(t) or not t.shape == a.shape == b.shape:
        raise ValueError(f"truth, low and high are lists of the same length, not {t.shape}, {a.shape}, {b.shape}.")
    if np.isnan(t).any() or not (a <= b).all():
        raise ValueError("an interval runs from low to high, and neither its ends nor the truth are NaN.")
    if n_boot < 0 or not 0 < level < 1:
        raise ValueError("n_boot is not negative, and level lies between 0 and 1.")
    index, n_clusters = cluster_index(clusters, len(t))
    held, width = ((a <= t) & (t <= b)).astype(np.float64), b - a

    def values(counts: Array) -> tuple[Array, Array]:
        weights = counts[:, index]
        return weights @ held / weights.sum(axis=1), _medians(width, weights)

    (share,), (median,) = values(np.ones((1, n_clusters)))
    cis: list[tuple[float, float] | None] = [None, None]
    if n_boot and n_clusters >= LEAST_CLUSTERS:
        drawn = values(draw(n_clusters, n_boot, np.random.default_rng(seed)))
        cis = [
            interval(float(v), d, n_clusters, level) if len(np.unique(d)) > 1 else None
            for v, d in zip((share, median), drawn, strict=True)
        ]
    return Coverage(len(t), n_clusters, float(share), float(median), cis[0], cis[1], level, n_boot, seed)


def _medians(values: Array, weights: Array) -> Array:
    """Return the median under each row of weights (whole numbers): the mean of the two middle ones where even."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[:, order], axis=1)
    half = below[:, -1:] / 2
    first, second = (below >= half).argmax(axis=1), (below > half).argmax(axis=1)
    return np.asarray((values[order][first] + values[order][second]) / 2)


def _ceil(value: float) -> int:
    # 10 * 0.9 is 9 and not a little more: a rank must not rise by rounding.
    return int(np.ceil(value - 1e-9))


def _scores(scores: Numbers, coverage: float) -> Array:
    if not 0 < coverage < 1:
        raise ValueError(f"a coverage lies between 0 and 1, not {coverage:g}.")
    s = np.asarray(scores, dtype=np.float64)
    if s.ndim != 1 or not np.isfinite(s).all():
        raise ValueError("conformity scores are a list of finite numbers.")
    return s
