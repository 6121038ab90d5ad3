"""How well predicted scores agree with true ones: correlations, errors, intervals, and tests between two predictors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from scrutiq.core import FrozenDict, Noun
from scrutiq.metrics.bootstrap import STATISTICS, Array, Index, cluster_index, draw, interval, statistics

__all__ = [
    "Agreement",
    "Difference",
    "Williams",
    "agree",
    "holm",
    "krocc",
    "mae",
    "plcc",
    "rmse",
    "srocc",
    "srocc_difference",
    "williams",
]

#: Fewer clusters than these give no interval, and a note that it is likely too narrow.
LEAST_CLUSTERS, FEW_CLUSTERS = 5, 20
#: Pairs and clusters needed to fit the logistic of four parameters on other folds, and the number of folds.
LEAST_FOR_LOGISTIC, FOLDS = 20, 5

Numbers = Sequence[float] | npt.NDArray[Any]


class Agreement(Noun):
    """How well predictions agree with the truth.

    Parameters
    ----------
    n : int
        Pairs with both values.
    n_clusters : int
        Independent groups (patients, say) that they come from; equal to ``n`` when none are given.
    unmatched : int
        Ids that only one side has.
    unmatched_pred, unmatched_truth : tuple of str
        Those ids.
    missing : int
        Pairs left out because a value is missing or not finite.
    plcc, srocc, krocc : float or None
        Pearson's, Spearman's and Kendall's (tau-b) correlation, [-1, 1]. None where undefined: fewer than 3 pairs, or
        one side constant.
    overall : float or None
        Their sum, [-3, 3].
    rmse, mae : float or None
        Errors in the unit of the truth, 0 or above. They mean something only where both sides use one scale.
    plcc_logistic : float or None
        Pearson's correlation after a logistic of four parameters, fitted on other folds (see `agree`).
    ci : mapping of str to (low, high) or None
        Interval of each of `plcc` to `mae`; None where it cannot be given.
    level : float
        Of the intervals.
    n_boot, seed : int
        Resamples, and the seed of the resamples and folds.
    notes : tuple of str
        Why something is undefined, and how the figures may be read.
    """

    n: int
    n_clusters: int
    unmatched: int = 0
    unmatched_pred: tuple[str, ...] = ()
    unmatched_truth: tuple[str, ...] = ()
    missing: int = 0
    plcc: float | None
    srocc: float | None
    krocc: float | None
    overall: float | None
    rmse: float | None
    mae: float | None
    plcc_logistic: float | None
    ci: FrozenDict[str, tuple[float, float] | None]
    level: float
    n_boot: int
    seed: int
    notes: tuple[str, ...] = ()


class Difference(Noun):
    """SROCC of one predictor less that of another on the same pairs.

    Parameters
    ----------
    n, n_clusters : int
    srocc_a, srocc_b, difference : float or None
    ci : (low, high) or None
        Of the difference.
    p : float or None
        Two-sided, from the same resamples: twice the smaller share on one side of 0, with 1 added to both counts.
    level, n_boot, seed
        As in `Agreement`.
    """

    n: int
    n_clusters: int
    srocc_a: float | None
    srocc_b: float | None
    difference: float | None
    ci: tuple[float, float] | None
    p: float | None
    level: float
    n_boot: int
    seed: int


class Williams(NamedTuple):
    """Result of Williams' test: t, its degrees of freedom, two-sided p."""

    t: float
    df: int
    p: float


def plcc(pred: Numbers, truth: Numbers) -> float | None:
    """Return Pearson's linear correlation, in [-1, 1]; None for fewer than 3 pairs or a constant side.

    Parameters
    ----------
    pred, truth : array_like of float, shape (n,)
        Pairs with a value that is not finite are left out.
    """
    return _one("plcc", pred, truth)


