"""`RunConfig`: everything that decides a run, and the only source of forms, flags and defaults.

A field's `title` is its label, `description` its help text; `ge`/`le` its limits. The pages build
their widgets from these, the command line its `--set section.field=value`.
"""

from __future__ import annotations

import hashlib
import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import Field, ValidationError

from medcore.config.audio import AudioConfig
from medcore.config.base import (
    ADVANCED,
    TERM_MODELS,
    BalanceStrategy,
    EncoderName,
    Kind,
    MissingStrategy,
    ModelName,
    ModelRecalibration,
    Part,
    Preset,
    Recalibration,
    Role,
    Section,
    Task,
    ThresholdRule,
)
from medcore.config.effects import EffectConfig
from medcore.config.judging import EvaluateConfig, OutcomeConfig, SplitConfig
from medcore.config.modalities import ENCODER_NAMES, ImageChanges, ImageConfig, SeriesConfig
from medcore.config.sections import (
    AugmentConfig,
    BalanceConfig,
    DataConfig,
    MissingConfig,
    ModelConfig,
    PrepareConfig,
    Repair,
    TrainConfig,
)
from medcore.config.text import TextConfig
from medcore.errors import ConfigError

__all__ = [
    "ENCODER_NAMES",
    "KIND_PRESETS",
    "PRESETS",
    "TERM_MODELS",
    "AudioConfig",
    "AugmentConfig",
    "BalanceConfig",
    "BalanceStrategy",
    "DataConfig",
    "EffectConfig",
    "EncoderName",
    "EvaluateConfig",
    "ImageChanges",
    "ImageConfig",
    "Kind",
    "MissingConfig",
    "MissingStrategy",
    "ModelConfig",
    "ModelName",
    "ModelRecalibration",
    "OutcomeConfig",
    "Part",
    "PrepareConfig",
    "Preset",
    "Recalibration",
    "Repair",
    "Role",
    "RunConfig",
    "Section",
    "SeriesConfig",
    "SplitConfig",
    "Task",
    "TextConfig",
    "ThresholdRule",
    "TrainConfig",
    "change_config",
    "generator",
    "load_config",
    "preset_config",
    "preset_values",
]

CONFIG_VERSION = 1


class RunConfig(Section):
    """Everything that decides a run.

    >>> RunConfig().model.name
    'recommended'
    """

    version: Literal[1] = CONFIG_VERSION
    task: Task | None = Field(None, title="Task", description="Inferred from the outcome.")
    seed: int = Field(0, ge=0, le=2**31 - 1, title="Seed", json_schema_extra=ADVANCED,
                      description="The same seed gives the same numbers.")  # fmt: skip
    data: DataConfig = DataConfig()
    outcome: OutcomeConfig = OutcomeConfig()
    split: SplitConfig = SplitConfig()
    missing: MissingConfig = MissingConfig()
    prepare: PrepareConfig = PrepareConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    balance: BalanceConfig = BalanceConfig()
    augment: AugmentConfig = AugmentConfig()
    image: ImageConfig = ImageConfig()
    audio: AudioConfig = AudioConfig()
    text: TextConfig = TextConfig()
    series: SeriesConfig = SeriesConfig()
    effect: EffectConfig = EffectConfig()
    evaluate: EvaluateConfig = EvaluateConfig()


PRESETS: dict[Preset, dict[str, Any]] = {
    "quick": {"train.epochs": 24, "train.patience": 5},
    "balanced": {},
    "thorough": {
        "train.epochs": 100,
        "train.patience": 20,
        "train.learning_rate": 2e-3,
        "model.ensemble": 32,
        "model.width": 128,
    },
}


def load_config(values: dict[str, Any]) -> RunConfig:
    """Check a plain dict (a read `config.json`) and return the config.

    Raises `ConfigError` with the first wrong field, its value and the rule.
    """
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "config"
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"There is no setting '{where}'; check its spelling.") from None
        raise ConfigError(
            f"Setting '{where}' cannot be {first['input']!r}: {first['msg']}."
        ) from None


