"""The heads that are shipped: boosted trees on measurements and looks at whole images, with and without a reference."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from scrutiq.assessors.net.gauges import gauge, picture
from scrutiq.assessors.net.look import look
from scrutiq.core import Modality
from scrutiq.training.net.kept import digest, kept
from scrutiq.training.net.samples import Samples, degradations_of
from scrutiq.training.net.trees import ROUNDS, Fitted, classifier, export_trees, regressor

__all__ = ["Heads", "Seen", "all_heads", "fit_heads", "look_samples", "of_modality", "proxy_out_of_fold", "references"]

Floats = npt.NDArray[np.float32]
Rows = Sequence[dict[str, Any]]

#: Of what a look is; another one makes what was kept void.
VERSION = "1"
#: What a picture counts beside the same image with its unit and size.
PICTURED = 0.3
#: Folds in which the proxy is predicted for patients that were left out.
FOLDS = 5

_SAMPLES: Samples | None = None


def _start(folder: Path) -> None:
    global _SAMPLES
    _SAMPLES = Samples(folder)


def _look(row: dict[str, Any]) -> tuple[Floats, Floats]:
    assert _SAMPLES is not None
    shown = _SAMPLES.level(row)
    return look(shown).vector, gauge(picture(shown, Modality(row["modality"])))


@dataclass(frozen=True)
class Seen:
    """What was seen and measured of all samples.

    Attributes
    ----------
    looks : ndarray of float32, shape (N, D)
        `Look.vector`, or what else a candidate sees.
    measured : sequence of ndarray of float32
        The measurements of each image (`scrutiq.assessors.net.gauges`), NaN where missing; as many as its modality has.
    pictured : sequence of ndarray of float32
        Those of the same image as a picture of 8 bits, without a unit and a size, as many archives have it.
    """

    looks: Floats
    measured: Sequence[Floats]
    pictured: Sequence[Floats]


def look_samples(samples: Samples, folder: Path, jobs: int) -> Seen:
    """Look at every sample; what was seen is kept in ``looks.npz`` of the folder."""

    def computed() -> dict[str, npt.NDArray[Any]]:
        with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(folder,)) as pool:
            found = list(pool.map(_look, samples.rows, chunksize=16))
        looks, pictured = (np.stack([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found]))
        return {"looks": looks, "pictured": pictured}

    made_of = digest((folder / "samples.jsonl").read_bytes(), VERSION)
    arrays = kept(folder / "looks.npz", made_of, computed)
    measured = [np.array([np.nan if v is None else v for v in r["gauges"]], np.float32) for r in samples.rows]
    ends = np.cumsum([len(one) for one in measured])
    return Seen(arrays["looks"], measured, np.split(arrays["pictured"], ends[:-1]))


def references(rows: Rows) -> npt.NDArray[np.int64]:
    """Return, for each sample, the index of its clean scene in the same window."""
    clean = {(r["scene"], str(r["window"])): i for i, r in enumerate(rows) if r["kind"] == "clean"}
    return np.array([clean[r["scene"], str(r["window"])] for r in rows])


def of_modality(
    modality: Modality, rows: Rows, seen: Seen, compared: bool, *, pictured: bool = False
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return which samples are of a modality, and what its heads take of each.

    Parameters
    ----------
    modality : Modality
    rows : sequence
        All samples.
    seen : Seen
    compared : bool
        Whether the difference from the reference is appended.
    pictured : bool
        Whether to take the measurements of the pictures.

    Returns
    -------
    places : ndarray of int, shape (M,)
    values : ndarray of float32, shape (M, G + D) or (M, 2 (G + D))
    """
    mine = np.array([i for i, row in enumerate(rows) if row["modality"] == modality.value], np.intp)
    measured = seen.pictured if pictured else seen.measured

    def values(places: npt.NDArray[np.intp]) -> Floats:
        return np.concatenate([np.stack([measured[i] for i in places]), seen.looks[places]], 1)

    own = values(mine)
    return mine, np.concatenate([own, own - values(references(rows)[mine])], 1) if compared else own


