"""A recipe of `net:` from end to end: samples, backbone, heads, readers, calibration, domain check, card, figures."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from scrutiq.assessors.net import installed, shipped
from scrutiq.assessors.net.card import CARD, Card, RubricCard
from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.planes import STRIDE
from scrutiq.assessors.net.statistics import STATISTICS, statistics
from scrutiq.assessors.net.trees import heads_file
from scrutiq.core import FrozenDict, InputError, Modality
from scrutiq.datasets.bases import base
from scrutiq.datasets.outliers import outlier_sets
from scrutiq.training.net import domain
from scrutiq.training.net.evaluate import (
    calibration_figures,
    factorial_figures,
    kind_figures,
    map_figures,
)
from scrutiq.training.net.export import export_backbone, parameters
from scrutiq.training.net.heads import all_heads, look_samples
from scrutiq.training.net.kept import digest, kept
from scrutiq.training.net.looks import Row, looks
from scrutiq.training.net.looks import rows as look_rows
from scrutiq.training.net.loop import fit_backbone, vocabulary
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.said import Said, calibrated, judged, say
from scrutiq.training.net.samples import Samples, make_samples, parts, plan, scenes
from scrutiq.training.net.scales import COVERAGE, graded_scale, proxy_held, proxy_scale, reader_scale
from scrutiq.training.net.trees import ROUNDS

__all__ = ["train_net"]

Values = npt.NDArray[np.float64]
Rows = Sequence[dict[str, Any]]

VERSION = "1"
_WORDS = ("kind", "source", "part", "state", "grey")
STUDY = "ct_denoising_readers"
#: A lesion is no fault: the heads learn it so as not to take it for one.
SILENT = ("ct.inserted_lesion",)


def train_net(
    recipe: NetRecipe,
    data: Path,
    out: Path,
    *,
    jobs: int = 1,
    resume: bool = True,
    short: bool = False,
    log: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run a recipe, going on from what is already in ``out``.

    Parameters
    ----------
    recipe : NetRecipe
    data : Path
        The data folder.
    out : Path
        Takes ``samples/``, ``weights/`` (what is shipped) and ``run.json``.
    jobs : int
        Processes that make samples, and threads that train.
    resume : bool
        Whether to keep what is in ``out``; its samples and checkpoints are removed first where it is False.
    short : bool
        Take every step, learn nothing (`NetRecipe.shortened`).
    log : callable

    Returns
    -------
    dict
        What ``run.json`` holds.

    Raises
    ------
    InputError
        If a base may not be trained on, or the backbone of ``net:base`` is asked for and not here.
    """
    recipe.check_licences()
    if recipe.backbone == "base" and not installed():
        raise InputError("the recipe takes the backbone of net:base, whose weights are not here; train these first.")
    recipe = recipe.shortened() if short else recipe
    began = time.monotonic()
    weights = out / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(jobs)
    if not resume:
        for old in (out / "samples" / "samples.jsonl", out / "samples" / "pixels.bin", out / "backbone.checkpoint"):
            old.unlink(missing_ok=True)

    found = scenes(recipe, data)
    plans = plan(recipe, found)
    log(f"{recipe.name}: {len(plans)} samples of {len(found)} scenes")
    make_samples(plans, out / "samples", jobs)
    samples = Samples(out / "samples")
    made = time.monotonic()
    if recipe.backbone == "base":
        shutil.copyfile(shipped()["base"] / "backbone.onnx", weights / "backbone.onnx")
    else:
        export_backbone(fit_backbone(recipe, samples, out, log), weights / "backbone.onnx")
    taught = time.monotonic()

    seen = look_samples(samples, out / "samples", jobs)
    rounds = 2 if short else ROUNDS
    heads = all_heads(tuple(recipe.modalities), samples.rows, seen, jobs, rounds=rounds)
    for (modality, by), one in heads.items():
        one.export(weights / heads_file(modality, by))
    alone, compared = (say(heads, recipe, samples.rows, seen, by) for by in (False, True))
    scales = [calibrated(recipe, samples.rows, said) for said in (alone, compared)]
    runner = Backbone(weights / "backbone.onnx")
    scored: dict[str, RubricCard] = {}
    intervals: dict[str, Any] = {}
    if Modality.CT in recipe.modalities:
        scored["ldct"] = proxy_scale(samples.rows, seen)
        scored["ct-denoising"], intervals = reader_scale(data / STUDY, weights)
    if recipe.graded:
        scored["medq"] = graded_scale(recipe, data, weights / "grades.npz")
    checked, declined = _domain(recipe, data, out, short, log)

    bases = tuple(dict.fromkeys(name for one in recipe.modalities.values() for name in one.train))
    trained = (*bases, *((STUDY,) if "ct-denoising" in scored else ()), *recipe.graded.values())
    files = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(weights.iterdir()) if p.name != CARD}
    card = Card(
        name=recipe.name,
        version=VERSION,
        files=FrozenDict(files),
        modalities=tuple(recipe.modalities),
        degradations=vocabulary(recipe),
        silent=tuple(name for name in SILENT if name in vocabulary(recipe)),
        kind_scale=FrozenDict({modality: (scales[0][modality], scales[1][modality]) for modality in recipe.modalities}),
        rubrics=FrozenDict(scored),
        graded=tuple(recipe.graded),
        domain=checked.card,
        coverage=COVERAGE,
        data=trained,
        licences=tuple(dict.fromkeys([*(base(name).attribution for name in trained), *_declined(recipe)])),
        recipe_hash=hashlib.sha256(recipe.model_dump_json().encode()).hexdigest(),
        notice=recipe.notice,
    )
    (weights / CARD).write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    figures = {
        "alone": _figures(recipe, samples, alone, scales[0]),
        "with_reference": _figures(recipe, samples, compared, scales[1]),
        "pictured": _figures(recipe, samples, say(heads, recipe, samples.rows, seen, False, pictured=True), scales[0]),
        "intervals": {"ct-denoising": intervals, "ldct": proxy_held(samples.rows, alone, compared, scored)},
        "domain": declined,
        "evidence": _evidence(samples, runner),
        "parameters": parameters(weights / "backbone.onnx"),
        "minutes": {
            "samples": (made - began) / 60,
            "backbone": (taught - made) / 60,
            "rest": (time.monotonic() - taught) / 60,
        },
        "bytes": sum((weights / name).stat().st_size for name in files),
    }
    document = {
        "recipe": recipe.model_dump(mode="json"),
        "short": short,
        "torch": torch.__version__,
        "split": parts(found),
        "samples": len(samples.rows),
        "figures": figures,
    }
    (out / "run.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return document


def _declined(recipe: NetRecipe) -> list[str]:
    """Return whom to name for the pictures that the domain check was fitted to."""
    used = [s for s in outlier_sets() if s.part != "test" and (s.shipped_weights or not recipe.shipped)]
    return [one.attribution for one in used if one.attribution]


def _domain(
    recipe: NetRecipe, data: Path, out: Path, short: bool, log: Callable[[str], None]
) -> tuple[domain.Fit, list[dict[str, Any]]]:
    """Fit the domain check and return it with what it declines of the test part."""

    def computed() -> dict[str, npt.NDArray[Any]]:
        found = list(look_rows(looks(recipe, data, share=0.15 if short else 1.0), (statistics,)))
        return {name: np.array([getattr(row, name) for row in found]) for name in Row.__dataclass_fields__}

    made_of = digest(recipe.model_dump_json(), str(short))
    arrays = kept(out / "domain_looks.npz", made_of, computed)
    found = [
        Row(*values) for values in zip(*(arrays[name].tolist() for name in _WORDS), arrays["features"], strict=True)
    ]
    fitted = domain.fit(found, [m.value for m in recipe.modalities], len(STATISTICS))
    (out / "weights" / "domain.npz").write_bytes(fitted.model.to_bytes())
    test = [row for row in found if row.part == "test"]
    declined = domain.evaluate(fitted, test) if test else []
    for one in declined:
        log(f"said to be {one.claim}: {one.kind}: {one.share:.3f} of {one.pictures} declined, {one.sources} sources")
    return fitted, [asdict(one) for one in declined]


def _figures(recipe: NetRecipe, samples: Samples, said: Said, scale: dict[Modality, float]) -> dict[str, Any]:
    names, rows = vocabulary(recipe), samples.rows
    test = [i for i, row in enumerate(rows) if judged(row, "test")]
    probability = said.probabilities([scale[Modality(row["modality"])] for row in rows])
    those = [rows[i] for i in test]
    found = {
        "kinds": kind_figures(those, names, probability[test], said.severity[test]),
        "calibration": calibration_figures(those, names, probability[test]),
    }
    graded = [i for i, row in enumerate(rows) if row["part"] == "test" and row["kind"] == "factorial"]
    if graded:
        found["ldct-factorial"] = factorial_figures([rows[i] for i in graded], said.proxy[graded])
    return found


def _evidence(samples: Samples, backbone: Backbone) -> dict[str, Any]:
    """Return, by modality, how well the map tells where local faults of the test part were put."""
    local = [
        r for r in samples.rows if judged(r, "test") and r["regions"] and r["regions"][0] and r["steps"][0][1] > 1 / 3
    ]
    found = {}
    for modality in sorted({row["modality"] for row in local}):
        mine = [row for row in local if row["modality"] == modality]
        maps = [backbone.evidence(samples.level(row)) for row in mine]
        found[modality] = map_figures(mine, maps, STRIDE)
    return found
