"""The scales that weights judge on: fitted to ratings or a proxy, with how far their scores can be off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq import rubrics
from scrutiq.assessors.net.card import RubricCard, Spread
from scrutiq.assessors.net.readers import DIMENSIONS, FOREST, LINEAR, write
from scrutiq.core import FrozenDict, Modality
from scrutiq.metrics.conformal import quantile
from scrutiq.training.net import grades, reader_study
from scrutiq.training.net.evaluate import coverage_figures
from scrutiq.training.net.heads import Seen, proxy_out_of_fold
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.said import Said
from scrutiq.training.net.trees import export_trees

__all__ = ["COVERAGE", "graded_scale", "proxy_held", "proxy_scale", "reader_scale"]

Values = npt.NDArray[np.float64]
Rows = Sequence[dict[str, Any]]

#: Of the intervals.
COVERAGE = 0.9
PROXY_NOTE = (
    "The score was learnt from a formula of dose and number of views (ldct-factorial), not from radiologists; it "
    "orders noise and streaks, and knows nothing else that a reader would mark down."
)
READER_NOTE = (
    "The scale was learnt from 240 images of 12 denoisers and 3 radiologists; on a method unlike these the order of "
    "two images is less certain than the interval says."
)


def proxy_scale(rows: Rows, seen: Seen) -> RubricCard:
    spreads = []
    for compared in (False, True):
        places, said = proxy_out_of_fold(Modality.CT, rows, seen, compared)
        residual = said - np.array([rows[i]["proxy"] for i in places])
        spreads.append(FrozenDict({"overall": _spread(residual)}))
    return RubricCard(
        hash=rubrics.load("ldct").hash,
        supervision="proxy",
        note=PROXY_NOTE,
        alone=spreads[0],
        with_reference=spreads[1],
    )


def reader_scale(folder: Path, path: Path) -> tuple[RubricCard, dict[str, Any]]:
    """Fit the maps to the reader study, write them to a folder, and return the card and how its intervals did.

    The card has residuals of sets that were left out; the intervals are tried on sets that neither the map nor their
    width was fitted to.
    """
    study = reader_study.study(folder)
    own = reader_study.fit_alone(study.alone, study.scores)
    write(path / LINEAR, {"alone": own.linear, "with_reference": reader_study.fit_beside(study.against, study.scores)})
    export_trees([own.forest], study.alone.shape[1] // 2, path / FOREST)
    spreads, held = [], []
    for name, fit in reader_study.WAYS.items():
        said = reader_study.leave_sets_out(getattr(study, name), study.scores, study.group, fit)
        residual = said - study.scores
        spreads.append(FrozenDict({n: _spread(residual[:, i]) for i, n in enumerate(DIMENSIONS)}))
        held.append({n: _held(study, said[:, i], i) for i, n in enumerate(DIMENSIONS)})
    card = RubricCard(
        hash=rubrics.load("ct-denoising").hash,
        supervision="readers",
        note=READER_NOTE,
        alone=spreads[0],
        with_reference=spreads[1],
    )
    return card, dict(zip(("alone", "with_reference"), held, strict=True))


def _held(study: reader_study.Study, said: Values, column: int) -> dict[str, Any]:
    group, truth = np.array(study.group), study.scores[:, column]
    width = np.zeros(len(said))
    for one in set(study.group):
        others = group != one
        width[group == one] = _spread((said - truth)[others]).half_width
    bounds = rubrics.load("ct-denoising").dimension(DIMENSIONS[column]).range
    return coverage_figures(truth, said, width, bounds, study.group)


def graded_scale(recipe: NetRecipe, data: Path, path: Path) -> RubricCard:
    """Fit a linear map to the grades of each graded modality; residuals are of patients that were left out."""
    maps, residuals = {}, []
    for modality, name in recipe.graded.items():
        graded = grades.graded(data / name)
        maps[modality.value] = reader_study.fit_linear(graded.values, graded.scores, grades.PENALTY)
        residuals.append(grades.out_of_fold(graded) - graded.scores[:, 0])
    write(path, maps)
    return RubricCard(
        hash=rubrics.load("medq").hash,
        supervision="readers",
        note=grades.NOTE,
        alone=FrozenDict({"overall": _spread(np.concatenate(residuals))}),
    )


def proxy_held(rows: Rows, alone: Said, compared: Said, scored: Mapping[str, RubricCard]) -> dict[str, Any]:
    """Return how often the intervals of the proxy held it, of test patients."""
    test = [i for i, row in enumerate(rows) if row["part"] == "test" and row["kind"] == "factorial"]
    if not test or "ldct" not in scored:
        return {}
    truth, groups = np.array([rows[i]["proxy"] for i in test]), [rows[i]["group"] for i in test]
    bounds = rubrics.load("ldct").dimension("overall").range
    return {
        way: coverage_figures(truth, said.proxy[test], np.full(len(test), one["overall"].half_width), bounds, groups)
        for way, said, one in (
            ("alone", alone, scored["ldct"].alone),
            ("with_reference", compared, scored["ldct"].with_reference),
        )
    }


def _spread(residual: Values) -> Spread:
    """Return standard deviation and split-conformal half-width of residuals of groups that were left out.

    Images of one patient or set are not exchangeable with those of another, and there are too few groups for a quantile
    that respects them: how often the intervals hold is told of groups that were left out (`coverage_figures`).
    """
    size = np.abs(residual[~np.isnan(residual)])
    half_width = min(quantile(size, COVERAGE), float(size.max()))  # of too few, the largest
    return Spread(sd=max(1e-3, float(np.sqrt((size**2).mean()))), half_width=max(1e-3, half_width))
