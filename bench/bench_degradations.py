"""Whether each degradation is made evenly and seen by its own measurement, on the real bases of its modality.

    python bench/bench_degradations.py [--only NAME ...] [--bases 8] [--seeds 3] [--jobs 2] [--write]

For every entry and base, severities 0, 0.1, ... 1 are made with several seeds. It prints, a row an entry,

* rho: the median over bases and seeds of Spearman's correlation of the severity with the entry's own measurement;
* ratio: the largest change of the entry's full-reference metric from one tenth of severity to the next, from 0.1 on,
  as a ratio (the median over bases and seeds; at most 2 is meant);
* AUROC: how well its own measurement tells severity 1 from clean, across bases;
* rank: the place of its own measurement among all of the modality by that AUROC (1 is best; equals share a place);
* clean, mild, severe, worst: the median of the measurement at severity 0, 1/3, 2/3 and 1.

``--write`` keeps the result, with the matrix, where the documentation is made from; rows of other entries stay. Bases
are the clean images of the table of bases, one of each patient or source before a second of any. What was computed is
kept under --cache and not computed again while the module of the entry is the same: empty it after a change elsewhere.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np

from scrutiq.core import Image, Modality, ScrutiqError
from scrutiq.datasets.bases import BaseImage, bases
from scrutiq.degradations import VolumeDegradation, get, names
from scrutiq.metrics import MEASURES, Context

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "reference" / "degradation_evidence.json"
#: Of the measuring itself: what was kept under another is computed again.
VERSION = {"ladder": 1, "every": 2}
#: Longest side, pixels.
LONGEST = 900
LADDER = [round(k / 10, 1) for k in range(11)]
KNOTS = (0.0, 1 / 3, 2 / 3, 1.0)


MODALITIES = get("any.jpeg").modalities
NOTE = (
    "`python bench/bench_degradations.py --bases 8 --ladders N --write`, with `--only NAME` for single entries: AUROC "
    "and rank on at most 8 bases a modality of `../shared/data`; rho and ratio with eleven severities and three seeds "
    f"on as many bases as the table says; sides of {LONGEST} pixels at most."
)


def chosen(data: Path, modality: Modality, most: int) -> list[BaseImage]:
    """Return clean bases of a modality: the first of every patient or source, then the second of each, and so on."""
    groups: dict[str, list[BaseImage]] = {}
    for one in bases(modality, clean_only=True):
        if (data / one.files[0].split("/")[0]).exists():
            for image in one.images(data):
                groups.setdefault(image.group, []).append(image)
    rounds = [image for turn in zip_longest(*groups.values()) for image in turn if image is not None]
    return rounds[: most or None]


def load(base: BaseImage) -> Image:
    """Return the base, averaged in blocks of pixels where it is large, so that all are computed in reasonable time."""
    image = base.read()
    step = -(-max(image.shape) // LONGEST)
    if step > 1:
        h, w = (n // step * step for n in image.shape)
        pixels = image.pixels[:h, :w].reshape(h // step, step, w // step, step, -1).mean(axis=(1, 3))
        spacing = None if image.spacing is None else (image.spacing[0] * step, image.spacing[1] * step)
        image = image.replace(pixels=np.rint(pixels.squeeze()), spacing=spacing, valid=None)
    return image


def measurements(image: Image) -> dict[str, float]:
    """Return every measurement that applies: those of `MEASURES`, and those that belong to a degradation."""
    context = Context(image)
    every = {m.name: m for m in MEASURES.values() if not m.baseline}
    for name in names(image.modality):
        entry = get(name)
        if not isinstance(entry, VolumeDegradation):
            every.setdefault(entry.measurement.name, entry.measurement)
    found = {name: measure.compute(context) for name, measure in every.items()}
    return {name: value for name, value in found.items() if value is not None}


def ladder(name: str, base: BaseImage, seeds: int) -> dict[str, Any]:
    """Return what one entry does to one base: own measurement and distance by seed and severity; all at 0 and 1."""
    warnings.simplefilter("ignore")
    entry, image = get(name), load(base)
    if (reason := entry.unfit(image)) is not None:
        return {"unfit": reason}
    own, distance, knots = [], [], []
    for seed in range(seeds):
        values, away = [], []
        for severity in LADDER:
            made = entry.make(image, severity, np.random.default_rng(seed))
            found = entry.measure(made)
            values.append(None if found is None else found.value)
            away.append(entry.distance(image, made) if severity else 0.0)
        own.append(values)
        distance.append(away)
    for severity in KNOTS:
        found = entry.measure(entry.make(image, severity, np.random.default_rng(0)))
        knots.append(None if found is None else found.value)
    return {"own": own, "distance": distance, "knots": knots}


def every(name: str, base: BaseImage) -> dict[str, Any]:
    """Return all measurements of one base, clean (no name) or with the degradation at severity 1."""
    warnings.simplefilter("ignore")
    image = load(base)
    stored = as_stored if np.array_equal(image.pixels, np.rint(image.pixels)) else (lambda image: image)
    if name:
        entry = get(name)
        if (reason := entry.unfit(image)) is not None:
            return {"unfit": reason}
        image = entry.make(image, 1.0, np.random.default_rng(0))
    return {"all": measurements(stored(image))}


def as_stored(image: Image) -> Image:
    """Return the image in whole levels, as a file holds it; else any made image could be told by its fractions."""
    return image.replace(pixels=np.rint(image.pixels))


def task(
    kind: str, name: str, base: BaseImage, modality: Modality, seeds: int, cache: Path
) -> tuple[Any, dict[str, Any]]:
    code = fingerprint(name, modality, kind)
    key = f"{kind}-{name or 'clean'}-{modality.value}-{base.id}-{seeds}-{LONGEST}-{VERSION[kind]}-{code}"
    file = cache / (hashlib.sha256(key.encode()).hexdigest()[:24] + ".json")
    if not file.exists():
        try:
            found = ladder(name, base, seeds) if kind == "ladder" else every(name, base)
        except ScrutiqError as error:
            found = {"error": str(error)}
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(found))
        temporary.replace(file)
    return (kind, name, modality.value, base.id), json.loads(file.read_text())


def fingerprint(name: str, modality: Modality, kind: str) -> str:
    """Return a hash of the code that a result rests on: the entry's module, or all modules of its modality."""
    room = ROOT / "src" / "scrutiq" / "degradations"
    folder, _, module = name.partition(".")
    if kind == "ladder":
        files = [room / folder / f"{module}.py"]
    else:
        files = sorted((room / modality.value.lower()).glob("*.py")) + sorted((room / "any").glob("*.py"))
        files += [room / folder / f"{module}.py"] if name else []
    return hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()[:12]


