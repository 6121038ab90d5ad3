"""``measured:`` on ``medq`` against the EyeQ grades of 900 fundus photographs, beside NIQE, BRISQUE and PIQE.

    python bench/bench_fundus.py [--data ../shared/data/fundus_eyeq200]

The grades (good, usable, reject) were given on the full-size photographs; these are 200 x 200 pixels. Spearman's
correlation and the area under the ROC curve of good against reject, each with its 95 % interval over patients. The
thresholds of the fundus rules quote percentiles of 300 of these images, so the figures of ``measured:`` are in part of
data it was set on.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

import scrutiq
from scrutiq.imaging import find_cases
from scrutiq.imaging.options import Given
from scrutiq.metrics import measure
from scrutiq.metrics.agreement import agree

BASELINES = ("niqe", "brisque", "piqe")


def auroc(score: np.ndarray, good: np.ndarray) -> float:
    """Return the chance that a good image scores above a bad one, ties counted half (Mann-Whitney U)."""
    above, below = score[good][:, None], score[~good][None, :]
    return float((above > below).mean() + 0.5 * (above == below).mean())


def interval(score: np.ndarray, good: np.ndarray, patients: np.ndarray, draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % percentile interval of `auroc` over patients drawn with replacement."""
    rng = np.random.default_rng(0)
    names, which = np.unique(patients, return_inverse=True)
    rows = [np.flatnonzero(which == i) for i in range(len(names))]
    values = []
    for _ in range(draws):
        chosen = np.concatenate([rows[i] for i in rng.integers(0, len(names), len(names))])
        values.append(auroc(score[chosen], good[chosen]))
    return tuple(np.quantile(values, (0.025, 0.975)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).parents[2] / "shared/data/fundus_eyeq200")
    folder = parser.parse_args().data
    with (folder / "labels.csv").open(newline="") as file:
        labels = {row["filename"]: row for row in csv.DictReader(file)}
    scores: dict[str, dict[str, float]] = {name: {} for name in ("measured: overall", *BASELINES)}
    for assessment in scrutiq.assess(folder, rubric="medq", modality="fundus"):
        name = Path(str(assessment.source.path)).name
        if "overall" in assessment.judgements:
            scores["measured: overall"][name] = assessment.judgements["overall"].score
    for ref in find_cases([folder], given=Given.of(modality="fundus")):
        for metric, found in measure(ref.load().target, BASELINES).items():
            scores[metric][Path(str(ref.source.path)).name] = -found.value
    print("\n| score | n | SROCC with the grade | AUROC, good against reject |\n| --- | --- | --- | --- |")
    for label, found in scores.items():
        names = sorted(found)
        score = np.array([found[name] for name in names])
        grade = np.array([2 - int(labels[name]["eyeq_quality"]) for name in names])
        patients = np.array([labels[name]["patient"] for name in names])
        whole = agree(score, grade, clusters=patients)
        ends = grade != 1
        low, high = interval(score[ends], grade[ends] == 2, patients[ends])
        area = auroc(score[ends], grade[ends] == 2)
        srocc = f"{whole.srocc:.3f} [{whole.ci['srocc'][0]:.2f}, {whole.ci['srocc'][1]:.2f}]"
        sign = "" if label.startswith("measured") else "-"
        print(f"| {sign}{label} | {len(names)} | {srocc} | {area:.3f} [{low:.2f}, {high:.2f}] |")


if __name__ == "__main__":
    main()
