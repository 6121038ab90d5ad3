"""Boosted trees and forests, fitted with scikit-learn and written as one ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from scrutiq.core import MissingExtraError

try:
    from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier, HistGradientBoostingRegressor
except ImportError:
    raise MissingExtraError("Training", "train") from None

__all__ = ["ROUNDS", "Fitted", "classifier", "export_trees", "forest", "regressor"]

#: What the functions here return (scikit-learn has no types).
Fitted: TypeAlias = Any

#: Of boosting.
ROUNDS = 100
#: Of the ONNX operators for machine learning.
_ML_OPSET, _OPSET, _IR = 3, 17, 9


def classifier(
    values: npt.NDArray[np.float32], called: npt.NDArray[Any], weight: npt.NDArray[Any], rounds: int = ROUNDS
) -> Fitted:
    """Return trees that tell classes apart; their raw outputs are logits, one a class.

    Parameters
    ----------
    values : ndarray of float32, shape (N, F)
        NaN is missing.
    called : ndarray of int, shape (N,)
        Classes 0, 1, ..., each of which occurs; three at least.
    weight : ndarray, shape (N,)
    rounds : int
        Of boosting.
    """
    model = HistGradientBoostingClassifier(
        max_iter=rounds,
        learning_rate=0.08,
        max_leaf_nodes=6,
        min_samples_leaf=10,
        l2_regularization=5.0,
        max_features=0.15,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(_told(values), called, weight)


def regressor(
    values: npt.NDArray[np.float32], truth: npt.NDArray[Any], weight: npt.NDArray[Any], rounds: int = ROUNDS
) -> Fitted:
    """Return trees that predict a number, ``truth``; the other parameters are those of `classifier`."""
    model = HistGradientBoostingRegressor(
        max_iter=rounds,
        learning_rate=0.08,
        max_leaf_nodes=3,
        min_samples_leaf=5,
        l2_regularization=1.0,
        max_features=0.3,
        early_stopping=False,
        random_state=0,
    )
    return model.fit(_told(values), truth, weight)


def _told(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return values with 0 in features that are missing everywhere: nothing is split by them, and the fit needs one."""
    return np.where(np.isnan(values).all(0), np.float32(0), values)


def forest(values: npt.NDArray[np.floating], truth: npt.NDArray[Any]) -> Fitted:
    """Return extremely randomised trees that predict numbers, ``truth``, shape (N, T), of few samples."""
    model = ExtraTreesRegressor(60, max_features=0.3, min_samples_leaf=2, random_state=0)
    return model.fit(values, truth)


def export_trees(models: Sequence[Fitted], features: int, path: Path) -> None:
    """Write models of the same features as one ONNX model.

    Parameters
    ----------
    models : sequence of Fitted
        Their outputs, raw where they are boosted (the sums of trees and baseline), stand one after the other.
    features : int
    path : Path
        The model takes ``values``, float32, shape (N, features), NaN where missing, and gives ``raw``, float32.
    """
    from onnx import TensorProto, helper, save

    attributes: dict[str, list[Any]] = {f"nodes_{name}": [] for name in _NODES}
    attributes |= {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    baseline: list[float] = []
    count = 0
    for model in models:
        first = len(baseline)
        if isinstance(model, ExtraTreesRegressor):
            baseline += [0.0] * model.n_outputs_
            for one in model.estimators_:
                _add(attributes, count, _grown(one.tree_, len(model.estimators_)), first)
                count += 1
            continue
        baseline += [float(value) for value in np.ravel(model._baseline_prediction)]
        for iteration in model._predictors:
            for output, one in enumerate(iteration):
                _add(attributes, count, _boosted(one.nodes), first + output)
                count += 1
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        ["values"],
        ["raw"],
        domain="ai.onnx.ml",
        n_targets=len(baseline),
        base_values=baseline,
        **attributes,  # type: ignore[arg-type]
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
    *("treeids", "nodeids", "featureids", "modes"),
    *("values", "truenodeids", "falsenodeids", "missing_value_tracks_true"),
)


@dataclass(frozen=True)
class _Tree:
    """A tree: for each node its feature, threshold, children (values up to the threshold go left), and what it adds.

    Attributes
    ----------
    leaf, feature, threshold, left, right, missing_left : ndarray, shape (nodes,)
    value : ndarray, shape (nodes, outputs)
    """

    leaf: npt.NDArray[Any]
    feature: npt.NDArray[Any]
    threshold: npt.NDArray[Any]
    left: npt.NDArray[Any]
    right: npt.NDArray[Any]
    missing_left: npt.NDArray[Any]
    value: npt.NDArray[Any]


def _boosted(nodes: npt.NDArray[Any]) -> _Tree:
    return _Tree(
        leaf=nodes["is_leaf"],
        feature=nodes["feature_idx"],
        threshold=nodes["num_threshold"],
        left=nodes["left"],
        right=nodes["right"],
        missing_left=nodes["missing_go_to_left"],
        value=nodes["value"][:, None],
    )


def _grown(tree: Any, trees: int) -> _Tree:
    leaf = tree.children_left < 0
    missing = np.zeros(len(leaf), bool)
    value = tree.value[:, :, 0] / trees
    return _Tree(leaf, tree.feature, tree.threshold, tree.children_left, tree.children_right, missing, value)


def _add(attributes: dict[str, list[Any]], number: int, tree: _Tree, target: int) -> None:
    for place, leaf in enumerate(tree.leaf.tolist()):
        # float32 features are below a float64 threshold where they are below the nearest float32 that is no larger.
        threshold = np.float32(0 if leaf else tree.threshold[place])
        if not leaf and float(threshold) > float(tree.threshold[place]):
            threshold = np.nextafter(threshold, np.float32(-np.inf))
        row = (
            *(number, place, 0 if leaf else int(tree.feature[place]), "LEAF" if leaf else "BRANCH_LEQ"),
            *(float(threshold), 0 if leaf else int(tree.left[place]), 0 if leaf else int(tree.right[place])),
            0 if leaf else int(tree.missing_left[place]),
        )
        for name, value in zip(_NODES, row, strict=True):
            attributes[f"nodes_{name}"].append(value)
        if leaf:
            for output, weight in enumerate(tree.value[place].tolist()):
                found = (number, place, target + output, weight)
                for name, value in zip(("treeids", "nodeids", "ids", "weights"), found, strict=True):
                    attributes[f"target_{name}"].append(value)