def change_config(config: RunConfig, changes: dict[str, Any]) -> RunConfig:
    """Return a config with dotted fields changed, e.g. `{"train.epochs": 20}`.

    >>> change_config(RunConfig(), {"train.epochs": "20"}).train.epochs
    20
    """
    values = config.model_dump()
    for path, value in changes.items():
        *sections, field = path.split(".")
        place: Any = values
        for section in sections:
            place = place.get(section) if isinstance(place, dict) else None
        if not isinstance(place, dict) or (field not in place and place is values):
            raise ConfigError(f"There is no setting '{path}'; check its spelling.")
        place[field] = None if value in ("none", "None") and _is_optional(path) else value
    return load_config(values)


def _is_optional(path: str) -> bool:
    model: Any = RunConfig
    annotation: Any = None
    for part in path.split("."):
        field = getattr(model, "model_fields", {}).get(part)
        if field is None:
            return False
        annotation = model = field.annotation
    return get_origin(annotation) in (Union, types.UnionType) and type(None) in get_args(annotation)


# What the presets mean where a column of another kind is an input; a pass takes longer there, and
# one-cycle training is best at its very end.
_AUDIO = {"train.learning_rate": 3e-3, "train.batch_size": 32, "train.weight_decay": 0.05}
_SERIES = {
    "train.learning_rate": 5e-3, "train.batch_size": 64, "train.weight_decay": 0.02,
    "model.quantiles": True,
}  # fmt: skip
_TEXT = {"train.learning_rate": 3e-3, "train.batch_size": 32, "train.weight_decay": 0.05}
_IMAGE = {"train.learning_rate": 3e-3, "train.batch_size": 64, "train.weight_decay": 0.05}
KIND_PRESETS: dict[Kind, dict[Preset, dict[str, Any]]] = {
    "image": {
        "quick": {"train.epochs": 6, **_IMAGE},
        "balanced": {"train.epochs": 12, "train.patience": 12, **_IMAGE},
        "thorough": {"train.epochs": 40, "train.patience": 40, **_IMAGE},
    },
    "audio": {
        "quick": {"train.epochs": 15, "train.patience": 15, **_AUDIO},
        "balanced": {"train.epochs": 40, "train.patience": 40, **_AUDIO},
        "thorough": {"train.epochs": 100, "train.patience": 100, **_AUDIO},
    },
    "text": {
        "quick": {"train.epochs": 8, "train.patience": 4, **_TEXT},
        "balanced": {"train.epochs": 20, "train.patience": 6, **_TEXT},
        "thorough": {"train.epochs": 60, "train.patience": 15, **_TEXT},
    },
    "series": {
        "quick": {"train.epochs": 12, "train.patience": 6, **_SERIES},
        "balanced": {"train.epochs": 25, "train.patience": 10, **_SERIES},
        "thorough": {"train.epochs": 60, "train.patience": 20, **_SERIES},
    },
}


def preset_values(preset: Preset, kinds: Iterable[Kind] = ()) -> dict[str, Any]:
    """Return what a preset sets for inputs of these kinds; the last kind with a word to say wins.

    >>> preset_values("balanced", ["number", "image"])["train.epochs"]
    12
    """
    values = dict(PRESETS[preset])
    for kind in kinds:
        values |= KIND_PRESETS.get(kind, {}).get(preset, {})
    return values


def preset_config(
    preset: Preset, config: RunConfig | None = None, kinds: Iterable[Kind] = ()
) -> RunConfig:
    """Return the config with a preset's values for inputs of these kinds.

    >>> preset_config("quick").train.epochs
    24
    """
    return change_config(config or RunConfig(), preset_values(preset, kinds))


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Return the random generator that belongs to a seed and a purpose, e.g. `("split", 3)`.

    >>> bool(generator(0, "split").random() == generator(0, "split").random())
    True
    """
    text = "/".join(str(name) for name in names)
    words = np.frombuffer(hashlib.sha256(text.encode()).digest(), dtype=np.uint32)
    return np.random.default_rng([seed, *words.tolist()])
