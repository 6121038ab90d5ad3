"""A recipe of `net:` from end to end: samples, backbone, heads, readers, calibration, domain check, card, figures."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import minimize_scalar

from scrutiq import rubrics
from scrutiq.assessors.net import installed, shipped
from scrutiq.assessors.net.card import CARD, Card, RubricCard, Spread
from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.planes import STRIDE
from scrutiq.assessors.net.readers import DIMENSIONS, FOREST, LINEAR, write
from scrutiq.assessors.net.statistics import STATISTICS, statistics
from scrutiq.assessors.net.trees import heads_file
from scrutiq.core import FrozenDict, InputError, Modality
from scrutiq.datasets.bases import base
from scrutiq.metrics.conformal import group_quantile
from scrutiq.training.net import domain, grades, reader_study
from scrutiq.training.net.evaluate import (
    calibration_figures,
    coverage_figures,
    factorial_figures,
    kind_figures,
    map_figures,
)
from scrutiq.training.net.export import export_backbone, parameters
from scrutiq.training.net.heads import Heads, Seen, all_heads, look_samples, of_modality, proxy_out_of_fold
from scrutiq.training.net.looks import looks
from scrutiq.training.net.looks import rows as look_rows
from scrutiq.training.net.loop import fit_backbone, vocabulary
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.samples import Samples, make_samples, plan, scenes
from scrutiq.training.net.trees import export_trees

__all__ = ["Said", "calibrated", "say", "train_net"]

Values = npt.NDArray[np.float64]
Rows = Sequence[dict[str, Any]]

VERSION = "1"
#: Of the intervals.
COVERAGE = 0.9
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
    logits : ndarray, shape (N, 1 + K)
        Of none and of each kind of the vocabulary; minus infinity for one of another modality.
    severity : ndarray, shape (N, K)
    proxy : ndarray, shape (N,)
    """

    def __init__(self, logits: Values, severity: Values, proxy: Values) -> None:
        self.logits, self.severity, self.proxy = logits, severity, proxy

    def probabilities(self, scale: npt.ArrayLike) -> Values:
        """Return the probabilities of none and each kind, shape (N, 1 + K), at a factor on the logits of each sample.

        C. Guo et al., "On calibration of modern neural networks", ICML 2017 (temperature scaling).
        """
        scaled = np.asarray(scale, np.float64)[..., None] * (self.logits - self.logits.max(1, keepdims=True))
        odds = np.exp(scaled)
        found: Values = odds / odds.sum(1, keepdims=True)
        return found


