"""The blind reader study as training material: features of its images, maps from them, and honest predictions.

The shipped maps are fitted to all sets. What they are worth is told by out-of-fold predictions: of sets, and of pairs
of denoisers, that the map did not see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.planes import levels
from scrutiq.assessors.net.readers import DIMENSIONS, Linear, alone, beside, normalise
from scrutiq.core import Modality
from scrutiq.datasets.published import ct_denoising_readers
from scrutiq.imaging import read
from scrutiq.training.net.trees import Fitted, forest

__all__ = ["WAYS", "Alone", "Study", "fit_alone", "fit_beside", "fit_linear", "leave_denoisers_out", "leave_sets_out",
           "study"]  # fmt: skip

#: Ridge penalty of the linear maps without and with a reference, the same for every fold.
_ALONE, _BESIDE = 100.0, 20.0

Values = npt.NDArray[np.float64]
#: From features, shape (N, F), to scores, shape (N, 3).
Map = Callable[[Values], Values]
#: From features and scores to such a map.
Fit = Callable[[Values, Values], Map]
Shown = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Study:
    """The rated images, anchors left out.

    Attributes
    ----------
    region, group, method : tuple of str
        By image: ``abdomen`` or ``brain``, the set, the denoiser.
    scores : ndarray, shape (N, 3)
        Mean of the valid readers; NaN where there is none.
    alone, against : ndarray, shape (N, F)
        `scrutiq.assessors.net.readers.alone` and `scrutiq.assessors.net.readers.beside`.
    """

    ids: tuple[str, ...]
    region: tuple[str, ...]
    group: tuple[str, ...]
    method: tuple[str, ...]
    scores: Values
    alone: Values
    against: Values


def study(folder: Path, *, normalised: bool = False) -> Study:
    """Read the study and compute the features of its images.

    Parameters
    ----------
    folder : Path
        Of ``ct_denoising_readers``.
    normalised : bool
        Whether intensity and background of every image are normalised before anything sees it: what the maps then know
        cannot be the grey level that gives some denoisers away.
    """
    dataset = ct_denoising_readers.load(folder)

    @cache
    def at(file: str) -> Shown:
        shown = levels(read(folder / file, modality=Modality.CT, frame=0))
        return normalise(shown) if normalised else shown

    rated = [record for record in dataset.records if not record.extra["design_constant"]]
    own, compared = [], []
    for record in rated:
        target, normal, low = (at(record.files[role]) for role in ("target", "reference", "other"))
        own.append(alone(target))
        compared.append(beside(target, normal, low))
    return Study(
        ids=tuple(record.id for record in rated),
        region=tuple(str(record.extra["region"]) for record in rated),
        group=tuple(str(record.extra["set"]) for record in rated),
        method=tuple(str(record.extra["method"]) for record in rated),
        scores=np.array([[record.scores.get(name, np.nan) for name in DIMENSIONS] for record in rated]),
        alone=np.array(own),
        against=np.array(compared),
    )


def fit_linear(values: Values, scores: Values, penalty: float) -> Linear:
    """Return the ridge regression of each dimension on standardised features; missing scores are left out.

    Parameters
    ----------
    values : ndarray, shape (N, F)
    scores : ndarray, shape (N, 3)
    penalty : float
        On the squared weights, for standardised scores.
    """
    centre, scale = values.mean(0), values.std(0) + 1e-6
    cut = np.clip((values - centre) / scale, -Linear.CUT, Linear.CUT)
    weight, offset = np.zeros((values.shape[1], scores.shape[1])), np.zeros(scores.shape[1])
    for column in range(scores.shape[1]):
        known = ~np.isnan(scores[:, column])
        x, y = cut[known], scores[known, column]
        mean = x.mean(0)
        x = x - mean
        kernel = x @ x.T
        solved = np.linalg.solve(kernel + penalty * np.eye(len(x)), y - y.mean())
        weight[:, column] = x.T @ solved
        offset[column] = y.mean() - mean @ weight[:, column]
    return Linear(centre, scale, weight, offset)


@dataclass(frozen=True)
class Alone:
    """The map from an image alone: the mean of a linear one, of the first half of the features, and a forest."""

    linear: Linear
    forest: Fitted

    def __call__(self, values: Values) -> Values:
        """Return the scores, shape (N, 3), of features, shape (N, F)."""
        half = values.shape[1] // 2
        forest: Values = self.forest.predict(values[:, half:].astype(np.float32))
        return (self.linear(values[:, :half]) + forest) / 2


def fit_alone(values: Values, scores: Values) -> Alone:
    """Return the map of images alone; the forest takes the images of which all dimensions are rated."""
    half = values.shape[1] // 2
    known = ~np.isnan(scores).any(1)
    linear = fit_linear(values[:, :half], scores, _ALONE)
    return Alone(linear, forest(values[known, half:].astype(np.float32), scores[known]))


def fit_beside(values: Values, scores: Values) -> Linear:
    """Return the map of images beside their normal dose."""
    return fit_linear(values, scores, _BESIDE)


#: Each way with its fit; the names are those of `Study`'s features.
WAYS: dict[str, Fit] = {"alone": fit_alone, "against": fit_beside}


def leave_sets_out(values: Values, scores: Values, group: Sequence[str], fit: Fit) -> Values:
    """Return the prediction of each image by the map that was fitted to the other sets, shape (N, 3)."""
    groups = np.array(group)
    found = np.full(scores.shape, np.nan)
    for one in sorted(set(group)):
        found[groups == one] = fit(values[groups != one], scores[groups != one])(values[groups == one])
    return found


def leave_denoisers_out(
    values: Values, scores: Values, method: Sequence[str], fit: Fit
) -> dict[tuple[str, str], Values]:
    """Return, for each pair of denoisers, predictions by the map fitted without them, shape (N, 3), NaN elsewhere."""
    methods = np.array(method)
    names = sorted(set(method))
    found = {}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            out = (methods == first) | (methods == second)
            predicted = np.full(scores.shape, np.nan)
            predicted[out] = fit(values[~out], scores[~out])(values[out])
            found[first, second] = predicted
    return found
