"""An `Evaluation` as the content of `evaluation.json`, and back; NaN is null with a reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from medcore.records import Evaluation, Metric, PartEvaluation


def evaluation_json(evaluation: Evaluation) -> dict[str, Any]:
    """Return plain values that `read_evaluation` turns back into the same record."""
    return _plain(
        {
            "task": evaluation.task,
            "positive": evaluation.positive,
            "classes": list(evaluation.classes),
            "parts": {name: asdict(part) for name, part in evaluation.parts.items()},
            "baselines": {name: asdict(part) for name, part in evaluation.baselines.items()},
            "curves": {
                **evaluation.curves,
                "differences": {
                    baseline: {name: asdict(metric) for name, metric in metrics.items()}
                    for baseline, metrics in evaluation.curves.get("differences", {}).items()
                },
            },
            "folds": [dict(fold) for fold in evaluation.folds],
            "effect": evaluation.effect,
            "warnings": list(evaluation.warnings),
        }
    )


def read_evaluation(values: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation that `evaluation_json` wrote."""
    curves = dict(values["curves"])
    curves["differences"] = {
        baseline: {name: _metric(metric) for name, metric in metrics.items()}
        for baseline, metrics in curves.get("differences", {}).items()
    }
    return Evaluation(
        task=values["task"],
        positive=values["positive"],
        classes=tuple(values["classes"]),
        parts={name: _part(part) for name, part in values["parts"].items()},
        baselines={name: _part(part) for name, part in values["baselines"].items()},
        curves=curves,
        folds=tuple(values["folds"]),
        effect=values["effect"],
        warnings=tuple(values["warnings"]),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _part(values: Mapping[str, Any]) -> PartEvaluation:
    metrics = {name: _metric(metric) for name, metric in values["metrics"].items()}
    return PartEvaluation(values["n"], values["events"], values["threshold"], metrics)


def _metric(values: Mapping[str, Any]) -> Metric:
    numbers = {
        name: math.nan if values[name] is None else values[name]
        for name in ("value", "low", "high")
    }
    return Metric(**{**values, **numbers})
