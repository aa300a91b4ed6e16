"""One member of a model as ONNX nodes: linear models, trees, networks, and risks put right.

Risks over time are in `risks.py`.

What decides little things is done in float64, so that the graph agrees with the model to 1e-5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from medcore.errors import ExportError
from medcore.models.effects import EffectModel
from medcore.models.labels import split_labels
from medcore.models.plain import PlainModel
from medcore.models.recalibration import SMALLEST
from medcore.report.effects import add_effect
from medcore.report.graph import TREES, Graph
from medcore.report.risks import add_cox, add_hazard_ratios

ENDLESS = float(np.finfo(np.float32).max)


def add_member(graph: Graph, fitted: Any, source: str) -> str:
    """Return the name of a member's probabilities (rows, classes) or values (rows, 1), float64.

    Time to event: incidences (rows, causes, times); two arms: effects (rows, 1).

    `source` is the name of the prepared inputs. Raises `ExportError` for what ONNX cannot say.
    """
    if isinstance(fitted, EffectModel):
        return add_effect(graph, fitted, source, lambda part, seen: add_member(graph, part, seen))
    if isinstance(fitted, PlainModel):
        return _add_plain(graph, fitted, source)
    return _add_network(graph, fitted.spec, _Weights(fitted.arrays), source)


def add_recalibration(graph: Graph, told: Mapping[str, Any], said: str) -> str:
    """Return corrected probabilities; see `medcore.models.recalibration`."""
    if "findings" in told:
        columns = []
        for place, one in enumerate(told["findings"]):
            risk = graph.add("Gather", said, graph.constant(np.array([place])), axis=1)
            if one is not None:
                less = graph.add("Sub", graph.constant(np.ones((1, 1))), risk)
                both = add_recalibration(graph, one, graph.add("Concat", less, risk, axis=1))
                risk = graph.add("Gather", both, graph.constant(np.array([1])), axis=1)
            columns.append(risk)
        return graph.add("Concat", *columns, axis=1)
    if told["method"] == "isotonic":
        return _add_isotonic(graph, told["knots"], said)
    logs = graph.add("Log", graph.add("Max", said, graph.constant(np.float64(SMALLEST))))
    scaled = graph.add("Mul", logs, graph.constant(np.float64(told["slope"])))
    moved = graph.add("Add", scaled, graph.constant(np.array([told["offsets"]], np.float64)))
    return graph.add("Softmax", moved, axis=1)


def _add_isotonic(graph: Graph, knots: list, said: str) -> str:
    """Return Σ slope · (part of the way that lies in each piece), class by class, with sums of 1.

    Gather keeps the axis, so that each class is a column.
    """
    columns = []
    for place, (x, y) in enumerate(knots):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        risk = graph.add("Gather", said, graph.constant(np.array([place])), axis=1)
        width, rise = np.diff(x), np.diff(y)
        inside = graph.add("Sub", risk, graph.constant(x[None, :-1]))
        inside = graph.add("Max", inside, graph.constant(np.float64(0)))
        inside = graph.add("Min", inside, graph.constant(width[None]))
        slope = np.divide(rise, width, out=np.zeros_like(rise), where=width > 0)
        risen = graph.add("MatMul", inside, graph.constant(slope[:, None]))
        columns.append(graph.add("Add", risen, graph.constant(y[None, :1])))
    bent = graph.add("Concat", *columns, axis=1)
    total = graph.add("ReduceSum", bent, graph.constant(np.array([1])), keepdims=1)
    nothing = graph.add("LessOrEqual", total, graph.constant(np.float64(0)))
    divisor = graph.add("Where", nothing, graph.constant(np.ones((1, 1))), total)
    even = graph.constant(np.full((1, len(knots)), 1 / len(knots)))
    return graph.add("Where", nothing, even, graph.add("Div", bent, divisor))


def _add_plain(graph: Graph, model: PlainModel, source: str) -> str:
    arrays, spec = model.arrays, model.spec
    if spec["task"] == "multilabel":
        return _add_findings(graph, model, source)
    if spec["formula"] == "cox":
        return add_cox(graph, arrays, source)
    if spec["formula"] not in FORMULAS:
        raise ExportError(f"The formula '{spec['formula']}' has no translation to ONNX.")
    raw = FORMULAS[spec["formula"]](graph, arrays, source)
    if spec["task"] == "regression":
        return raw
    found = LINKS[spec["link"]](graph, raw)
    places, classes = arrays["places"], spec["classes"]
    if np.array_equal(places, np.arange(classes)):
        return found
    return graph.add("MatMul", found, graph.constant(np.eye(classes)[places]))


def _add_findings(graph: Graph, model: PlainModel, source: str) -> str:
    """Return the risk of each finding, (rows, findings), from its own yes/no model."""
    has = graph.constant(np.array([1]))
    risks = [
        graph.add("Gather", _add_plain(graph, one, source), has, axis=1)
        for one in split_labels(model)
    ]
    return graph.add("Concat", *risks, axis=1)


def _add_linear(graph: Graph, arrays: Mapping[str, np.ndarray], source: str) -> str:
    coefficients = graph.constant(arrays["coefficients"].T.astype(np.float64))
    raw = graph.add("MatMul", graph.as_double(source), coefficients)
    return graph.add("Add", raw, graph.constant(arrays["intercepts"][None].astype(np.float64)))


def _add_trees(graph: Graph, arrays: Mapping[str, np.ndarray], source: str) -> str:
    """Return the trees' sums; the arrays' float32 cuts and answers go over unchanged."""
    feature, threshold, value = arrays["feature"], arrays["threshold"], arrays["value"]
    sizes = np.diff(np.r_[arrays["roots"], len(feature)])
    tree = np.repeat(np.arange(len(sizes)), sizes)
    own = np.arange(len(feature)) - arrays["roots"][tree]
    children = arrays["children"] - arrays["roots"][tree][:, None]
    leaf = arrays["children"][:, 0] == np.arange(len(feature))
    node, target = np.nonzero((value != 0) & leaf[:, None])
    attributes = {
        "nodes_treeids": tree,
        "nodes_nodeids": own,
        "nodes_featureids": feature,
        "nodes_values": np.where(leaf, 0, threshold).astype(np.float32),
        "nodes_truenodeids": np.where(leaf, 0, children[:, 0]),
        "nodes_falsenodeids": np.where(leaf, 0, children[:, 1]),
        "target_treeids": tree[node],
        "target_nodeids": own[node],
        "target_ids": target,
        "target_weights": value[node, target].astype(np.float32),
    }
    if "gaps_right" in arrays:
        goes_left = ~arrays["gaps_right"] & ~leaf
        attributes["nodes_missing_value_tracks_true"] = goes_left.astype(np.int64)
    lists = {name: values.tolist() for name, values in attributes.items()}
    modes = np.where(leaf, "LEAF", "BRANCH_LEQ").tolist()
    raw = graph.add(
        "TreeEnsembleRegressor", source, domain=TREES, n_targets=value.shape[1],
        aggregate_function="SUM", post_transform="NONE", nodes_modes=modes, **lists,
    )  # fmt: skip
    start = graph.constant(arrays["start"][None].astype(np.float64))
    return graph.add("Add", graph.as_double(raw), start)


def _link_identity(graph: Graph, raw: str) -> str:
    total = graph.add("ReduceSum", raw, graph.constant(np.array([1])), keepdims=1)
    return graph.add("Div", raw, total)


def _link_logistic(graph: Graph, raw: str) -> str:
    return graph.add(
        "Concat", graph.add("Sigmoid", graph.add("Neg", raw)), graph.add("Sigmoid", raw), axis=1
    )


def _link_softmax(graph: Graph, raw: str) -> str:
    return graph.add("Softmax", raw, axis=1)


class _Weights:
    """A network's arrays, and which were not asked for: they would change its answer."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays
        self._left = {name for name in arrays if not name.endswith(("_mask", ".mask"))}

    def take(self, name: str) -> np.ndarray:
        self._left.discard(name)
        if name not in self._arrays:
            raise ExportError(f"A network without '{name}' has no translation to ONNX.")
        return np.asarray(self._arrays[name], dtype=np.float32)

    def done(self) -> None:
        if self._left:
            raise ExportError(f"A network with '{min(self._left)}' has no translation to ONNX.")


