"""Training of a backbone: kind, severity, evidence, changes, from crops at native resolution and the reduced whole."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from scrutiq.assessors.net.planes import STRIDE, planes, thumbnail
from scrutiq.models.backbones import Convolutional, Transformer, pooled
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.samples import CHANGES, Samples, degradations_of

__all__ = ["Batch", "Labeller", "Labels", "Learner", "build_backbone", "fit_backbone", "losses", "vocabulary"]


def vocabulary(recipe: NetRecipe) -> tuple[str, ...]:
    """Return the degradations that the weights of a recipe know, in the order of their outputs."""
    found: dict[str, None] = {}
    for modality in recipe.modalities:
        found.update(dict.fromkeys(degradations_of(modality)))
    return tuple(found)


def build_backbone(recipe: NetRecipe) -> Convolutional | Transformer:
    """Return the backbone of a recipe with random weights."""
    assert not isinstance(recipe.backbone, str)
    if recipe.backbone.architecture == "transformer":
        return Transformer(recipe.backbone.widths, recipe.backbone.blocks)
    return Convolutional(recipe.backbone.widths, recipe.backbone.blocks)


class Learner(nn.Module):
    """A backbone with the linear heads that teach it; the heads that are shipped are fitted afterwards.

    Parameters
    ----------
    backbone : nn.Module
    kinds : int
        Size of the vocabulary.
    """

    def __init__(self, backbone: Convolutional | Transformer, kinds: int) -> None:
        super().__init__()
        self.backbone = backbone
        width = 6 * backbone.channels
        self.norm = nn.BatchNorm1d(width)
        self.kind, self.severity = nn.Linear(width, kinds), nn.Linear(width, kinds)
        self.change, self.proxy = nn.Linear(width, len(CHANGES)), nn.Linear(width, 1)
        with torch.no_grad():  # where most samples lie, so that no steps are spent on getting there
            for layer, bias in ((self.kind, -3.0), (self.severity, -2.0), (self.change, 0.0), (self.proxy, 0.4)):
                layer.weight.mul_(0.1)
                layer.bias.fill_(bias)

    def forward(self, crop: Tensor, whole: Tensor) -> tuple[Tensor, ...]:
        """Return logits of kind and severity, changes, proxy, and the logits of the map of the crop."""
        features, evidence = self.backbone(crop)
        vector = torch.cat([pooled(features, evidence), pooled(*self.backbone(whole))], 1)
        vector = functional.dropout(self.norm(vector.float()), 0.1, self.training)
        return self.kind(vector), self.severity(vector), self.change(vector), self.proxy(vector), evidence


@dataclass(frozen=True)
class Labels:
    """What is known of some samples; NaN where a sample does not say.

    Attributes
    ----------
    present, severity : Tensor, shape (N, K)
        By degradation of the vocabulary.
    change : Tensor, shape (N, 7)
        `CHANGES`, standardised.
    proxy : Tensor, shape (N,)
        Of ``ldct-factorial``, divided by 4.
    """

    present: Tensor
    severity: Tensor
    change: Tensor
    proxy: Tensor


@dataclass(frozen=True)
class Batch:
    """What a step learns from: crops, their reduced wholes, labels, and the evidence of each cell of the crop."""

    crop: Tensor
    whole: Tensor
    labels: Labels
    evidence: Tensor


class Labeller:
    """Labels of samples in the order of a vocabulary."""

    def __init__(self, recipe: NetRecipe, rows: Sequence[dict[str, Any]]) -> None:
        self.names = vocabulary(recipe)
        self.column = {name: i for i, name in enumerate(self.names)}
        self.mine = {m.value: [self.column[n] for n in degradations_of(m)] for m in recipe.modalities}
        changes = np.array([row["change"] for row in rows])
        self.centre, self.spread = changes.mean(0), changes.std(0) + 1e-3

    def __call__(self, row: dict[str, Any]) -> tuple[Any, ...]:
        """Return present, severity, change and proxy of one sample (`Labels`)."""
        present = np.full(len(self.names), np.nan, np.float32)
        severity = present.copy()
        if row["kind"] in ("clean", "degraded"):
            present[self.mine[row["modality"]]] = 0
            severity[self.mine[row["modality"]]] = 0
            for name, value in row["steps"]:
                present[self.column[name]], severity[self.column[name]] = 1, value
        change = ((np.array(row["change"]) - self.centre) / self.spread).astype(np.float32)
        return present, severity, change, np.float32(row.get("proxy", np.nan) / 4)

    def stack(self, rows: Sequence[dict[str, Any]]) -> Labels:
        """Return the labels of many samples."""
        return Labels(*(torch.from_numpy(np.stack(v)) for v in zip(*map(self, rows), strict=True)))


class _Feed:
    """Draws batches from the samples of a part; the same seed draws the same."""

    def __init__(self, recipe: NetRecipe, samples: Samples, rows: Sequence[dict[str, Any]]) -> None:
        self.recipe, self.samples, self.rows = recipe, samples, rows
        self.label = Labeller(recipe, rows)
        self.thumbnails = [thumbnail(samples.level(row)) for row in rows]
        # Modalities take turns by the root of their share, so that a small one is not forgotten.
        counts = {m: sum(row["modality"] == m for row in rows) for m in self.label.mine}
        weight = np.array([counts[row["modality"]] ** -0.3 for row in rows])
        self.weight = weight / weight.sum()

    def batch(self, step: int) -> Batch:
        schedule = self.recipe.schedule
        assert schedule is not None
        rng = np.random.default_rng([self.recipe.seed, step])
        side = int(rng.integers(schedule.crop[0] // 32, schedule.crop[1] // 32 + 1)) * 32
        chosen = rng.choice(len(self.rows), schedule.batch, p=self.weight)
        parts: list[tuple[Any, ...]] = []
        for index in chosen:
            row = self.rows[index]
            crop, cells = self._crop(row, side, rng)
            whole = self.thumbnails[index]
            flip, turn = int(rng.integers(2)), int(rng.integers(4)) if row["modality"] == "histopathology" else 0
            crop, whole, cells = (np.rot90(a[:, ::-1] if flip else a, turn) for a in (crop, whole, cells))
            worst = max((value for _, value in row["steps"]), default=0.0)
            known = row["kind"] in ("clean", "degraded")
            level = cells / max(1.0, row["peak"])
            evidence = (np.clip(level, 0, 1) * worst).astype(np.float32) if known else np.full(cells.shape, np.nan)
            parts.append((planes(crop), planes(whole), *self.label(row), evidence))
        stacked = [torch.from_numpy(np.stack(values)).float() for values in zip(*parts, strict=True)]
        crops, wholes, present, severity, change, proxy, evidence = stacked
        return Batch(crops, wholes, Labels(present, severity, change, proxy), evidence)

    def _crop(self, row: dict[str, Any], side: int, rng: np.random.Generator) -> tuple[Any, Any]:
        level, change = self.samples.level(row), self.samples.change(row)
        height, width = level.shape[:2]
        row.setdefault("peak", float(np.percentile(change, 95)) or float(change.max()) or 1.0)
        pad = [(0, max(0, side - height)), (0, max(0, side - width))]
        level = np.pad(
            level, pad + [(0, 0)] * (level.ndim - 2), mode="reflect" if side < 2 * min(height, width) else "edge"
        )
        cells = np.zeros((-(-level.shape[0] // STRIDE), -(-level.shape[1] // STRIDE)), np.float32)
        cells[: change.shape[0], : change.shape[1]] = change
        tops, lefts = (level.shape[0] - side) // STRIDE + 1, (level.shape[1] - side) // STRIDE + 1
        top, left = int(rng.integers(tops)), int(rng.integers(lefts))
        if rng.random() < 0.6 and change.max() > 0:  # look where the fault is
            flat = int(
                rng.choice(
                    change.size, p=(change.astype(np.float64) ** 2 / (change.astype(np.float64) ** 2).sum()).ravel()
                )
            )
            y, x = divmod(flat, change.shape[1])
            cell = side // STRIDE
            top = int(np.clip(y - int(rng.integers(cell)), 0, tops - 1))
            left = int(np.clip(x - int(rng.integers(cell)), 0, lefts - 1))
        n = side // STRIDE
        return (
            level[top * STRIDE : top * STRIDE + side, left * STRIDE : left * STRIDE + side],
            cells[top : top + n, left : left + n],
        )


def losses(kind: Tensor, severity: Tensor, change: Tensor, proxy: Tensor, batch: Labels) -> dict[str, Tensor]:
    """Return the terms of the loss of an image's labels; NaN in a label leaves it out."""
    known = ~batch.present.isnan()
    present = batch.present.nan_to_num()
    truth = batch.severity.nan_to_num()
    # A trace of a fault is seen by nobody: its label counts less.
    weight = known * torch.where(present > 0, (truth / 0.3).clamp(0.1, 1), 1.0)
    count = known.any(1).sum().clamp_min(1)
    entropy = functional.binary_cross_entropy_with_logits(kind, present, weight, reduction="sum") / count
    # Which of the kinds it is, or none (logit 0): the other question that a reader asks.
    logits = torch.where(known, kind, torch.full_like(kind, -1e4))
    share = torch.log_softmax(torch.cat([torch.zeros_like(kind[:, :1]), logits], 1), 1)
    faults = present.sum(1, keepdim=True)
    target = torch.cat([(faults == 0).float(), present / faults.clamp_min(1)], 1)
    which = -((target * share).sum(1) * known.any(1)).sum() / count
    error = (severity.sigmoid() - truth).square() * known * torch.where(present > 0, 4.0, 0.15)
    said = ~batch.proxy.isnan()
    proxies = ((proxy - batch.proxy.nan_to_num()).square() * said).sum() / said.sum().clamp_min(1)
    return {
        "kind": entropy,
        "which": which,
        "severity": error.sum() / count,
        "change": 1.5 * functional.smooth_l1_loss(change, batch.change),
        "proxy": 4 * proxies,
    }


