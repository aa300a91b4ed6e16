"""The contract at prediction: which inputs may be unknown, and what the model then does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medcore.config import MissingConfig
from medcore.prepare.columns import MISSING, ColumnFit, write_day
from medcore.prepare.imputing import Imputer
from medcore.strategies import MISSING_TITLES

USUAL = {
    "mean": "the training patients' mean",
    "most_frequent": "the training patients' most frequent value",
    "constant": "the constant",
}


@dataclass(frozen=True)
class InputRule:
    """One input: the share of training rows in which it was unknown, and what `then` happens.

    `expected` is False where every training row had a value: the model has not met such a gap.
    """

    column: str
    gaps: float
    then: str

    @property
    def expected(self) -> bool:
        """Tell whether training rows had gaps here."""
        return self.gaps > 0


def make_rules(
    fits: Iterable[ColumnFit],
    kinds: Sequence[Any],
    training: pd.DataFrame,
    missing: MissingConfig,
    imputer: Imputer | None,
) -> tuple[InputRule, ...]:
    """Return one rule for each input the model looks at, from the rows it learned from."""
    estimated = {c.name for c in imputer.coding.columns} if imputer is not None else set()
    rules = [
        InputRule(fit.name, _gaps(training, fit.name), _then(fit, missing, fit.name in estimated))
        for fit in fits
    ]
    for fit in kinds:
        then = f"the model goes by the other inputs and knows that the {fit.kind} is absent"
        rules.append(InputRule(fit.name, _gaps(training, fit.name), then))
    return tuple(rules)


def unexpected_gaps(rules: Iterable[InputRule], frame: pd.DataFrame) -> list[str]:
    """Return a sentence for each input unknown in `frame` though every training patient had it."""
    sentences = []
    for rule in rules:
        absent = rule.column not in frame.columns
        count = len(frame) if absent else int(frame[rule.column].isna().sum())
        if rule.expected or not count:
            continue
        rows = "" if len(frame) == 1 else f" in {count:,} of {len(frame):,} rows"
        sentences.append(
            f"“{rule.column}” is unknown{rows}, but every training patient had it: the model has "
            f"never met such a gap ({rule.then})."
        )
    return sentences


def _gaps(training: pd.DataFrame, name: str) -> float:
    return float(training[name].isna().mean())


def _then(fit: ColumnFit, missing: MissingConfig, estimated: bool) -> str:
    if missing.strategy == "native":
        return "the model takes the gap as it is"
    if estimated:
        title = MISSING_TITLES[missing.strategy]
        name = title if title.isupper() else title[0].lower() + title[1:]
        then = f"estimated from the patient's other values ({name})"
    elif fit.kind == "category":
        own = fit.fill == MISSING
        then = (
            "“missing” counts as a category of its own"
            if own
            else f"the training patients' most frequent value, “{fit.fill}”, stands in"
        )
    else:
        usual = USUAL.get(missing.strategy, "the training patients' median")
        number = fit.fill if fit.kind == "number" else fit.days.fill
        value = f"{number:.4g}" if fit.kind == "number" else write_day(fit.origin, number)
        then = f"{usual}, {value}, stands in"
    indicator = fit.days.indicator if fit.kind == "date" else fit.indicator
    return f"{then}; the model is told that it was unknown" if indicator else then
