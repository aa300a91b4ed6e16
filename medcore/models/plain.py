"""Fitted baselines as plain arrays: kept without pickle, applied without scikit-learn.

A baseline is one of four formulas: shares, a linear model, a linear model of sparse features, or
trees. Their numbers fit in a
safetensors file next to the networks' weights, load in milliseconds, and answer for a patient the
same to the last bit whoever else is asked about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medcore.config import Task

# Rows × trees looked up at once: 2 million keep the temporary arrays near 50 MB.
LOOKUPS = 2_000_000


@dataclass(frozen=True, eq=False)
class PlainModel:
    """A fitted baseline.

    `spec`, ready for JSON: `formula` (shares, linear, sparse, trees), `task`, `classes` (their
    number) and `link` (identity, logistic, softmax); `features`, where it looks at some of them
    only, are their places. `arrays` by name, for safetensors.
    """

    spec: dict
    arrays: dict[str, np.ndarray]


def freeze_baseline(
    estimator: Any,
    task: Task,
    classes: int,
    *,
    native: bool = False,
    features: Sequence[int] | None = None,
    sparse: bool = False,
    characters: bool = False,
) -> PlainModel:
    """Return a fitted estimator of `build_baseline` as arrays.

    Classes that had no training rows keep the probability 0. `native`: it learned from gaps as
    they are (NaN), and is to be asked with them. `features`: those that it was fitted on, if not
    all. `sparse`: it learned from a sparse matrix, of words or, `characters`, pieces of words.
    """
    spec = {"task": task, "classes": classes, "native": native}
    if features is not None:
        spec["features"] = list(features)
    if characters:
        spec["characters"] = True
    places = _places(estimator, task)
    if hasattr(estimator, "coef_"):
        return _freeze_linear(estimator, spec, places, "sparse" if sparse else "linear")
    if hasattr(estimator, "estimators_"):
        return _freeze_forest(estimator, spec, places)
    if hasattr(estimator, "_predictors"):
        return _freeze_boosting(estimator, spec, places)
    shares = [estimator.mean_] if task == "regression" else estimator.shares_
    arrays = {"shares": np.asarray(shares, dtype=np.float64), "places": places}
    return PlainModel({**spec, "formula": "shares", "link": "identity"}, arrays)


def predict_plain(model: PlainModel, values: np.ndarray) -> np.ndarray:
    """Return float64 probabilities (rows, classes), or values (rows,), for float32 `values`
    or, where it learned from sparse ones, a SciPy matrix.

    Time to event: incidences (rows, causes, times). Several findings: (rows, findings).
    """
    arrays, spec = model.arrays, model.spec
    if spec["task"] == "survival":
        from medcore.models.prognosis import predict_prognosis

        return predict_prognosis(model, values)
    if spec["task"] == "multilabel":
        from medcore.models.labels import predict_labels

        return predict_labels(model, values)
    if "features" in spec:
        values = values[:, spec["features"]]
    if spec["formula"] != "sparse":
        values = np.asarray(values, dtype=np.float32)
    raw = FORMULAS[spec["formula"]](arrays, values)
    if spec["task"] == "regression":
        return raw[:, 0]
    found = LINKS[spec["link"]](raw)
    probabilities = np.zeros((len(found), spec["classes"]))
    probabilities[:, arrays["places"]] = found
    return probabilities


def freeze_regression_trees(forest: Any) -> dict[str, np.ndarray]:
    """Return a fitted forest of regression trees, with one target or several, as arrays."""
    trees, share = [], 1 / len(forest.estimators_)
    for fitted in forest.estimators_:
        tree = fitted.tree_
        children = tree.children_left, tree.children_right
        leaf, value = tree.children_left < 0, tree.value[:, :, 0] * share
        trees.append((leaf, tree.feature, tree.threshold, *children, value))
    outputs = trees[0][-1].shape[1]
    return _join_trees(trees, outputs) | {"start": np.zeros(outputs)}


def walk_trees(arrays: Mapping[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return the sums of the trees' answers, float64 (rows, outputs), for float32 `values`."""
    return _trees(arrays, values)


def _places(estimator: Any, task: Task) -> np.ndarray:
    if task == "regression":
        return np.zeros(0, dtype=np.int64)
    return np.asarray(estimator.classes_, dtype=np.int64)


def _freeze_linear(estimator: Any, spec: dict, places: np.ndarray, formula: str) -> PlainModel:
    link = "identity" if spec["task"] == "regression" else _margin_link(len(places))
    arrays = {
        "coefficients": np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)).copy(),
        "intercepts": np.atleast_1d(np.asarray(estimator.intercept_, dtype=np.float64)).copy(),
        "places": places,
    }
    return PlainModel({**spec, "formula": formula, "link": link}, arrays)


def _freeze_forest(estimator: Any, spec: dict, places: np.ndarray) -> PlainModel:
    trees, share = [], 1 / len(estimator.estimators_)
    for fitted in estimator.estimators_:
        tree = fitted.tree_
        leaf = tree.children_left < 0
        value = tree.value[:, 0, :] if len(places) else tree.value[:, :, 0]
        if len(places):
            value = value / value.sum(axis=1, keepdims=True)
        children = tree.children_left, tree.children_right
        trees.append((leaf, tree.feature, tree.threshold, *children, value * share))
    outputs = max(1, len(places))
    arrays = _join_trees(trees, outputs) | {"start": np.zeros(outputs), "places": places}
    return PlainModel({**spec, "formula": "trees", "link": "identity"}, arrays)


