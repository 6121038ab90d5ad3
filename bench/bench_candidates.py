"""Which judge is worth its bytes and milliseconds: three candidates on the same samples, split and labels.

    python bench/bench_candidates.py --run DIR [--out DIR2] [--transformer-steps N] [--jobs N]

``DIR`` is where ``python -m scrutiq.training src/scrutiq/training/recipes/net_base.yaml --out DIR`` wrote its samples
and weights. The candidates:

* the compact residual network of the recipe;
* a compact vision transformer (16 x 16 patches, 160 channels, 6 blocks), trained with the same code, samples and
  losses for ``--transformer-steps`` steps, with the same heads on top; left out where these are 0;
* gradient-boosted trees on hand-made measurements: the texture statistics and the statistics of the domain check
  (scikit-learn's histogram gradient boosting, which has to be installed), one classifier, and one regressor of severity
  a kind and modality;
* the same trees on the measurements and how they differ from those of the reference;
* a mixture: the heads on embedding and measurements together.

Prints Markdown: macro-F1 of the kind at severe and mild, rank correlation of the severity within a kind, on groups that
no candidate saw; megabytes; milliseconds for a 512 x 512 image on one thread. Writes ``candidates.json`` to ``DIR2``.
"""

from __future__ import annotations

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.look import look
from scrutiq.assessors.net.planes import planes
from scrutiq.assessors.net.statistics import statistics
from scrutiq.assessors.net.texture import texture
from scrutiq.training.net.evaluate import kind_figures
from scrutiq.training.net.recipe import Backbone as Shape
from scrutiq.training.net.recipe import NetRecipe, load_net_recipe
from scrutiq.training.net.samples import Samples, degradations_of

RECIPE = Path(__file__).resolve().parents[1] / "src/scrutiq/training/recipes/net_base.yaml"


def measurements(shown: np.ndarray) -> np.ndarray:
    """Return the hand-made measurements of grey display levels."""
    return np.concatenate([texture(shown), statistics(planes(shown))])


def judged(row: dict[str, Any], part: str) -> bool:
    return row["part"] == part and row["kind"] in ("clean", "degraded")


