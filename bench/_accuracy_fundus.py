"""Fundus photographs with EyeQ's grades: who tells good from reject, and the three grades apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _accuracy_tables import cell, clustered, plain, table

import scrutiq
from scrutiq.assessors.net.planes import levels, planes
from scrutiq.assessors.net.statistics import statistics
from scrutiq.core import Case
from scrutiq.datasets.published import eyeq
from scrutiq.imaging import read
from scrutiq.metrics import MEASURES, Context, measure
from scrutiq.metrics.agreement import agree
from scrutiq.metrics.reader_protocol import Figure
from scrutiq.training.net.reader_study import fit_linear

BASELINES = ("piqe", "brisque", "niqe")
GOOD, REJECT = 2.0, 0.0
FOLDS = 10
#: Of the linear map, on the squared weights.
PENALTY = 10.0
FITTED = "a linear map on statistics, fitted to other patients"
#: Asked by the issue.
AUROC, ACCURACY = 0.97, 0.75
#: Columns of the table, and their decimals.
DIGITS = {"srocc": 2, "auroc": 3, "accuracy": 2}


def auroc(score: np.ndarray, good: np.ndarray, patients: Sequence[str]) -> Figure:
    """Return the chance that a good image scores above a bad one, ties counted half; the interval draws patients."""
    above = (score[good][:, None] > score[~good]) + 0.5 * (score[good][:, None] == score[~good])

    def weighted(weights: np.ndarray) -> float:
        a, b = weights[good], weights[~good]
        return float(a @ above @ b / (a.sum() * b.sum()))

    return clustered(score, weighted, patients)


def cuts(score: np.ndarray, grade: np.ndarray) -> tuple[float, float]:
    """Return the two thresholds that put the most images into their grade; a score at a threshold is above it."""
    order = np.argsort(score, kind="stable")
    ordered, truth = score[order], grade[order]
    # right[g][i]: images of grade g among the first i; a cut may lie only between different scores
    before = [np.concatenate([[0], np.cumsum(truth == g)]) for g in (0.0, 1.0, 2.0)]
    place = np.concatenate([[0], np.flatnonzero(np.diff(ordered) > 0) + 1, [len(ordered)]])
    low = before[0][place] - before[1][place]
    high = before[1][place] + before[2][-1] - before[2][place]
    total = np.where(np.arange(len(place))[:, None] <= np.arange(len(place)), low[:, None] + high, -1)
    first, second = np.unravel_index(int(total.argmax()), total.shape)
    edges = np.concatenate([[-np.inf], (ordered[1:] + ordered[:-1]) / 2, [np.inf]])
    return float(edges[place[first]]), float(edges[place[second]])


def graded(score: np.ndarray, grade: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Return the grade of each image by thresholds that were fitted to other patients."""
    fold, said = folds(patients), np.empty(len(score))
    for k in range(FOLDS):
        low, high = cuts(score[fold != k], grade[fold != k])
        said[fold == k] = (score[fold == k] >= low).astype(float) + (score[fold == k] >= high)
    return said


def folds(patients: Sequence[str]) -> np.ndarray:
    """Return the fold of each image; all images of a patient are in one."""
    names, which = np.unique(np.asarray(patients), return_inverse=True)
    return np.random.default_rng(0).permutation(np.arange(len(names)) % FOLDS)[which]


def fitted(cases: Sequence[Case], grade: np.ndarray, patients: Sequence[str]) -> np.ndarray:
    """Return what a linear map says that was fitted to the grades of other patients, from statistics of the image."""
    values = np.array([statistics(planes(levels(case.target))) for case in cases], np.float64)
    fold, said = folds(patients), np.empty(len(cases))
    for k in range(FOLDS):
        linear = fit_linear(values[fold != k], grade[fold != k][:, None], PENALTY)
        said[fold == k] = linear(values[fold == k])[:, 0]
    return said


def scores(folder: Path, limit: int | None, research: Path, jobs: int) -> tuple[list, dict[str, dict[str, float]]]:
    """Return the records, and by judge and image what it says, higher for better."""
    records = list(eyeq.load(folder).records)
    if limit:
        # some of every grade
        records = [r for g in (0.0, 1.0, 2.0) for r in [r for r in records if r.scores["overall"] == g][: limit // 3]]
    cases = [
        Case(id=r.id, images={"target": read(folder / r.files["target"], modality="fundus", frame=0)}) for r in records
    ]
    found: dict[str, dict[str, float]] = {}
    judges = {"`measured:`": "measured:"}
    if (research / "model.json").exists():
        judges[f"`net:{research.name}`"] = f"net:{research}?notice=accepted"
    for title, uri in judges.items():
        told = scrutiq.assess(cases, rubric="medq", assessor=uri, jobs=jobs)
        found[title] = {
            one.case: one.judgements["overall"].score
            for one in told
            if "overall" in one.judgements and one.judgements["overall"].score is not None
        }
    for case in cases:
        for name, one in measure(Context(case.target), BASELINES).items():
            sign = -1 if MEASURES[name].direction == "lower is better" else 1
            found.setdefault(name.upper(), {})[case.id] = sign * one.value
    grade = np.array([r.scores["overall"] for r in records])
    learnt = fitted(cases, grade, [str(r.group) for r in records])
    found[FITTED] = dict(zip((case.id for case in cases), map(float, learnt), strict=True))
    return records, found


def report(folder: Path, research: Path, jobs: int, limit: int | None) -> tuple[str, dict[str, Any]]:
    """Return the table, and its figures."""
    records, found = scores(folder, limit, research, jobs)
    grade = {r.id: r.scores["overall"] for r in records}
    patient = {r.id: str(r.group) for r in records}
    figures = {title: _figures(said, grade, patient) for title, said in found.items()}
    rows = [
        [
            title,
            f"{len(found[title])} of {len(grade)}",
            *(cell(one[key], n) if one else "-" for key, n in DIGITS.items()),
        ]
        for title, one in figures.items()
    ]
    head = ["judge", "judged", "SROCC with the grade", "AUROC, good against reject", "accuracy, three grades"]
    missing = (
        "" if (research / "model.json").exists() else f" The weights `{research.name}` were not at hand in this run."
    )
    text = (
        f"{len(records)} photographs of {len(set(patient.values()))} patients.{missing}\n\n{table(head, rows)}\n\n"
        f"Asked: AUROC of {AUROC:.2f} and accuracy of {ACCURACY:.2f}. One grade for all would be right in "
        f"{max(np.unique(list(grade.values()), return_counts=True)[1]) / len(grade):.2f}."
    )
    return text, {title: plain(one) for title, one in figures.items()}


def _figures(said: Mapping[str, float], grade: Mapping[str, float], patient: Mapping[str, str]) -> dict[str, Figure]:
    """Return the figures of a judge, in the order of the columns; none where it judged hardly any."""
    names = [name for name in grade if name in said]
    if len(names) < 3:
        return {}
    score, truth = (np.array([one[name] for name in names]) for one in (said, grade))
    group = [patient[name] for name in names]
    whole = agree(score, truth, clusters=group)
    rank = Figure(whole.srocc or np.nan, *(whole.ci["srocc"] or (np.nan, np.nan)))
    ends = (truth == GOOD) | (truth == REJECT)
    area = auroc(score[ends], truth[ends] == GOOD, [g for g, kept in zip(group, ends, strict=True) if kept])
    right = graded(score, truth, group) == truth
    accuracy = clustered(right, lambda weights: float(weights @ right / weights.sum()), group)
    return {"srocc": rank, "auroc": area, "accuracy": accuracy}
