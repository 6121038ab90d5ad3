"""Boosted trees and their ONNX form: the same numbers, whatever is missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")

from scrutiq.assessors.net.trees import Trees
from scrutiq.training.net.trees import classifier, export_trees, regressor


@pytest.fixture
def values(rng: np.random.Generator) -> np.ndarray:
    found = rng.standard_normal((400, 12)).astype(np.float32)
    found[rng.random(found.shape) < 0.1] = np.nan
    return found


def test_onnx_says_what_the_trees_say(values: np.ndarray, tmp_path: Path) -> None:
    known = np.nan_to_num(values)
    called = np.digitize(known[:, 0] + known[:, 1], [-0.5, 0.5])
    number = known[:, 2] - np.abs(known[:, 3])
    even = np.ones(len(values))
    models = [classifier(values, called, even), regressor(values, number, even), regressor(values, -number, even)]
    export_trees(models, values.shape[1], tmp_path / "trees.onnx")
    trees = Trees(tmp_path / "trees.onnx")
    new = values[:50].copy()
    new[:25] = np.round(new[:25], 1)  # on thresholds too
    new[0] = np.nan
    said = np.stack([trees(one) for one in new])
    expected = np.column_stack([models[0].decision_function(new), *(one.predict(new) for one in models[1:])])
    np.testing.assert_allclose(said, expected, atol=1e-5)


def test_a_feature_on_a_threshold_goes_where_it_went_in_training(tmp_path: Path) -> None:
    # The threshold lies between two neighbours of float32, where rounding it the wrong way would move the upper one.
    low = np.float32(1.0)
    high = np.nextafter(low, np.float32(2))
    values = np.repeat([[low], [high]], 50, axis=0)
    model = regressor(values, np.repeat([0.0, 1.0], 50), np.ones(100))
    export_trees([model], 1, tmp_path / "trees.onnx")
    trees = Trees(tmp_path / "trees.onnx")
    for one in (low, high):
        assert trees(np.array([one]))[0] == pytest.approx(model.predict([[one]])[0], abs=1e-6)
    assert trees(np.array([high]))[0] - trees(np.array([low]))[0] > 0.5


def test_the_same_samples_give_the_same_trees(values: np.ndarray, tmp_path: Path) -> None:
    truth = np.nan_to_num(values[:, 0])
    for name in ("a", "b"):
        export_trees([regressor(values, truth, np.ones(len(truth)))], values.shape[1], tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
