"""A recipe of `net:` from end to end: samples, backbone, heads, readers, calibration, domain check, card, figures."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize

from scrutiq import rubrics
from scrutiq.assessors.net import installed, shipped
from scrutiq.assessors.net.card import CARD, Card, RubricCard, Spread
from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.planes import STRIDE
from scrutiq.assessors.net.readers import DIMENSIONS, Readers, write
from scrutiq.assessors.net.statistics import STATISTICS, statistics
from scrutiq.core import FrozenDict, InputError, Modality
from scrutiq.datasets.bases import base
from scrutiq.metrics.conformal import quantile
from scrutiq.training.net import domain, grades, reader_study
from scrutiq.training.net.evaluate import factorial_figures, kind_figures, map_figures
from scrutiq.training.net.export import export_backbone, export_heads
from scrutiq.training.net.heads import Heads, fit_heads, look_samples, references
from scrutiq.training.net.looks import looks
from scrutiq.training.net.looks import rows as look_rows
from scrutiq.training.net.loop import fit_backbone, vocabulary
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.samples import Samples, make_samples, plan, scenes

__all__ = ["Said", "calibrated", "probabilities", "say", "train_net"]

Values = npt.NDArray[np.float64]
Rows = Sequence[dict[str, Any]]

VERSION = "1"
STUDY = "ct_denoising_readers"
#: A lesion is no fault: the heads learn it so as not to take it for one.
SILENT = ("ct.inserted_lesion",)
PROXY_NOTE = (
    "The score was learnt from a formula of dose and number of views (ldct-factorial), not from radiologists; it "
    "orders noise and streaks, and knows nothing else that a reader would mark down."
)
READER_NOTE = (
    "The scale was learnt from 240 images of 12 denoisers and 3 radiologists; on a method unlike these the order of "
    "two images is less certain than the interval says."
)


class Said:
    """What the heads say of samples.

    Attributes
    ----------
    logits, severity : ndarray, shape (N, K)
    proxy : ndarray, shape (N,)
    """

    def __init__(self, logits: Values, severity: Values, proxy: Values) -> None:
        self.logits, self.severity, self.proxy = logits, severity, proxy


def say(heads: Heads, recipe: NetRecipe, rows: Rows, vectors: npt.NDArray[np.float32], compared: bool) -> Said:
    """Return what the heads say of samples, without their references or with them."""
    order = [modality.value for modality in recipe.modalities]
    own = torch.from_numpy(vectors)
    difference = own - own[torch.from_numpy(references(rows))] if compared else torch.zeros_like(own)
    hot = torch.eye(len(order))[[order.index(row["modality"]) for row in rows]]
    with torch.no_grad():
        logits, severity, proxy = heads(own, difference, torch.full((len(rows), 1), float(compared)), hot)
    return Said(logits.double().numpy(), severity.double().numpy(), proxy[:, 0].double().numpy())


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

    vectors = look_samples(weights / "backbone.onnx", samples, out / "samples", jobs)
    heads = fit_heads(recipe, samples.rows, vectors, epochs=1 if short else 60, seed=recipe.seed)
    export_heads(heads, weights / "heads.onnx")
    alone, compared = (say(heads, recipe, samples.rows, vectors, by) for by in (False, True))
    scale = calibrated(recipe, samples.rows, alone)
    runner = Backbone(weights / "backbone.onnx")
    scored: dict[str, RubricCard] = {}
    if Modality.CT in recipe.modalities:
        scored["ldct"] = _proxy_card(samples.rows, alone, compared)
        scored["ct-denoising"] = _readers(data / STUDY, runner, weights / "readers.npz")
    if recipe.graded:
        scored["medq"] = _grades(recipe, data, runner, weights / "grades.npz")
    checked = _domain(recipe, data, runner, weights / "domain.npz", short, log)

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
        kind_scale=FrozenDict(scale),
        rubrics=FrozenDict(scored),
        graded=tuple(recipe.graded),
        domain=checked.card,
        data=trained,
        licences=tuple(base(name).attribution for name in trained),
        recipe_hash=hashlib.sha256(recipe.model_dump_json().encode()).hexdigest(),
        notice=recipe.notice,
    )
    (weights / CARD).write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    figures = {
        "alone": _figures(recipe, samples, alone, scale),
        "with_reference": _figures(recipe, samples, compared, scale),
        "evidence": _evidence(samples, runner),
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
        "split": _split(found),
        "samples": len(samples.rows),
        "figures": figures,
    }
    (out / "run.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return document


def _split(found: Sequence[Any]) -> dict[str, dict[str, list[str]]]:
    """Return the groups of each part by modality: the split, as it is committed."""
    table: dict[str, dict[str, set[str]]] = {}
    for scene in found:
        table.setdefault(scene.modality.value, {}).setdefault(scene.part, set()).add(scene.base.group)
    return {modality: {part: sorted(groups) for part, groups in parts.items()} for modality, parts in table.items()}


def calibrated(recipe: NetRecipe, rows: Rows, said: Said) -> dict[Modality, tuple[float, float]]:
    """Return slope and offset of Platt scaling by modality, fitted to the validation part.

    A modality without a validation part gets those of all others together.

    J. Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    names = vocabulary(recipe)
    by: dict[Modality, tuple[Values, Values]] = {}
    for modality in recipe.modalities:
        mine = [i for i, name in enumerate(names) if name.partition(".")[0] in (modality.value.lower(), "any")]
        those = [i for i, r in enumerate(rows) if _judged(r, "validation") and r["modality"] == modality.value]
        present = np.zeros((len(those), len(names)))
        for place, i in enumerate(those):
            for name, value in rows[i]["steps"]:
                # What the words call no fault is in between: it counts as half there.
                present[place, names.index(name)] = 1.0 if value > 1 / 3 else 0.5
        by[modality] = (said.logits[those][:, mine].ravel(), present[:, mine].ravel())
    pooled = _platt(*(np.concatenate([part[i] for part in by.values()]) for i in (0, 1)))
    return {modality: _platt(*part) if len(part[0]) else pooled for modality, part in by.items()}


