"""Which judge is worth its bytes and milliseconds: candidates on the same samples, split, labels and heads.

    python bench/bench_candidates.py --run DIR [--out DIR2] [--transformer-steps N] [--jobs N]

``DIR`` is where ``python -m scrutiq.training src/scrutiq/training/recipes/net_base.yaml --out DIR`` wrote its samples
and weights. On top of each candidate stand the same boosted trees, from the image alone:

* the compact residual network of the recipe;
* a compact vision transformer (16 x 16 patches, 160 channels, 6 blocks), trained with the same code, samples and
  losses for as many steps as are given; left out where these are 0;
* measurements: those of each degradation, the general ones, and statistics of image and texture;
* a mixture: the residual network beside the measurements.

Prints Markdown: macro-F1 of the kind at severe and mild, rank correlation of the severity within a kind, on groups that
no candidate saw; megabytes, and milliseconds for one CT slice of 512 x 512 on one thread, the trees left out. Writes
``candidates.json`` to ``DIR2``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.gauges import gauge
from scrutiq.assessors.net.planes import levels, luma, planes
from scrutiq.assessors.net.statistics import statistics
from scrutiq.assessors.net.texture import texture
from scrutiq.core import Image, Modality
from scrutiq.training.net.evaluate import kind_figures
from scrutiq.training.net.heads import Seen, all_heads, look_samples
from scrutiq.training.net.recipe import Backbone as Shape
from scrutiq.training.net.recipe import NetRecipe, load_net_recipe
from scrutiq.training.net.samples import Samples, scenes

ROOT = Path(__file__).resolve().parents[1]
RECIPE = ROOT / "src/scrutiq/training/recipes/net_base.yaml"


def figures(recipe: NetRecipe, rows: list[dict[str, Any]], seen: Seen, jobs: int) -> dict[str, Any]:
    """Return what trees on what was seen are worth, from the image alone."""
    from scrutiq.training.net.loop import vocabulary
    from scrutiq.training.net.said import calibrated, say

    heads = all_heads(tuple(recipe.modalities), rows, seen, jobs, ways=(False,))
    said = say(heads, recipe, rows, seen, False)
    scale = calibrated(recipe, rows, said)
    likely = said.probabilities([scale[Modality(row["modality"])] for row in rows])
    test = [i for i, row in enumerate(rows) if row["part"] == "test" and row["kind"] in ("clean", "degraded")]
    return kind_figures([rows[i] for i in test], vocabulary(recipe), likely[test], said.severity[test])


_KEPT: dict[str, Any] = {}


def _start(backbone: Path, folder: Path) -> None:
    _KEPT.update(backbone=Backbone(backbone), samples=Samples(folder))


def _embed(row: dict[str, Any]) -> np.ndarray:
    return _KEPT["backbone"].embed(_KEPT["samples"].level(row)).vector


def embedded(backbone: Path, rows: list[dict[str, Any]], folder: Path, jobs: int) -> Seen:
    """Return what a network sees of every sample, and nothing else."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_start, initargs=(backbone, folder)) as pool:
        vectors = np.stack(list(pool.map(_embed, rows, chunksize=16)))
    nothing = [np.zeros(0, np.float32)] * len(rows)
    return Seen(vectors, nothing, nothing)


def milliseconds(function: Callable[[Image], object], image: Image) -> float:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        function(image)
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def measured(image: Image) -> None:
    shown = levels(image)
    gauge(image), statistics(planes(shown)), texture(luma(shown))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a run of the recipe; without it nothing is done")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data", help="the data folder")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--transformer-steps", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if args.run is None:
        print("skipped: it needs the folder of a run of the recipe (--run)")
        return
    import torch

    from scrutiq.training.net.export import export_backbone
    from scrutiq.training.net.loop import fit_backbone

    out = args.out or args.run / "candidates"
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.jobs)
    recipe = load_net_recipe(RECIPE)
    folder = args.run / "samples"
    samples = Samples(folder)
    rows = samples.rows
    own = args.run / "weights" / "backbone.onnx"
    measurements = look_samples(samples, folder, args.jobs)
    network = embedded(own, rows, folder, args.jobs)
    both = Seen(np.concatenate([network.looks, measurements.looks], 1), measurements.measured, measurements.pictured)
    backbone = Backbone(own)
    runs: dict[str, tuple[Seen, Path | None, Callable[[Image], object]]] = {
        "residual network": (network, own, lambda i: backbone.embed(levels(i))),
        "measurements": (measurements, None, measured),
        "both": (both, own, lambda i: (backbone.embed(levels(i)), measured(i))),
    }
    if args.transformer_steps:
        shape = Shape(architecture="transformer", widths=(160,), blocks=(6,))
        schedule = recipe.schedule.model_copy(update={"steps": args.transformer_steps, "learning_rate": 1e-3})
        other = recipe.model_copy(update={"backbone": shape, "schedule": schedule})
        (out / "transformer").mkdir(exist_ok=True)
        file = out / "transformer.onnx"
        export_backbone(fit_backbone(other, samples, out / "transformer"), file)
        vit = Backbone(file)
        runs["vision transformer"] = (embedded(file, rows, folder, args.jobs), file, lambda i: vit.embed(levels(i)))

    image = next(s for s in scenes(recipe, args.data) if s.modality is Modality.CT).read()
    found: dict[str, Any] = {}
    print("| candidate | modality | macro-F1, severe | macro-F1, mild | severity SROCC, median | MB | ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, (seen, file, function) in runs.items():
        by_modality = figures(recipe, rows, seen, args.jobs)
        bytes_ = 0.0 if file is None else file.stat().st_size / 1e6
        spent = milliseconds(function, image)
        found[name] = {"figures": by_modality, "megabytes": bytes_, "milliseconds": spent}
        for modality, one in by_modality.items():
            cells = [
                f"{one[w]['macro_f1']:.2f} [{one[w]['interval'][0]:.2f}, {one[w]['interval'][1]:.2f}]"
                for w in ("severe", "mild")
            ]
            median = one["severity_srocc"]["median"]
            print(f"| {name} | {modality} | {cells[0]} | {cells[1]} | {median:.2f} | {bytes_:.1f} | {spent:.0f} |")
    (out / "candidates.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
