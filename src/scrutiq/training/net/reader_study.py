"""The blind reader study as training material: features of its images, linear maps from them, and honest predictions.

The shipped maps are fitted to all sets. What they are worth is told by out-of-fold predictions: of sets, and of pairs
of denoisers, that the map did not see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scrutiq.assessors.net.planes import levels
from scrutiq.assessors.net.readers import DIMENSIONS, Linear, features, normalise
from scrutiq.core import Modality
from scrutiq.datasets.published import ct_denoising_readers
from scrutiq.imaging import read

__all__ = ["PENALTIES", "Study", "fit_linear", "leave_denoisers_out", "leave_sets_out", "study"]

#: Ridge penalty of the maps without and with a reference, and the same for every fold.
PENALTIES = {"alone": 100.0, "with_reference": 10.0}

Values = npt.NDArray[np.float64]
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
        `scrutiq.assessors.net.readers.features` without and with the normal and the low dose.
    """

    ids: tuple[str, ...]
    region: tuple[str, ...]
    group: tuple[str, ...]
    method: tuple[str, ...]
    scores: Values
    alone: Values
    against: Values


def study(folder: Path, *, normalised: bool = True) -> Study:
    """Read the study and compute the features of its images.

    Parameters
    ----------
    folder : Path
        Of ``ct_denoising_readers``.
    normalised : bool
        Whether intensity and background of every image are normalised first, as the scores have it
        (`scrutiq.assessors.net.readers.normalise`). False shows what the grey level gives away of the denoiser.
    """
    dataset = ct_denoising_readers.load(folder)

    @cache
    def at(file: str) -> Shown:
        shown = levels(read(folder / file, modality=Modality.CT, frame=0))
        return normalise(shown) if normalised else shown

    rated = [record for record in dataset.records if not record.extra["design_constant"]]
    alone, compared = [], []
    for record in rated:
        target, normal, low = (at(record.files[role]) for role in ("target", "reference", "other"))
        alone.append(features(target, None, None))
        compared.append(features(target, normal, low))
    return Study(
        ids=tuple(record.id for record in rated),
        region=tuple(str(record.extra["region"]) for record in rated),
        group=tuple(str(record.extra["set"]) for record in rated),
        method=tuple(str(record.extra["method"]) for record in rated),
        scores=np.array([[record.scores.get(name, np.nan) for name in DIMENSIONS] for record in rated]),
        alone=np.array(alone),
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


def leave_sets_out(values: Values, scores: Values, group: Sequence[str], penalty: float) -> Values:
    """Return the prediction of each image by the map that was fitted to the other sets, shape (N, 3)."""
    groups = np.array(group)
    found = np.full(scores.shape, np.nan)
    for one in sorted(set(group)):
        found[groups == one] = fit_linear(values[groups != one], scores[groups != one], penalty)(values[groups == one])
    return found


def leave_denoisers_out(
    values: Values, scores: Values, method: Sequence[str], penalty: float
) -> dict[tuple[str, str], Values]:
    """Return, for each pair of denoisers, predictions by the map fitted without them, shape (N, 3), NaN elsewhere."""
    methods = np.array(method)
    names = sorted(set(method))
    found = {}
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            out = (methods == first) | (methods == second)
            predicted = np.full(scores.shape, np.nan)
            predicted[out] = fit_linear(values[~out], scores[~out], penalty)(values[out])
            found[first, second] = predicted
    return found
