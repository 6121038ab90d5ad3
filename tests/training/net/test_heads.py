"""The heads on samples that are made up: what they take, what they say, and what they keep apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scrutiq.assessors.net.trees import Trees
from scrutiq.core import Modality
from scrutiq.training.net.heads import Seen, fit_heads, of_modality, proxy_out_of_fold, references
from scrutiq.training.net.samples import degradations_of

KINDS = degradations_of(Modality.MR)


def made(rng: np.random.Generator, groups: int = 6) -> tuple[list[dict[str, Any]], Seen]:
    """Return samples in which the k-th measurement is the severity of the k-th kind, beside what the scene has."""
    rows: list[dict[str, Any]] = []
    measured: list[np.ndarray] = []
    for group in range(groups):
        scene = rng.normal(0, 0.02, len(KINDS))
        part = "test" if group == 0 else "train"
        own = {"scene": str(group), "window": None, "group": str(group), "part": part, "modality": "MR"}
        rows.append({**own, "kind": "clean", "steps": []})
        measured.append(scene)
        for k, name in enumerate(KINDS):
            for value in rng.uniform(0.1, 1, 8):
                rows.append({**own, "kind": "degraded", "steps": [[name, float(value)]]})
                one = scene + rng.normal(0, 0.02, len(KINDS))
                one[k] += value
                measured.append(one)
        for level in range(4):
            rows.append({**own, "kind": "factorial", "steps": [], "proxy": float(4 - level)})
            measured.append(scene + level)
    rows.append({**rows[0], "modality": "CT", "scene": "CT"})
    measured.append(np.zeros(3))
    values = [np.asarray(one, np.float32) for one in measured]
    return rows, Seen(rng.standard_normal((len(rows), 5)).astype(np.float32), values, values)


@pytest.mark.parametrize("compared", [False, True])
def test_they_tell_what_was_made_and_how_much_of_it(rng: np.random.Generator, tmp_path: Path, compared: bool) -> None:
    rows, seen = made(rng)
    heads = fit_heads(Modality.MR, rows, seen, compared)
    places, values = of_modality(Modality.MR, rows, seen, compared)
    test = [k for k, i in enumerate(places) if rows[i]["part"] == "test" and rows[i]["kind"] == "degraded"]
    logits, severity, proxy = heads(values[test])
    truth = [rows[places[k]]["steps"][0] for k in test]
    called = np.array([KINDS.index(name) for name, _ in truth])
    strong = np.array([value > 0.4 for _, value in truth])
    assert (logits.argmax(1) == 1 + called)[strong].mean() > 0.75, "one in twenty by chance"
    said = severity[np.arange(len(test)), called]
    assert np.abs(said - [value for _, value in truth])[strong].mean() < 0.12
    assert severity.min() >= 0
    assert severity.max() <= 1
    assert np.isfinite(proxy).all()

    heads.export(tmp_path / "heads.onnx")
    trees = Trees(tmp_path / "heads.onnx")
    raw = np.stack([trees(one) for one in values[test[:10]]])
    np.testing.assert_allclose(raw[:, : 1 + len(KINDS)], logits[:10], atol=1e-4)
    np.testing.assert_allclose(raw[:, -1], proxy[:10], atol=1e-4)
    assert raw.shape[1] == 2 + 2 * len(KINDS)


def test_what_is_taken_is_of_the_modality_and_beside_its_own_reference(rng: np.random.Generator) -> None:
    rows, seen = made(rng)
    places, alone = of_modality(Modality.MR, rows, seen, False)
    assert [rows[i]["modality"] for i in places] == ["MR"] * (len(rows) - 1)
    _, both = of_modality(Modality.MR, rows, seen, True)
    np.testing.assert_array_equal(both[:, : alone.shape[1]], alone)
    clean = references(rows)[:-1]
    np.testing.assert_allclose(both[:, alone.shape[1] :], alone - alone[clean], atol=1e-6)
    assert of_modality(Modality.CT, rows, seen, False)[1].shape == (1, 8)


def test_the_proxy_is_told_for_patients_that_were_left_out(rng: np.random.Generator) -> None:
    rows, seen = made(rng)
    # Each patient has a level of its own: who sees the patient can tell it, who does not cannot.
    for i, row in enumerate(rows):
        if row["kind"] == "factorial":
            row["proxy"] = float(row["group"])
            seen.looks[i] = float(row["group"])
            seen.measured[i][:] = 0
    places, said = proxy_out_of_fold(Modality.MR, rows, seen, False)
    assert all(rows[i]["part"] == "train" for i in places)
    assert len(places) == 5 * 4
    truth = np.array([rows[i]["proxy"] for i in places])
    assert np.abs(said - truth)[truth == 5].mean() > 0.5
    assert np.isfinite(said).all()