def _add_network(graph: Graph, spec: Mapping[str, Any], weights: _Weights, source: str) -> str:
    """Return a network's answers, the mean over an ensemble's members."""
    network = spec["network"]
    name = network.get("network")
    if name not in TRUNKS or network.get("table") is None or network.get("blocks"):
        raise ExportError(f"The network '{name}' has no translation to ONNX.")
    encoded = _add_encoder(graph, network["table"], weights, source)
    answer = TRUNKS[name](graph, network["layers"], weights, encoded)
    weights.done()
    answer = graph.as_double(answer)
    if spec["task"] == "survival":
        return add_hazard_ratios(graph, spec["hazards"], answer)
    if spec["task"] == "multilabel":
        return graph.add("ReduceMean", graph.add("Sigmoid", answer), axes=[1], keepdims=0)
    if spec["task"] != "regression":
        return graph.add("ReduceMean", graph.add("Softmax", answer, axis=2), axes=[1], keepdims=0)
    if network["outputs"] > 1:
        # Quantiles stand beside the number.
        answer = graph.add("Gather", answer, graph.constant(np.array([0])), axis=2)
    mean = graph.add("ReduceMean", answer, axes=[1], keepdims=0)
    spread = graph.constant(np.float64(spec["outcome_spread"]))
    return graph.add(
        "Add", graph.add("Mul", mean, spread), graph.constant(np.float64(spec["outcome_mean"]))
    )


