"""The blind reader study: who ranks denoised CT slices as three radiologists did."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from _accuracy_tables import DRAWS, cell, plain, table

import scrutiq
from scrutiq.assessors.net.readers import DIMENSIONS
from scrutiq.datasets.published import ct_denoising_readers
from scrutiq.imaging import read
from scrutiq.metrics import FULL_REFERENCE, MEASURES, Context, compare, fit_intensity, measure
from scrutiq.metrics.reader_protocol import (
    Design,
    Figure,
    Ordering,
    less_denoiser,
    lookup,
    ordering,
    others,
    rank_agreement,
)
from scrutiq.training.net import reader_study

TARGET_ONLY = ("niqe", "brisque", "piqe")
WITH_REFERENCE = ("psnr", "ssim", "vif", "gmsd")
REGIONS = {"abdomen": "abdomen", "brain": "head"}
READER, LOOKUP, MEASURED = "a radiologist against the other two", "denoiser lookup", "`measured:`"
NET, NORMALISED = "`net:base`", "`net:base`, normalised"
REFERENCE = ", with references"

#: What hand-made features with extra-trees reach (issue 4); with the lookup they are the bar of the first table.
FEATURES = {NET: (0.93, 0.44, 0.58, 0.81, 0.56, 0.56), NET + REFERENCE: (0.95, 0.54, 0.71, 0.92, 0.75, 0.82)}
#: Accuracy of ordering denoisers never seen that is asked for.
ASKED = {NET: 0.75, NET + REFERENCE: 0.80}

Values = np.ndarray


@dataclass
class Judge:
    """What one judge says of every image: ``sets`` where sets were left out, ``pairs`` where denoisers were."""

    sets: Values
    pairs: Values | Mapping[tuple[str, str], Values] | None
    truth: Values


def excerpt(folder: Path, sets: int, out: Path) -> Path:
    """Copy the first sets of the study."""
    with (folder / "ratings.csv").open(newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        fields = list(reader.fieldnames or ())
    kept = sorted({row["set"] for row in rows})[:sets]
    rows = [row for row in rows if row["set"] in kept]
    for name in sorted({row["file"] for row in rows}):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, out / name)
    with (out / "ratings.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fields)
        writer.writeheader()
        writer.writerows(rows)
    return out


def baselines(folder: Path, files: tuple[str, str]) -> dict[str, list[float]]:
    """Return what each judge that was not fitted says of one image, turned so that higher means "rated higher"."""
    target, normal = (read(folder / file, modality="CT", frame=0) for file in files)
    found = {}
    for name, m in measure(Context(target), TARGET_ONLY).items():
        found[name] = -m.value if MEASURES[name].direction == "lower is better" else m.value
    fitted = fit_intensity(target, normal)
    for name, m in compare(fitted, normal, data_range=255, names=WITH_REFERENCE).items():
        found[name] = -m.value if FULL_REFERENCE[name].direction == "lower is better" else m.value
    said = {name: [value] * len(DIMENSIONS) for name, value in found.items()}
    (assessment,) = scrutiq.assess(target, rubric="ct-denoising", assessor="measured:")
    scores = [assessment.judgements[name].score if name in assessment.judgements else None for name in DIMENSIONS]
    said[MEASURED] = [float("nan") if score is None else score for score in scores]
    return said


def judges(folder: Path, jobs: int) -> tuple[Design, dict[str, Judge]]:
    """Return the study's design and every judge in the order of the tables."""
    records = [r for r in ct_denoising_readers.load(folder).records if not r.extra["design_constant"]]
    readers = sorted({name for r in records for given in r.readers.values() for name in given})
    scores = np.array([[r.scores.get(name, np.nan) for name in DIMENSIONS] for r in records])
    ratings = np.array(
        [[[r.readers.get(name, {}).get(who, np.nan) for name in DIMENSIONS] for r in records] for who in readers]
    )
    design = Design(*([str(r.extra[name]) for r in records] for name in ("region", "set", "method")))
    files = [(r.files["target"], r.files["reference"]) for r in records]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        measured = list(pool.map(partial(baselines, folder), files, chunksize=8))
    found = {READER: Judge(ratings, ratings, others(ratings)), LOOKUP: Judge(lookup(design, scores), None, scores)}
    nets = _nets(folder, [r.id for r in records])

    def fixed(name: str) -> Judge:
        missing = [np.nan] * len(DIMENSIONS)
        values = np.array([one.get(name, missing) for one in measured])
        return Judge(values, values, scores)

    found |= {name: one for name, one in nets.items() if not name.endswith(REFERENCE)}
    found |= {MEASURED: fixed(MEASURED), **{name.upper(): fixed(name) for name in TARGET_ONLY}}
    found |= {name: one for name, one in nets.items() if name.endswith(REFERENCE)}
    found |= {name.upper() + REFERENCE: fixed(name) for name in WITH_REFERENCE}
    return design, found


