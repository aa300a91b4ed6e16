"""From cross-fitted rows to a judged effect of treatment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.cohort import usual_groups
from medcore.config import RunConfig
from medcore.data import treatment_arms
from medcore.evaluate import evaluate_predictions
from medcore.evaluate.benefit import tell_apart
from medcore.evaluate.causal import Compared
from medcore.evaluate.effect import (
    FOREST,
    check_overlap,
    inside_trim,
    judge_effect_groups,
)
from medcore.evaluate.overlap import describe_balance
from medcore.recipes.effects import EffectFit
from medcore.records import Dataset, Evaluation, Predictions


def judge_effects(
    dataset: Dataset,
    fitted: EffectFit,
    predictions: Predictions,
    config: RunConfig,
) -> Evaluation:
    """Return the judgement of what `list_rows` holds, with overlap, balance and groups.

    Raises `DataError` where the arms do not overlap.
    """
    frame = predictions.frame[predictions.frame["model"] == "model"].sort_values("row_id")
    kept = inside_trim(frame, config)
    columns = dataset.with_role("input")
    inputs = dataset.frame.loc[frame["row_id"]][kept]
    arm, weights = fitted.compared.treated[kept], fitted.compared.weights[kept]
    balance = describe_balance(inputs, columns, arm, weights)
    check_overlap(fitted.chance[kept], arm, config, _name_worst(balance))
    evaluation = evaluate_predictions(predictions, config)
    turned = -1.0 if config.effect.better == "lower" else 1.0
    curves = {
        **evaluation.curves["model"],
        "balance": balance,
        "apart": tell_apart(inputs, columns, turned * fitted.effect[kept]),
        "groups": judge_effect_groups(predictions, config, usual_groups(dataset)),
    }
    effect = {**describe_question(dataset, config), **evaluation.effect}
    return replace(evaluation, curves={"model": curves}, effect=effect)


def describe_question(dataset: Dataset, config: RunConfig) -> dict[str, Any]:
    """Return what is asked: treatment, its arms, the outcome, and how many inputs adjust for it."""
    control, treated = treatment_arms(dataset, config)
    outcome = dataset.predicted_column()
    index = dataset.with_role("date")
    return {
        "treatment": dataset.with_role("treatment")[0].name,
        "treated": treated,
        "control": control,
        "outcome": outcome.name,
        "unit": outcome.unit or "",
        "index": index[0].name if index else None,
        "inputs": [column.name for column in dataset.with_role("input")],
        "learner": config.model.name,
    }


def list_rows(dataset: Dataset, fitted: EffectFit, config: RunConfig) -> pd.DataFrame:
    """Return the rows of `predictions.parquet`: the model's, the robustness tests', and
    those of the causal forest it is compared with."""
    frames = [
        pd.DataFrame({**_columns(fitted.compared), "propensity": fitted.chance,
                      "effect": fitted.effect, "score": fitted.compared.scores, "model": "model"})
    ]  # fmt: skip
    for test, compared in fitted.again.items():
        frames.append(pd.DataFrame({**_columns(compared), "effect": np.nan,
                                    "score": compared.scores, "model": test}))  # fmt: skip
    if fitted.forest is not None:
        compared = fitted.compared.with_effect(fitted.forest)
        frames.append(pd.DataFrame({**_columns(compared), "effect": fitted.forest,
                                    "score": compared.scores, "model": FOREST}))  # fmt: skip
    sets = len(frames)
    frame = pd.concat(frames, ignore_index=True)
    frame["row_id"] = np.tile(fitted.row_id, sets)
    frame["fold"] = np.tile(fitted.fold, sets)
    frame["part"] = "train"
    arms = np.array(treatment_arms(dataset, config), dtype=object)
    frame["treatment"] = arms[frame["arm"].astype(int)]
    return frame


def _columns(compared: Compared) -> dict[str, np.ndarray]:
    return {
        "arm": compared.treated,
        "propensity": compared.propensity,
        "untreated": compared.untreated_mean,
        "treated": compared.treated_mean,
    }


def _name_worst(balance: Sequence[dict[str, Any]]) -> str:
    if not balance:
        return ""
    worst = max(balance, key=lambda row: abs(row["before"]))
    name = f"{worst['column']} = {worst['level']}" if worst["level"] else worst["column"]
    return f" The arms differ most in '{name}' ({abs(worst['before']):.1f} standard deviations)."