def _add_encoder(graph: Graph, table: Mapping[str, Any], weights: _Weights, source: str) -> str:
    """Return the inputs with each number as its learned piecewise-linear curve."""
    if not table["bins"]:
        return source
    numeric = np.array(table["numeric"], np.int64)
    ends = np.array([[edges[0], edges[-1]] for edges in table["bins"]], np.float32)
    numbers = graph.add("Gather", source, graph.constant(numeric), axis=1)
    numbers = graph.add("Max", numbers, graph.constant(ends[None, :, 0]))
    numbers = graph.add("Min", numbers, graph.constant(ends[None, :, 1]))
    numbers = graph.add("Unsqueeze", numbers, graph.constant(np.array([2])))
    straight = _add_affine(graph, numbers, weights, "encoder.embedding.linear0")
    pieces = _add_affine(graph, numbers, weights, "encoder.embedding.impl")
    low, high = _piece_bounds(table["bins"])
    pieces = graph.add("Min", graph.add("Max", pieces, graph.constant(low)), graph.constant(high))
    curve = _add_batched(graph, pieces, weights.take("encoder.embedding.linear.weight"))
    embedded = graph.add("Flatten", graph.add("Add", straight, curve), axis=1)
    flags = np.setdiff1d(np.arange(len(table["names"])), numeric)
    if not len(flags):
        return embedded
    return graph.add(
        "Concat", embedded, graph.add("Gather", source, graph.constant(flags), axis=1), axis=1
    )


def _piece_bounds(bins: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return where each piece's share begins and ends, float32 (1, numbers, pieces).

    The first piece goes on below, the last, which stands in the last place, above.
    """
    pieces = max(len(edges) - 1 for edges in bins)
    low = np.zeros((1, len(bins), pieces), np.float32)
    high = np.ones_like(low)
    if pieces > 1:
        low[:, :, 0], high[:, :, -1] = -ENDLESS, ENDLESS
        low[:, [len(edges) == 2 for edges in bins], -1] = -ENDLESS
    else:
        low[:], high[:] = -ENDLESS, ENDLESS
    return low, high


def _add_affine(graph: Graph, values: str, weights: _Weights, name: str) -> str:
    scaled = graph.add("Mul", values, graph.constant(weights.take(f"{name}.weight")[None]))
    return graph.add("Add", scaled, graph.constant(weights.take(f"{name}.bias")[None]))


def _add_batched(graph: Graph, values: str, weight: np.ndarray) -> str:
    """Return (rows, batch, in) times (batch, in, out), batch by batch."""
    turned = graph.add("Transpose", values, perm=[1, 0, 2])
    product = graph.add("MatMul", turned, graph.constant(weight))
    return graph.add("Transpose", product, perm=[1, 0, 2])


def _add_mlp(graph: Graph, layers: int, weights: _Weights, values: str) -> str:
    # A layer is three modules of the trunk: linear, ReLU, dropout.
    for name in (*(f"trunk.{3 * layer}" for layer in range(layers)), "head"):
        weight, bias = (
            graph.constant(weights.take(f"{name}.{side}")) for side in ("weight", "bias")
        )
        values = graph.add("Gemm", values, weight, bias, transB=1)
        if name != "head":
            values = graph.add("Relu", values)
    return graph.add("Unsqueeze", values, graph.constant(np.array([1])))


def _add_tabm(graph: Graph, layers: int, weights: _Weights, values: str) -> str:
    values = graph.add("Unsqueeze", values, graph.constant(np.array([1])))
    for layer in range(layers):
        name = f"trunk.{1 + 3 * layer}"
        values = graph.add("Mul", values, graph.constant(weights.take(f"{name}.r")[None]))
        weight = graph.constant(weights.take(f"{name}.weight").T)
        values = graph.add("MatMul", values, weight)
        values = graph.add("Mul", values, graph.constant(weights.take(f"{name}.s")[None]))
        values = graph.add("Add", values, graph.constant(weights.take(f"{name}.bias")[None]))
        values = graph.add("Relu", values)
    values = _add_batched(graph, values, weights.take("head.weight"))
    return graph.add("Add", values, graph.constant(weights.take("head.bias")[None]))


FORMULAS: Mapping[str, Callable[[Graph, Mapping[str, np.ndarray], str], str]] = {
    "linear": _add_linear,
    "trees": _add_trees,
}
LINKS: Mapping[str, Callable[[Graph, str], str]] = {
    "identity": _link_identity,
    "logistic": _link_logistic,
    "softmax": _link_softmax,
}
TRUNKS: Mapping[str, Callable[[Graph, int, _Weights, str], str]] = {
    "mlp": _add_mlp,
    "tabm": _add_tabm,
}