def auroc(clean: list[float], severe: list[float]) -> float:
    """Return the share of pairs in which the severe value is the higher; a tie counts half."""
    a, b = np.array(clean)[:, None], np.array(severe)[None, :]
    return float(((b > a) + 0.5 * (b == a)).mean())


def spearman(values: list[float | None]) -> float | None:
    from scipy.stats import spearmanr

    if any(v is None for v in values):
        return None
    return 0.0 if len(set(values)) == 1 else float(spearmanr(LADDER, values).statistic)


def largest_step(distances: list[float]) -> float:
    """Return the largest ratio between a distance and the next, either way."""
    return max(max(b / a, a / b) if min(a, b) > 0 else np.inf for a, b in pairwise(distances))


def summary(name: str, modality: Modality, ladders: list[dict[str, Any]]) -> dict[str, Any]:
    entry = get(name)
    sign = 1 if entry.thresholds.rises else -1
    rhos: list[float | None] = []
    ratios: list[float] = []
    for one in ladders:
        rhos += [None if (r := spearman(v)) is None else sign * r for v in one["own"]]
        ratios += [largest_step(away[1:]) for away in one["distance"]]
    defined = [r for r in rhos if r is not None]
    columns = [[k[i] for k in (one["knots"] for one in ladders) if k[i] is not None] for i in range(4)]
    return {
        "name": name,
        "modality": modality.value,
        "measurement": entry.measurement.name,
        "bases": len(ladders),
        "undefined": len(rhos) - len(defined),
        "rho": float(np.median(defined)) if defined else None,
        "ratio": float(np.median(ratios)) if ratios else None,
        "ratio_95": float(np.percentile(ratios, 95)) if ratios else None,
        "knots": [float(np.median(c)) if c else None for c in columns],
    }


