"""Fit the ``ct-denoising`` noise mapping of ``measured:`` to the blind reader study, leaving sets out.

    python bench/fit_measured.py [--data ../shared/data/ct_denoising_readers]

Prints the normal-dose noise per region (`NORMAL_DOSE` of ``assessors/measured/derived.py``), the knots and the
residual of ``assessors/measured/mappings.yaml``, and how often a 95 % interval fitted on the other sets holds a
left-out reading.
Scored as the reader study is: 12 denoisers, anchors out, mean of the valid readers.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.optimize import isotonic_regression

from scrutiq.assessors.measured.mappings import Term
from scrutiq.imaging import read
from scrutiq.metrics import measure

ANCHORS = ("LDCT", "NDCT")
#: Octaves of the noise ratio at which the mapping has knots.
OCTAVES = (-1.2, -0.6, -0.25, 0.0, 0.25, 0.6, 1.0)


def readings(folder: Path) -> list[tuple[str, str, str, float, float]]:
    """Return (region, set, method, noise in % of the display, mean noise rating) of every image."""
    ratings: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    with (folder / "ratings.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            key = (row["region"], row["set"], row["method"], row["file"])
            if row["noise"] and 1 <= float(row["noise"]) <= 14:
                ratings[key].append(float(row["noise"]))
    rows = []
    for (region, group, method, file), values in ratings.items():
        found = measure(read(folder / file, modality="CT"), ["noise"])
        if "noise" in found:
            region = {"brain": "head"}.get(region, region)
            rows.append((region, group, method, 100 * found["noise"].value / 255, float(np.mean(values))))
    return rows


def fit(ratio: np.ndarray, score: np.ndarray) -> Term:
    """Return the monotone piecewise linear mapping from log2(noise ratio) to the rating, by least squares.

    Isotonic regression gives the shape, and the knots take its local mean.
    """
    order = np.argsort(ratio)
    octaves = np.log2(ratio[order])
    smooth = isotonic_regression(score[order], increasing=False).x
    knots = []
    for octave in OCTAVES:
        near = np.abs(octaves - octave) < 0.3
        weights = np.maximum(0, 1 - np.abs(octaves[near] - octave) / 0.3)
        knots.append([2.0**octave, float(np.average(smooth[near], weights=weights))])
    for a, b in pairwise(knots):  # strictly falling
        b[1] = min(b[1], a[1] - 0.05)
    return Term(measurement=("noise_ratio",), scale="log", knots=tuple((v, s) for v, s in knots), tolerance=1.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parents[2] / "shared/data/ct_denoising_readers"
    parser.add_argument("--data", type=Path, default=default)
    rows = readings(parser.parse_args().data)
    normal = {
        region: float(np.median([n for r, _, m, n, _ in rows if r == region and m == "NDCT"]))
        for region in ("head", "abdomen")
    }
    print("normal-dose noise, % of the display:", {k: round(v, 2) for k, v in normal.items()})
    print("without a region:", round(float(np.sqrt(normal["head"] * normal["abdomen"])), 2))
    judged = [row for row in rows if row[2] not in ANCHORS]
    ratio = np.array([n / normal[r] for r, _, _, n, _ in judged])
    score = np.array([s for *_, s in judged])
    groups = np.array([f"{r}-{g}" for r, g, *_ in judged])
    # The study defines the anchors' ratings (low dose 1, normal dose 7): they help the fit, and are never judged.
    anchors = [(n / normal[r], s) for r, _, m, n, s in rows if m in ANCHORS]
    extra = np.array(anchors).T
    term = fit(np.concatenate([ratio, extra[0]]), np.concatenate([score, extra[1]]))
    print("knots:", [[round(v, 3), round(s, 2)] for v, s in term.knots])
    errors = np.empty_like(score)
    inside = np.zeros(len(score), bool)
    for group in np.unique(groups):
        out = groups == group
        other = fit(np.concatenate([ratio[~out], extra[0]]), np.concatenate([score[~out], extra[1]]))
        known = np.array([other.score(v) for v in ratio[~out]])
        half = float(np.quantile(np.abs(score[~out] - known), 0.95))
        predicted = np.array([other.score(v) for v in ratio[out]])
        errors[out] = np.abs(score[out] - predicted)
        inside[out] = errors[out] <= half
    print(f"residual (95 % of |rating - mapping|, sets left out): {np.quantile(errors, 0.95):.2f}")
    print(f"MAE, sets left out: {errors.mean():.2f}; coverage of the 95 % interval: {100 * inside.mean():.1f} %")
    for region in ("head", "abdomen"):
        here = np.array([r == region for r, *_ in judged])
        print(f"  {region}: MAE {errors[here].mean():.2f}, n {here.sum()}")


if __name__ == "__main__":
    main()