def _freeze_boosting(estimator: Any, spec: dict, places: np.ndarray) -> PlainModel:
    start = np.atleast_1d(np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel())
    trees, gaps_right = [], []
    for step in estimator._predictors:
        for output, predictor in enumerate(step):
            nodes = predictor.nodes
            value = np.zeros((len(nodes), len(start)))
            value[:, output] = nodes["value"]
            ways = nodes["num_threshold"], nodes["left"], nodes["right"]
            trees.append((nodes["is_leaf"].astype(bool), nodes["feature_idx"], *ways, value))
            gaps_right.append(nodes["missing_go_to_left"] == 0)
    link = "identity" if spec["task"] == "regression" else _margin_link(len(places))
    arrays = _join_trees(trees, len(start)) | {"start": start, "places": places}
    if spec["native"]:
        arrays["gaps_right"] = np.concatenate(gaps_right)
    return PlainModel({**spec, "formula": "trees", "link": link}, arrays)


def _margin_link(classes: int) -> str:
    return "logistic" if classes == 2 else "softmax"


def _join_trees(trees: list[tuple], outputs: int) -> dict[str, np.ndarray]:
    """Lay all trees' nodes end to end; a leaf leads to itself, so that every walk can go on."""
    sizes = [len(tree[0]) for tree in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    nodes = sum(sizes)
    feature = np.zeros(nodes, dtype=np.int32)
    threshold = np.full(nodes, np.inf, dtype=np.float32)
    children = np.repeat(np.arange(nodes, dtype=np.int32)[:, None], 2, axis=1)
    value = np.zeros((nodes, outputs), dtype=np.float32)
    for root, size, (leaf, column, cut, left, right, answer) in zip(
        roots, sizes, trees, strict=True
    ):
        piece, inner = slice(root, root + size), ~leaf
        feature[piece] = np.where(inner, column, 0)
        threshold[piece] = np.where(inner, _float32_below(cut), np.inf)
        children[piece][inner, 0] = left[inner].astype(np.int32) + root
        children[piece][inner, 1] = right[inner].astype(np.int32) + root
        value[piece] = np.where(leaf[:, None], answer, 0)
    return {
        "roots": roots,
        "feature": feature,
        "threshold": threshold,
        "children": children,
        "value": value,
    }


def _float32_below(cuts: np.ndarray) -> np.ndarray:
    """Return the largest float32 at or below each cut: the same side for every float32 value."""
    with np.errstate(over="ignore"):
        near = np.asarray(cuts, dtype=np.float64).astype(np.float32)
    return np.where(near.astype(np.float64) > cuts, np.nextafter(near, np.float32(-np.inf)), near)


def _shares(arrays: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    return np.tile(arrays["shares"], (len(values), 1))


def _linear(arrays: dict[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    raw = np.tile(arrays["intercepts"], (len(values), 1))
    # Feature by feature: a matrix product rounds differently for other numbers of rows.
    for place, coefficients in enumerate(arrays["coefficients"].T):
        raw += values[:, place : place + 1].astype(np.float64) * coefficients
    return raw


def _sparse(arrays: dict[str, np.ndarray], values: Any) -> np.ndarray:
    # Row by row over what is not zero: a row's sum is the same alone and among others.
    return values @ arrays["coefficients"].T + arrays["intercepts"]


def _trees(arrays: Mapping[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    roots = arrays["roots"]
    raw = np.empty((len(values), arrays["value"].shape[1]))
    size = max(1, LOOKUPS // len(roots))
    for start in range(0, len(values), size):
        piece = values[start : start + size]
        leaves = _walk(arrays, piece)
        # Tree by tree, so that the order of adding is the same for any number of rows.
        total = np.tile(arrays["start"], (len(piece), 1))
        for tree in range(len(roots)):
            total += arrays["value"][leaves[:, tree]]
        raw[start : start + size] = total
    return raw


def _walk(arrays: Mapping[str, np.ndarray], values: np.ndarray) -> np.ndarray:
    """Return the leaf that each row reaches in each tree, (rows, trees)."""
    feature, threshold = arrays["feature"], arrays["threshold"]
    children = arrays["children"].ravel()
    rows = np.arange(len(values))[:, None]
    gaps_right = arrays.get("gaps_right")
    node = np.tile(arrays["roots"], (len(values), 1))
    while True:
        asked = values[rows, feature[node]]
        right = asked > threshold[node]
        if gaps_right is not None:
            right |= np.isnan(asked) & gaps_right[node]
        onward = children[2 * node + right]
        if np.array_equal(onward, node):
            return node
        node = onward


def _identity(raw: np.ndarray) -> np.ndarray:
    return raw / raw.sum(axis=1, keepdims=True)


def _logistic(raw: np.ndarray) -> np.ndarray:
    # Both tails through the negative exponent, so that neither overflows.
    small = np.exp(-np.abs(raw[:, 0]))
    likely, unlikely = 1 / (1 + small), small / (1 + small)
    upper = np.where(raw[:, 0] >= 0, likely, unlikely)
    return np.column_stack([np.where(raw[:, 0] >= 0, unlikely, likely), upper])


def _softmax(raw: np.ndarray) -> np.ndarray:
    grown = np.exp(raw - raw.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


FORMULAS = {"shares": _shares, "linear": _linear, "sparse": _sparse, "trees": _trees}
LINKS = {"identity": _identity, "logistic": _logistic, "softmax": _softmax}
