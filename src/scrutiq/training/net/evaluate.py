"""What the weights are worth on degradations of bases that they never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from scrutiq.core import Severity
from scrutiq.metrics.agreement import srocc
from scrutiq.metrics.conformal import coverage
from scrutiq.metrics.reliability import reliability, top_label

__all__ = ["calibration_figures", "coverage_figures", "factorial_figures", "kind_figures", "map_figures"]

Values = npt.NDArray[np.float64]

#: Draws of the bootstrap, and the fewest groups for which a figure may be claimed.
DRAWS, CLAIMED = 1000, 10
#: What a sample without a fault is called among the kinds.
NONE = "none"


def kind_figures(
    rows: Sequence[dict[str, Any]], names: Sequence[str], probability: Values, severity: Values, seed: int = 0
) -> dict[str, Any]:
    """Return macro-F1 of the kind and rank correlation of the severity within a kind, by modality.

    What is said is none or the kind, whichever is the most probable; it is right where it is the one that was made. F1
    is averaged over the kinds that were made and none.

    Parameters
    ----------
    rows : sequence
        Samples of kind ``clean`` or ``degraded``, with one fault at most.
    names : sequence of str
        The vocabulary, aligned with the columns.
    probability : ndarray, shape (N, 1 + K)
        Of none and of each kind, zero for a kind of another modality.
    severity : ndarray, shape (N, K)

    Returns
    -------
    dict
        By modality: ``groups``, ``claimed``, and for ``severe`` and ``mild`` ``n``, ``macro_f1`` and its 95 % interval
        from a bootstrap that draws groups; ``severity_srocc`` with the least, the median and the mean over kinds and
        the value of each, where a kind has five samples.
    """
    found: dict[str, Any] = {}
    said = [(NONE, *names)[i] for i in probability.argmax(1)]
    column = {name: i for i, name in enumerate(names)}
    for modality in sorted({row["modality"] for row in rows}):
        mine = [i for i, row in enumerate(rows) if row["modality"] == modality]
        groups = sorted({rows[i]["group"] for i in mine})
        figures: dict[str, Any] = {"groups": len(groups), "claimed": len(groups) >= CLAIMED}
        for word in (Severity.SEVERE, Severity.MILD):
            chosen = [i for i in mine if not rows[i]["steps"] or Severity.of(rows[i]["steps"][0][1]) is word]
            truth = np.array([rows[i]["steps"][0][0] if rows[i]["steps"] else NONE for i in chosen])
            answer = np.array([said[i] for i in chosen])
            group = np.array([groups.index(rows[i]["group"]) for i in chosen])
            figures[word.value] = {
                "n": len(chosen),
                "macro_f1": macro_f1(truth, answer),
                "interval": _interval(truth, answer, group, len(groups), seed),
                "by_kind": {kind: _f1(truth, answer, kind) for kind in sorted(set(truth))},
            }
        within = {}
        for name in names:
            those = [i for i in mine if rows[i]["steps"] and rows[i]["steps"][0][0] == name]
            if len(those) >= 5:
                value = srocc([severity[i, column[name]] for i in those], [rows[i]["steps"][0][1] for i in those])
                within[name] = 0.0 if value is None else value
        values = np.array(list(within.values()))
        if len(values):
            figures["severity_srocc"] = {
                "least": float(values.min()),
                "median": float(np.median(values)),
                "mean": float(values.mean()),
                "by_kind": within,
            }
        found[modality] = figures
    return found


def calibration_figures(
    rows: Sequence[dict[str, Any]], names: Sequence[str], probability: Values
) -> dict[str, dict[str, Any]]:
    """Return, by modality, how far the probability of what is said lies from how often it is right.

    Samples whose fault is too slight to be called one are left out: they are neither.

    Parameters
    ----------
    rows : sequence
        Samples of kind ``clean`` or ``degraded``, with one fault at most.
    names : sequence of str
        The vocabulary.
    probability : ndarray, shape (N, 1 + K)
        Of none and of each kind.

    Returns
    -------
    dict
        ``n``, ``groups``, ``ece`` and its ``interval`` (a bootstrap that draws groups), and ``bins`` of ``n``,
        ``confidence`` and ``frequency``.
    """
    found: dict[str, dict[str, Any]] = {}
    for modality in sorted({row["modality"] for row in rows}):
        mine = [
            i
            for i, row in enumerate(rows)
            if row["modality"] == modality
            and (not row["steps"] or Severity.of(row["steps"][0][1]) is not Severity.NONE)
        ]
        label = [1 + names.index(rows[i]["steps"][0][0]) if rows[i]["steps"] else 0 for i in mine]
        confidence, right = top_label(probability[mine], label)
        one = reliability(confidence, right, clusters=[rows[i]["group"] for i in mine], n_boot=DRAWS)
        bins = [[b.n, b.confidence, b.frequency] for b in one.bins]
        found[modality] = {"n": one.n, "groups": one.n_clusters, "ece": one.ece, "interval": one.ece_ci, "bins": bins}
    return found


def coverage_figures(truth: Values, score: Values, half_width: Values, bounds: Any, groups: Any) -> dict[str, Any]:
    """Return how often intervals of a half width, cut to the scale, held the truth, and how wide they were.

    Parameters
    ----------
    truth, score, half_width : ndarray, shape (N,)
        NaN in ``truth`` leaves an image out.
    bounds : (float, float)
        Of the scale.
    groups : sequence, shape (N,)
        What is drawn in the bootstrap.

    Returns
    -------
    dict
        ``n``, ``groups``, ``coverage``, ``median_width`` of the intervals as they are given, each with its interval,
        and ``constant_width``: that of an interval that is not cut.
    """
    known = ~np.isnan(truth)
    t, s, h = truth[known], np.clip(score[known], *bounds), half_width[known]
    low, high = np.maximum(bounds[0], s - h), np.minimum(bounds[1], s + h)
    one = coverage(t, low, high, clusters=np.asarray(groups)[known], n_boot=DRAWS)
    return {
        "n": one.n,
        "groups": one.n_clusters,
        "coverage": one.coverage,
        "interval": one.coverage_ci,
        "median_width": one.median_width,
        "constant_width": float(np.median(2 * h)),
    }


def macro_f1(truth: npt.NDArray[np.str_], said: npt.NDArray[np.str_]) -> float:
    """Return F1 averaged over the classes that occur in ``truth``."""
    return float(np.mean([_f1(truth, said, kind) for kind in sorted(set(truth))]))


def _f1(truth: npt.NDArray[np.str_], said: npt.NDArray[np.str_], kind: str) -> float:
    right = int(((truth == kind) & (said == kind)).sum())
    total = int((truth == kind).sum() + (said == kind).sum())
    return 2 * right / total if total else 0.0


def _interval(
    truth: npt.NDArray[np.str_], said: npt.NDArray[np.str_], group: npt.NDArray[np.int64], count: int, seed: int
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(group == g) for g in range(count)]
    values = []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[g] for g in rng.integers(count, size=count)])
        if len(drawn):  # the groups that were drawn may hold none of this severity
            values.append(macro_f1(truth[drawn], said[drawn]))
    low, high = np.percentile(values, [2.5, 97.5])
    return float(low), float(high)


def factorial_figures(rows: Sequence[dict[str, Any]], score: Values) -> dict[str, Any]:
    """Return the rank correlation of the score with the proxy of ``ldct-factorial``, within each fixed level.

    Parameters
    ----------
    rows : sequence
        Samples of kind ``factorial``.
    score : ndarray, shape (N,)
    """
    truth = np.array([row["proxy"] for row in rows])
    found: dict[str, Any] = {"n": len(rows), "groups": len({row["group"] for row in rows}), "all": srocc(score, truth)}
    for factor in ("noise", "streak"):
        level = np.array([row[factor] for row in rows])
        found[f"fixed_{factor}"] = [srocc(score[level == value], truth[level == value]) for value in range(4)]
    return found


def map_figures(rows: Sequence[dict[str, Any]], maps: Sequence[npt.NDArray[np.float32]], stride: int) -> dict[str, Any]:
    """Return how well the map of evidence tells where a local degradation was put.

    AUROC of the cells inside the recorded region against those outside, and how often the highest cell lies inside,
    beside the share of the area that the region takes (what chance gives).

    Parameters
    ----------
    rows : sequence
        Samples with a recorded region.
    maps : sequence of ndarray, shape (h, w)
    stride : int
        Pixels to a cell.
    """
    areas, hits, aurocs = [], [], []
    for row, cells in zip(rows, maps, strict=True):
        top, left, bottom, right = row["regions"][0]
        inside = np.zeros(cells.shape, bool)
        inside[int(top) // stride : -(-int(bottom) // stride), int(left) // stride : -(-int(right) // stride)] = True
        if inside.all() or not inside.any():
            continue
        order = np.argsort(np.argsort(cells, axis=None)).reshape(cells.shape)
        n, m = int(inside.sum()), int((~inside).sum())
        aurocs.append((order[inside].sum() - n * (n - 1) / 2) / (n * m))
        hits.append(bool(inside.ravel()[int(cells.argmax())]))
        areas.append(float(inside.mean()))
    if not aurocs:
        return {"n": 0}
    return {
        "n": len(aurocs),
        "auroc": float(np.mean(aurocs)),
        "highest_inside": float(np.mean(hits)),
        "area": float(np.mean(areas)),
    }
