"""`Imputer`: gaps estimated from a patient's other columns, learned from training rows.

All of them work in the one matrix of `coding.py`; the outcome is never in it, so that a new
patient is treated as the training patients were (Sisk et al. 2023). Fitted imputers are plain
arrays and words, kept beside the preparation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import MissingConfig, MissingStrategy, generator
from medcore.errors import StoreError
from medcore.prepare.chain import apply_chain, fit_chain
from medcore.prepare.coding import Coding, coding_json, decode, encode, fit_coding, read_coding
from medcore.prepare.draws import apply_draw, fit_draws
from medcore.prepare.neighbours import apply_neighbours, fit_neighbours
from medcore.prepare.thicket import apply_thicket, fit_thicket
from medcore.records import Column, Epoch

IMPUTERS: tuple[MissingStrategy, ...] = (
    "knn", "iterative", "iterative_trees", "multiple", "denoising_autoencoder", "miwae",
)  # fmt: skip
DEEP: tuple[MissingStrategy, ...] = ("denoising_autoencoder", "miwae")
# Errors of so many training rows say what is usual.
USUAL_ROWS = 2000
META, ARRAYS = "imputer.json", "imputer.safetensors"


@dataclass(frozen=True, eq=False)
class Imputer:
    """A fitted imputer: `spec` for JSON, `arrays` for safetensors, the `coding` of its columns.

    `learned_from` are the row ids it was fitted on, where it was not read from a file.
    """

    strategy: MissingStrategy
    coding: Coding
    spec: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    learned_from: np.ndarray | None = None


@dataclass(frozen=True)
class Reins:
    """How a long fit is watched: what it tells, whether to stop, where it keeps checkpoints."""

    emit: Callable[[Epoch], None] = lambda _: None
    stopping: Callable[[], bool] = lambda: False
    checkpoint: Any = None


def fit_imputer(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    missing: MissingConfig,
    seed: int,
    *,
    device: str = "auto",
    reins: Reins = Reins(),
) -> Imputer:
    """Learn the strategy's imputer from training rows; their outcome is not looked at.

    Raises `FitError` when no column has a value.
    """
    coding = fit_coding(frame, columns)
    matrix = encode(coding, frame)
    arrays, spec = _fit_matrix(coding, matrix, missing, seed, device, reins)
    spec = {"seed": seed, "neighbours": missing.neighbours, "draws": missing.draws} | spec
    return Imputer(missing.strategy, coding, spec, arrays, frame.index.to_numpy(np.int64))


def complete_frame(imputer: Imputer, frame: pd.DataFrame, draw: int | None = None) -> pd.DataFrame:
    """Return a copy of `frame` with the gaps of the imputer's columns filled.

    `draw` picks one of multiple imputation's; None gives the estimate around which they scatter.
    A row's answer depends on that row alone.
    """
    matrix = encode(imputer.coding, frame)
    return decode(imputer.coding, complete_matrix(imputer, matrix, draw), frame)


def complete_matrix(imputer: Imputer, matrix: np.ndarray, draw: int | None = None) -> np.ndarray:
    """Return the coded matrix (rows, places) with its gaps filled."""
    blocks, arrays, spec = imputer.coding.blocks, imputer.arrays, imputer.spec
    if imputer.strategy == "knn":
        return apply_neighbours(arrays, blocks, matrix, spec["neighbours"])
    if imputer.strategy == "iterative_trees":
        return apply_thicket(arrays, blocks, matrix)
    if imputer.strategy in DEEP:
        from medcore.train.imputers import TrainedImputer, complete_cells

        return complete_cells(TrainedImputer(dict(spec["network"]), dict(arrays)), matrix)
    chain = {name.removeprefix("chain/"): a for name, a in arrays.items() if name[:6] == "chain/"}
    if imputer.strategy == "iterative" or draw is None:
        return apply_chain(chain, blocks, matrix)
    drawn = {name.removeprefix("draws/"): a for name, a in arrays.items() if name[:6] == "draws/"}
    return apply_draw(drawn, chain, blocks, matrix, draw, spec["seed"])


def _fit_matrix(
    coding: Coding,
    matrix: np.ndarray,
    missing: MissingConfig,
    seed: int,
    device: str,
    reins: Reins,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    blocks = coding.blocks

    def tell(number: int, count: int, change: float) -> bool:
        del number, count, change
        return reins.stopping()

    if missing.strategy == "knn":
        return fit_neighbours(matrix), {}
    if missing.strategy == "iterative_trees":
        rng = generator(seed, "thicket")
        return fit_thicket(matrix, blocks, coding.wordy, missing.rounds, rng, tell), {}
    if missing.strategy in DEEP:
        return _fit_deep(coding, matrix, missing.strategy, seed, device, reins)
    chain = fit_chain(matrix, blocks, missing.rounds, tell)
    arrays = {f"chain/{name}": array for name, array in chain.items()}
    if missing.strategy == "multiple":
        drawn = fit_draws(matrix, blocks, chain, missing.draws, seed, tell)
        arrays |= {f"draws/{name}": array for name, array in drawn.items()}
    return arrays, {}


def _fit_deep(
    coding: Coding,
    matrix: np.ndarray,
    strategy: str,
    seed: int,
    device: str,
    reins: Reins,
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    from medcore.train.imputers import reconstruction_error, train_imputer

    epochs = train_imputer(
        strategy,
        matrix,
        coding.blocks,
        coding.wordy,
        fit=f"{strategy.replace('_', ' ')} for missing values",
        seed=seed,
        device=device,
        checkpoint=reins.checkpoint,
        stopping=reins.stopping,
    )
    while True:
        try:
            reins.emit(next(epochs))
        except StopIteration as end:
            rows = matrix[generator(seed, "usual").permutation(len(matrix))[:USUAL_ROWS]]
            errors = np.sort(reconstruction_error(end.value, rows))
            usual = np.quantile(errors[np.isfinite(errors)], np.linspace(0, 1, 101)).tolist()
            return end.value.arrays, {"network": end.value.spec, "usual": usual}


def less_unusual(imputer: Imputer, frame: pd.DataFrame) -> np.ndarray | None:
    """Return the share of training rows less unusual than each row, float64 (rows,).

    From how badly a row's known cells can be told from its others (see `reconstruction_error`);
    NaN where nothing is known; None for imputers that are no networks.
    """
    if imputer.strategy not in DEEP:
        return None
    from medcore.train.imputers import TrainedImputer, reconstruction_error

    trained = TrainedImputer(dict(imputer.spec["network"]), dict(imputer.arrays))
    errors = reconstruction_error(trained, encode(imputer.coding, frame))
    return np.interp(errors, imputer.spec["usual"], np.linspace(0, 1, 101))


def imputer_meta(imputer: Imputer) -> dict[str, Any]:
    """Return all of an imputer but its arrays, for JSON."""
    return {
        "strategy": imputer.strategy,
        "coding": coding_json(imputer.coding),
        "spec": dict(imputer.spec),
    }


def read_imputer(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Imputer:
    """Return the imputer that `imputer_meta` described."""
    return Imputer(meta["strategy"], read_coding(meta["coding"]), meta["spec"], arrays)


def save_imputer(imputer: Imputer, folder: Path) -> None:
    """Write an imputer's two files into `folder`, the description last."""
    from safetensors.numpy import save_file

    whole = {name: np.asarray(array, order="C") for name, array in imputer.arrays.items()}
    save_file(whole, folder / f"{ARRAYS}.tmp")
    os.replace(folder / f"{ARRAYS}.tmp", folder / ARRAYS)
    text = json.dumps(imputer_meta(imputer), ensure_ascii=False)
    (folder / META).write_text(text, encoding="utf-8")


def load_imputer(folder: Path) -> Imputer:
    """Read back what `save_imputer` wrote; raises `StoreError` when it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        return read_imputer(meta, load_file(folder / ARRAYS))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        raise StoreError(
            f"What fills missing values in '{folder.name}' cannot be read; train again."
        ) from None
