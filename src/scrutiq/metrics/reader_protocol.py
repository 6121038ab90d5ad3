"""How a judge is scored on a reader study of denoisers, where recognising the denoiser is a shortcut.

A study is sets of one scene each, with one image a denoiser, in one or more regions of the body. Four figures belong
together:

* the rank correlation with the readers of predictions for sets that were left out (`rank_agreement`);
* beside it that of the `lookup`: the mean score that the same denoiser had in the other sets, which sees no image;
* what is left of the correlation once the denoiser's mean is subtracted (`less_denoiser`);
* how often two denoisers that were left out are ordered rightly within a set (`ordering`). A rank correlation pooled
  over folds means nothing there: each fold's training mean moves against what it leaves out.

A reader against the mean of the others (`others`) is the ceiling of each. Everywhere a third axis, in front, holds
several readers (or judges): the figure is the mean over them, and the interval that of the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from scrutiq.metrics.bootstrap import cluster_index, draw, interval, statistics

__all__ = ["Design", "Figure", "Ordering", "less_denoiser", "lookup", "ordering", "others", "rank_agreement"]

Values = npt.NDArray[np.float64]

#: Values that differ by less are ties: a mean of readers is a sum of small integers divided by their number.
_DECIMALS = 9


class Figure(NamedTuple):
    """A value with its interval; NaN where undefined."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Design:
    """Which image is what, in the order of the arrays of predictions and scores.

    Parameters
    ----------
    region, group, denoiser : sequence of str, shape (N,)
        The region of the body, the set, and the method that made the image.
    """

    region: Sequence[str]
    group: Sequence[str]
    denoiser: Sequence[str]

    def __post_init__(self) -> None:
        if not len(self.region) == len(self.group) == len(self.denoiser):
            raise ValueError("region, group and denoiser name the same images: their lengths are equal.")

    def rows(self) -> dict[str, npt.NDArray[np.intp]]:
        """Return the places of each region's images, by region in order of appearance."""
        regions = np.asarray(self.region)
        return {name: np.flatnonzero(regions == name) for name in dict.fromkeys(self.region)}


class Ordering(NamedTuple):
    """Accuracies of `ordering`.

    Attributes
    ----------
    by_region : dict of str to tuple of Figure
        One a score.
    mean : Figure
        Of all regions and scores.
    """

    by_region: dict[str, tuple[Figure, ...]]
    mean: Figure


def lookup(design: Design, values: npt.ArrayLike) -> Values:
    """Return the mean value of the same denoiser in the other sets of the region; NaN where there is none.

    Parameters
    ----------
    design : Design
    values : array_like of float, shape (..., N, C)
        NaN is missing.

    Returns
    -------
    ndarray of float64, shape (..., N, C)
    """
    given = _checked(design, values)
    found = np.full(given.shape, np.nan)
    group, denoiser = np.asarray(design.group), np.asarray(design.denoiser)
    for rows in design.rows().values():
        for i in rows:
            same = rows[(denoiser[rows] == denoiser[i]) & (group[rows] != group[i])]
            found[..., i, :] = _mean(given[..., same, :], axis=-2)
    return found


def less_denoiser(design: Design, values: npt.ArrayLike) -> Values:
    """Return values less the mean value of their denoiser in the other sets of the region (`lookup`).

    Of scores, it is what the name of the denoiser does not tell; of out-of-fold predictions, what the judge says beyond
    what it says of that denoiser on average.
    """
    return _checked(design, values) - lookup(design, values)


def others(ratings: npt.ArrayLike) -> Values:
    """Return, for each reader, the mean of the other readers' valid ratings; NaN where no other rated.

    Parameters
    ----------
    ratings : array_like of float, shape (R, N, C)
        Of at least two readers; NaN is missing.

    Returns
    -------
    ndarray of float64, shape (R, N, C)
    """
    given = np.asarray(ratings, np.float64)
    if given.ndim != 3 or len(given) < 2:
        raise ValueError("ratings have the shape (readers, images, scores), with two readers at least.")
    return np.stack([_mean(np.delete(given, i, axis=0), axis=0) for i in range(len(given))])


def rank_agreement(
    design: Design,
    predictions: npt.ArrayLike,
    scores: npt.ArrayLike,
    *,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[Figure, ...]]:
    """Return Spearman's correlation by region and score, with an interval from a bootstrap that draws sets.

    Parameters
    ----------
    design : Design
    predictions, scores : array_like of float, shape (N, C) or (R, N, C)
        Higher means the same on both sides. Images with a value that is not finite are left out of that score.
    n_boot, seed, level
        As in `scrutiq.metrics.agreement.agree`.

    Returns
    -------
    dict of str to tuple of Figure
        By region, one a score; the mean over R. The sets are drawn with what was computed for them: that folds share
        training sets is not in the interval.
    """
    x, y = _stacked(design, predictions, scores)
    found = {}
    for name, rows in design.rows().items():
        index, count = cluster_index([design.group[i] for i in rows], len(rows))
        counts = np.concatenate([np.ones((1, count)), draw(count, n_boot, np.random.default_rng(seed))])
        figures = []
        for column in range(x.shape[-1]):
            values = np.mean(
                [_srocc(a[rows, column], b[rows, column], index, counts) for a, b in zip(x, y, strict=True)], axis=0
            )
            figures.append(_figure(values, count, level))
        found[name] = tuple(figures)
    return found


