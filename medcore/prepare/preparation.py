"""`Preparation`: what was learned from the training rows, and how any rows are prepared with it.

Fitting looks at the given rows only; a preparation is plain numbers and words, so it is kept as
JSON and read back to the last bit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import RunConfig, Task
from medcore.data import treatment_arms
from medcore.errors import FitError, StoreError
from medcore.prepare.columns import (
    CategoryFit,
    ColumnFit,
    DateFit,
    Feature,
    NumberFit,
    features,
    fit_category,
    fit_date,
    fit_number,
    read_numbers,
    read_words,
)
from medcore.prepare.contract import InputRule, make_rules
from medcore.prepare.imputing import (
    IMPUTERS,
    Imputer,
    complete_frame,
    fit_imputer,
    load_imputer,
    save_imputer,
)
from medcore.prepare.kinds import WAYS
from medcore.prepare.leaving import kept_columns
from medcore.prepare.outcomes import read_column, read_groups, read_outcome
from medcore.records import Block, Column, Dataset, Horizon, Prepared

FILE = "preparation.json"
VERSION = 1


@dataclass(frozen=True)
class Preparation:
    """Everything needed to turn a table of patients into `Prepared` rows.

    `columns` holds one fit per tabular input that informs, `bins` the piecewise-linear edges of the
    numeric features in their order, `kinds` one fit per input of another kind (see `WAYS`).
    `left_out` are sentences on columns that are not used, or only in part.
    `imputer` estimates gaps from a row's other columns, where that was chosen, and `draw` says
    which of multiple imputation's. `keep_gaps` leaves gaps to models that take them as they are.
    `rules` is the contract at prediction: what happens where an input is unknown.
    `learned_from` are the row ids it was fitted on, where it was not read from a file.
    `arms` are the two values of the `treatment`, the one that is compared with first.
    """

    task: Task
    classes: tuple[str, ...]
    outcome: str
    patient: str | None
    columns: tuple[ColumnFit, ...]
    bins: tuple[tuple[float, ...], ...]
    left_out: tuple[str, ...] = ()
    imputer: Imputer | None = None
    draw: int | None = None
    keep_gaps: bool = False
    kinds: tuple[Any, ...] = ()
    rules: tuple[InputRule, ...] = ()
    learned_from: np.ndarray | None = field(default=None, compare=False, repr=False)
    duration: str | None = None
    horizons: tuple[Horizon, ...] = ()
    times: tuple[float, ...] = ()
    treatment: str | None = None
    arms: tuple[str, ...] = ()


def fit_preparation(
    dataset: Dataset,
    row_ids: np.ndarray,
    config: RunConfig,
    classes: Sequence[str],
    imputer: Imputer | None = None,
) -> Preparation:
    """Learn the preparation from the rows in `row_ids` (values of the frame's index) alone.

    `imputer`: one that was fitted on these rows before, to save the time. Raises `FitError` when
    no input column tells anything.
    """
    training = dataset.frame.loc[row_ids]
    inputs, left_out = kept_columns(dataset, training, config.missing)
    columns = [column for column in inputs if column.kind not in WAYS]
    if config.missing.strategy in IMPUTERS and imputer is None and columns:
        imputer = fit_imputer(training, columns, config.missing, config.seed)
    fits, kinds, remarks = _fit_columns(inputs, training, dataset, config)
    draw = 0 if config.missing.strategy == "multiple" else None
    filled = training if imputer is None else complete_frame(imputer, training, draw)
    made = [
        feature for fit in fits for feature in features(fit, training[fit.name], filled[fit.name])
    ]
    outcome = dataset.predicted_column()
    patients, durations = dataset.with_role("patient"), dataset.with_role("duration")
    survival = outcome.role == "event"
    compared = dataset.with_role("treatment") if config.task in (None, "effect") else ()
    return Preparation(
        task="effect" if compared else _task(dataset, classes),
        classes=tuple(classes),
        outcome=outcome.name,
        patient=patients[0].name if patients else None,
        columns=tuple(fits),
        bins=tuple(_edges(f.values, config.model.bins) for f in made if f.numeric),
        left_out=(*left_out, *remarks),
        imputer=imputer,
        draw=draw,
        keep_gaps=config.missing.strategy == "native",
        kinds=tuple(kinds),
        rules=make_rules(fits, kinds, training, config.missing, imputer),
        learned_from=training.index.to_numpy(np.int64),
        duration=durations[0].name if survival else None,
        horizons=dataset.horizons,
        times=dataset.times,
        treatment=compared[0].name if compared else None,
        arms=treatment_arms(dataset, config) if compared else (),
    )


def _fit_columns(
    inputs: Sequence[Column], training: pd.DataFrame, dataset: Dataset, config: RunConfig
) -> tuple[list[Any], list[Any], list[str]]:
    """Return what was learned of columns of a table, and of other kinds, and what is left out."""
    fits, kinds, left_out = [], [], []
    for column in inputs:
        values = training[column.name]
        if column.kind in WAYS:
            fit = WAYS[column.kind].fit(column.name, values, dataset, config)
        else:
            fit = _fit_column(column, values, config)
        if isinstance(fit, str):
            left_out.append(fit)
        else:
            (kinds if column.kind in WAYS else fits).append(fit)
            left_out += [remark] if (remark := getattr(fit, "remark", "")) else []
    if not fits and not kinds:
        raise FitError(
            "No input column tells the training patients apart; "
            "give at least one column with differing values the role 'input'."
        )
    return fits, kinds, left_out


def _task(dataset: Dataset, classes: Sequence[str]) -> Task:
    if dataset.with_role("event"):
        return "survival"
    if dataset.labels:
        return "multilabel"
    return "regression" if not classes else "binary" if len(classes) == 2 else "multiclass"


def prepare_rows(
    preparation: Preparation, dataset: Dataset, row_ids: np.ndarray | None = None
) -> Prepared:
    """Return rows of a dataset as a model takes them: all of them, or those in `row_ids`.

    A column that the dataset lacks counts as missing in every row; an outcome that is absent or
    unknown is -1 (classes) or NaN (regression, time to event, several findings, effect).
    """
    frame = dataset.frame if row_ids is None else dataset.frame.loc[row_ids]
    filled = frame
    if preparation.imputer is not None:
        filled = complete_frame(preparation.imputer, frame, preparation.draw)
    made = [
        feature
        for fit in preparation.columns
        for feature in features(fit, read_column(frame, fit.name), read_column(filled, fit.name))
    ]
    blocks = {"table": _block(made, preparation, len(frame))} if preparation.columns else {}
    for fit in preparation.kinds:
        blocks[fit.name] = WAYS[fit.kind].block(fit, frame, dataset)
    return Prepared(
        task=preparation.task,
        row_id=frame.index.to_numpy(np.int64),
        blocks=blocks,
        outcome=read_outcome(preparation, frame),
        classes=preparation.classes,
        group=read_groups(preparation.patient, frame),
        times=preparation.times,
    )


def save_preparation(preparation: Preparation, folder: Path) -> None:
    """Write the preparation into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    if preparation.imputer is not None:
        save_imputer(preparation.imputer, folder)
    values = asdict(replace(preparation, imputer=None, learned_from=None))
    values.pop("learned_from")
    values |= {"version": VERSION, "imputer": preparation.imputer is not None}
    text = json.dumps(values, ensure_ascii=False)
    (folder / FILE).write_text(text, encoding="utf-8")


def load_preparation(folder: Path) -> Preparation:
    """Read back what `save_preparation` wrote, equal to the last bit.

    Raises `StoreError` when the file is absent, damaged or from a newer version.
    """
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise StoreError(
            f"The preparation in '{folder.name}' cannot be read; train again."
        ) from None
    if not isinstance(values, dict) or values.pop("version", None) != VERSION:
        raise StoreError(
            f"The preparation in '{folder.name}' is from another version of medcore; train again."
        )
    try:
        imputer = load_imputer(folder) if values.get("imputer") else None
        return replace(_read_preparation(values), imputer=imputer)
    except (TypeError, KeyError):
        raise StoreError(f"The preparation in '{folder.name}' is damaged; train again.") from None


def _fit_column(column: Column, values: pd.Series, config: RunConfig) -> ColumnFit | str:
    missing, prepare = config.missing, config.prepare
    if column.kind == "number":
        return fit_number(column.name, read_numbers(values), missing, prepare)
    if column.kind == "category":
        return fit_category(column.name, read_words(values), missing, prepare)
    if column.kind == "date":
        return fit_date(column.name, values, missing, prepare)
    return f"Column '{column.name}' holds {column.kind}, which no model can use yet."


def _edges(values: np.ndarray, bins: int) -> tuple[float, ...]:
    """Return quantile edges without repeats (Gorishniy et al. 2022, section 3.2.1), float32."""
    shares = np.linspace(0, 1, bins + 1)
    return tuple(np.unique(np.quantile(values, shares).astype(np.float32)).tolist())


def _block(made: list[Feature], preparation: Preparation, rows: int) -> Block:
    values = np.empty((rows, len(made)), dtype=np.float32)
    gaps = np.zeros((rows, len(made)), dtype=bool) if preparation.keep_gaps else None
    for place, feature in enumerate(made):
        values[:, place] = feature.values
        if gaps is not None and feature.gaps is not None:
            gaps[:, place] = feature.gaps
    return Block(
        kind="table",
        names=tuple(feature.name for feature in made),
        sources=tuple(feature.source for feature in made),
        values=values,
        present=np.ones(rows, dtype=bool),
        numeric=tuple(place for place, feature in enumerate(made) if feature.numeric),
        bins=tuple(np.array(edges, dtype=np.float32) for edges in preparation.bins),
        gaps=gaps,
    )


def _read_preparation(values: Mapping[str, Any]) -> Preparation:
    return Preparation(
        task=values["task"],
        classes=tuple(values["classes"]),
        outcome=values["outcome"],
        patient=values["patient"],
        columns=tuple(_read_fit(fit) for fit in values["columns"]),
        bins=tuple(tuple(edges) for edges in values["bins"]),
        left_out=tuple(values["left_out"]),
        draw=values.get("draw"),
        keep_gaps=values.get("keep_gaps", False),
        kinds=tuple(WAYS[fit["kind"]].read(fit) for fit in values.get("kinds", ())),
        rules=tuple(InputRule(**rule) for rule in values.get("rules", ())),
        duration=values.get("duration"),
        horizons=tuple(Horizon(**horizon) for horizon in values.get("horizons", ())),
        times=tuple(values.get("times", ())),
        treatment=values.get("treatment"),
        arms=tuple(values.get("arms", ())),
    )


def _read_fit(values: dict[str, Any]) -> ColumnFit:
    if values["kind"] == "category":
        kept, rare = tuple(values["kept"]), tuple(values["rare"])
        return CategoryFit(**{**values, "kept": kept, "rare": rare})
    if values["kind"] == "date":
        return DateFit(**{**values, "days": _read_number(values["days"])})
    return _read_number(values)


def _read_number(values: dict[str, Any]) -> NumberFit:
    curve = values["curve"]
    knots = None if curve is None else (tuple(curve[0]), tuple(curve[1]))
    return NumberFit(**{**values, "curve": knots})
