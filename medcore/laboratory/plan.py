"""Which combinations a laboratory compares, and about how long that takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from medcore.config import (
    ENCODER_NAMES,
    BalanceStrategy,
    Kind,
    MissingStrategy,
    RunConfig,
    change_config,
)
from medcore.errors import ConfigError

LABORATORY_MODELS = (
    "logistic", "random_forest", "gradient_boosting", "mlp", "tabm",
    "cox", "deepsurv", "logistic_hazard", "deephit",
)  # fmt: skip
# What is worth comparing where some input is a number, a category or a date.
TABULAR = ("random_forest", "gradient_boosting", "mlp", "tabm")
ENCODERS = tuple(name for names in ENCODER_NAMES.values() for name in names)
MOST_FOLDS = 20
# Seconds of one fit, or one imputer, on 600 rows of 13 columns; measured on two slow cores.
FIT_SECONDS = {
    "logistic": 0.1, "random_forest": 0.6, "gradient_boosting": 0.6, "mlp": 2.5, "tabm": 8.0,
    "cox": 0.2, "deepsurv": 3.0, "logistic_hazard": 3.0, "deephit": 4.0,
}  # fmt: skip
# Of a network over other kinds: one pass over 600 images of 28 × 28.
PASS_SECONDS = 1.1
IMPUTER_SECONDS = {
    "knn": 0.1, "iterative": 0.1, "iterative_trees": 1.5, "multiple": 0.4,
    "denoising_autoencoder": 8.0, "miwae": 15.0,
}  # fmt: skip
USUAL_ROWS, START_SECONDS, JUDGE_SECONDS = 600, 5.0, 0.3

Cell = tuple[MissingStrategy, BalanceStrategy]


@dataclass(frozen=True)
class Choice:
    """What is compared: every missing strategy with every balance strategy, with one model."""

    missing: tuple[MissingStrategy, ...]
    balance: tuple[BalanceStrategy, ...]
    model: str
    folds: int = 5

    def values(self) -> dict[str, Any]:
        """Return the choice as plain values for JSON."""
        return asdict(self)


def read_choice(values: Mapping[str, Any]) -> Choice:
    """Return a checked choice; raises `ConfigError` for strategies or models there are not."""
    choice = Choice(
        tuple(values["missing"]), tuple(values["balance"]), values["model"], int(values["folds"])
    )
    known = {"missing": get_args(MissingStrategy), "balance": get_args(BalanceStrategy)}
    for name, strategies in known.items():
        unknown = [given for given in getattr(choice, name) if given not in strategies]
        if unknown:
            raise ConfigError(f"There is no strategy '{unknown[0]}' ({name}).")
    if not choice.missing or not choice.balance:
        raise ConfigError("Choose a strategy for missing values and one for rare classes.")
    if choice.model not in (*LABORATORY_MODELS, *ENCODERS):
        raise ConfigError(
            f"The laboratory compares with one model, and '{choice.model}' is none of "
            f"{', '.join((*LABORATORY_MODELS, *ENCODERS))}."
        )
    if not 2 <= choice.folds <= MOST_FOLDS:
        raise ConfigError(f"The laboratory takes 2 to {MOST_FOLDS} folds.")
    return choice


def list_models(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """Return the models that a laboratory can compare with, for inputs of these kinds.

    >>> "tabm" in list_models(["number", "image"]), "tabm" in list_models(["image"])
    (True, False)
    """
    kinds = set(kinds)
    named = [name for kind, names in ENCODER_NAMES.items() if kind in kinds for name in names]
    table = not kinds or bool(kinds - set(ENCODER_NAMES))
    return (*(name for name in LABORATORY_MODELS if table or name not in TABULAR), *named)


def list_cells(choice: Choice) -> list[Cell]:
    """Return every combination.

    >>> list_cells(Choice(("median", "knn"), ("none",), "logistic"))
    [('median', 'none'), ('knn', 'none')]
    """
    return [(missing, balance) for missing in choice.missing for balance in choice.balance]


def base_cell(choice: Choice) -> Cell:
    """Return the combination that the others are compared with: the least that can be done."""
    missing = "median" if "median" in choice.missing else choice.missing[0]
    return missing, "none" if "none" in choice.balance else choice.balance[0]


def cell_config(config: RunConfig, choice: Choice, cell: Cell) -> RunConfig:
    """Return the settings of one combination."""
    changes = {
        "missing.strategy": cell[0],
        "balance.strategy": cell[1],
        "model.name": choice.model,
    }
    return change_config(config, changes)


def count_fits(choice: Choice, config: RunConfig) -> int:
    """Return how many models are fitted; multiple imputation fits one for each draw.

    >>> count_fits(Choice(("median", "knn"), ("none", "smote"), "logistic"), RunConfig())
    20
    """
    tables = sum(_draws(missing, config) for missing in choice.missing)
    return tables * len(choice.balance) * choice.folds


def estimate_seconds(choice: Choice, config: RunConfig, rows: int) -> float:
    """Return about how long a laboratory on this many rows takes, in seconds."""
    scale = max(rows, 100) / USUAL_ROWS
    one = FIT_SECONDS.get(choice.model, PASS_SECONDS * config.train.epochs)
    fits = count_fits(choice, config) * one
    imputers = sum(IMPUTER_SECONDS.get(missing, 0.0) for missing in choice.missing) * choice.folds
    judging = JUDGE_SECONDS * len(list_cells(choice))
    return START_SECONDS + scale * (fits + imputers + judging)


def _draws(missing: MissingStrategy, config: RunConfig) -> int:
    return config.missing.draws if missing == "multiple" else 1