def _platt(logits: Values, truth: Values) -> tuple[float, float]:
    if not len(logits):
        return 1.0, 0.0

    def loss(free: Values) -> float:
        value = free[0] * logits + free[1]
        return float((np.logaddexp(0, value) - truth * value).mean())

    slope, offset = minimize(loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return float(max(slope, 0.05)), float(offset)


def _judged(row: dict[str, Any], part: str) -> bool:
    return bool(row["part"] == part and row["kind"] in ("clean", "degraded"))


def _spread(residual: Values, coverage: float = 0.9) -> Spread:
    """Return standard deviation and split-conformal half-width of residuals."""
    known = np.abs(residual[~np.isnan(residual)])
    half_width = min(quantile(known, coverage), float(known.max()))  # of too few, the largest
    return Spread(sd=max(1e-3, float(np.sqrt((known**2).mean()))), half_width=max(1e-3, half_width))


def _proxy_card(rows: Rows, alone: Said, compared: Said) -> RubricCard:
    held = [i for i, r in enumerate(rows) if r["part"] == "validation" and r["kind"] == "factorial"]
    truth = np.array([rows[i]["proxy"] for i in held])
    spreads = (FrozenDict({"overall": _spread(said.proxy[held] - truth)}) for said in (alone, compared))
    return RubricCard(
        hash=rubrics.load("ldct").hash,
        supervision="proxy",
        note=PROXY_NOTE,
        **dict(zip(("alone", "with_reference"), spreads, strict=True)),
    )


def _readers(folder: Path, backbone: Backbone, path: Path) -> RubricCard:
    """Fit the linear maps to the reader study and return the card, with residuals of sets that were left out."""
    study = reader_study.study(folder, backbone)
    linears, spreads = [], []
    for values, penalty in zip((study.alone, study.against), reader_study.PENALTIES.values(), strict=True):
        linears.append(reader_study.fit_linear(values, study.scores, penalty))
        held = reader_study.leave_sets_out(values, study.scores, study.group, penalty) - study.scores
        spreads.append(FrozenDict({name: _spread(held[:, i]) for i, name in enumerate(DIMENSIONS)}))
    Readers(*linears).write(path)
    return RubricCard(
        hash=rubrics.load("ct-denoising").hash,
        supervision="readers",
        note=READER_NOTE,
        alone=spreads[0],
        with_reference=spreads[1],
    )


def _grades(recipe: NetRecipe, data: Path, backbone: Backbone, path: Path) -> RubricCard:
    """Fit a linear map to the grades of each graded modality; residuals are of patients that were left out."""
    maps, residuals = {}, []
    for modality, name in recipe.graded.items():
        graded = grades.graded(data / name, backbone)
        maps[modality.value] = reader_study.fit_linear(graded.values, graded.scores, grades.PENALTY)
        residuals.append(grades.out_of_fold(graded) - graded.scores[:, 0])
    write(path, maps)
    return RubricCard(
        hash=rubrics.load("medq").hash,
        supervision="readers",
        note=grades.NOTE,
        alone=FrozenDict({"overall": _spread(np.concatenate(residuals))}),
    )


def _domain(
    recipe: NetRecipe, data: Path, backbone: Backbone, path: Path, short: bool, log: Callable[[str], None]
) -> domain.Fit:
    def embedded(seen: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return backbone.embed_whole(np.moveaxis(np.rint(255 * seen), 0, -1).astype(np.uint8))

    found = list(look_rows(looks(recipe, data, share=0.15 if short else 1.0), (statistics, embedded)))
    fitted = domain.fit(found, [m.value for m in recipe.modalities], len(STATISTICS))
    path.write_bytes(fitted.model.to_bytes())
    test = [row for row in found if row.part == "test"]
    if test:
        for one in domain.evaluate(fitted, test):
            log(
                f"said to be {one.claim}: {one.kind}: {one.share:.3f} of {one.pictures} declined, {one.sources} sources"
            )
    return fitted


def probabilities(
    recipe: NetRecipe, rows: Rows, chosen: Sequence[int], said: Said, scale: dict[Modality, tuple[float, float]]
) -> Values:
    """Return calibrated probabilities of some samples, shape (n, K), zero for a kind of another modality."""
    names = vocabulary(recipe)
    found = np.zeros((len(chosen), len(names)))
    for place, i in enumerate(chosen):
        slope, offset = scale[Modality(rows[i]["modality"])]
        folder = rows[i]["modality"].lower()
        mine = [k for k, name in enumerate(names) if name.partition(".")[0] in (folder, "any")]
        found[place, mine] = 1 / (1 + np.exp(-np.clip(slope * said.logits[i, mine] + offset, -30, 30)))
    return found


def _figures(
    recipe: NetRecipe, samples: Samples, said: Said, scale: dict[Modality, tuple[float, float]]
) -> dict[str, Any]:
    names, rows = vocabulary(recipe), samples.rows
    test = [i for i, row in enumerate(rows) if _judged(row, "test")]
    probability = probabilities(recipe, rows, test, said, scale)
    found = {"kinds": kind_figures([rows[i] for i in test], names, probability, said.severity[test])}
    graded = [i for i, row in enumerate(rows) if row["part"] == "test" and row["kind"] == "factorial"]
    if graded:
        found["ldct-factorial"] = factorial_figures([rows[i] for i in graded], said.proxy[graded])
    return found


def _evidence(samples: Samples, backbone: Backbone) -> dict[str, Any]:
    """Return, by modality, how well the map tells where local faults of the test part were put."""
    local = [
        r for r in samples.rows if _judged(r, "test") and r["regions"] and r["regions"][0] and r["steps"][0][1] > 1 / 3
    ]
    found = {}
    for modality in sorted({row["modality"] for row in local}):
        mine = [row for row in local if row["modality"] == modality]
        maps = [backbone.embed(samples.level(row)).evidence for row in mine]
        found[modality] = map_figures(mine, maps, STRIDE)
    return found