def _map_loss(logits: Tensor, target: Tensor) -> Tensor:
    seen = ~target.isnan()
    return functional.binary_cross_entropy_with_logits(logits, target.nan_to_num(), seen.float())


def fit_backbone(
    recipe: NetRecipe, samples: Samples, out: Path, log: Callable[[str], None] = print
) -> Convolutional | Transformer:
    """Train the backbone of a recipe on the training samples, going on from ``backbone.checkpoint`` in ``out``."""
    schedule = recipe.schedule
    assert schedule is not None
    torch.manual_seed(recipe.seed)
    feed = _Feed(recipe, samples, [row for row in samples.rows if row["part"] == "train"])
    learner = Learner(build_backbone(recipe), len(feed.label.names)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    # A step of Adam moves a logit by the sum over a head's thousand inputs: heads get a tenth of the rate.
    body = list(learner.backbone.parameters())
    heads = [p for name, p in learner.named_parameters() if not name.startswith("backbone.")]
    rates = [schedule.learning_rate, schedule.learning_rate / 10]
    optimiser = torch.optim.AdamW(
        [{"params": part, "lr": rate} for part, rate in zip((body, heads), rates, strict=True)],
        weight_decay=schedule.weight_decay,
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, schedule.steps, pct_start=0.1)
    file = out / "backbone.checkpoint"
    start = 0
    if file.exists():
        kept = torch.load(file, weights_only=True)
        learner.load_state_dict(kept["learner"])
        optimiser.load_state_dict(kept["optimiser"])
        start = kept["step"]
        # The rates follow from the step: a schedule that was cut in between is gone on with at its own.
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, schedule.steps, pct_start=0.1)
        for _ in range(start):
            cycle.step()
        log(f"going on from step {start}")
    learner.train()
    began = time.monotonic()
    running: dict[str, float] = {}
    for step, batch in _ahead(feed, start, schedule.steps):
        with torch.autocast("cpu", torch.bfloat16, enabled=schedule.bfloat16):
            predicted = learner(batch.crop.to(memory_format=torch.channels_last), batch.whole)
        kind, severity, change, proxy, evidence = (part.float() for part in predicted)
        terms = losses(kind, severity, change, proxy[:, 0], batch.labels)
        terms["map"] = _map_loss(evidence[:, 0], batch.evidence)
        optimiser.zero_grad()
        sum(terms.values(), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(learner.parameters(), 5.0)
        optimiser.step()
        cycle.step()
        for name, term in terms.items():
            value = float(term.detach())
            running[name] = 0.98 * running.get(name, value) + 0.02 * value
        if (step + 1) % 100 == 0 or step + 1 == schedule.steps:
            told = ", ".join(f"{name} {value:.3f}" for name, value in running.items())
            log(f"step {step + 1} of {schedule.steps}, {(time.monotonic() - began) / 60:.1f} min: {told}")
            state = {"learner": learner.state_dict(), "optimiser": optimiser.state_dict()}
            torch.save({**state, "step": step + 1}, file.with_suffix(".partial"))
            file.with_suffix(".partial").replace(file)
    learner.eval()
    backbone: Convolutional | Transformer = learner.backbone
    return backbone


def _ahead(feed: _Feed, start: int, stop: int) -> Iterator[tuple[int, Batch]]:
    """Yield the batches of the steps, each made while the one before is learnt from."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(feed.batch, start) if start < stop else None
        for step in range(start, stop):
            assert coming is not None
            batch = coming.result()
            if step + 1 < stop:
                coming = pool.submit(feed.batch, step + 1)
            yield step, batch