def _nets(folder: Path, ids: list[str]) -> dict[str, Judge]:
    found = {}
    for title, normalised in ((NET, False), (NORMALISED, True)):
        study = reader_study.study(folder, normalised=normalised)
        if list(study.ids) != ids:
            raise SystemExit("the study's features are not of the same images in the same order.")
        for ending, (name, fit) in zip(("", REFERENCE), reader_study.WAYS.items(), strict=True):
            values = getattr(study, name)
            found[title + ending] = Judge(
                reader_study.leave_sets_out(values, study.scores, study.group, fit),
                reader_study.leave_denoisers_out(values, study.scores, study.method, fit),
                study.scores,
            )
    return found


def report(folder: Path, jobs: int) -> tuple[str, dict[str, Any]]:
    """Return the tables, and their figures."""
    design, found = judges(folder, jobs)
    ratings = found[READER].sets
    sets, left, alone, order = {}, {}, {}, {}
    for name, one in found.items():
        residual = less_denoiser(design, one.truth)
        sets[name] = rank_agreement(design, one.sets, one.truth, n_boot=DRAWS)
        alone[name] = rank_agreement(design, one.sets, residual, n_boot=DRAWS)
        if name != LOOKUP:  # less the lookup, nothing of it is left
            left[name] = rank_agreement(design, less_denoiser(design, one.sets), residual, n_boot=DRAWS)
        if one.pairs is not None:
            order[name] = ordering(design, one.pairs, one.truth, n_boot=DRAWS)
    count = {REGIONS[region]: len(rows) for region, rows in design.rows().items()}
    size = ", ".join(f"{name} {n} images" for name, n in count.items())
    parts = [
        f"{size}, {len(set(design.group))} sets a region, {len(set(design.denoiser))} denoisers. "
        f"Of {ratings.size} ratings {int(np.isnan(ratings).sum())} are missing.",
        "### Sets left out: rank correlation with the readers",
        _figures(sets),
        "### What is left when the denoiser's mean is subtracted",
        "From the readers' scores, and from what the judge says, each the mean over the other sets:",
        _figures(left),
        "From the readers' scores alone; what the judge says is taken as it is:",
        _figures(alone),
        "### Two denoisers left out: how often they are ordered as the readers ordered them",
        _ordered(order),
    ]
    parts += ["### Beside what was asked", "\n".join(_verdicts(sets, left, order))]
    figures: dict[str, Any] = {
        title: {name: plain(dict(zip(_head()[1:], _row(one), strict=True))) for name, one in given.items()}
        for title, given in (
            ("sets left out", sets),
            ("less the denoiser", left),
            ("less it in the truth alone", alone),
        )
    }
    figures["denoisers left out"] = {
        name: plain({**dict(zip(_head()[1:], _row(one.by_region), strict=True)), "mean": one.mean})
        for name, one in order.items()
    }
    return "\n\n".join(parts), figures


def _head() -> list[str]:
    return ["judge", *(f"{region}: {name}" for region in REGIONS.values() for name in DIMENSIONS)]


def _row(figures: Mapping[str, tuple[Figure, ...]]) -> list[Figure]:
    return [figure for region in REGIONS for figure in figures[region]]


def _figures(found: Mapping[str, Mapping[str, tuple[Figure, ...]]]) -> str:
    return table(_head(), [[name, *map(cell, _row(figures))] for name, figures in found.items()])


def _ordered(found: Mapping[str, Ordering]) -> str:
    rows = []
    for name, one in found.items():
        mean = cell(one.mean) if np.isfinite(one.mean.value) else "-"
        rows.append([name, *map(cell, _row(one.by_region)), mean])
    return table([*_head(), "mean of the six"], rows)


def _verdicts(
    sets: Mapping[str, Mapping[str, tuple[Figure, ...]]],
    left: Mapping[str, Mapping[str, tuple[Figure, ...]]],
    order: Mapping[str, Ordering],
) -> list[str]:
    """Return one line a requirement of the issue: met or not, and where not, by how much."""
    places = _head()[1:]
    looked = [figure.value for figure in _row(sets[LOOKUP])]
    lines = []
    for name, features in FEATURES.items():
        bar = np.maximum(looked, features)
        got = np.array([figure.value for figure in _row(sets[name])])
        short = [f"{p} {g:.3f} of {b:.3f}" for p, g, b in zip(places, got, bar, strict=True) if g < b]
        lines.append(
            f"* {name}: at least the larger of the lookup and hand-made features with extra-trees in "
            f"{int((got >= bar).sum())} of {len(bar)}" + (f"; not in {', '.join(short)}." if short else ".")
        )
    for name in (f"{title}{ending}" for title in (NET, NORMALISED) for ending in ("", REFERENCE)):
        asked = [
            (p, f) for p, f in zip(places, _row(left[name]), strict=True) if p.split(": ")[1] in ("noise", "contrast")
        ]
        short = [p for p, f in asked if not f.low > 0]
        lines.append(
            f"* {name}: less the denoiser's mean, the interval lies above 0 for noise and contrast in "
            f"{len(asked) - len(short)} of {len(asked)}" + (f"; not in {', '.join(short)}." if short else ".")
        )
    for name, bar in ASKED.items():
        mean = order[name].mean
        lines.append(
            f"* {name}: denoisers never seen are ordered rightly in {mean.value:.3f} on average, asked {bar:.2f}: "
            f"{'met' if mean.value >= bar else 'not met'}."
        )
    return lines
