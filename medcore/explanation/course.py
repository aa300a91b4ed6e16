"""One patient's course: what the model says after each visit, and which values moved it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from medcore.apply import Deployed, describe_patient, list_targets
from medcore.data import configure_rows, read_window, series_column, write_window
from medcore.errors import ConfigError, DataError
from medcore.explanation.subject import Subject
from medcore.predict import predict_dataset
from medcore.prepare import prepare_rows
from medcore.records import Column, Dataset
from medcore.store.files import plain
from medcore.train import TrainedNetwork

SOMEBODY = "this patient"


def predict_course(
    deployed: Deployed, values: Mapping[str, Any], visits: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what the model says of one patient's visits that were entered by hand, JSON-ready.

    `values` are those that do not change, `visits` one each with the time, by column; None or
    absent is unknown. Keys: those of `predict_patient`, of the last visit, and `trajectory`. Raises
    `DataError` without a visit, or where times cannot be read.
    """
    dataset = read_course(deployed, values, visits)
    order = np.argsort([_window(dataset, row).index for row in dataset.frame.index], kind="stable")
    ordered = replace(dataset, frame=dataset.frame.iloc[order])
    last = replace(ordered, frame=ordered.frame.iloc[[-1]])
    said = describe_patient(deployed, last)
    return {
        **said,
        "outside": [*said["outside"], *_list_outside(deployed, ordered)],
        "trajectory": tell_trajectory(deployed, ordered),
    }


def _list_outside(deployed: Deployed, dataset: Dataset) -> list[dict[str, Any]]:
    """Return the measured numbers unlike any of training patients: column, value, low, high."""
    name = series_column(deployed.columns).name
    fit = next((fit for fit in deployed.model.cohort.kinds if fit.name == name), None)
    found = []
    for channel in () if fit is None else fit.channels:
        if channel.category is not None or channel.column not in dataset.visits.columns:
            continue
        values = dataset.visits[channel.column].dropna().astype("float64")
        for value in values[(values < channel.low) | (values > channel.high)]:
            ends = {"low": f"{channel.low:.10g}", "high": f"{channel.high:.10g}"}
            found.append({"column": channel.column, "value": f"{value:.10g}", **ends})
    return found


def read_course(
    deployed: Deployed, values: Mapping[str, Any], visits: Sequence[Mapping[str, Any]]
) -> Dataset:
    """Return one patient's visits as rows that the model can be asked about."""
    patient, visit = (
        next(c for c in deployed.columns if c.role == r) for r in ("patient", "visit")
    )
    rows = [row for row in visits if any(value is not None for value in row.values())]
    if not rows:
        raise DataError("No visit is entered yet: give at least one with its time.")
    names = [
        c.name for c in deployed.columns if c.role in ("input", "measurement") if not c.made_of
    ]
    told = [{**values, **row} for row in rows]
    frame = pd.DataFrame([{name: row.get(name) for name in (visit.name, *names)} for row in told])
    for name in frame.columns:
        if frame[name].dtype == object:
            frame[name] = frame[name].astype("string")
    frame.insert(0, patient.name, SOMEBODY)
    frame[patient.name] = frame[patient.name].astype("string")
    columns = tuple(c for c in deployed.columns if c.name in frame.columns)
    columns = tuple(replace(c, kind="category") if c is patient else c for c in columns)
    dataset = Dataset("patient", "form", "", frame, columns)
    return configure_rows(dataset, _as_words(deployed.columns, patient), deployed.config)[0]


def _as_words(columns: Sequence[Column], patient: Column) -> tuple[Column, ...]:
    return tuple(replace(c, kind="category") if c.name == patient.name else c for c in columns)


def tell_trajectory(deployed: Deployed, dataset: Dataset) -> list[dict[str, Any]]:
    """Return for each row its `time` and, for each of `list_targets`, value, low and high."""
    said = predict_dataset(deployed.model, dataset, coverage=deployed.config.evaluate.coverage)
    rows = len(said.row_id)
    sides = {side: getattr(said, side).reshape(rows, -1) for side in ("value", "low", "high")}
    targets = list_targets(deployed)
    return plain(
        [
            {
                "time": _window(dataset, row).index,
                "targets": {
                    name: {side: values[place, at] for side, values in sides.items()}
                    for name, at in targets.items()
                },
            }
            for place, row in enumerate(said.row_id)
        ]
    )


