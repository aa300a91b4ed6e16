"""Made-up patients, the one question that every explanation asks.

A model is explained by what it says of patients whose columns come from different people: one
column taken from another patient, a patient's values one after the other, everybody at the age of
60. `picks`, int (rows, columns), says it all: row r takes column c from source row picks[r, c].
A column is moved whole, whatever it becomes inside the model (one-hot places, missing indicators,
pixels), so that answers are about columns as people know them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

BLOCK_ROWS = 20_000

Predict = Callable[[pd.DataFrame], np.ndarray]
Answer = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Mixture:
    """Source rows, and what a model says of any mixture of their columns.

    `frame` holds the columns that the model looks at, missing values as NaN / NA / NaT. `answer`
    maps picks (rows, columns) to float64 (rows, targets): a risk for each class, or one value.
    """

    frame: pd.DataFrame
    answer: Answer

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns, in the order of picks."""
        return tuple(map(str, self.frame.columns))

    @cached_property
    def codes(self) -> np.ndarray:
        """A code for each distinct value of a column, int64 (rows, columns); -1 is missing."""
        return np.column_stack([pd.factorize(self.frame[c])[0] for c in self.frame.columns])

    def plain(self, rows: np.ndarray) -> np.ndarray:
        """Return the picks of source rows as they are."""
        return np.repeat(np.asarray(rows)[:, None], len(self.columns), axis=1)

    def ask(self, picks: np.ndarray) -> np.ndarray:
        """Return the answer to any number of picks, float64 (rows, targets), a block at a time."""
        starts = range(0, len(picks), BLOCK_ROWS)
        return np.concatenate([self.answer(picks[at : at + BLOCK_ROWS]) for at in starts])


def mix_frames(predict: Predict, frame: pd.DataFrame) -> Mixture:
    """Return the mixture of any model that predicts a table: (rows,) or (rows, targets).

    >>> table = pd.DataFrame({"age": [40.0, 60.0], "weight": [70.0, 90.0]})
    >>> mixture = mix_frames(lambda rows: rows["age"] + rows["weight"], table)
    >>> mixture.ask(np.array([[0, 1]])).tolist()
    [[130.0]]
    """

    def answer(picks: np.ndarray) -> np.ndarray:
        mixed = {name: frame[name].array.take(picks[:, place]) for place, name in enumerate(frame)}
        said = np.asarray(predict(pd.DataFrame(mixed)), dtype=np.float64)
        return said.reshape(len(picks), -1)

    return Mixture(frame, answer)