def ordering(
    design: Design,
    predictions: npt.ArrayLike | Mapping[tuple[str, str], npt.ArrayLike],
    scores: npt.ArrayLike,
    *,
    n_boot: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> Ordering:
    """Return how often two denoisers are ordered as the readers ordered them, within a set, over all pairs.

    Parameters
    ----------
    design : Design
    predictions : array_like, shape (N, C) or (R, N, C), or a mapping of pairs of denoisers to such arrays
        A mapping holds, for each pair in alphabetical order, what a judge says that was fitted without the two; only
        the rows of the two are read. Of predictions that are equal either order is right half the time.
    scores : array_like, shape (N, C) or (R, N, C)
        Pairs that tie here, or with a value missing on either side, are dropped.
    n_boot, seed, level
        As in `scrutiq.metrics.agreement.agree`; the bootstrap draws denoisers, and a pair counts as often as the
        product of how often its two were drawn.

    Raises
    ------
    ValueError
        If shapes differ, a set has a denoiser twice, or the mapping lacks a pair.
    """
    names = sorted(set(design.denoiser))
    pairs = list(combinations(names, 2))
    if isinstance(predictions, Mapping):
        if lost := [pair for pair in pairs if pair not in predictions]:
            raise ValueError(f"there are no predictions for the pair {lost[0]}.")
        stacked = [_stacked(design, predictions[pair], scores) for pair in pairs]
    else:
        stacked = [_stacked(design, predictions, scores)] * len(pairs)
    counts = np.concatenate([np.ones((1, len(names))), draw(len(names), n_boot, np.random.default_rng(seed))])
    weight = np.stack([counts[:, names.index(a)] * counts[:, names.index(b)] for a, b in pairs], axis=1)
    by_region, all_values = {}, []
    for region, rows in design.rows().items():
        place = {(design.group[i], design.denoiser[i]): i for i in rows}
        if len(place) < len(rows):
            raise ValueError(f"a set of {region} has two images of one denoiser.")
        sets = list(dict.fromkeys(design.group[i] for i in rows))
        right, total = _counted(pairs, stacked, place, sets)
        with np.errstate(invalid="ignore"):  # a resample may hold no pair
            # (resamples, readers, scores); each reader's accuracy first, then their mean
            values = (np.einsum("bp,prc->brc", weight, right) / np.einsum("bp,prc->brc", weight, total)).mean(1)
        all_values.append(values)
        by_region[region] = tuple(_figure(values[:, c], len(names), level) for c in range(values.shape[1]))
    mean = np.concatenate(all_values, axis=1).mean(1)
    return Ordering(by_region, _figure(mean, len(names), level))


def _counted(
    pairs: Sequence[tuple[str, str]],
    stacked: Sequence[tuple[Values, Values]],
    place: Mapping[tuple[str, str], np.intp],
    sets: Sequence[str],
) -> tuple[Values, Values]:
    """Return how many sets order each pair rightly, and how many order it at all, each of shape (P, R, C)."""
    right, total = [], []
    for (a, b), (x, y) in zip(pairs, stacked, strict=True):
        both = [(place[s, a], place[s, b]) for s in sets if (s, a) in place and (s, b) in place]
        i, j = np.array(both, np.intp).reshape(-1, 2).T
        said = np.sign(np.round(x[:, i] - x[:, j], _DECIMALS))
        true = np.sign(np.round(y[:, i] - y[:, j], _DECIMALS))
        counted = np.isfinite(said) & np.isfinite(true) & (true != 0)
        right.append(np.where(counted, (1 + said * true) / 2, 0.0).sum(1))
        total.append(counted.sum(1).astype(np.float64))
    return np.stack(right), np.stack(total)


def _srocc(x: Values, y: Values, index: npt.NDArray[np.intp], counts: Values) -> Values:
    kept = np.isfinite(x) & np.isfinite(y)
    return statistics(np.round(x[kept], _DECIMALS), np.round(y[kept], _DECIMALS), index[kept], counts, ["srocc"])[
        "srocc"
    ]


def _figure(values: Values, count: int, level: float) -> Figure:
    """Return the first value with the interval of the rest."""
    value = float(values[0])
    between = interval(value, values[1:], count, level) if np.isfinite(value) and count > 1 else None
    return Figure(value, *(between or (float("nan"), float("nan"))))


def _mean(values: Values, axis: int) -> Values:
    """Return the mean of the values that are not NaN; NaN where all are."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    return np.where(count > 0, np.where(known, values, 0.0).sum(axis=axis) / np.maximum(count, 1), np.nan)


def _checked(design: Design, values: npt.ArrayLike) -> Values:
    given = np.asarray(values, np.float64)
    if given.ndim not in (2, 3) or given.shape[-2] != len(design.region):
        raise ValueError(
            f"values have the shape ({len(design.region)}, scores), or that with readers in front, not {given.shape}."
        )
    return given


def _stacked(design: Design, predictions: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Values, Values]:
    x, y = _checked(design, predictions), _checked(design, scores)
    if x.shape != y.shape:
        raise ValueError(f"predictions and scores have one shape, not {x.shape} and {y.shape}.")
    return x.reshape(-1, *x.shape[-2:]), y.reshape(-1, *y.shape[-2:])
