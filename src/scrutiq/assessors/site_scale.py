"""Fit a site's scale: a map that never falls, from an assessor's scores to 10 to 50 ratings, and whether it helps.

Isotonic regression follows every reader's whim at 20 ratings, and makes steps: images that the assessor tells apart get
one score. The candidates have few parameters instead, and all have a continuous rise:

``shift``      y = x + c: a site that is stricter or milder throughout. One parameter.
``affine``     y = a + b x, b >= 0: one that also uses more or less of the scale. Two.
``monotone``   linear spline with knots at the terciles of the distinct scores and slopes >= 0 (non-negative least
               squares, Lawson and Hanson 1974): one that bends the scale. Four.

The choice is by inner cross-validation: the simplest whose mean squared error exceeds the lowest by at most one
standard error of the difference (Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3). An outer
one, which repeats fit and choice, says how much that helps on ratings that neither has seen (nested: Varma and Simon
2006).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from scrutiq.assessors.calibration import Figures, Scale
from scrutiq.core import Dimension, FrozenDict
from scrutiq.metrics.bootstrap import Array, Index, cluster_index, draw, interval, statistics
from scrutiq.metrics.conformal import constant_width

__all__ = ["COVERAGE", "FOLDS", "LEAST", "LEAST_GROUPS", "LEVEL", "WANTED", "fit_scale"]

#: Fewer ratings, or groups, are refused; fewer than `WANTED` get a warning.
LEAST, LEAST_GROUPS, WANTED = 10, 5, 20
FOLDS, INNER_FOLDS = 10, 5
COVERAGE, LEVEL = 0.9, 0.95
_BOOT = 2000

Fitted = Literal["shift", "affine", "monotone"]
Knots = tuple[tuple[float, float], ...]
_FORMS: tuple[Fitted, ...] = ("shift", "affine", "monotone")


def fit_scale(
    scores: Sequence[float],
    ratings: Sequence[float],
    scale: Dimension,
    *,
    groups: Sequence[Any] | None = None,
    keep: bool = False,
    seed: int = 0,
) -> Scale:
    """Fit the map of one dimension, and measure by cross-validation what it gains.

    Parameters
    ----------
    scores : sequence of float, shape (n,)
        The assessor's, inside the range of ``scale``; n at least `LEAST`.
    ratings : sequence of float, shape (n,)
        The site's, on the same scale.
    scale : Dimension
    groups : sequence, shape (n,), optional
        What each image belongs to (patient): folds, resamples and intervals keep a group together. At least
        `LEAST_GROUPS`.
    keep : bool
        Apply the fitted map even where it was not shown to help.
    seed : int
        Of folds and resamples.

    Raises
    ------
    ValueError
        If there are too few ratings or groups, the lengths differ, or a value lies outside the range.
    """
    x, y = np.asarray(scores, dtype=np.float64), np.asarray(ratings, dtype=np.float64)
    low, high = scale.range
    if x.ndim != 1 or x.shape != y.shape:
        raise ValueError("there is one rating for each score.")
    if not ((x >= low) & (x <= high) & (y >= low) & (y <= high)).all():
        raise ValueError("scores and ratings lie inside the range of the scale.")
    index, n_groups = cluster_index(groups, len(x))
    if len(x) < LEAST or n_groups < LEAST_GROUPS:
        raise ValueError(f"at least {LEAST} ratings from {LEAST_GROUPS} groups are needed.")

    mapped = np.empty_like(x)
    fold = _folds(index, n_groups, FOLDS, seed)
    for k in range(fold.max() + 1):
        seen, new = fold != k, fold == k
        form = _choose(x[seen], y[seen], index[seen], scale, seed)
        mapped[new] = _at(_fit(form, x[seen], y[seen], scale), x[new], scale)
    form = _choose(x, y, index, scale, seed)
    knots = _fit(form, x, y, scale)

    gain, gain_ci = _gain(x, mapped, y, index, n_groups, seed)
    rises = knots[-1][1] > knots[0][1]
    helped = rises and gain_ci is not None and gain_ci[0] > 0
    applied = helped or keep
    residuals = y - (mapped if applied else x)
    half = constant_width(residuals, COVERAGE, index)
    return Scale(
        n=len(x),
        n_groups=n_groups,
        fitted=form,
        applied=form if applied else "identity",
        helped=helped,
        verdict=_verdict(gain, helped, rises, applied),
        knots=knots if applied else ((low, low), (high, high)),
        before=_figures(x, y, index, n_groups, seed),
        after=_figures(mapped, y, index, n_groups, seed),
        gain=gain,
        gain_ci=gain_ci,
        sd=float(np.sqrt(np.mean(residuals**2))),
        half_width=half if np.isfinite(half) else None,
    )


def _folds(index: Index, n_groups: int, most: int, seed: int) -> Index:
    """Return the fold of each observation; groups stay together."""
    dealt = np.random.default_rng(seed).permutation(np.arange(n_groups) % min(most, n_groups))
    return np.asarray(dealt[index], dtype=np.intp)


def _choose(x: Array, y: Array, index: Index, scale: Dimension, seed: int) -> Fitted:
    """Return the simplest map whose inner cross-validated error is within one standard error of the lowest."""
    index, n_groups = cluster_index(index, len(x))
    fold = _folds(index, n_groups, INNER_FOLDS, seed + 1)
    errors = np.empty((len(_FORMS), len(x)))
    for k in range(fold.max() + 1):
        seen, new = fold != k, fold == k
        for row, form in zip(errors, _FORMS, strict=True):
            row[new] = (_at(_fit(form, x[seen], y[seen], scale), x[new], scale) - y[new]) ** 2
    best = errors[errors.mean(axis=1).argmin()]
    for row, form in zip(errors, _FORMS, strict=True):
        excess = row - best
        sums = np.bincount(index, weights=excess - excess.mean(), minlength=n_groups)
        error = np.sqrt((sums**2).sum() * n_groups / max(n_groups - 1, 1)) / len(x)  # of a mean over groups
        if excess.mean() <= error:
            return form
    return _FORMS[-1]  # not reached: the best does not exceed itself


def _fit(form: Fitted, x: Array, y: Array, scale: Dimension) -> Knots:
    low, high = scale.range
    if form == "shift":
        by = float((y - x).mean())
        return (low, low + by), (high, high + by)
    at = [low, high]
    if form == "monotone":
        inner = np.quantile(np.unique(x), [1 / 3, 2 / 3])  # an assessor that saturates gives many equal scores
        at = [low, *(float(k) for k in np.unique(inner) if low < k < high), high]
    return _rising(x, y, np.array(at))


def _rising(x: Array, y: Array, at: Array) -> Knots:
    """Return the least-squares linear spline with these knots and slopes of at least 0."""
    from scipy.optimize import nnls

    steps = np.diff(at)
    rise = np.clip((x[:, None] - at[:-1]) / steps, 0, 1)  # how far x has come in each piece
    design = np.column_stack([np.ones_like(x), -np.ones_like(x), rise])
    # A piece without data must not rise without limit: the least penalty makes the solution one.
    small = 1e-4 * np.sqrt(len(x))
    penalty = np.column_stack([np.zeros((len(steps), 2)), small * np.eye(len(steps))])
    found, _ = nnls(np.vstack([design, penalty]), np.concatenate([y, np.zeros(len(steps))]))
    values = found[0] - found[1] + np.concatenate([[0.0], np.cumsum(found[2:])])
    return tuple((float(a), float(b)) for a, b in zip(at, values, strict=True))


def _at(knots: Knots, x: Array, scale: Dimension) -> Array:
    starts, values = zip(*knots, strict=True)
    return np.asarray(np.clip(np.interp(x, starts, values), *scale.range))


def _gain(
    before: Array, after: Array, y: Array, index: Index, n_groups: int, seed: int
) -> tuple[float, tuple[float, float] | None]:
    def values(counts: Array) -> Array:
        one, other = (statistics(x, y, index, counts, ["mae"])["mae"] for x in (before, after))
        return one - other

    gain = float(values(np.ones((1, n_groups)))[0])
    replicates = values(draw(n_groups, _BOOT, np.random.default_rng(seed)))
    return gain, interval(gain, replicates, n_groups, LEVEL)


def _figures(x: Array, y: Array, index: Index, n_groups: int, seed: int) -> Figures:
    names = ("mae", "rmse", "srocc", "plcc")
    found = {name: float(value[0]) for name, value in statistics(x, y, index, np.ones((1, n_groups)), names).items()}
    replicates = statistics(x, y, index, draw(n_groups, _BOOT, np.random.default_rng(seed)), names)
    defined = {name: value for name, value in found.items() if np.isfinite(value)}
    ci = {name: interval(value, replicates[name], n_groups, LEVEL) for name, value in defined.items()}
    return Figures(
        mae=found["mae"],
        rmse=found["rmse"],
        srocc=defined.get("srocc"),
        plcc=defined.get("plcc"),
        ci=FrozenDict({name: ci.get(name) for name in names}),
    )


def _verdict(gain: float, helped: bool, rises: bool, applied: bool) -> str:
    if helped:
        return f"It helps: the mean absolute error falls by {gain:.2f}."
    if not rises:
        why = "It does not help: the scores do not rise with the ratings, and no map that never falls mends that"
    elif gain > 0:
        why = f"It is not shown to help: the mean absolute error falls by {gain:.2f}, which chance could do"
    else:
        why = "It does not help: the mean absolute error does not fall"
    return f"{why}; {'the map is kept all the same' if applied else 'scores are left as they are'}."
