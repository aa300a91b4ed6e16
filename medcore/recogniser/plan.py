"""What a recogniser is trained on and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from medcore.config import AudioConfig, Section, TrainConfig
from medcore.errors import ConfigError


class RecogniserChoice(Section):
    """Which column says what was said, who said it, and how the recogniser learns."""

    text: str = Field(title="What was said", description="Column with the text of each recording.")
    speaker: str = Field(
        "", title="Speaker",
        description="Column with who spoke; nobody is then learned from and judged on. Without "
        "one, recordings are divided at random, which flatters.",
    )  # fmt: skip
    tokens: Literal["characters", "bpe"] = Field(
        "characters", title="Written in",
        description="Characters, or pieces of words learned from the training texts (byte-pair "
        "encoding): better with many hours, too many to learn with few.",
    )  # fmt: skip
    vocabulary: int = Field(
        200, ge=30, le=5000, title="Pieces of words", description="For pieces of words: how many."
    )
    beam: int = Field(
        16, ge=1, le=256, title="Beam",
        description="Beginnings of a text that are kept while it is read; 1 takes the likeliest "
        "token at each step.",
    )  # fmt: skip
    test: float = Field(
        0.25, ge=0.05, le=0.5, title="Test share",
        description="Share of speakers, or recordings, that are judged on once.",
    )  # fmt: skip
    turns: bool = Field(
        False, title="Judge each speaker in turn",
        description="For few speakers: each is judged on by a recogniser that never heard them, "
        "in at most five groups, and a last one for use learns from all. Takes as many trainings.",
    )  # fmt: skip
    width: int = Field(128, ge=16, le=1024, title="Width", description="Neurons per layer.")
    seed: int = Field(0, ge=0, title="Seed", description="The same seed gives the same numbers.")
    audio: AudioConfig = AudioConfig()
    train: TrainConfig = TrainConfig(
        epochs=40, batch_size=16, learning_rate=3e-3, weight_decay=1e-2, patience=20
    )


def read_changes(changes: Mapping[str, Any]) -> RecogniserChoice:
    """Return the choice that dotted settings make; what they do not name stays at its default.

    >>> read_changes({"text": "said", "train.epochs": "3"}).train.epochs
    3
    """
    values: dict[str, Any] = {"train": RecogniserChoice.model_fields["train"].default.model_dump()}
    for path, value in changes.items():
        section, dot, name = path.partition(".")
        if dot:
            values.setdefault(section, {})[name] = value
        else:
            values[section] = value
    return read_recogniser_choice(values)


def read_recogniser_choice(values: Mapping[str, Any]) -> RecogniserChoice:
    """Return a checked choice; raises `ConfigError` with the first wrong setting."""
    try:
        return RecogniserChoice.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"Setting '{where}' cannot be set so: {first['msg']}.") from None
