"""All that a finished run's folder knows, read once; what an older run did not keep is None."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medcore.config import RunConfig
from medcore.errors import StoreError
from medcore.evaluate import read_evaluation
from medcore.records import Column, Evaluation, Split
from medcore.report.author import AuthorWords, author_words
from medcore.split import read_split
from medcore.store.folder import (
    CERTIFICATE,
    COHORT,
    DATASET,
    ENVIRONMENT,
    EVALUATION,
    FINDINGS,
    SPLIT,
    read_columns,
    read_config,
    read_events,
    read_json,
)

MODEL, WEIGHTS = "model.json", "weights.safetensors"


@dataclass(frozen=True)
class Facts:
    """A judged run as its files tell it.

    `values` is the content of `evaluation.json`, `evaluation` the same as a record.
    """

    folder: Path
    config: RunConfig
    dataset: Mapping[str, Any]
    columns: tuple[Column, ...]
    split: Split
    values: Mapping[str, Any]
    evaluation: Evaluation
    findings: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    model: Mapping[str, Any]
    cohort: Mapping[str, Any] | None
    environment: Mapping[str, Any] | None
    certificate: Sequence[Mapping[str, Any]] | None
    author: AuthorWords

    @property
    def outcome(self) -> Column:
        """The predicted column; of a time to event, the event."""
        roles = [column.role for column in self.columns]
        wanted = "outcome" if "outcome" in roles else "event"
        return self.columns[roles.index(wanted)]

    @property
    def inputs(self) -> tuple[Column, ...]:
        """The columns that the model looks at."""
        return tuple(column for column in self.columns if column.role == "input")

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every warning that the run raised, in the order in which one would read them."""
        checks = [
            f"{finding['title']}. {finding['detail']}"
            for finding in self.findings
            if finding["severity"] in ("stop", "warning")
        ]
        failed = [
            f"{check['check']}: {check['sentence']}"
            for check in self.certificate or ()
            if check["passed"] is False
        ]
        return tuple(dict.fromkeys([*self.evaluation.warnings, *failed, *checks]))

    @property
    def split_hash(self) -> str:
        """SHA-256 of who was in which part, independent of the file's layout."""
        parts = read_json(self.folder, SPLIT)
        told = {name: parts[name] for name in ("kind", "parts", "folds")}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    @property
    def weights_hash(self) -> str | None:
        """SHA-256 of the model's weights."""
        return file_hash(self.folder / WEIGHTS)


def read_facts(folder: Path) -> Facts:
    """Read a run's folder; raises `StoreError` when it holds no judged run."""
    if not (folder / EVALUATION).is_file():
        raise StoreError(
            f"'{folder}' holds no model that was judged, so there is nothing to report; give the "
            "folder of a finished run."
        )
    values = read_json(folder, EVALUATION)
    return Facts(
        folder=folder,
        config=read_config(folder),
        dataset=read_json(folder, DATASET),
        columns=read_columns(folder),
        split=read_split(read_json(folder, SPLIT)),
        values=values,
        evaluation=read_evaluation(values),
        findings=_read(folder, FINDINGS) or (),
        events=read_events(folder)[0],
        model=_read(folder, MODEL) or {},
        cohort=_read(folder, COHORT),
        environment=_read(folder, ENVIRONMENT),
        certificate=_read(folder, CERTIFICATE),
        author=author_words(folder),
    )


def _read(folder: Path, name: str) -> Any:
    return read_json(folder, name) if (folder / name).is_file() else None


def file_hash(path: Path) -> str | None:
    """Return a file's SHA-256, or None where there is none."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
