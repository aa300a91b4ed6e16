"""The words that settings are made of, and what every section shares."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["number", "category", "text", "image", "audio", "series", "date"]
Role = Literal[
    "input", "outcome", "patient", "site", "date", "duration", "event", "treatment", "ignored",
    "visit", "measurement",
]  # fmt: skip
Task = Literal["binary", "multiclass", "multilabel", "regression", "survival", "effect"]
Part = Literal["train", "validation", "calibration", "test"]
ImageEncoder = Literal[
    "resnet_small", "resnet18", "resnet50", "densenet121", "efficientnet_b0", "vit_small",
    "resnet3d_small",
]  # fmt: skip
AudioEncoder = Literal["recogniser", "crnn"]
TextEncoder = Literal["text_pretrained", "text_bag", "text_gru", "text_transformer"]
SeriesEncoder = Literal["gru_d", "gru", "lstm", "tcn", "time_transformer"]
# Networks that are named by how they look at one kind of column.
EncoderName = Literal[ImageEncoder, AudioEncoder, TextEncoder, SeriesEncoder]
ModelName = Literal[
    "recommended", "tabm", "mlp", EncoderName, "tfidf", "tfidf_characters", "logistic",
    "random_forest", "gradient_boosting", "cox", "deepsurv", "logistic_hazard", "deephit",
    "dr_learner", "s_learner", "t_learner", "x_learner", "tarnet", "dragonnet",
]  # fmt: skip
# Regressions on the weighted terms of notes: words, or pieces of words.
TERM_MODELS = ("tfidf", "tfidf_characters")
Preset = Literal["quick", "balanced", "thorough"]
MissingStrategy = Literal[
    "median", "mean", "most_frequent", "constant", "knn", "iterative", "iterative_trees",
    "multiple", "denoising_autoencoder", "miwae", "drop_rows", "drop_columns", "native",
]  # fmt: skip
BalanceStrategy = Literal[
    "none", "class_weight", "focal", "logit_adjusted", "balanced_sampler", "oversample",
    "undersample", "smote",
]  # fmt: skip
Recalibration = Literal["none", "logistic", "prior", "temperature", "isotonic"]
ModelRecalibration = Literal["none", "logistic", "temperature", "isotonic"]
ThresholdRule = Literal["youden", "f1", "sensitivity", "specificity", "cost", "alarms", "fixed"]

ADVANCED = {"advanced": True}


class Section(BaseModel):
    """A group of settings; unknown names are refused and instances never change."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def read_list(value: Any) -> Any:
    """Return the words of a list written in one line, as the command line gives it.

    >>> read_list("1y, 5y")
    ('1y', '5y')
    """
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    return value