def srocc(pred: Numbers, truth: Numbers) -> float | None:
    """Return Spearman's rank correlation with mid-ranks for ties, in [-1, 1]; parameters and None as in `plcc`."""
    return _one("srocc", pred, truth)


def krocc(pred: Numbers, truth: Numbers) -> float | None:
    """Return Kendall's tau-b (Kendall 1945), which allows for ties, in [-1, 1]; parameters and None as in `plcc`."""
    return _one("krocc", pred, truth)


def rmse(pred: Numbers, truth: Numbers) -> float | None:
    """Return the root mean squared error, 0 or above; parameters as in `plcc`, None without any pair."""
    return _one("rmse", pred, truth)


def mae(pred: Numbers, truth: Numbers) -> float | None:
    """Return the mean absolute error, 0 or above; parameters as in `plcc`, None without any pair."""
    return _one("mae", pred, truth)


def agree(
    pred: Numbers,
    truth: Numbers,
    *,
    clusters: Sequence[Any] | npt.NDArray[Any] | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Agreement:
    """Return the agreement of predictions with the truth, with bootstrap intervals.

    Parameters
    ----------
    pred, truth : array_like of float, shape (n,)
        Pairs with a value that is not finite are left out and counted as missing.
    clusters : sequence, shape (n,), optional
        What each pair belongs to. Slices of one patient are not independent: whole clusters are resampled.
    n_boot : int
        Resamples; 0 gives no interval.
    seed : int
    level : float
        In (0, 1).

    Returns
    -------
    Agreement

    Raises
    ------
    ValueError
        If the lengths differ, ``level`` is not in (0, 1), or ``n_boot`` is negative.

    Notes
    -----
    Intervals are expanded percentiles of a cluster bootstrap (`scrutiq.metrics.bootstrap.interval`). In simulations of
    20 to 100 patients 95 % intervals hold the truth in 0.93 to 0.99 of studies for the correlations, 0.92 to 0.95 for
    the MAE and 0.89 to 0.94 for the RMSE (``bench/interval_coverage.py``).

    ``plcc_logistic``: (b1 - b2) / (1 + exp(-(x - b3) / |b4|)) + b2 (the VQEG's logistic) is fitted by least squares on
    four fifths of the clusters and applied to the last fifth, in turn; the correlation is that of all predictions so
    made. It needs at least 20 pairs and 5 clusters. Where nothing can be predicted it lies below 0 on average.
    """
    x, y = _pair(pred, truth)
    _check(level, n_boot)
    index, _ = cluster_index(clusters, len(x))
    kept = np.isfinite(x) & np.isfinite(y)
    x, y = x[kept], y[kept]
    index, n_clusters = cluster_index(index[kept], len(x))

    values = {name: _number(value[0]) for name, value in statistics(x, y, index, np.ones((1, n_clusters))).items()}
    notes = _undefined(x, y)
    ci: dict[str, tuple[float, float] | None] = dict.fromkeys(STATISTICS)
    if n_boot and n_clusters >= LEAST_CLUSTERS:
        replicates = statistics(x, y, index, draw(n_clusters, n_boot, np.random.default_rng(seed)))
        for name, value in values.items():
            if value is not None:
                ci[name] = interval(value, replicates[name], n_clusters, level)
        if lost := [name for name in STATISTICS if values[name] is not None and ci[name] is None]:
            notes.append(f"No interval for {', '.join(lost)}: undefined in more than one resample in twenty.")
        if n_clusters < FEW_CLUSTERS:
            notes.append(f"The intervals rest on {n_clusters} independent groups and are likely too narrow.")
    elif n_boot and len(x):
        notes.append(f"No intervals: {n_clusters} independent groups, and at least {LEAST_CLUSTERS} are needed.")
    logistic, reason = _plcc_logistic(x, y, index, n_clusters, seed)
    if reason is not None:
        notes.append(reason)
    return Agreement(
        n=len(x),
        n_clusters=n_clusters,
        missing=int((~kept).sum()),
        **values,
        plcc_logistic=logistic,
        ci=FrozenDict(ci),
        level=level,
        n_boot=n_boot,
        seed=seed,
        notes=tuple(notes),
    )


def srocc_difference(
    pred_a: Numbers,
    pred_b: Numbers,
    truth: Numbers,
    *,
    clusters: Sequence[Any] | npt.NDArray[Any] | None = None,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Difference:
    """Return by how much the SROCC of predictor a exceeds that of b, by a paired cluster bootstrap.

    Parameters
    ----------
    pred_a, pred_b, truth : array_like of float, shape (n,)
        Cases with a value that is not finite are left out, for both.
    clusters, n_boot, seed, level
        As in `agree`.

    Raises
    ------
    ValueError
        As `agree`.
    """
    a, y = _pair(pred_a, truth)
    b, _ = _pair(pred_b, truth)
    _check(level, n_boot)
    index, _ = cluster_index(clusters, len(y))
    kept = np.isfinite(a) & np.isfinite(b) & np.isfinite(y)
    a, b, y = a[kept], b[kept], y[kept]
    index, n_clusters = cluster_index(index[kept], len(y))

    def both(counts: Array) -> tuple[Array, Array]:
        return tuple(statistics(x, y, index, counts, ["srocc"])["srocc"] for x in (a, b))  # type: ignore[return-value]

    srocc_a, srocc_b = (_number(value[0]) for value in both(np.ones((1, n_clusters))))
    difference = ci = p = None
    if srocc_a is not None and srocc_b is not None:
        difference = srocc_a - srocc_b
        if n_boot and n_clusters >= LEAST_CLUSTERS:
            drawn_a, drawn_b = both(draw(n_clusters, n_boot, np.random.default_rng(seed)))
            replicates = drawn_a - drawn_b
            ci = interval(difference, replicates, n_clusters, level)
            valid = replicates[np.isfinite(replicates)]
            tail = min((valid <= 0).sum(), (valid >= 0).sum())
            p = min(1.0, 2 * float(tail + 1) / (len(valid) + 1))
    return Difference(
        n=len(y),
        n_clusters=n_clusters,
        srocc_a=srocc_a,
        srocc_b=srocc_b,
        difference=difference,
        ci=ci,
        p=p,
        level=level,
        n_boot=n_boot,
        seed=seed,
    )


def williams(r12: float, r13: float, r23: float, n: int) -> Williams:
    """Test whether two correlations that share a variable differ (Williams 1959, as Steiger 1980, equation 7).

    Parameters
    ----------
    r12, r13 : float
        Pearson correlations of the truth (1) with predictor 2 and with predictor 3, in (-1, 1).
    r23 : float
        Correlation of the two predictors, in (-1, 1).
    n : int
        Independent cases, at least 4. Slices of one patient are not: use their means, or `srocc_difference`.

    Returns
    -------
    Williams
        t (positive where ``r12`` is the larger), n - 3 degrees of freedom, two-sided p.

    Raises
    ------
    ValueError
        If n is below 4, a correlation lies outside (-1, 1), or the three cannot occur together.
    """
    from scipy.special import stdtr

    if n < 4:
        raise ValueError(f"Williams' test needs at least 4 cases, not {n}.")
    if not all(-1 < r < 1 for r in (r12, r13, r23)):
        raise ValueError("Williams' test needs correlations above -1 and below 1.")
    determinant = 1 - r12**2 - r13**2 - r23**2 + 2 * r12 * r13 * r23
    if determinant < -1e-12:
        raise ValueError("these three correlations cannot occur together.")
    mean = (r12 + r13) / 2
    spread = 2 * (n - 1) / (n - 3) * max(determinant, 0) + mean**2 * (1 - r23) ** 3
    if spread == 0:
        raise ValueError("Williams' test is undefined for these correlations.")
    t = (r12 - r13) * math.sqrt((n - 1) * (1 + r23) / spread)
    return Williams(t, n - 3, 2 * float(stdtr(n - 3, -abs(t))))


def holm(p_values: Numbers) -> npt.NDArray[np.float64]:
    """Return p-values adjusted for several tests by Holm's step-down procedure (Holm 1979), in the given order.

    Parameters
    ----------
    p_values : array_like of float, shape (m,)
        Each in [0, 1].

    Raises
    ------
    ValueError
        If one is not in [0, 1].
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or not ((p >= 0) & (p <= 1)).all():
        raise ValueError("p-values lie in [0, 1].")
    order = np.argsort(p, kind="stable")
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def _pair(pred: Numbers, truth: Numbers) -> tuple[Array, Array]:
    x, y = np.asarray(pred, dtype=np.float64), np.asarray(truth, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError(
            f"predictions and truth are two lists of the same length, not of shapes {x.shape} and {y.shape}."
        )
    return x, y


def _check(level: float, n_boot: int) -> None:
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1, not {level:g}.")
    if n_boot < 0:
        raise ValueError(f"the number of resamples is not negative, not {n_boot}.")


def _one(name: str, pred: Numbers, truth: Numbers) -> float | None:
    x, y = _pair(pred, truth)
    kept = np.isfinite(x) & np.isfinite(y)
    n = int(kept.sum())
    return _number(statistics(x[kept], y[kept], np.arange(n), np.ones((1, n)), [name])[name][0])


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _undefined(x: Array, y: Array) -> list[str]:
    if len(x) < 3:
        return [f"Correlations are undefined: {len(x)} pairs, and at least 3 are needed."]
    sides = [name for name, values in (("predictions", x), ("true scores", y)) if values.min() == values.max()]
    return [f"Correlations are undefined: the {' and the '.join(sides)} are all equal."] if sides else []


def _plcc_logistic(x: Array, y: Array, index: Index, n_clusters: int, seed: int) -> tuple[float | None, str | None]:
    """Return the cross-validated PLCC after the logistic, and why there is none."""
    if len(x) < LEAST_FOR_LOGISTIC or n_clusters < FOLDS:
        return None, (
            f"No plcc_logistic: its fit on other folds needs at least {LEAST_FOR_LOGISTIC} pairs from {FOLDS} groups."
        )
    fold = np.random.default_rng(seed).permutation(np.arange(n_clusters) % FOLDS)[index]
    mapped = np.full(len(x), np.nan)
    for k in range(FOLDS):
        curve = _fit_logistic(x[fold != k], y[fold != k])
        if curve is None:
            return None, "No plcc_logistic: it cannot be fitted without one fold, where one side is all equal."
        mapped[fold == k] = curve(x[fold == k])
    value = _one("plcc", mapped, y)
    return value, None if value is not None else "No plcc_logistic: the fitted predictions are all equal."


def _fit_logistic(x: Array, y: Array) -> Any:
    """Return the fitted logistic as a function, or None."""
    from scipy.optimize import least_squares
    from scipy.special import expit

    centre, scale = x.mean(), x.std()
    low, high = y.min(), y.max()
    sign = srocc(x, y)
    if not scale or sign is None:
        return None

    def curve(b: Array, values: Array) -> Array:
        return np.asarray((b[0] - b[1]) * expit(((values - centre) / scale - b[2]) / max(abs(b[3]), 1e-6)) + b[1])

    start = [1.0, 0.0, 0.0, 1.0] if sign >= 0 else [0.0, 1.0, 0.0, 1.0]  # rising or falling, on a truth of 0 to 1
    target = (y - low) / (high - low)
    fit = least_squares(lambda b: curve(b, x) - target, start, method="lm", max_nfev=300)
    # A straight relation has no best finite parameters: where the search stops, the curve is straight enough.
    return (lambda values: curve(fit.x, values)) if np.isfinite(fit.x).all() else None
