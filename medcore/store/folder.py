"""A run's folder: its files' names, and how each is written and read; no database needed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from medcore.config import RunConfig, load_config
from medcore.errors import StoreError
from medcore.records import Column, Event, Horizon, Predictions
from medcore.store.files import disk_error, plain, write_whole

CONFIG, DATASET, SPLIT = "config.json", "dataset.json", "split.json"
PREDICTIONS, EVALUATION, EVENTS = "predictions.parquet", "evaluation.json", "events.jsonl"
FINDINGS, CERTIFICATE, CHECKPOINTS = "findings.json", "certificate.json", "checkpoints"
COHORT, ENVIRONMENT = "cohort.json", "environment.json"
MODEL = "model.json"
AUTHOR, REPORT = "author.json", "report"
VALIDATION, VALIDATIONS = "validation.json", "validations"
OPTIMISM = "optimism.json"
EXPLANATION = "explanation.json"
NEEDS = "needs.json"
EMBEDDINGS = "embeddings.safetensors"


def write_json(folder: Path, name: str, values: Any) -> None:
    """Write one JSON file of the folder, whole or not at all."""
    text = json.dumps(plain(values), ensure_ascii=False, allow_nan=False)
    write_whole(folder / name, text.encode())


def read_json(folder: Path, name: str) -> Any:
    """Read one JSON file of the folder; raises `StoreError` when it is absent or damaged."""
    try:
        return json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StoreError(
            f"'{name}' is missing in {folder.name}: the run is not finished."
        ) from None
    except (OSError, ValueError):
        raise StoreError(f"'{name}' in {folder.name} is damaged; run it again.") from None


def read_rules(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the model's contract on unknown inputs by column: `gaps` in training, and `then`."""
    return {rule["column"]: rule for rule in read_json(folder, MODEL).get("inputs", ())}


def read_needs(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the thresholds chosen after training, by class or finding: `threshold` and `words`."""
    return read_json(folder, NEEDS) if (folder / NEEDS).is_file() else {}


def keep_need(folder: Path, name: str, threshold: float, words: str) -> None:
    """Keep from which risk of a class or finding on the run's model is to alarm, and why."""
    write_json(folder, NEEDS, read_needs(folder) | {name: {"threshold": threshold, "words": words}})


def drop_need(folder: Path, name: str) -> None:
    """Go back to the threshold that was chosen in training."""
    write_json(folder, NEEDS, {key: n for key, n in read_needs(folder).items() if key != name})


def write_config(folder: Path, config: RunConfig) -> None:
    """Write `config.json`."""
    write_json(folder, CONFIG, config.model_dump(mode="json"))


def read_config(folder: Path) -> RunConfig:
    """Read `config.json`."""
    return load_config(read_json(folder, CONFIG))


def read_columns(folder: Path) -> tuple[Column, ...]:
    """Return the columns that the run's table had, from `dataset.json`."""
    values = read_json(folder, DATASET)
    try:
        columns = values["columns"]
        return tuple(Column(**c) for c in columns)
    except (KeyError, TypeError):
        raise StoreError(f"'{DATASET}' in {folder.name} is damaged; run it again.") from None


def read_reading(folder: Path) -> tuple[str, ...]:
    """Return how the images were read that the run learned from, from `dataset.json`."""
    return tuple(map(str, read_json(folder, DATASET).get("reading", ())))


def write_predictions(folder: Path, predictions: Predictions) -> None:
    """Write `predictions.parquet`; task, classes and positive class go into its metadata."""
    frame = predictions.frame.copy(deep=False)
    frame.attrs = {
        "task": predictions.task,
        "classes": list(predictions.classes),
        "positive": predictions.positive,
        "horizons": [asdict(horizon) for horizon in predictions.horizons],
        "times": list(predictions.times),
    }
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    write_whole(folder / PREDICTIONS, buffer.getvalue())


def read_predictions(folder: Path) -> Predictions:
    """Read `predictions.parquet`."""
    try:
        frame = pd.read_parquet(folder / PREDICTIONS)
        attrs = frame.attrs
        horizons = tuple(Horizon(**horizon) for horizon in attrs.get("horizons", ()))
        asked = attrs["task"], tuple(attrs["classes"]), attrs["positive"]
        return Predictions(*asked, frame, horizons, tuple(attrs.get("times", ())))
    except (OSError, ValueError, KeyError):
        raise StoreError(f"The predictions in {folder.name} cannot be read; run again.") from None


def list_validations(folder: Path) -> dict[str, Mapping[str, Any]]:
    """Return the external validations of a run by id, the newest first."""
    found = {}
    for path in (folder / VALIDATIONS).glob(f"*/{VALIDATION}"):
        found[path.parent.name] = read_json(path.parent, VALIDATION)
    return dict(sorted(found.items(), key=lambda pair: -pair[1]["created"]))


def append_event(folder: Path, event: Event) -> None:
    """Add one line to `events.jsonl`; after a line that a kill cut short a new one is begun."""
    values = {key: value for key, value in asdict(event).items() if key != "epoch"}
    if event.epoch is not None:
        values |= asdict(event.epoch)
    line = json.dumps(plain(values), ensure_ascii=False, allow_nan=False).encode() + b"\n"
    try:
        with (folder / EVENTS).open("ab+") as file:
            if size := file.tell():
                file.seek(size - 1)
                line = line if file.read(1) == b"\n" else b"\n" + line
            file.write(line)
    except OSError as error:
        raise disk_error(error, folder / EVENTS) from None


def read_events(folder: Path, start: int = 0) -> tuple[list[Mapping[str, Any]], int]:
    """Return the events from byte `start` on, and where the next read starts.

    A last line that is still being written is left for the next read.
    """
    try:
        with (folder / EVENTS).open("rb") as file:
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return [], start
    whole = data[: data.rfind(b"\n") + 1]
    events = []
    for line in whole.split(b"\n"):
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            events.append(event)
    return events, start + len(whole)
