"""Gradient-boosted trees, fitted with scikit-learn and written as one ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scrutiq.core import MissingExtraError

try:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
except ImportError:
    raise MissingExtraError("Training", "train") from None

__all__ = ["Boosted", "classifier", "export_trees", "regressor"]

#: A fitted `HistGradientBoostingClassifier` or `HistGradientBoostingRegressor` (scikit-learn has no types).
Boosted: TypeAlias = Any

#: Of the ONNX operators for machine learning.
_ML_OPSET, _OPSET, _IR = 3, 17, 9


def classifier(values: npt.NDArray[np.float32], called: npt.NDArray[Any], weight: npt.NDArray[Any]) -> Boosted:
    """Return trees that tell classes apart; their raw outputs are logits, one a class.

    Parameters
    ----------
    values : ndarray of float32, shape (N, F)
        NaN is missing.
    called : ndarray of int, shape (N,)
        Classes 0, 1, ..., each of which occurs; three at least.
    weight : ndarray, shape (N,)
    """
    model = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.1,
        max_leaf_nodes=8,
        min_samples_leaf=8,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(values, called, weight)


def regressor(values: npt.NDArray[np.float32], truth: npt.NDArray[Any], weight: npt.NDArray[Any]) -> Boosted:
    """Return trees that predict a number, ``truth``; the other parameters are those of `classifier`."""
    model = HistGradientBoostingRegressor(
        max_iter=120,
        learning_rate=0.06,
        max_leaf_nodes=6,
        min_samples_leaf=6,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(values, truth, weight)


def export_trees(models: Sequence[Boosted], features: int, path: Path) -> None:
    """Write models of the same features as one ONNX model.

    Parameters
    ----------
    models : sequence of Boosted
        Their raw outputs, the sums of trees and baseline, stand one after the other.
    features : int
    path : Path
        The model takes ``values``, float32, shape (N, features), NaN where missing, and gives ``raw``, float32.
    """
    from onnx import TensorProto, helper, save

    nodes: dict[str, list[Any]] = {name: [] for name in _NODES}
    leaves: dict[str, list[Any]] = {name: [] for name in ("treeids", "nodeids", "ids", "weights")}
    baseline: list[float] = []
    tree = 0
    for model in models:
        for iteration in model._predictors:
            for output, predictor in enumerate(iteration):
                _add(predictor.nodes, tree, len(baseline) + output, nodes, leaves)
                tree += 1
        baseline += [float(value) for value in np.ravel(model._baseline_prediction)]
    attributes: dict[str, Any] = {f"nodes_{name}": listed for name, listed in nodes.items()}
    attributes |= {f"target_{name}": listed for name, listed in leaves.items()}
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["values"],
        ["raw"],
        domain="ai.onnx.ml",
        n_targets=len(baseline),
        base_values=baseline,
        **attributes,
    )
    graph = helper.make_graph(
        [ensemble],
        "trees",
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, ["images", features])],
        [helper.make_tensor_value_info("raw", TensorProto.FLOAT, ["images", len(baseline)])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=_IR), path)


_NODES = (
    "treeids",
    "nodeids",
    "featureids",
    "modes",
    "values",
    "truenodeids",
    "falsenodeids",
    "missing_value_tracks_true",
)


def _add(
    tree: npt.NDArray[Any], number: int, target: int, nodes: dict[str, list[Any]], leaves: dict[str, list[Any]]
) -> None:
    for place, node in enumerate(tree):
        leaf = bool(node["is_leaf"])
        # float32 features are below a float64 threshold where they are below the nearest float32 that is no larger.
        threshold = np.float32(0 if leaf else node["num_threshold"])
        if not leaf and float(threshold) > float(node["num_threshold"]):
            threshold = np.nextafter(threshold, np.float32(-np.inf))
        row = (
            number,
            place,
            0 if leaf else int(node["feature_idx"]),
            "LEAF" if leaf else "BRANCH_LEQ",
            float(threshold),
            0 if leaf else int(node["left"]),
            0 if leaf else int(node["right"]),
            0 if leaf else int(node["missing_go_to_left"]),
        )
        for name, value in zip(_NODES, row, strict=True):
            nodes[name].append(value)
        if leaf:
            for name, value in zip(leaves, (number, place, target, float(node["value"])), strict=True):
                leaves[name].append(value)
