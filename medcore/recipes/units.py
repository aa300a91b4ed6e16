"""One unit of work: one model fitted on one fold; kept as soon as it is done.

A worker that was killed finds its finished units again, and the running one at its checkpoint, so
that it repeats seconds of work at most and ends with the same model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import TimeoutError
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np

from medcore.config import TERM_MODELS, RunConfig, generator
from medcore.models.plain import PlainModel, freeze_baseline
from medcore.predict import plain_values, predict_member
from medcore.prepare import last_features
from medcore.prepare.terms import term_values
from medcore.recipes.plan import LAST_BASELINES
from medcore.records import Epoch, Prepared
from medcore.strategies import base_name, is_network, treats
from medcore.train import TrainedNetwork, train_network
from medcore.train.balance import balance_rows, class_ratio, finding_ratio
from medcore.train.fit import fit_key, key_parts

LOOK_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class Unit:
    """A fitted model and its predictions for its fold's held-out rows.

    `learned_from` are the ids of the rows it was fitted on, after resampling.
    """

    name: str
    fold: int
    fitted: TrainedNetwork | PlainModel
    judged: np.ndarray
    learned_from: np.ndarray


class FileCheckpoint:
    """Arrays and a JSON-ready dict in one safetensors file, replaced in one go.

    An unreadable file counts as none: the work is done again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> tuple[dict[str, np.ndarray], dict] | None:
        """Return what was written last, or None."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="numpy") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                return arrays, json.loads((file.metadata() or {})["meta"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def write(self, arrays: dict[str, np.ndarray], meta: dict) -> None:
        """Keep arrays and `meta` in place of what was there."""
        from safetensors.numpy import save_file

        self.path.parent.mkdir(parents=True, exist_ok=True)
        near = self.path.with_suffix(f".{os.getpid()}.tmp")
        whole = {name: np.asarray(array, order="C") for name, array in arrays.items()}
        save_file(whole, near, metadata={"meta": json.dumps(meta)})
        os.replace(near, self.path)

    def clear(self) -> None:
        """Forget what was written."""
        self.path.unlink(missing_ok=True)


def fit_unit(
    name: str,
    fold: int,
    label: str,
    learn: Prepared,
    judge: Prepared,
    config: RunConfig,
    *,
    folder: Path | None,
    starts: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    emit: Callable[[Epoch], None],
    stopping: Callable[[], bool],
) -> Unit | None:
    """Fit one model, or take it from `folder`; None when stopped before it could predict.

    What is done about rare classes is done to the rows in `learn` alone. `starts` are weights that
    networks' encoders start from, by block.
    """
    kept = None if folder is None else FileCheckpoint(folder / f"{name}-{fold}.safetensors")
    key = _unit_key(label, learn, judge, config) if kept else ""
    if kept is not None and (unit := _read_unit(kept, key, name, fold, learn)) is not None:
        return unit
    rows = _balanced(name, label, learn, config)
    ratio = unit_ratio(name, learn, config)
    fitted: TrainedNetwork | PlainModel | None
    if is_network(name):
        running = None if folder is None else FileCheckpoint(folder / f"{name}-{fold}.running")
        fitted = _fit_network(
            name, label, rows, judge, config, ratio, starts, running, emit, stopping
        )
        stopped = fitted is not None and bool(fitted.spec["stopped"])
    else:
        running, stopped = None, False
        fitted = interruptible(lambda: _fit_baseline(name, label, rows, config, ratio), stopping)
    if fitted is None:
        return None
    unit = Unit(name, fold, fitted, predict_member(fitted, judge), rows.row_id)
    if kept is not None and not stopped:
        arrays = {f"fitted/{path}": array for path, array in fitted.arrays.items()}
        kept.write(arrays | {"judged": unit.judged}, {"spec": fitted.spec, "key": key})
        if running is not None:
            running.clear()
    return unit


def interruptible(work: Callable[[], Any], stopping: Callable[[], bool]) -> Any:
    """Return `work()`, or None once `stopping` says so; scikit-learn itself cannot be stopped.

    The abandoned thread ends with its fit or with the process.
    """
    with ThreadPool(1) as pool:
        answer = pool.apply_async(work)
        while True:
            try:
                return answer.get(LOOK_SECONDS)
            except TimeoutError:
                if stopping():
                    return None


def _fit_network(
    name: str,
    label: str,
    learn: Prepared,
    judge: Prepared,
    config: RunConfig,
    ratio: np.ndarray | None,
    starts: Mapping[str, Mapping[str, np.ndarray]] | None,
    checkpoint: FileCheckpoint | None,
    emit: Callable[[Epoch], None],
    stopping: Callable[[], bool],
) -> TrainedNetwork | None:
    epochs = train_network(
        base_name(name),
        learn,
        judge,
        config,
        fit=label,
        seed=config.seed,
        ratio=ratio,
        starts=starts,
        checkpoint=checkpoint,
        stopping=stopping,
    )
    while True:
        try:
            emit(next(epochs))
        except StopIteration as end:
            trained = end.value
            # Without one whole epoch the weights are still random.
            return trained if trained.spec["epochs"] else None


def _fit_baseline(
    name: str, label: str, learn: Prepared, config: RunConfig, ratio: np.ndarray | None
) -> PlainModel:
    if learn.task == "survival":
        from medcore.models.prognosis import fit_prognosis

        seen = plain_values(learn)
        return fit_prognosis(name, seen, learn.outcome, len(learn.classes), learn.times)
    from medcore.models import fit_baseline

    seed = int(generator(config.seed, "baseline", label).integers(2**31 - 1))
    native = name == "gradient_boosting" and config.missing.strategy == "native"
    sparse, characters = name in TERM_MODELS, name == "tfidf_characters"
    terms = term_values(learn, characters=characters) if sparse else None
    values = terms if sparse else plain_values(learn, native=native)
    features = last_features(learn) if name in LAST_BASELINES else None
    seen = values if features is None else values[:, features]
    options = {"native": native, "features": features, "sparse": sparse, "characters": characters}
    weigh = ratio is not None and config.balance.strategy == "class_weight"
    if learn.task == "multilabel":
        from medcore.models.labels import fit_labels

        ratios = ratio if weigh else None
        return fit_labels(name, seen, learn.outcome, seed, ratios, **options)
    weights = ratio[learn.outcome] if weigh else None
    estimator = fit_baseline(name, learn.task, seen, learn.outcome, seed, weights)
    return freeze_baseline(estimator, learn.task, len(learn.classes), **options)


def unit_ratio(name: str, learn: Prepared, config: RunConfig) -> np.ndarray | None:
    """Return how many times more than it occurs each class counts in this fit; None for equal.

    (classes,); of several findings (findings, 2).
    """
    if not treats(name, config.balance):
        return None
    if learn.task == "multilabel":
        return finding_ratio(learn.outcome, config.balance)
    return class_ratio(learn.outcome, len(learn.classes), config.balance)


def _balanced(name: str, label: str, learn: Prepared, config: RunConfig) -> Prepared:
    if not treats(name, config.balance):
        return learn
    return balance_rows(learn, config.balance, generator(config.seed, "balance", label))


def _unit_key(label: str, learn: Prepared, judge: Prepared, config: RunConfig) -> str:
    return fit_key(label, config.model_dump(mode="json"), *key_parts(learn), *key_parts(judge))


def _read_unit(
    kept: FileCheckpoint, key: str, name: str, fold: int, learn: Prepared
) -> Unit | None:
    """Return a kept unit; its key holds only for these very rows."""
    found = kept.read()
    if found is None or found[1].get("key") != key:
        return None
    arrays, meta = found
    judged = arrays.pop("judged")
    arrays = {path.removeprefix("fitted/"): array for path, array in arrays.items()}
    make = TrainedNetwork if is_network(name) else PlainModel
    return Unit(name, fold, make(meta["spec"], arrays), judged, learn.row_id)