def explain_course(subject: Subject, row_id: int, target: str) -> dict[str, Any]:
    """Return why the model says what it says of one row's course, JSON-ready.

    `trajectory` as `tell_trajectory`, of each visit up to the index visit; `times` and `channels`
    name the cells of `values` (what was measured, None where not) and `found`: by how much the
    networks' answer is higher than with a usual result there. `base` and `said` are the networks'
    answers with usual results everywhere and as it is, `gap` what the shares leave of their
    difference, `weight` the networks' share in the model. Raises `ConfigError` where no network
    looks at courses.
    """
    name = series_column(subject.dataset.columns).name
    window = _window(subject.dataset, row_id)
    found = _attribute(subject, row_id, name, target)
    stop, times = window.stop, subject.dataset.visits["time"].to_numpy(np.float64)
    start = max(window.start, stop - found["found"].shape[0])
    measured = subject.dataset.visits.iloc[start:stop]
    raw = [
        [None if pd.isna(value) else value for value in measured[column].tolist()]
        for column in found["columns"]
    ]
    count = stop - start
    return plain(
        {
            **found,
            "found": found["found"][:count].T,
            "values": raw,
            "times": times[start:stop],
            "trajectory": tell_trajectory(
                subject.deployed, _step_by_step(subject, row_id, name, start)
            ),
        }
    )


def _window(dataset: Dataset, row_id: int) -> Any:
    name = series_column(dataset.columns).name
    return read_window(str(dataset.frame.loc[row_id, name]))


def _step_by_step(subject: Subject, row_id: int, name: str, start: int) -> Dataset:
    """Return a row seen from each of its visits; what does not change is as at the index visit."""
    window, times = _window(subject.dataset, row_id), subject.dataset.visits["time"]
    cells = [
        write_window(window._replace(stop=at + 1, index=float(times.iloc[at])))
        for at in range(start, window.stop)
    ]
    cells[-1] = write_window(window)
    row = subject.dataset.frame.loc[[row_id] * len(cells)].reset_index(drop=True)
    row[name] = pd.Series(cells, dtype="string")
    return replace(subject.dataset, frame=row)


def _attribute(subject: Subject, row_id: int, name: str, target: str) -> dict[str, Any]:
    """Return the weighted mean of the networks' shares by visit and channel."""
    from medcore.models.attribution import attribute_moments

    model = subject.deployed.model
    if model.task == "survival":
        raise ConfigError("Shares of visits are told for classes and numbers, not for time yet.")
    place = model.classes.index(target) if target in model.classes else 0
    total, base, said, weight = 0.0, 0.0, 0.0, 0.0
    fit = None
    for member in model.members:
        network = isinstance(member.fitted, TrainedNetwork)
        if not network or name not in member.fitted.spec["network"]["blocks"]:
            continue
        row = prepare_rows(
            model.preparations[member.preparation], subject.dataset, np.array([row_id])
        )
        fit = next(f for f in model.preparations[member.preparation].kinds if f.name == name)
        inputs = read_inputs(member.fitted, row)
        scale = 1.0 if model.classes else member.fitted.spec["outcome_spread"]
        shift = 0.0 if model.classes else member.fitted.spec["outcome_mean"]
        shares, low, high = attribute_moments(
            member.fitted.network, inputs, name, place, classes=bool(model.classes)
        )
        total = total + member.weight * scale * shares
        base += member.weight * (scale * low + shift)
        said += member.weight * (scale * high + shift)
        weight += member.weight
    if not weight:
        raise ConfigError("No network of this model looks at the visits; boosting alone does.")
    found, base, said = total / weight, base / weight, said / weight
    gap = (said - base) - found.sum()
    columns = [channel.column for channel in fit.channels]
    names = [channel.name for channel in fit.channels]
    return {
        "found": found, "columns": columns, "channels": names, "base": base, "said": said,
        "gap": gap, "weight": weight,
    }  # fmt: skip


def read_inputs(fitted: TrainedNetwork, row: Any) -> dict[str, Any]:
    """Return one prepared row as a network takes it."""
    from medcore.models import read_piece
    from medcore.train.trained import seen_blocks

    network = fitted.network
    device = next(network.parameters()).device
    blocks = seen_blocks(fitted.spec["network"], row)
    return {key: read_piece(block, np.array([0]), device) for key, block in blocks.items()}
