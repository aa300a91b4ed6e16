"""Risks over time as ONNX nodes: Cox's regression and DeepSurv, with one kind of event.

Both are 1 − exp(−ratio · H(t)) with a baseline hazard H; several kinds of event, and networks that
learn the hazard itself, have no translation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from medcore.errors import ExportError
from medcore.models.prognosis import FARTHEST
from medcore.report.graph import Graph


def add_cox(graph: Graph, arrays: Mapping[str, np.ndarray], source: str) -> str:
    """Return a Cox regression's incidences, float64 (rows, 1, times)."""
    if len(arrays["hazard"]) != 1:
        raise ExportError("Several kinds of event have no translation to ONNX.")
    middle = graph.constant(arrays["middle"][None].astype(np.float64))
    centred = graph.add("Sub", graph.as_double(source), middle)
    linear = graph.add("MatMul", centred, graph.constant(arrays["coefficients"].T))
    linear = graph.add("Unsqueeze", linear, graph.constant(np.array([2])))
    return _add_curve(graph, linear, arrays["hazard"], arrays["steps"], arrays["times"])


def add_hazard_ratios(graph: Graph, told: Mapping[str, Any], answer: str) -> str:
    """Return a DeepSurv network's incidences, (rows, 1, times), the mean over its members.

    `told` is what its risks are read with; `answer` the network's own, float64 (rows, members, 1).
    """
    if told["name"] != "deepsurv":
        raise ExportError(f"The hazards of '{told['name']}' have no translation to ONNX.")
    middle = np.asarray(told["middle"], np.float64)[None]
    hazard = np.asarray(told["hazard"], np.float64)
    if hazard.shape[1] != 1:
        raise ExportError("Several kinds of event have no translation to ONNX.")
    linear = graph.add("Sub", answer, graph.constant(middle))
    curves = _add_curve(graph, linear, hazard[:, 0], told["steps"], told["times"])
    return graph.add("ReduceMean", curves, axes=[1], keepdims=1)


def _add_curve(graph: Graph, linear: str, hazard: np.ndarray, steps: Any, times: Any) -> str:
    """Return 1 − exp(−exp(linear) · H); `linear` (rows, n, 1), `hazard` (n, steps)."""
    at = np.searchsorted(np.asarray(steps), np.asarray(times))
    bounded = graph.add("Max", linear, graph.constant(np.float64(-FARTHEST)))
    bounded = graph.add("Min", bounded, graph.constant(np.float64(FARTHEST)))
    ratio = graph.add("Exp", bounded)
    lost = graph.add("Mul", ratio, graph.constant(np.asarray(hazard, np.float64)[None, :, at]))
    return graph.add("Sub", graph.constant(np.float64(1)), graph.add("Exp", graph.add("Neg", lost)))
