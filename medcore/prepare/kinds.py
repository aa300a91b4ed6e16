"""Columns that are not tabular: one way of fitting and preparing for each kind.

`WAYS` is the table: kind → how its columns are fitted on training rows, made into a `Block` for
any rows, and read back from JSON. A fit is a frozen record with `name` and `kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from medcore.config import RunConfig
from medcore.prepare.audio import audio_block, fit_audio, read_audio_fit
from medcore.prepare.images import fit_image, image_block, read_image_fit
from medcore.prepare.series import fit_series, read_series_fit, series_block
from medcore.prepare.text import fit_text, read_text_fit, text_block
from medcore.records import Block, Dataset


@dataclass(frozen=True)
class Way:
    """How one kind is prepared.

    `fit(name, training, dataset, config)` learns from a column of training rows and returns a
    record, or a sentence where the column has nothing to tell. `block(fit, frame, dataset)` makes
    the block of any rows; a column that `frame` lacks is missing in every row. `read(values)`
    returns a fit from what `dataclasses.asdict` made of it.
    """

    fit: Callable[[str, pd.Series, Dataset, RunConfig], Any]
    block: Callable[[Any, pd.DataFrame, Dataset], Block]
    read: Callable[[Mapping[str, Any]], Any]


WAYS: dict[str, Way] = {
    "image": Way(fit_image, image_block, read_image_fit),
    "audio": Way(fit_audio, audio_block, read_audio_fit),
    "text": Way(fit_text, text_block, read_text_fit),
    "series": Way(fit_series, series_block, read_series_fit),
}