@dataclass(frozen=True)
class Heads:
    """The trees of one modality, without references or with them.

    Attributes
    ----------
    kinds : tuple of str
        Degradations, in the order of the outputs.
    kind : Fitted
        Tells "none" and the kinds apart.
    severity : tuple of Fitted
        By degradation.
    proxy : Fitted, optional
        Of ``ldct-factorial``.
    features : int
    """

    kinds: tuple[str, ...]
    kind: Fitted
    severity: tuple[Fitted, ...]
    proxy: Fitted | None
    features: int

    def __call__(self, values: Floats) -> tuple[Floats, Floats, Floats]:
        """Return what is said of images.

        Returns
        -------
        logits : ndarray of float32, shape (N, 1 + K)
            Of none, and of each kind.
        severity : ndarray of float32, shape (N, K)
            In [0, 1].
        proxy : ndarray of float32, shape (N,)
            NaN where there is none.
        """
        severity = np.clip(np.stack([one.predict(values) for one in self.severity], 1), 0, 1)
        proxy = np.full(len(values), np.nan) if self.proxy is None else self.proxy.predict(values)
        logits = self.kind.decision_function(values)
        return logits.astype(np.float32), severity.astype(np.float32), proxy.astype(np.float32)

    def export(self, path: Path) -> None:
        """Write the trees as ONNX: logits, severities, and the proxy where there is one, in one output."""
        export_trees([self.kind, *self.severity, *(() if self.proxy is None else (self.proxy,))], self.features, path)


def fit_heads(modality: Modality, rows: Rows, seen: Seen, compared: bool, rounds: int = ROUNDS) -> Heads:
    """Fit the heads of a modality on its training samples, each as it is and as a picture.

    Parameters
    ----------
    modality : Modality
    rows : sequence
        All samples.
    seen : Seen
    compared : bool
        Whether the heads take the difference from the reference.
    rounds : int
        Of boosting.
    """
    mine, own = of_modality(modality, rows, seen, compared)
    values = np.concatenate([own, of_modality(modality, rows, seen, compared, pictured=True)[1]])
    rows = [rows[i] for i in mine] * 2
    train = np.array([row["part"] == "train" for row in rows])
    judged = train & np.array([row["kind"] in ("clean", "degraded") for row in rows])
    kinds = degradations_of(modality)
    # The stronger of two faults is what a sample is called; a trace of one is seen by nobody, and counts less.
    steps = [max(row["steps"], key=lambda step: step[1], default=(None, 1.0)) for row in rows]
    called = np.array([0 if name is None else 1 + kinds.index(name) for name, _ in steps])
    form = np.repeat([1.0, PICTURED], len(mine))
    weight = form * np.clip(np.array([value for _, value in steps]) / 0.3, 0.1, 1)
    severity = []
    for name in kinds:
        truth = np.array([dict(map(tuple, row["steps"])).get(name, 0.0) for row in rows])
        alone = np.array([1.0 if len(row["steps"]) == 1 else 0.5 for row in rows])
        with_it = judged & (truth > 0)
        severity.append(regressor(values[with_it], truth[with_it], (form * alone)[with_it], rounds))
    graded = train & np.array([row["kind"] == "factorial" for row in rows])
    proxy = None
    if graded.any():
        truth = np.array([row.get("proxy", np.nan) for row in rows])
        proxy = regressor(values[graded], truth[graded], form[graded], rounds)
    assert np.array_equal(np.unique(called[judged]), np.arange(1 + len(kinds))), "a kind has no sample"
    kind = classifier(values[judged], called[judged], weight[judged], rounds)
    return Heads(kinds, kind, tuple(severity), proxy, values.shape[1])


def proxy_out_of_fold(
    modality: Modality, rows: Rows, seen: Seen, compared: bool
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """Return which samples of ``ldct-factorial`` were trained on, and what trees say that did not see their patient."""
    mine, values = of_modality(modality, rows, seen, compared)
    those = np.array([rows[i]["kind"] == "factorial" and rows[i]["part"] == "train" for i in mine])
    mine, values = mine[those], values[those]
    truth = np.array([rows[i]["proxy"] for i in mine])
    groups = sorted({rows[i]["group"] for i in mine})
    fold = np.array([groups.index(rows[i]["group"]) % FOLDS for i in mine])
    found = np.full(len(mine), np.nan)
    for one in set(fold.tolist()):
        kept = fold != one if len(groups) > 1 else fold == one
        found[fold == one] = regressor(values[kept], truth[kept], np.ones(int(kept.sum()))).predict(values[fold == one])
    return mine, found


def all_heads(
    modalities: Sequence[Modality],
    rows: Rows,
    seen: Seen,
    jobs: int,
    *,
    ways: Sequence[bool] = (False, True),
    rounds: int = ROUNDS,
) -> dict[tuple[Modality, bool], Heads]:
    """Return the heads of every modality, without references and with them."""
    with threadpool_limits(jobs, "openmp"):
        return {(modality, by): fit_heads(modality, rows, seen, by, rounds) for modality in modalities for by in ways}
