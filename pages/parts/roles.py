"""Roles of columns as a question: which go together, and what one answer makes of the others."""

from __future__ import annotations

from collections.abc import Mapping

from medcore.config import Role, RunConfig
from medcore.data import assign_columns, infer_task
from medcore.data.labels import configure_labels
from medcore.records import Dataset

# Roles that make the question; a run answers one.
ASKED: tuple[Role, ...] = ("outcome", "event", "duration")
SINGLE = ("event", "duration", "patient", "site", "date", "visit", "treatment")
# A run asks for outcomes or for the time to an event; to name one of them takes the other back.
RIVALS: dict[str, tuple[str, ...]] = {
    "outcome": ("event", "duration"),
    "event": ("outcome",),
    "duration": ("outcome",),
}


def set_role(config: RunConfig, raw: Dataset, name: str, role: Role) -> RunConfig:
    """Return the settings with a column in a role; of most roles there is one column each.

    A further outcome joins those that are there: they then are several findings.
    """
    held = {column.name: column.role for column in assign_columns(raw, config).columns}
    freed = RIVALS.get(role, ()) + ((role,) if role in SINGLE else ())
    roles = {other: "ignored" for other, had in held.items() if had in freed and other != name}
    # Roles that were inferred are written down: naming one outcome would free the other.
    roles |= {other: "outcome" for other, had in held.items() if had == "outcome" == role}
    roles = {**config.data.roles, **roles, name: role}
    if "outcome" in (role, held[name]) or role == "event":
        return ask_anew(config, roles)
    values = config.model_dump()
    values["data"]["roles"] = roles
    return RunConfig.model_validate(values)


def ask_anew(
    config: RunConfig, roles: Mapping[str, str], separator: str | None = None
) -> RunConfig:
    """Return the settings with other roles, and nothing left of what was asked before."""
    values = config.model_dump()
    values["data"]["roles"], values["task"] = dict(roles), None
    values["outcome"] |= {"positive": None, "order": (), "censored": None, "separator": separator}
    return RunConfig.model_validate(values)


def check_mixture(raw: Dataset, config: RunConfig) -> None:
    """Raise a `MedcoreError` where no task takes these outcomes together.

    What is only incomplete, such as an event without a duration, may still become a question.
    """
    dataset = assign_columns(raw, config)
    outcomes = dataset.with_role("outcome")
    if len(outcomes) > 1 and infer_task(dataset, config) == "multilabel":
        configure_labels(dataset, config)