def matrix_row(name: str, clean: dict[str, dict[str, float]], severe: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the AUROC of severe against clean by measurement, 1 - AUROC where the measurement falls."""
    shared = [base for base in severe if base in clean]
    row = {}
    for measurement in sorted({m for base in shared for m in severe[base]}):
        pairs = [(clean[b].get(measurement), severe[b].get(measurement)) for b in shared]
        a, b = [x for x, _ in pairs if x is not None], [y for _, y in pairs if y is not None]
        if len(a) >= len(shared) / 2 and len(b) >= len(shared) / 2:
            row[measurement] = auroc(a, b)
    return row


def tasks(args: argparse.Namespace) -> Iterator[tuple[str, str, BaseImage, Modality]]:
    for modality in MODALITIES:
        if args.modality and modality.value.lower() != args.modality.lower():
            continue
        own = [n for n in names(modality) if not args.only or n in args.only]
        own = [n for n in own if not isinstance(get(n), VolumeDegradation)]
        if not own:
            continue
        found = chosen(args.data, modality, args.bases)
        climbed = found[: args.ladders] if args.ladders else found
        for base in found:
            if not args.no_matrix:
                yield "every", "", base, modality
            for name in own:
                if base in climbed:
                    yield "ladder", name, base, modality
                if not args.no_matrix:
                    yield "every", name, base, modality


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--modality")
    parser.add_argument("--bases", type=int, default=8, help="images a modality, evenly taken; 0 for all")
    parser.add_argument("--ladders", type=int, default=0, help="of these, on how many all severities are made; 0: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--no-matrix", action="store_true", help="leave out AUROC and rank, which need all measurements"
    )
    parser.add_argument("--cache", type=Path, default=Path("/tmp/scrutiq-degradations"))
    parser.add_argument("--write", action="store_true", help="keep the result for the documentation")
    args = parser.parse_args()
    results: dict[Any, dict[str, Any]] = {}
    with ProcessPoolExecutor(args.jobs) as pool:
        todo = [pool.submit(task, *one, args.seeds, args.cache) for one in tasks(args)]
        for future in as_completed(todo):
            key, found = future.result()
            results[key] = found
            if "error" in found:
                print(f"{key}: {found['error']}", flush=True)
    entries = []
    print("| entry | measurement | bases | rho | ratio | AUROC | rank | clean, mild, severe, worst |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, modality in dict.fromkeys((n, Modality(m)) for kind, n, m, _ in results if kind == "ladder"):
        ladders = [
            f for (k, n, m, _), f in results.items() if (k, n, m) == ("ladder", name, modality.value) and "own" in f
        ]
        if not ladders:
            continue
        row = summary(name, modality, ladders)
        sides = [
            {
                b: f["all"]
                for (k, n, m, b), f in results.items()
                if (k, n, m) == ("every", which, modality.value) and "all" in f
            }
            for which in ("", name)
        ]
        if sides[1]:
            values = matrix_row(name, *sides)
            own = values.get(row["measurement"])
            rises = get(name).thresholds.rises
            row["auroc"] = None if own is None else own if rises else 1 - own
            best = {m: max(v, 1 - v) for m, v in values.items()}
            row["rank"] = None if own is None else 1 + sum(v > row["auroc"] + 1e-9 for v in best.values())
            row["matrix"] = {m: round(v, 3) for m, v in values.items()}
        row["exception"] = get(name).exception
        entries.append(row)
        print(show(row), flush=True)
    if args.write:
        kept = json.loads(RESULT.read_text("utf-8"))["entries"] if RESULT.exists() else []
        rows = {(row["name"], row["modality"]): row for row in (*kept, *entries)}
        places = {(name, m.value): k for k, (m, name) in enumerate((m, n) for m in MODALITIES for n in names(m))}
        document = {
            "note": NOTE,
            "entries": [rows[key] for key in sorted(rows.keys() & places, key=places.__getitem__)],
        }
        RESULT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
        print(f"written: {RESULT.relative_to(ROOT)}")


def show(row: dict[str, Any]) -> str:
    def cell(value: float | None, form: str = ".2f") -> str:
        return "-" if value is None else format(value, form)

    knots = ", ".join(cell(k, ".3g") for k in row["knots"])
    return (
        f"| {row['name']} ({row['modality']}) | {row['measurement']} | {row['bases']} | {cell(row['rho'], '.3f')} | "
        f"{cell(row['ratio'])} | {cell(row.get('auroc'))} | {cell(row.get('rank'), '')} | {knots} |"
    )


if __name__ == "__main__":
    main()
