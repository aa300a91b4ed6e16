"""The plan of a fit: which models are fitted on which rows, and who judges them meanwhile.

With one fold, models learn from the training part and are judged on the validation part. With
several folds ("cross-fitting"), training and validation rows together are divided, patients kept
whole; every model is fitted once without each fold and judged on it, and the final model is the
mean of those fits. Test and calibration rows take no part in either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from medcore.config import ENCODER_NAMES, Kind, RunConfig, generator
from medcore.data.media import count_slices, image_shape
from medcore.errors import FitError
from medcore.prepare.audio import MOST_SECONDS, choose_audio_encoder
from medcore.prepare.series import choose_series_encoder
from medcore.prepare.text import choose_text_encoder
from medcore.records import Dataset, Parts
from medcore.sound import kept_seconds
from medcore.split import cross_fit_folds, outcome_strata
from medcore.strategies import base_name, suits

RECOMMENDED = ("logistic", "tabm", "random_forest")
RECOMMENDED_SURVIVAL = ("cox", "deepsurv")
# What is recommended where all inputs are of one other kind; "encoder" stands for the section's
# choice, and a number for another fit of it from other random numbers.
RECOMMENDED_OF: dict[str, tuple[str, ...]] = {
    "image": ("encoder", "encoder 2", "encoder 3"),
    "audio": ("encoder", "encoder 2", "encoder 3"),
    "text": ("tfidf", "tfidf_characters", "encoder"),
    "series": ("encoder", "gradient_boosting"),
}
# Rows × numbers an item × epochs beyond which one fit of a network must do.
QUICK = 2e8
LOOK = 20
# What stands beside a model that sees no table: the simple features are enough for these.
SPARE_BASELINES = ("prevalence", "logistic", "tfidf", "cox")
# What stands beside a model that sees courses: each thing's last known value, and nothing else.
LAST_BASELINES = ("last_logistic", "last_boosting")
BASELINES = (
    "prevalence", "logistic", "tfidf", "random_forest", "gradient_boosting", "cox", *LAST_BASELINES,
)  # fmt: skip

# Cross-fitting pays where rows are few; beyond, one validation part decides as well and sooner.
MANY_FOLDS, MANY_FOLDS_ROWS = 5, 5_000
FEW_FOLDS, FEW_FOLDS_ROWS = 3, 20_000

# How long one fit takes beside the others, for the progress bar.
COST = {
    "prevalence": 0.05,
    "logistic": 0.2,
    "tfidf": 0.6,
    "tfidf_characters": 1.0,
    "random_forest": 1.0,
    "gradient_boosting": 1.0,
    "mlp": 6.0,
    "tabm": 12.0,
    "cox": 0.2,
    "last_logistic": 0.2,
    "last_boosting": 0.6,
    "deepsurv": 6.0,
    "logistic_hazard": 6.0,
    "deephit": 8.0,
}
ENCODER_COST = 24.0


def fit_cost(name: str) -> float:
    """Return how long a fit takes beside the others."""
    return COST.get(base_name(name), ENCODER_COST)


@dataclass(frozen=True, eq=False)
class Fold:
    """Rows to learn from and rows to be judged on, as row ids."""

    learn: np.ndarray
    judge: np.ndarray


@dataclass(frozen=True, eq=False)
class Plan:
    """`members` make up the model, `names` are all that is fitted, baselines included."""

    members: tuple[str, ...]
    names: tuple[str, ...]
    folds: tuple[Fold, ...]

    @property
    def cross(self) -> bool:
        """Tell whether predictions for the development rows come out of several folds."""
        return len(self.folds) > 1

    def label(self, name: str, fold: int) -> str:
        """Return what a fit is called, e.g. "tabm, fold 2 of 5"."""
        return f"{name}, fold {fold + 1} of {len(self.folds)}" if self.cross else name


def make_plan(
    dataset: Dataset,
    parts: Parts,
    config: RunConfig,
    classes: Sequence[str],
    baselines: Sequence[str] = BASELINES,
) -> Plan:
    """Return the plan for the parts of a split; `parts` may lack validation rows.

    Raises `FitError` when there are too few patients to hold any out.
    """
    chosen = config.model.name
    members = choose_members(dataset, parts, config) if chosen == "recommended" else (chosen,)
    kinds = block_kinds(dataset)
    task = "survival" if dataset.with_role("event") else "binary"
    baselines = [name for name in baselines if suits(name, task)]
    if not has_table(dataset) and "series" not in kinds:
        baselines = [name for name in baselines if name in SPARE_BASELINES]
    if "text" not in kinds:
        baselines = [name for name in baselines if name != "tfidf"]
    if "series" not in kinds:
        baselines = [name for name in baselines if name not in LAST_BASELINES]
    # Networks come first: their epochs are what a waiting person wants to see.
    names = sorted({*members, *baselines}, key=lambda name: (-fit_cost(name), name))
    train = parts["train"]
    validation = parts.get("validation", train[:0])
    rows = len(train) + len(validation)
    # Several fits of a network over images or notes take longer than they are worth.
    quick = not kinds or (kinds == ("text",) and _reads_quickly(config))
    worth = chosen == "recommended" and rows < FEW_FOLDS_ROWS and quick
    cross = not len(validation) or worth
    folds: tuple[Fold, ...] = (Fold(train, validation),)
    if cross:
        empty = train[:0]
        both = np.sort(np.concatenate([train, parts.get("validation", empty)]))
        count = MANY_FOLDS if len(both) < MANY_FOLDS_ROWS else FEW_FOLDS
        folds = draw_folds(dataset, both, count, config.seed, named=bool(classes))
    if not folds:
        raise FitError(f"{rows} rows are too few to learn from and judge on; bring more patients.")
    return Plan(tuple(members), tuple(names), folds)


def block_kinds(dataset: Dataset) -> tuple[Kind, ...]:
    """Return the kinds of the inputs that are not tabular, each once."""
    kinds = (column.kind for column in dataset.with_role("input"))
    return tuple(dict.fromkeys(kind for kind in kinds if kind in ENCODER_NAMES))


def has_table(dataset: Dataset) -> bool:
    """Tell whether an input is a number, a category or a date."""
    return any(column.kind not in ENCODER_NAMES for column in dataset.with_role("input"))


def choose_members(dataset: Dataset, parts: Parts, config: RunConfig) -> tuple[str, ...]:
    """Return the members of the recommended model for these inputs.

    A table's recipe; that of the only other kind; or, with several, one network over all of them
    beside the table's recipe.
    """
    kinds = block_kinds(dataset)
    if dataset.with_role("event"):
        return RECOMMENDED_SURVIVAL
    if not kinds:
        return RECOMMENDED
    if kinds == ("series",):
        # The network sees the table beside the courses, and boosting the courses in numbers.
        series = [c for c in dataset.with_role("input") if c.kind == "series"]
        encoder = choose_series_encoder(config, signals=not any(c.made_of for c in series))
        return tuple(name.replace("encoder", encoder) for name in RECOMMENDED_OF["series"])
    words = ("tfidf",) if "text" in kinds else ()
    if has_table(dataset):
        return ("mlp", *RECOMMENDED, *words)
    if len(kinds) > 1:
        return ("mlp", "logistic", *words)
    encoder = getattr(config, kinds[0]).encoder
    if kinds == ("audio",):
        encoder = choose_audio_encoder(config)
    if kinds == ("text",):
        encoder = choose_text_encoder(config)
        if encoder == "text_pretrained" and not config.text.fine_tune:
            # Few notes teach a regression on what a transformer reads better than a network.
            return ("tfidf", "tfidf_characters", "logistic")
    members = [name.replace("encoder", encoder) for name in RECOMMENDED_OF[kinds[0]]]
    if encoder == "recogniser":
        # Its head is all that learns, and ends in the same place from other random numbers.
        return (encoder,)
    work = len(parts["train"]) * _item_numbers(dataset, config) * config.train.epochs
    return tuple(members if work <= QUICK else [m for m in members if " " not in m])


def _reads_quickly(config: RunConfig) -> bool:
    """Tell whether the encoder of notes learns fast enough to be fitted several times."""
    encoder = choose_text_encoder(config)
    return encoder == "text_bag" or (encoder == "text_pretrained" and not config.text.fine_tune)


def _item_numbers(dataset: Dataset, config: RunConfig) -> int:
    """Return how many numbers an image, or a spectrogram, has; from some of them."""
    largest = 1
    for column in dataset.with_role("input"):
        if column.kind == "image" and dataset.media is not None:
            for name in dataset.frame[column.name].dropna().head(LOOK):
                height, width = image_shape(dataset.media, str(name))[:2]
                scale = min(1.0, config.image.size / max(height, width))
                slices = min(count_slices(dataset.media, str(name)), config.image.slices)
                largest = max(largest, slices * round(height * scale) * round(width * scale))
        if column.kind == "audio" and dataset.media is not None:
            for name in dataset.frame[column.name].dropna().head(LOOK):
                seconds = min(MOST_SECONDS, kept_seconds(dataset.media / str(name)))
                largest = max(largest, round(100 * seconds) * config.audio.bands)
    return largest


def draw_folds(
    dataset: Dataset, rows: np.ndarray, count: int, seed: int, *, named: bool
) -> tuple[Fold, ...]:
    """Divide rows into folds for cross-fitting, patients kept whole; `named` outcomes are classes.

    There may be fewer folds than `count` where patients are few.
    """
    frame = dataset.frame.loc[rows]
    outcome = outcome_strata(dataset).loc[rows]
    patients = dataset.with_role("patient")
    group = frame[patients[0].name] if patients else pd.Series(np.arange(len(rows)))
    held = cross_fit_folds(outcome, group, count, generator(seed, "cross-fit"))
    codes, _ = pd.factorize(group.reset_index(drop=True), use_na_sentinel=False)
    words = outcome.to_numpy(object) if named else None
    folds = (_make_fold(rows, held_out, words, codes) for held_out in held)
    return tuple(fold for fold in folds if len(fold.judge) and len(fold.learn))


def _make_fold(
    rows: np.ndarray, held_out: np.ndarray, words: np.ndarray | None, group: np.ndarray
) -> Fold:
    """Hold out the rows at the positions `held_out`, less the patients nobody else stands for.

    A class that only the held-out patients have stays in learning, and so do those patients.
    """
    judge = np.zeros(len(rows), dtype=bool)
    judge[held_out] = True
    if words is not None:
        lost = judge & ~np.isin(words, words[~judge])
        judge &= ~np.isin(group, group[lost])
    return Fold(rows[~judge], rows[judge])
