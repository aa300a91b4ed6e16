"""Which strategies for rare classes and missing values go with which task and model, in words."""

from __future__ import annotations

from collections.abc import Mapping

from medcore.config import (
    ENCODER_NAMES,
    TERM_MODELS,
    BalanceConfig,
    BalanceStrategy,
    EncoderName,
    Kind,
    MissingStrategy,
    Recalibration,
    RunConfig,
    Task,
)
from medcore.errors import ConfigError

ROW_STRATEGIES = ("oversample", "undersample", "smote")
NETWORK_STRATEGIES = ("focal", "logit_adjusted", "balanced_sampler")
# What can treat one finding of a patient without treating the patient's others.
LABEL_STRATEGIES = ("class_weight", "focal")
# Networks and plain models for time to event, and for nothing else.
SURVIVAL_NETWORKS = ("deepsurv", "logistic_hazard", "deephit")
SURVIVAL_MODELS = ("cox", *SURVIVAL_NETWORKS)
# Networks that answer for either arm of a treatment, and what else tells who benefits.
EFFECT_NETWORKS = ("tarnet", "dragonnet")
EFFECT_MODELS = ("dr_learner", "s_learner", "t_learner", "x_learner", *EFFECT_NETWORKS)
FITTED_NETWORKS = (
    "mlp", "tabm", *(name for names in ENCODER_NAMES.values() for name in names),
    *SURVIVAL_NETWORKS, *EFFECT_NETWORKS,
)  # fmt: skip
NETWORKS = (*FITTED_NETWORKS, "recommended")
ENCODER_TITLES: dict[EncoderName, str] = {
    "resnet_small": "Small residual network",
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "densenet121": "DenseNet-121",
    "efficientnet_b0": "EfficientNet-B0",
    "vit_small": "Small vision transformer",
    "resnet3d_small": "Small residual network in 3-D",
    "recogniser": "Frozen speech recogniser",
    "crnn": "Convolutional-recurrent network",
    "text_pretrained": "Pretrained text transformer",
    "text_bag": "Embedding bag",
    "text_gru": "Recurrent network for text",
    "text_transformer": "Small text transformer",
    "gru_d": "GRU-D",
    "gru": "GRU",
    "lstm": "LSTM",
    "tcn": "Temporal convolution",
    "time_transformer": "Transformer over visits",
}
BALANCE_TITLES: dict[BalanceStrategy, str] = {
    "none": "Nothing, with a chosen threshold",
    "class_weight": "Class weights",
    "focal": "Focal loss",
    "logit_adjusted": "Logit-adjusted loss",
    "balanced_sampler": "Balanced sampler",
    "oversample": "Random over-sampling",
    "undersample": "Random under-sampling",
    "smote": "SMOTE",
}
RECALIBRATION_TITLES: dict[Recalibration, str] = {
    "none": "Taken as they are",
    "logistic": "Logistic (Platt)",
    "prior": "Prior correction",
    "temperature": "Temperature",
    "isotonic": "Isotonic",
}
MISSING_TITLES: dict[MissingStrategy, str] = {
    "median": "Median",
    "mean": "Mean",
    "most_frequent": "Most frequent value",
    "constant": "Constant",
    "knn": "Nearest neighbours",
    "iterative": "Iterative (ridge)",
    "iterative_trees": "Iterative (trees)",
    "multiple": "Multiple imputation",
    "denoising_autoencoder": "Denoising autoencoder",
    "miwae": "MIWAE",
    "drop_rows": "Drop rows",
    "drop_columns": "Drop columns",
    "native": "Native (gradient boosting)",
}


def base_name(name: str) -> str:
    """Return the model that a fit is of; a second fit from other random numbers has a number.

    >>> base_name("resnet_small 2")
    'resnet_small'
    """
    return name.split(" ")[0]


def is_network(name: str) -> bool:
    """Tell whether a fit is one of a network."""
    return base_name(name) in FITTED_NETWORKS


def suits(name: str, task: Task) -> bool:
    """Tell whether a model, or a baseline, can learn a task.

    >>> suits("cox", "survival"), suits("tabm", "survival"), suits("prevalence", "survival")
    (True, False, True)
    """
    if name in ("prevalence", "recommended"):
        return True
    base = base_name(name)
    if base in EFFECT_MODELS or task == "effect":
        return base in EFFECT_MODELS and task == "effect"
    return (base in SURVIVAL_MODELS) == (task == "survival")


def treats(name: str, balance: BalanceConfig) -> bool:
    """Tell whether the strategy for rare classes changes how the model `name` is fitted."""
    if balance.strategy == "none" or name == "prevalence":
        return False
    return base_name(name) in NETWORKS or balance.strategy not in NETWORK_STRATEGIES


def is_distorted(name: str, config: RunConfig) -> bool:
    """Tell whether a strategy for rare classes left a model's risks too high, unmended.

    `name` is "model" or a baseline's; a baseline is put right as a member is, never as a whole.
    """
    if name == "model":
        mended = config.model.recalibration != "none"
        return not mended and is_distorted(config.model.name, config)
    return treats(name, config.balance) and config.balance.recalibration == "none"