def say(
    heads: Mapping[tuple[Modality, bool], Heads],
    recipe: NetRecipe,
    rows: Rows,
    seen: Seen,
    compared: bool,
    *,
    pictured: bool = False,
) -> Said:
    """Return what the heads say of samples, without their references or with them, as they are or as pictures."""
    names = vocabulary(recipe)
    logits = np.full((len(rows), 1 + len(names)), -np.inf)
    severity, proxy = np.zeros((len(rows), len(names))), np.full(len(rows), np.nan)
    for modality in recipe.modalities:
        places, values = of_modality(modality, rows, seen, compared, pictured=pictured)
        one = heads[modality, compared]
        columns = np.array([names.index(name) for name in one.kinds])
        said, how, proxy[places] = one(values)
        logits[np.ix_(places, np.concatenate([[0], 1 + columns]))] = said
        severity[np.ix_(places, columns)] = how
    return Said(logits, severity, proxy)


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

    seen = look_samples(weights / "backbone.onnx", samples, out / "samples", jobs)
    heads = all_heads(tuple(recipe.modalities), samples.rows, seen, jobs)
    for (modality, by), one in heads.items():
        one.export(weights / heads_file(modality, by))
    alone, compared = (say(heads, recipe, samples.rows, seen, by) for by in (False, True))
    scales = [calibrated(recipe, samples.rows, said) for said in (alone, compared)]
    runner = Backbone(weights / "backbone.onnx")
    scored: dict[str, RubricCard] = {}
    intervals: dict[str, Any] = {}
    if Modality.CT in recipe.modalities:
        scored["ldct"] = _proxy_card(samples.rows, seen)
        scored["ct-denoising"], intervals = _readers(data / STUDY, weights)
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
        kind_scale=FrozenDict({modality: (scales[0][modality], scales[1][modality]) for modality in recipe.modalities}),
        rubrics=FrozenDict(scored),
        graded=tuple(recipe.graded),
        domain=checked.card,
        coverage=COVERAGE,
        data=trained,
        licences=tuple(base(name).attribution for name in trained),
        recipe_hash=hashlib.sha256(recipe.model_dump_json().encode()).hexdigest(),
        notice=recipe.notice,
    )
    (weights / CARD).write_text(card.model_dump_json(indent=1) + "\n", "utf-8")
    figures = {
        "alone": _figures(recipe, samples, alone, scales[0]),
        "with_reference": _figures(recipe, samples, compared, scales[1]),
        "pictured": _figures(recipe, samples, say(heads, recipe, samples.rows, seen, False, pictured=True), scales[0]),
        "intervals": {"ct-denoising": intervals, "ldct": _proxy_held(samples.rows, alone, compared, scored)},
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


def calibrated(recipe: NetRecipe, rows: Rows, said: Said) -> dict[Modality, float]:
    """Return the factor on the logits, by modality, at which the validation part is likeliest.

    A modality without a validation part gets that of all others together. What the words call no fault lies in between:
    it counts half as none there.
    """
    names = vocabulary(recipe)

    def best(those: list[int]) -> float:
        truth = np.zeros((len(those), 1 + len(names)))
        for place, i in enumerate(those):
            name, value = max(rows[i]["steps"], key=lambda step: step[1], default=(None, 0.0))
            share = 0.0 if name is None else 1.0 if value > 1 / 3 else 0.5
            truth[place, 0] = 1 - share
            if name is not None:
                truth[place, 1 + names.index(name)] = share
        part = Said(said.logits[those], said.severity[those], said.proxy[those])

        def loss(log_scale: float) -> float:
            likely = part.probabilities(np.full(len(those), np.exp(log_scale)))
            return float(-(truth * np.log(np.maximum(likely, 1e-9))).sum(1).mean())

        return float(np.exp(minimize_scalar(loss, bounds=(-2.5, 2.5), method="bounded").x))

    by = {
        m: [i for i, r in enumerate(rows) if _judged(r, "validation") and r["modality"] == m.value]
        for m in recipe.modalities
    }
    every = [i for those in by.values() for i in those]
    return {m: best(those or every) if every else 1.0 for m, those in by.items()}


def _judged(row: dict[str, Any], part: str) -> bool:
    return bool(row["part"] == part and row["kind"] in ("clean", "degraded"))


def _spread(residual: Values, groups: Sequence[str], share: float = COVERAGE) -> Spread:
    """Return standard deviation and conformal half-width of residuals of groups that were left out."""
    known = ~np.isnan(residual)
    size, those = np.abs(residual[known]), [group for group, one in zip(groups, known, strict=True) if one]
    half_width = min(group_quantile(size, those, share), float(size.max()))  # of too few, the largest
    return Spread(sd=max(1e-3, float(np.sqrt((size**2).mean()))), half_width=max(1e-3, half_width))


def _proxy_held(rows: Rows, alone: Said, compared: Said, scored: Mapping[str, RubricCard]) -> dict[str, Any]:
    """Return how often the intervals of the proxy held it, of test patients."""
    test = [i for i, row in enumerate(rows) if row["part"] == "test" and row["kind"] == "factorial"]
    if not test or "ldct" not in scored:
        return {}
    truth, groups = np.array([rows[i]["proxy"] for i in test]), [rows[i]["group"] for i in test]
    bounds = rubrics.load("ldct").dimension("overall").range
    return {
        way: coverage_figures(truth, said.proxy[test], np.full(len(test), one["overall"].half_width), bounds, groups)
        for way, said, one in (
            ("alone", alone, scored["ldct"].alone),
            ("with_reference", compared, scored["ldct"].with_reference),
        )
    }


def _proxy_card(rows: Rows, seen: Seen) -> RubricCard:
    spreads = []
    for compared in (False, True):
        places, said = proxy_out_of_fold(Modality.CT, rows, seen, compared)
        residual = said - np.array([rows[i]["proxy"] for i in places])
        spreads.append(FrozenDict({"overall": _spread(residual, [rows[i]["group"] for i in places])}))
    return RubricCard(
        hash=rubrics.load("ldct").hash,
        supervision="proxy",
        note=PROXY_NOTE,
        alone=spreads[0],
        with_reference=spreads[1],
    )


def _readers(folder: Path, path: Path) -> tuple[RubricCard, dict[str, Any]]:
    """Fit the maps to the reader study, write them to a folder, and return the card and how its intervals did.

    The card has residuals of sets that were left out; the intervals are tried on sets that neither the map nor their
    width was fitted to.
    """
    study = reader_study.study(folder)
    own = reader_study.fit_alone(study.alone, study.scores)
    write(path / LINEAR, {"alone": own.linear, "with_reference": reader_study.fit_beside(study.against, study.scores)})
    export_trees([own.forest], study.alone.shape[1] // 2, path / FOREST)
    spreads, held = [], []
    for name, fit in reader_study.WAYS.items():
        said = reader_study.leave_sets_out(getattr(study, name), study.scores, study.group, fit)
        residual = said - study.scores
        spreads.append(FrozenDict({n: _spread(residual[:, i], study.group) for i, n in enumerate(DIMENSIONS)}))
        held.append({n: _held(study, said[:, i], i) for i, n in enumerate(DIMENSIONS)})
    card = RubricCard(
        hash=rubrics.load("ct-denoising").hash,
        supervision="readers",
        note=READER_NOTE,
        alone=spreads[0],
        with_reference=spreads[1],
    )
    return card, dict(zip(("alone", "with_reference"), held, strict=True))


def _held(study: reader_study.Study, said: Values, column: int) -> dict[str, Any]:
    group, truth = np.array(study.group), study.scores[:, column]
    width = np.zeros(len(said))
    for one in set(study.group):
        others = group != one
        width[group == one] = _spread((said - truth)[others], group[others].tolist()).half_width
    bounds = rubrics.load("ct-denoising").dimension(DIMENSIONS[column]).range
    return coverage_figures(truth, said, width, bounds, study.group)


def _grades(recipe: NetRecipe, data: Path, backbone: Backbone, path: Path) -> RubricCard:
    """Fit a linear map to the grades of each graded modality; residuals are of patients that were left out."""
    maps, residuals = {}, []
    patients: list[str] = []
    for modality, name in recipe.graded.items():
        graded = grades.graded(data / name, backbone)
        maps[modality.value] = reader_study.fit_linear(graded.values, graded.scores, grades.PENALTY)
        residuals.append(grades.out_of_fold(graded) - graded.scores[:, 0])
        patients += list(graded.patient)
    write(path, maps)
    return RubricCard(
        hash=rubrics.load("medq").hash,
        supervision="readers",
        note=grades.NOTE,
        alone=FrozenDict({"overall": _spread(np.concatenate(residuals), patients)}),
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


def _figures(recipe: NetRecipe, samples: Samples, said: Said, scale: dict[Modality, float]) -> dict[str, Any]:
    names, rows = vocabulary(recipe), samples.rows
    test = [i for i, row in enumerate(rows) if _judged(row, "test")]
    probability = said.probabilities([scale[Modality(row["modality"])] for row in rows])
    those = [rows[i] for i in test]
    found = {
        "kinds": kind_figures(those, names, probability[test][:, 1:], said.severity[test]),
        "calibration": calibration_figures(those, names, probability[test]),
    }
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
