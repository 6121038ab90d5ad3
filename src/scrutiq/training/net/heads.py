"""The heads that are shipped: fitted on looks at whole images, with and without a reference."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from scrutiq.assessors.net.embedding import Backbone
from scrutiq.assessors.net.look import look
from scrutiq.training.net.loop import Labeller, losses
from scrutiq.training.net.recipe import NetRecipe
from scrutiq.training.net.samples import CHANGES, Samples

__all__ = ["Heads", "fit_heads", "look_samples", "references"]

Floats = npt.NDArray[np.float32]


class Heads(nn.Module):
    """From a look, and its difference from the reference's, to kind, severity, proxy and changes.

    Parameters
    ----------
    size : int
        Of the vector of a look.
    modalities, kinds : int
    hidden : int
    """

    def __init__(self, size: int, modalities: int, kinds: int, hidden: int = 320) -> None:
        super().__init__()
        self.size, self.modalities = size, modalities
        self.centre = nn.Buffer(torch.zeros(2, size))
        self.scale = nn.Buffer(torch.ones(2, size))
        self.trunk = nn.Sequential(
            nn.Dropout(0.1), nn.Linear(2 * size + 1 + modalities, hidden), nn.GELU(), nn.Dropout(0.3)
        )
        self.kind, self.severity = nn.Linear(hidden, kinds), nn.Linear(hidden, kinds)
        self.proxy, self.change = nn.Linear(hidden, 1), nn.Linear(hidden, len(CHANGES))

    def forward(self, vector: Tensor, difference: Tensor, given: Tensor, modality: Tensor) -> tuple[Tensor, ...]:
        """Return logits of kind, severities in [0, 1], and the proxy on its scale from 0 to 4."""
        kind, severity, proxy, _ = self.raw(vector, difference, given, modality)
        return kind, severity.sigmoid(), 4 * proxy

    def raw(self, vector: Tensor, difference: Tensor, given: Tensor, modality: Tensor) -> tuple[Tensor, ...]:
        """Return logits of kind and severity, proxy / 4, and changes."""
        own = ((vector - self.centre[0]) / self.scale[0]).clamp(-6, 6)
        other = ((difference - self.centre[1]) / self.scale[1]).clamp(-6, 6) * given
        hidden = self.trunk(torch.cat([own, other, given, modality], 1))
        return self.kind(hidden), self.severity(hidden), self.proxy(hidden), self.change(hidden)


_BACKBONE: Backbone | None = None
_SAMPLES: Samples | None = None


def _start(backbone: Path, folder: Path) -> None:
    global _BACKBONE, _SAMPLES
    _BACKBONE, _SAMPLES = Backbone(backbone), Samples(folder)


def _look(row: dict[str, Any]) -> Floats:
    assert _BACKBONE is not None
    assert _SAMPLES is not None
    return look(_BACKBONE, _SAMPLES.level(row)).vector


def look_samples(backbone: Path, samples: Samples, folder: Path, jobs: int) -> Floats:
    """Return the vector of every sample (`Look.vector`), shape (N, D)."""
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(backbone, folder)
    ) as pool:
        return np.stack(list(pool.map(_look, samples.rows, chunksize=16)))


def references(rows: Sequence[dict[str, Any]]) -> npt.NDArray[np.int64]:
    """Return, for each sample, the index of its clean scene in the same window."""
    clean = {(r["scene"], str(r["window"])): i for i, r in enumerate(rows) if r["kind"] == "clean"}
    return np.array([clean[r["scene"], str(r["window"])] for r in rows])


def fit_heads(
    recipe: NetRecipe, rows: Sequence[dict[str, Any]], vectors: Floats, *, epochs: int = 60, seed: int = 0
) -> Heads:
    """Fit the heads on the training samples; each is shown with and without its reference in turn.

    Parameters
    ----------
    recipe : NetRecipe
    rows : sequence
        All samples, aligned with ``vectors``.
    vectors : ndarray of float32, shape (N, D)
    epochs, seed : int
    """
    torch.manual_seed(seed)
    train = np.array([i for i, r in enumerate(rows) if r["part"] == "train"])
    label = Labeller(recipe, [rows[i] for i in train])
    labels = label.stack([rows[i] for i in train])
    own = torch.from_numpy(vectors[train])
    difference = own - torch.from_numpy(vectors[references(rows)[train]])
    order = [m.value for m in recipe.modalities]
    hot = torch.eye(len(order))[[order.index(rows[i]["modality"]) for i in train]]
    heads = Heads(own.shape[1], len(order), len(label.names))
    heads.centre.copy_(torch.stack([own.mean(0), torch.zeros(own.shape[1])]))
    heads.scale.copy_(torch.stack([own.std(0) + 1e-4, difference.std(0) + 1e-4]))
    batch = min(256, len(train))
    steps = max(1, len(train) // batch)
    optimiser = torch.optim.AdamW(heads.parameters(), 2e-3, weight_decay=0.05)
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, max(2, epochs * steps), pct_start=0.1)
    heads.train()
    for _ in range(epochs):
        shuffled = torch.randperm(len(train))
        for step in range(steps):
            chosen = shuffled[step * batch : (step + 1) * batch]
            given = (torch.rand(len(chosen), 1) < 0.5).float()
            kind, severity, proxy, change = heads.raw(own[chosen], difference[chosen], given, hot[chosen])
            part = type(labels)(*(getattr(labels, f)[chosen] for f in ("present", "severity", "change", "proxy")))
            loss = sum(losses(kind, severity, change, proxy[:, 0], part).values(), torch.zeros(()))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            cycle.step()
    return heads.eval()
