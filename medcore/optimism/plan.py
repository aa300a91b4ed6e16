"""How many fits a look for luck and optimism takes, and about how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

START_SECONDS = 6.0
# Baselines are fitted with every run; the look for optimism leaves out those the model has not.
BASELINES = {
    "prevalence": "prevalence",
    "logistic": "logistic regression",
    "random_forest": "random forest",
    "gradient_boosting": "gradient boosting",
}
MEMBERS = {"recommended": ("logistic", "random_forest")}


@dataclass(frozen=True)
class Effort:
    """How often the model is fitted again.

    `repeats` of cross-validation in `folds`; `resamples` of the bootstrap; a learning curve of
    `sizes` numbers of patients, each drawn `draws` times.
    """

    title: str
    repeats: int
    resamples: int
    sizes: int
    draws: int
    folds: int = 5


EFFORTS: Mapping[str, Effort] = {
    "quick": Effort("Quick", 1, 10, 4, 1),
    "usual": Effort("Usual", 3, 40, 5, 3),
    "thorough": Effort("Thorough", 10, 200, 6, 5),
}


def count_fits(effort: Effort) -> int:
    """Return how many models are fitted; on all patients, once for bootstrap and curve each.

    >>> count_fits(EFFORTS["quick"])
    20
    """
    curve = (effort.sizes - 1) * effort.draws + 1
    return effort.repeats * effort.folds + effort.resamples + 1 + curve


def fit_seconds(events: Sequence[Mapping[str, Any]], model: str) -> float | None:
    """Return the seconds that one fit of the model took in a run, from its events; None: unknown.

    Baselines that are no part of the model do not count.
    """
    own = (model, *MEMBERS.get(model, ()))
    others = tuple(title for name, title in BASELINES.items() if name not in own)
    total, began, fits = 0.0, None, {}
    for event in events:
        message = event.get("message", "")
        if message.startswith("Fitting "):
            title = message.removeprefix("Fitting ")
            began = None if title.startswith(others) else event["time"]
        elif message.startswith("Fitted ") and began is not None:
            total += event["time"] - began
            title = message.removeprefix("Fitted ")
            fits[title] = fits.get(title, 0) + 1
            began = None
    return total / max(fits.values()) if fits else None


def estimate_seconds(effort: Effort, one: float) -> float:
    """Return about how long the whole takes where one fit takes `one` seconds."""
    return START_SECONDS + count_fits(effort) * (one + 0.2)
