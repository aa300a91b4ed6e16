"""The section for notes and other free text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medcore.config.base import ADVANCED, Section


class TextConfig(Section):
    """How notes are cut into tokens and looked at."""

    encoder: Literal[
        "auto", "text_pretrained", "text_bag", "text_gru", "text_transformer"
    ] = Field(
        "auto", title="Network for text", json_schema_extra=ADVANCED,
        description="The pretrained transformer brings what it read elsewhere: best where notes "
        "are few. The embedding bag looks at which words occur, the recurrent network and the "
        "small transformer at their order too; they learn from your notes alone. Auto takes the "
        "pretrained one where one is at hand, else the embedding bag.",
    )  # fmt: skip
    tokens: int = Field(
        512, ge=16, le=8192, title="Tokens read", json_schema_extra=ADVANCED,
        description="How much of a note the networks read, in tokens (words or pieces of words); "
        "of longer notes the beginning and the end. TF-IDF reads everything.",
    )  # fmt: skip
    vocabulary: int = Field(
        8000, ge=300, le=50_000, title="Vocabulary", json_schema_extra=ADVANCED,
        description="Tokens that are learned from the training notes (byte-pair encoding), for "
        "networks that are trained here.",
    )  # fmt: skip
    terms: int = Field(
        100_000, ge=100, le=1_000_000, title="Terms of TF-IDF", json_schema_extra=ADVANCED,
        description="Words and pairs of words (or pieces of words) that TF-IDF tells apart at "
        "most, the most frequent ones of the training notes.",
    )  # fmt: skip
    mask: float = Field(
        0.1, ge=0, le=0.9, title="Hidden tokens", json_schema_extra=ADVANCED,
        description="Share of a training note's tokens that is hidden at random, so that a network "
        "does not lean on single words. Not for the frozen pretrained transformer.",
    )  # fmt: skip
    fine_tune: bool = Field(
        False, title="Fine-tune the pretrained transformer", json_schema_extra=ADVANCED,
        description="Teaches the transformer itself with your notes, instead of what stands on "
        "top of it alone. Takes long without a graphics processor.",
    )  # fmt: skip
    rate: float = Field(
        0.01, gt=0, le=1, title="Its learning rate", json_schema_extra=ADVANCED,
        description="For fine-tuning: how fast the transformer's last layer learns, as a share of "
        "the learning rate.",
    )  # fmt: skip
    decay: float = Field(
        0.85, gt=0, le=1, title="Its layers' rates", json_schema_extra=ADVANCED,
        description="For fine-tuning: each layer's learning rate is this share of the one's above, "
        "because lower layers hold what is true of language in general.",
    )  # fmt: skip
    model: str = Field(
        "", title="Pretrained transformer", json_schema_extra=ADVANCED,
        description="Folder or hub name of the pretrained transformer, named on the command line "
        "or in a settings file; empty takes MEDCORE_TEXT_MODEL, else the one that an installed "
        "package brings.",
    )  # fmt: skip
