"""The records that travel between the stages; plain, frozen, and free of behaviour.

    columns → Dataset → Finding[] → Split → Prepared → Epoch… → Predictions → Evaluation

Rows are known by `row_id`, their place in the source file from 0: the index of `Dataset.frame`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from medcore.config import Kind, Part, Repair, Role, RunConfig, Task

Severity = Literal["stop", "warning", "hint"]


@dataclass(frozen=True)
class Column:
    """What a column holds and is for; `note` says how that was inferred, `made_of` from what."""

    name: str
    kind: Kind
    role: Role
    unit: str | None = None
    categories: tuple[str, ...] = ()
    note: str = ""
    made_of: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        vars(self).update(categories=tuple(self.categories), made_of=tuple(self.made_of))


@dataclass(frozen=True)
class LedgerEntry:
    """What one step did to rows and columns, and why; nothing leaves without one.

    `by_class` counts the rows that left by outcome class, where the outcome was known.
    """

    step: str
    reason: str
    rows_in: int
    rows_out: int
    columns_in: int
    columns_out: int
    columns: tuple[str, ...] = ()
    by_class: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Horizon:
    """A time by which risks are told, in the unit of the durations; `label` is "5y" or alike."""

    label: str
    time: float


@dataclass(frozen=True)
class Dataset:
    """A table of patients or visits.

    `frame` keeps the source's columns; numbers are float64 or int64, categories and text are
    pandas strings, booleans are categories, dates are datetime64; missing is NaN / NA / NaT.
    Cells of image, audio and series columns are names of files in the folder `media`; equal
    content has one name. `sha256`: of the source file. Time to event: risks are told at `horizons`
    and, among others, their `times`. Courses: `visits`, by patient and time, of which a series
    column's cells name the positions. `cache`: what is computed from the cells once. `labels`: the
    findings that the outcome's cells name. `aside`: rows without one. `reading`: see `Wishes`.
    """

    name: str
    source: str
    sha256: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    ledger: tuple[LedgerEntry, ...] = ()
    media: Path | None = None
    horizons: tuple[Horizon, ...] = ()
    times: tuple[float, ...] = ()
    visits: pd.DataFrame | None = None
    labels: tuple[str, ...] = ()
    aside: pd.DataFrame | None = None
    cache: Path | None = None
    reading: tuple[str, ...] = ()

    def column(self, name: str) -> Column:
        """Return the column called `name`; `KeyError` when there is none."""
        return next(c for c in self.columns if c.name == name)

    def with_role(self, *roles: Role) -> tuple[Column, ...]:
        """Return the columns that have one of the roles, in the table's order."""
        return tuple(c for c in self.columns if c.role in roles)

    def predicted_column(self) -> Column | None:
        """Return the column that is predicted: the outcome, or the event that is waited for."""
        return next(iter(self.with_role("outcome", "event")), None)


@dataclass(frozen=True)
class Finding:
    """Something a person should know before training.

    `code` is a stable word (`missing`, `disguised_missing`, `constant`, `identifier`, …);
    `evidence` holds figures for a table; `repair` is what "accept" would do, if anything.
    """

    code: str
    severity: Severity
    columns: tuple[str, ...]
    title: str
    detail: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    repair: Repair | None = None


Parts = Mapping[Part, np.ndarray]


@dataclass(frozen=True)
class Split:
    """Who is in which part, as row ids.

    `parts` are those of the model that is kept. With folds (k-fold, site), every fold has its own
    parts including `test`, and `parts` has no test rows. `fold_names` are "1", "2", … or sites.
    `notes` are sentences about rare classes and the like.
    """

    kind: str
    seed: int
    parts: Parts
    folds: tuple[Parts, ...] | None = None
    fold_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """The prepared inputs of all tabular columns together, or of one column of another kind.

    `present` (rows,) is False where the whole thing is missing.

    Tables: `values` float32, shape (rows, features), no NaN. `names` and `sources` give each
    feature's name and the column it came from; `numeric` are the positions of scaled numbers
    (they take number embeddings), the rest are 0/1 (one-hot places and missing indicators).
    `bins` holds, for each numeric position, its piecewise-linear edges. `gaps` (rows, features),
    where kept, says which values only stand in for missing numbers, for models that take them.

    Other kinds: `values` (items, …) holds each different thing once, often memory-mapped; `place`
    (rows,) is each row's position in it, -1 where there is none. `scale` is the (mean, spread),
    learned from training rows, that standardises an item; None takes items as they are.
    `plain` (rows, features) float32 is what models of plain numbers see, of features `names` and
    `sources`; `terms` and `grams`, sparse, are notes' weighted words and pieces of words. `traits`,
    ready for JSON, are what an encoder must know before it is built. `digest`: bytes of `values`.
    """

    kind: Literal["table", "text", "image", "audio", "series"]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    values: np.ndarray
    present: np.ndarray
    numeric: tuple[int, ...] = ()
    bins: tuple[np.ndarray, ...] = ()
    gaps: np.ndarray | None = None
    place: np.ndarray | None = None
    scale: tuple[np.ndarray, np.ndarray] | None = None
    plain: np.ndarray | None = None
    traits: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    terms: Any = None
    grams: Any = None

    def take(self, positions: np.ndarray) -> Block:
        """Return the rows at `positions` (int array into this record)."""
        kept = {key: getattr(self, key) for key in ("gaps", "place", "plain", "terms", "grams")}
        parts = {key: part[positions] for key, part in kept.items() if part is not None}
        values = self.values[positions] if self.place is None else self.values
        return replace(self, values=values, present=self.present[positions], **parts)

    def gather(self, positions: np.ndarray) -> np.ndarray:
        """Return the values of rows at `positions` in memory; zeros where there is none."""
        if self.place is None:
            return self.values[positions]
        place = self.place[positions]
        if not len(self.values):
            return np.zeros((len(place), *self.values.shape[1:]), dtype=self.values.dtype)
        found = np.ascontiguousarray(self.values[np.maximum(place, 0)])
        found[place < 0] = 0
        return found