def boosted(recipe: NetRecipe, rows: list[dict[str, Any]], values: np.ndarray, names: tuple[str, ...]) -> Any:
    """Return probability and severity of the test rows by gradient-boosted trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    test = [i for i, row in enumerate(rows) if judged(row, "test")]
    probability, severity = np.zeros((len(test), len(names))), np.zeros((len(test), len(names)))
    for modality in recipe.modalities:
        train = [i for i, r in enumerate(rows) if judged(r, "train") and r["modality"] == modality.value]
        mine = [place for place, i in enumerate(test) if rows[i]["modality"] == modality.value]
        if not mine:
            continue
        # A trace of a fault is called none, as the heads are taught to weigh it.
        label = [rows[i]["steps"][0][0] if rows[i]["steps"] and rows[i]["steps"][0][1] > 0.2 else "none" for i in train]
        model = HistGradientBoostingClassifier(max_iter=60, max_leaf_nodes=8, learning_rate=0.15, random_state=0)
        model.fit(values[train], label)
        said = model.predict_proba(values[[test[p] for p in mine]])
        for column, name in enumerate(model.classes_):
            if name in names:
                probability[mine, names.index(name)] = said[:, column]
        for name in degradations_of(modality):
            those = [i for i in train if rows[i]["steps"] and rows[i]["steps"][0][0] == name]
            regressor = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, min_samples_leaf=5, random_state=0)
            regressor.fit(values[those], [rows[i]["steps"][0][1] for i in those])
            severity[mine, names.index(name)] = regressor.predict(values[[test[p] for p in mine]])
    # The most probable kind is said unless none is more probable.
    top = probability.max(1, keepdims=True)
    none = 1 - probability.sum(1, keepdims=True)
    return np.where((probability == top) & (top > none), np.maximum(probability, 0.5), 0.49 * probability), severity


def headed(recipe: NetRecipe, rows: list[dict[str, Any]], vectors: np.ndarray, names: tuple[str, ...]) -> Any:
    """Return calibrated probability and severity of the test rows by heads on vectors."""
    from scrutiq.training.net.heads import fit_heads
    from scrutiq.training.net.run import calibrated, probabilities, say

    said = say(fit_heads(recipe, rows, vectors, seed=recipe.seed), recipe, rows, vectors, False)
    test = [i for i, row in enumerate(rows) if judged(row, "test")]
    return probabilities(recipe, rows, test, said, calibrated(recipe, rows, said)), said.severity[test]


def milliseconds(function: Any) -> float:
    shown = np.random.default_rng(0).integers(0, 256, (512, 512)).astype(np.uint8)
    function(shown)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        function(shown)
        times.append(time.perf_counter() - began)
    return 1000 * float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="folder of a run of the recipe; without it nothing is done")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--transformer-steps", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args()
    if args.run is None:
        print("skipped: it needs the folder of a run of the recipe (--run)")
        return
    import torch

    from scrutiq.training.net.export import export_backbone
    from scrutiq.training.net.heads import look_samples, references
    from scrutiq.training.net.loop import fit_backbone, vocabulary

    out = args.out or args.run / "candidates"
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(args.jobs)
    recipe = load_net_recipe(RECIPE)
    names = vocabulary(recipe)
    folder = args.run / "samples"
    samples = Samples(folder)
    rows = samples.rows
    own = args.run / "weights" / "backbone.onnx"
    vectors = look_samples(own, samples, folder, args.jobs)
    size = Backbone(own).embed(np.zeros((64, 64), np.uint8)).vector.size
    embedded, hand = vectors[:, :size], vectors[:, size:]
    runs: dict[str, tuple[Any, Path | None, Any]] = {
        "residual network": (headed(recipe, rows, embedded, names), own, Backbone(own).embed),
        "measurements, boosted trees": (boosted(recipe, rows, hand, names), None, measurements),
        "measurements beside those of the reference, boosted trees": (
            boosted(recipe, rows, np.concatenate([hand, hand - hand[references(rows)]], 1), names),
            None,
            measurements,
        ),
        "network and measurements": (headed(recipe, rows, vectors, names), own, partial(look, Backbone(own))),
    }
    if args.transformer_steps:
        shape = Shape(architecture="transformer", widths=(160,), blocks=(6,))
        schedule = recipe.schedule.model_copy(update={"steps": args.transformer_steps, "learning_rate": 1e-3})
        other = recipe.model_copy(update={"backbone": shape, "schedule": schedule})
        (out / "transformer").mkdir(exist_ok=True)
        file = out / "transformer.onnx"
        export_backbone(fit_backbone(other, samples, out / "transformer"), file)
        seen = look_samples(file, samples, folder, args.jobs)[:, : -hand.shape[1]]
        name = f"vision transformer, {args.transformer_steps} of {recipe.schedule.steps} steps"
        runs[name] = (headed(other, rows, seen, names), file, Backbone(file).embed)

    test = [row for row in rows if judged(row, "test")]
    found: dict[str, Any] = {}
    print("| candidate | modality | macro-F1, severe | macro-F1, mild | severity SROCC, median | MB | ms |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, ((probability, severity), file, function) in runs.items():
        figures = kind_figures(test, names, probability, severity)
        size = 0.0 if file is None else file.stat().st_size / 1e6
        spent = milliseconds(function)
        found[name] = {"figures": figures, "megabytes": size, "milliseconds": spent}
        for modality, one in figures.items():
            cells = [
                f"{one[w]['macro_f1']:.2f} [{one[w]['interval'][0]:.2f}, {one[w]['interval'][1]:.2f}]"
                for w in ("severe", "mild")
            ]
            median = one["severity_srocc"]["median"]
            print(f"| {name} | {modality} | {cells[0]} | {cells[1]} | {median:.2f} | {size:.1f} | {spent:.0f} |")
    (out / "candidates.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
