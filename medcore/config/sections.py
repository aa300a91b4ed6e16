"""The sections of `RunConfig`: one class a group of settings.

A field's `title` is its label, `description` its help text; `ge`/`le` its limits. The pages build
their widgets from these, the command line its `--set section.field=value`.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from medcore.config.base import (
    ADVANCED,
    BalanceStrategy,
    Kind,
    MissingStrategy,
    ModelName,
    ModelRecalibration,
    Recalibration,
    Role,
    Section,
)


class Repair(Section):
    """One change of the data that the user agreed to; applied alike in training and prediction.

    `missing_values`: the listed `values` of `column` are read as missing.
    `merge_spellings`: `mapping` (spelling found → spelling kept) is applied to `column`.
    `parse_numbers`: numbers stored as text become numbers (`mapping` may say how: "decimal",
    "thousands", "unit").
    `ignore_column`: `column` gets the role ignored.
    `drop_duplicates`: rows equal in every column are kept once (training data only).
    `missing_above`/`missing_below`: values beyond the limit in `values[0]` are read as missing.
    """

    action: Literal[
        "missing_values",
        "merge_spellings",
        "parse_numbers",
        "ignore_column",
        "drop_duplicates",
        "missing_above",
        "missing_below",
    ]
    column: str = ""
    values: tuple[str, ...] = ()
    mapping: dict[str, str] = Field(default_factory=dict)


class DataConfig(Section):
    """What each column is, and the repairs agreed to; what is not given is inferred."""

    roles: dict[str, Role] = Field(default_factory=dict, title="Roles")
    kinds: dict[str, Kind] = Field(default_factory=dict, title="Kinds")
    units: dict[str, str] = Field(default_factory=dict, title="Units")
    repairs: tuple[Repair, ...] = Field(default=(), title="Repairs agreed to")


class MissingConfig(Section):
    """What stands in for a value that was not measured."""

    strategy: MissingStrategy = Field(
        "median", title="Missing values",
        description="Learned from the training patients only. Median, mean, most frequent value or "
        "a constant fill each column by itself. Nearest neighbours, iterative, multiple "
        "imputation, the autoencoder and MIWAE estimate a value from the patient's others. Drop "
        "rows or columns learns without those that miss too much. Native leaves gaps to gradient "
        "boosting.",
    )  # fmt: skip
    indicator: bool = Field(
        True, title="Tell the model what was missing",
        description="Adds a yes/no input per column: a test not done can itself be informative.",
    )  # fmt: skip
    limit: float = Field(
        0.0, ge=0, lt=1, title="Most that may be missing", json_schema_extra=ADVANCED,
        description="For drop rows and drop columns: what misses a larger share is left out of "
        "learning; 0 keeps only what is complete.",
    )  # fmt: skip
    constant: float = Field(
        0.0, ge=-1e9, le=1e9, title="Constant", json_schema_extra=ADVANCED,
        description="For the strategy constant: stands in for missing numbers. Missing categories "
        "become a category of their own.",
    )  # fmt: skip
    neighbours: int = Field(
        5, ge=1, le=100, title="Nearest neighbours", json_schema_extra=ADVANCED,
        description="For nearest neighbours: similar training patients whose values are averaged.",
    )  # fmt: skip
    rounds: int = Field(
        10, ge=1, le=50, title="Rounds of iteration", json_schema_extra=ADVANCED,
        description="For iterative and multiple imputation: how often each column is estimated "
        "anew from the others, at most.",
    )  # fmt: skip
    draws: int = Field(
        5, ge=2, le=50, title="Imputations", json_schema_extra=ADVANCED,
        description="For multiple imputation: completed tables, each with a model of its own. "
        "About as many as per cent of rows with gaps is a good number.",
    )  # fmt: skip


class PrepareConfig(Section):
    """How columns become numbers."""

    scaling: Literal["standard", "robust", "quantile"] = Field(
        "quantile", title="Scaling of numbers", json_schema_extra=ADVANCED,
        description="Quantile copes with skewed laboratory values; robust uses median and "
        "quartiles; standard uses mean and standard deviation.",
    )  # fmt: skip
    max_categories: int = Field(
        50, ge=2, le=1000, title="Categories kept per column", json_schema_extra=ADVANCED,
        description="The most frequent ones; the others share one place with unseen categories.",
    )  # fmt: skip


class ModelConfig(Section):
    """Which network, and its size."""

    name: ModelName = Field(
        "recommended", title="Model",
        description="Recommended joins a deep ensemble (TabM) with a logistic regression and a "
        "random forest; for time to event a Cox regression with a deep one (DeepSurv); for "
        "notes TF-IDF of words and of pieces of words with a pretrained transformer; for "
        "visits a GRU-D network with gradient boosting. They are weighted by predictions for "
        "patients they were not fitted on. For the effect of treatment it is the DR-learner.",
    )  # fmt: skip
    width: int = Field(
        64, ge=8, le=2048, title="Width", json_schema_extra=ADVANCED,
        description="Neurons per hidden layer.",
    )  # fmt: skip
    layers: int = Field(
        2, ge=0, le=8, title="Layers", json_schema_extra=ADVANCED,
        description="Hidden layers; 0 leaves a linear model of the encoded inputs.",
    )  # fmt: skip
    dropout: float = Field(
        0.1, ge=0, le=0.8, title="Dropout", json_schema_extra=ADVANCED,
        description="Share of neurons switched off at random in training; guards against "
        "learning patients by heart.",
    )  # fmt: skip
    ensemble: int = Field(
        8, ge=1, le=64, title="TabM members", json_schema_extra=ADVANCED,
        description="Networks that TabM trains as one and averages.",
    )  # fmt: skip
    embedding: Literal["none", "piecewise_linear"] = Field(
        "piecewise_linear", title="Embedding of numbers", json_schema_extra=ADVANCED,
        description="Piecewise linear gives each number its own learned curve.",
    )  # fmt: skip
    bins: int = Field(
        16, ge=2, le=128, title="Pieces per number", json_schema_extra=ADVANCED,
        description="Pieces of each number's learned curve.",
    )  # fmt: skip
    recalibration: ModelRecalibration = Field(
        "none", title="Recalibration", json_schema_extra=ADVANCED,
        description="How the model's risks are put right on the calibration part, whatever was "
        "done about rare classes. Logistic (Platt) corrects level and spread, temperature the "
        "spread; neither changes who ranks above whom. Isotonic bends freely and needs 1,000 "
        "patients.",
    )  # fmt: skip
    quantiles: bool = Field(
        False, title="Learn the interval of a number", json_schema_extra=ADVANCED,
        description="Networks for a number also learn its quantiles, so that an interval is wide "
        "where outcomes vary much and narrow where they do not (conformalised quantile regression, "
        "Romano et al. 2019); else all are as wide. Set by the presets for visits.",
    )  # fmt: skip
    intervals: int = Field(
        20, ge=2, le=200, title="Intervals of time", json_schema_extra=ADVANCED,
        description="For the logistic hazard and DeepHit: pieces that follow-up is divided into, "
        "with about as many events in each.",
    )  # fmt: skip


class TrainConfig(Section):
    """How the network learns."""

    epochs: int = Field(
        40, ge=1, le=2000, title="Epochs",
        description="Passes over the training patients; early stopping may end sooner.",
    )  # fmt: skip
    batch_size: int = Field(
        128, ge=1, le=65536, title="Batch size", json_schema_extra=ADVANCED,
        description="Patients per learning step; of few images fewer, so that each pass has eight.",
    )  # fmt: skip
    optimizer: Literal["adamw", "sgd"] = Field(
        "adamw", title="Optimiser", json_schema_extra=ADVANCED,
        description="AdamW is the safe choice; SGD runs with momentum.",
    )  # fmt: skip
    learning_rate: float = Field(
        5e-3, gt=0, le=10, title="Learning rate", json_schema_extra=ADVANCED,
        description="Size of a learning step at its largest.",
    )  # fmt: skip
    momentum: float = Field(
        0.9, ge=0, lt=1, title="Momentum", json_schema_extra=ADVANCED, description="For SGD.",
    )  # fmt: skip
    schedule: Literal["one_cycle", "constant"] = Field(
        "one_cycle", title="Learning-rate schedule", json_schema_extra=ADVANCED,
        description="One cycle warms up and cools down; constant stays.",
    )  # fmt: skip
    weight_decay: float = Field(
        1e-2, ge=0, le=10, title="Weight decay", json_schema_extra=ADVANCED,
        description="Pulls weights towards zero; guards against learning patients by heart.",
    )  # fmt: skip
    label_smoothing: float = Field(
        0.0, ge=0, le=0.5, title="Label smoothing", json_schema_extra=ADVANCED,
        description="Softens the classes; makes predicted risks less extreme.",
    )  # fmt: skip
    clip_norm: float = Field(
        1.0, ge=0, le=1000, title="Gradient clipping", json_schema_extra=ADVANCED,
        description="Largest gradient norm of a step; 0 switches it off.",
    )  # fmt: skip
    patience: int = Field(
        8, ge=1, le=1000, title="Patience", json_schema_extra=ADVANCED,
        description="Epochs without a better validation loss before training ends.",
    )  # fmt: skip
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", title="Device", json_schema_extra=ADVANCED,
        description="Auto takes a graphics processor when there is one.",
    )  # fmt: skip
    mixed_precision: Literal["auto", "off"] = Field(
        "auto", title="Mixed precision", json_schema_extra=ADVANCED,
        description="Auto uses half precision on CUDA, where it is faster.",
    )  # fmt: skip


class BalanceConfig(Section):
    """What is done about rare classes; by default nothing but a well-chosen threshold."""

    strategy: BalanceStrategy = Field(
        "none", title="Rare classes",
        description="None, with a chosen threshold, is usually best: re-weighting and re-sampling "
        "seldom find more patients and make risks too high (van den Goorbergh et al. 2022); "
        "after them the risks are recalibrated. SMOTE invents patients between real ones; focal "
        "loss, the logit-adjusted loss and the balanced sampler work in networks only.",
    )  # fmt: skip
    strength: float = Field(
        1.0, gt=0, le=1, title="Strength of balancing", json_schema_extra=ADVANCED,
        description="1 makes all classes count alike in training; smaller values go part of the "
        "way. For weights, sampler, over- and under-sampling and SMOTE.",
    )  # fmt: skip
    gamma: float = Field(
        2.0, ge=0, le=10, title="Focal loss: gamma", json_schema_extra=ADVANCED,
        description="How little patients count that the network already gets right; "
        "0 is the plain loss.",
    )  # fmt: skip
    tau: float = Field(
        1.0, ge=0, le=5, title="Logit adjustment: tau", json_schema_extra=ADVANCED,
        description="How far the classes' frequencies are taken out of what the network learns; "
        "1 wholly, 0 not at all.",
    )  # fmt: skip
    neighbours: int = Field(
        5, ge=1, le=50, title="SMOTE: neighbours", json_schema_extra=ADVANCED,
        description="Similar patients of the class between whom new ones are drawn; "
        "fewer are taken where a class is smaller.",
    )  # fmt: skip
    recalibration: Recalibration = Field(
        "logistic", title="Recalibration afterwards", json_schema_extra=ADVANCED,
        description="How risks are put right after any of the strategies, on patients the model "
        "was not fitted on. Logistic (Platt) corrects level and spread; prior takes out exactly "
        "what was put in; temperature does that and corrects the spread; isotonic bends freely "
        "and needs 1,000 patients; none leaves the risks distorted, so that there is no decision "
        "curve.",
    )  # fmt: skip


class AugmentConfig(Section):
    """Random changes of the training rows, drawn anew for each learning step; 0 switches off."""

    mixup: float = Field(
        0.0, ge=0, le=10, title="Mixup", json_schema_extra=ADVANCED,
        description="Networks learn from mixtures of two patients and of their outcomes; "
        "0.2 is mild, 1 strong.",
    )  # fmt: skip
    mask: float = Field(
        0.0, ge=0, le=0.9, title="Masking", json_schema_extra=ADVANCED,
        description="Share of columns hidden at random in each row, so that a network does not "
        "lean on one of them; where an image is the only input, of its parts. "
        "Notes, recordings and visits have settings of their own.",
    )  # fmt: skip
    noise: float = Field(
        0.0, ge=0, le=2, title="Noise", json_schema_extra=ADVANCED,
        description="Standard deviation of random noise on scaled numbers; 0.1 is mild.",
    )  # fmt: skip