@dataclass(frozen=True)
class Prepared:
    """Rows ready for a model, in the order of `row_id`.

    `blocks` is keyed "table" for all tabular columns together, else by column name.
    `outcome`: int64 codes into `classes`; float64 for regression (`classes` empty), for several
    findings (rows, classes) with 1, 0 or NaN, and for time to event (rows, 2): the duration, and 0
    for censored, else the cause's place in `classes` from 1; `times` are those of the risks told.
    Effect: (rows, 2), outcome (0 or 1 where it has classes) and arm (1 treated).
    `group`: one int64 per patient (row position where there is no patient column).
    """

    task: Task
    row_id: np.ndarray
    blocks: Mapping[str, Block]
    outcome: np.ndarray
    classes: tuple[str, ...]
    group: np.ndarray
    times: tuple[float, ...] = ()

    def take(self, positions: np.ndarray) -> Prepared:
        """Return the rows at `positions` (int array into this record)."""
        blocks = {key: block.take(positions) for key, block in self.blocks.items()}
        rows = {name: getattr(self, name)[positions] for name in ("row_id", "outcome", "group")}
        return replace(self, blocks=blocks, **rows)


@dataclass(frozen=True, eq=False)
class Seen:
    """The rows that one fitted step looked at, written down where it was fitted.

    `step` is what was fitted ("scaling and encoding"), `fit` where ("fold 2 of 5"). `rows` are
    row ids, each once; rows that resampling invented have none.
    """

    step: str
    fit: str
    rows: np.ndarray


@dataclass(frozen=True)
class Epoch:
    """One pass over the training rows. `fit` names it ("tabm, fold 2 of 5"); seconds are wall."""

    fit: str
    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float | None
    learning_rate: float
    seconds: float
    best: bool


@dataclass(frozen=True)
class Event:
    """What a run tells while it works; one line of `events.jsonl`.

    `fraction` is the share of the whole run that is done (0–1).
    """

    time: float
    stage: str
    message: str
    fraction: float
    epoch: Epoch | None = None


@dataclass(frozen=True)
class Watch:
    """How a long step talks to whoever started it: `emit` events, ask whether to stop."""

    emit: Callable[[Event], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Predictions:
    """What models said of whom.

    `frame` columns: row_id, patient, site, part, fold, model ("model" or a baseline's name),
    outcome, and `p_CLASS` per class, or `predicted`, `low`, `high` for regression.
    `outcome` holds class names as strings, or floats. `fold` is -1 outside folds. Time to event:
    `duration`, `outcome` (a cause's name, or another word for censored), `risk_LABEL` for each of
    the `horizons` and `curve_0`, `curve_1`, …, the risk of `positive` by each of the `times`.
    Several findings: `outcome` names those that are there (see `read_labels`).
    """

    task: Task
    classes: tuple[str, ...]
    positive: str | None
    frame: pd.DataFrame
    horizons: tuple[Horizon, ...] = ()
    times: tuple[float, ...] = ()

    def probabilities(self) -> np.ndarray:
        """Return the class probabilities, float64 (rows, classes), in the order of `classes`."""
        return self.frame[[f"p_{c}" for c in self.classes]].to_numpy(np.float64)


@dataclass(frozen=True)
class Metric:
    """One figure with its 95 % interval; `reason` says why a value is NaN."""

    value: float
    low: float
    high: float
    n: int
    method: Literal["bootstrap", "delong", "wilson", "rubin", "crossfit", "none"]
    reason: str | None = None


@dataclass(frozen=True)
class PartEvaluation:
    """One part judged at the frozen threshold (None where the arg-max decides)."""

    n: int
    events: int | None
    threshold: float | None
    metrics: Mapping[str, Metric]


@dataclass(frozen=True)
class Evaluation:
    """Everything a run is judged by; `evaluation.json` is this record.

    `baselines` holds each baseline judged on the test rows; `curves` JSON-ready lists per model
    ("model" or baseline name) for roc, precision_recall, calibration, histogram, confusion.
    """

    task: Task
    positive: str | None
    classes: tuple[str, ...]
    parts: Mapping[str, PartEvaluation]
    baselines: Mapping[str, PartEvaluation]
    curves: Mapping[str, Any]
    folds: tuple[Mapping[str, Any], ...] = ()
    effect: Mapping[str, Any] | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """A finished or running run as the store knows it."""

    id: str
    workspace: str
    name: str
    state: Literal["queued", "running", "stopping", "finished", "failed", "stopped"]
    folder: Path
    config: RunConfig
    dataset: str
    created: float
    summary: Mapping[str, Any] = field(default_factory=dict)
