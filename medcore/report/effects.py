"""A model of single patients' effects as ONNX nodes; see `medcore.models.effects`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from medcore.errors import ExportError
from medcore.models.effects import EffectModel
from medcore.models.plain import PlainModel, predict_plain
from medcore.report.graph import Graph

# From a fitted model and the name of its inputs to the name of its answer.
Adder = Callable[[Any, str], str]


def add_effect(graph: Graph, model: EffectModel, source: str, add: Adder) -> str:
    """Return the name of the effects, float64 (rows, 1); raises `ExportError` for networks."""

    def mean(quantity: str, arm: int | None = None) -> str:
        seen = source if arm is None else _with_arm(graph, source, arm)
        parts = []
        for part in model.parts[quantity]:
            if part.fitted.spec.get("formula") == "shares":
                said = _same_for_all(graph, source, part.fitted)
            else:
                said = add(part.fitted, seen)
                if part.fitted.spec["task"] != "regression":
                    said = graph.add("Gather", said, graph.constant(np.array([1])), axis=1)
            parts.append(graph.add("Mul", said, graph.constant(np.float64(part.weight))))
        return graph.add("Sum", *parts)

    if model.learner == "dr_learner":
        return mean("effect")
    if model.learner == "t_learner":
        return graph.add("Sub", mean("treated"), mean("untreated"))
    if model.learner == "s_learner":
        return graph.add("Sub", mean("single", 1), mean("single", 0))
    if model.learner == "x_learner":
        chance = mean("propensity")
        rest = graph.add("Sub", graph.constant(np.float64(1)), chance)
        return graph.add(
            "Add",
            graph.add("Mul", chance, mean("effect_untreated")),
            graph.add("Mul", rest, mean("effect_treated")),
        )
    raise ExportError(f"The network '{model.learner}' has no translation to ONNX.")


def _same_for_all(graph: Graph, source: str, model: PlainModel) -> str:
    """Return a model's one answer for each row of the inputs, float64 (rows, 1)."""
    answer = predict_plain(model, np.zeros((1, 1), np.float32))
    told = answer[0] if model.spec["task"] == "regression" else answer[0, 1]
    nothing = graph.as_double(_nothing(graph, source))
    return graph.add("Add", nothing, graph.constant(np.float64(told)))


def _nothing(graph: Graph, source: str) -> str:
    """Return a zero for each row of the inputs, float32 (rows, 1)."""
    first = graph.add("Gather", source, graph.constant(np.array([0])), axis=1)
    return graph.add("Mul", first, graph.constant(np.float32(0)))


def _with_arm(graph: Graph, source: str, arm: int) -> str:
    """Return the inputs with one more feature, the arm, float32."""
    told = graph.add("Add", _nothing(graph, source), graph.constant(np.float32(arm)))
    return graph.add("Concat", source, told, axis=1)