def check_strategies(config: RunConfig, task: Task) -> None:
    """Raise `ConfigError` when the model or the task cannot take a strategy that is set."""
    _check_balance(config, task)
    if config.model.recalibration != "none" and task in ("regression", "survival"):
        raise ConfigError(
            "Recalibration needs an outcome with classes, and this one has none: "
            "set model.recalibration to none."
        )
    if not suits(config.model.name, task):
        raise ConfigError(_unsuited(config.model.name, task))
    if task == "effect":
        _check_effect(config)
    if task == "survival" and config.augment.mixup:
        raise ConfigError(
            "Mixup would mix two patients' follow-up, which has no meaning for time to event: set "
            "augment.mixup to 0."
        )
    if config.missing.strategy == "native" and config.model.name != "gradient_boosting":
        raise ConfigError(
            f"The model '{config.model.name}' cannot take missing values as they are (native): "
            "choose gradient_boosting, or another strategy for missing values."
        )
    if config.model.name not in NETWORKS:
        for name, strength in config.augment:
            if strength:
                raise ConfigError(
                    f"Augmentation (augment.{name}) works inside a network's training, which the "
                    f"model '{config.model.name}' has not: set it to 0, or choose recommended, "
                    "or a network."
                )


def check_kinds(config: RunConfig, kinds: Mapping[str, Kind]) -> None:
    """Raise `ConfigError` when model or strategy cannot take the inputs' `kinds`, by column."""
    apart = [name for name, kind in kinds.items() if kind in ENCODER_NAMES]
    name = config.model.name
    if apart and config.balance.strategy == "smote":
        raise ConfigError(
            f"SMOTE draws new patients between the numbers of two, and '{apart[0]}' is not a "
            "number: choose oversample, class_weight or balanced_sampler."
        )
    if len(apart) == len(kinds) and name == "tabm":
        raise ConfigError(
            "TabM looks at numbers and categories, and no input is one: choose recommended."
        )
    if name in TERM_MODELS and "text" not in kinds.values():
        raise ConfigError(
            "TF-IDF looks at the words of notes, and no input is a text: choose recommended, or "
            "give a text column the role input."
        )
    for kind, names in ENCODER_NAMES.items():
        if name in names and kind not in kinds.values():
            raise ConfigError(
                f"{ENCODER_TITLES[name]} looks at columns of the kind {kind}, and no input is one: "
                "choose recommended."
            )


def _check_effect(config: RunConfig) -> None:
    if config.missing.strategy in ("multiple", "native", "drop_rows"):
        raise ConfigError(
            f"{MISSING_TITLES[config.missing.strategy]} does not go with the effect of a "
            "treatment, whose models must answer for every patient: set missing.strategy to "
            "median, iterative or another one."
        )
    if config.augment.mixup:
        raise ConfigError(
            "Mixup would mix patients of two arms, which has no meaning for the effect of a "
            "treatment: set augment.mixup to 0."
        )


def _unsuited(name: str, task: Task) -> str:
    if task == "effect":
        return (
            f"The model '{name}' does not tell the effect of a treatment: choose recommended, "
            f"{', '.join(EFFECT_MODELS[:-1])} or {EFFECT_MODELS[-1]}, or set the task."
        )
    if name in EFFECT_MODELS:
        return (
            f"The model '{name}' tells the effect of a treatment, for which a column must have "
            "the role treatment: give it that role, or choose recommended."
        )
    if task == "survival":
        return (
            f"The model '{name}' does not predict time to event: choose recommended, "
            f"{', '.join(SURVIVAL_MODELS[:-1])} or {SURVIVAL_MODELS[-1]}."
        )
    return (
        f"The model '{name}' predicts time to event, for which a column must have the role "
        "duration and one the role event: give these roles, or choose recommended."
    )


def _check_balance(config: RunConfig, task: Task) -> None:
    balance, name = config.balance, config.model.name
    if balance.strategy == "none":
        return
    title = BALANCE_TITLES[balance.strategy]
    if task == "survival":
        raise ConfigError(
            f"{title} is for classes; in time to event, censored patients are no class: set "
            "balance.strategy to none."
        )
    if task == "effect":
        raise ConfigError(
            f"{title} would distort the risks that the effect of a treatment is made of: set "
            "balance.strategy to none."
        )
    if task == "regression":
        raise ConfigError(
            f"{title} needs an outcome with classes, and this one is a number: "
            "set balance.strategy to none."
        )
    if task == "multilabel" and balance.strategy not in LABEL_STRATEGIES:
        raise ConfigError(
            f"{title} treats whole patients, who have several findings at once: choose "
            "class_weight or focal, which treat each finding by itself."
        )
    if not treats(name, balance):
        raise ConfigError(
            f"{title} works inside a network's training, which the model '{name}' has not: "
            "choose class_weight, or the model recommended or a network."
        )
    if balance.strategy == "focal" and balance.recalibration == "prior":
        raise ConfigError(
            "Focal loss changes no class's share, so there is no prior to correct: "
            "set balance.recalibration to logistic."
        )
