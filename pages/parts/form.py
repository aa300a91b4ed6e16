"""Widgets made from the settings' own titles, help texts, limits and defaults."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from medcore.config import ENCODER_NAMES, TERM_MODELS, RunConfig, Section, Task
from medcore.config.base import read_list
from medcore.evaluate.threshold import NEEDS
from medcore.evaluate.words import MODELS
from medcore.strategies import BALANCE_TITLES, MISSING_TITLES, RECALIBRATION_TITLES, suits

WORDS = {
    "holdout": "One test group (hold-out)",
    "kfold": "Everyone is tested once (k-fold)",
    "temporal": "The latest patients are the test",
    "site": "Each site is the test in turn",
    "adamw": "AdamW",
    "sgd": "SGD with momentum",
    "cpu": "CPU",
    "cuda": "CUDA graphics processor",
    "mps": "Apple graphics processor",
    **{name: title for name, title in MODELS.items() if name != "model"},
}
# The same word may name different choices.
FIELD_WORDS: dict[str, Mapping[str, str]] = {
    "missing.strategy": MISSING_TITLES,
    "balance.strategy": BALANCE_TITLES,
    "balance.recalibration": RECALIBRATION_TITLES,
    "model.recalibration": RECALIBRATION_TITLES,
    "evaluate.threshold": NEEDS,
    "image.modality": {
        "auto": "As the files say",
        "other": "Other, or mixed", "radiograph": "Radiograph", "ct": "CT", "mri": "MRI",
        "ultrasound": "Ultrasound", "skin": "Skin", "retina": "Retina",
        "microscopy": "Tissue or cells under the microscope",
    },
}  # fmt: skip
GROUPS = {
    "split": "Dividing patients",
    "missing": "Missing values",
    "prepare": "Preparing columns",
    "model": "Network",
    "train": "Learning",
    "balance": "Rare classes",
    "augment": "Augmentation",
    "image": "Images",
    "audio": "Recordings",
    "text": "Notes",
    "series": "Visits",
    "effect": "Effect of treatment",
    "evaluate": "Judging",
    "seed": "Repeatability",
}
APART = ("version", "task", "data", "outcome")
# Shown by the Train page itself, above the form.
ABOVE = (
    "split.kind", "model.name", "evaluate.horizons", "series.index", "series.horizon",
    "effect.treated", "effect.design", "effect.better",
)  # fmt: skip


# For the command line alone: a visitor must not name files of the server.
LOCAL_ONLY = ("image.weights", "audio.recogniser", "text.model")


def walk_fields(section: type[Section] = RunConfig, prefix: str = "") -> Iterator[tuple]:
    """Yield (dotted name, field) for every setting that the form shows."""
    for name, field in section.model_fields.items():
        if not prefix and name in APART:
            continue
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from walk_fields(inner, f"{prefix}{name}.")
        elif f"{prefix}{name}" not in LOCAL_ONLY:
            yield f"{prefix}{name}", field


def batched(things: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """Return things in rows of a size, so that a narrow screen keeps their order.

    >>> batched("abcde", 3)
    ['abc', 'de']
    """
    return [things[start : start + size] for start in range(0, len(things), size)]


def read_field(config: RunConfig, name: str) -> Any:
    """Return a setting's value by its dotted name."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def show_form(
    config: RunConfig, key: str, kinds: Collection[str] = (), task: Task | None = None
) -> dict[str, Any]:
    """Show every advanced setting, grouped by section, and return what was entered.

    Sections of kinds that no input is of, and of another task, are left out.
    """
    groups: dict[str, list[tuple[str, FieldInfo]]] = {}
    absent = {kind for kind in ENCODER_NAMES if kind not in kinds}
    absent |= {"effect"} if task != "effect" else {"balance"}
    for name, field in walk_fields():
        if name not in ABOVE and name.split(".")[0] not in absent:
            groups.setdefault(name.split(".")[0], []).append((name, field))
    entered = {}
    for group, fields in groups.items():
        st.markdown(f"**{GROUPS[group]}**")
        for three in batched(fields, 3):
            for column, (name, field) in zip(st.columns(3), three, strict=False):
                with column:
                    entered[name] = show_field(name, field, read_field(config, name), key)
    return entered


def show_model(config: RunConfig, key: str, kinds: Collection[str], task: Task) -> str:
    """Show the models that go with inputs of these kinds and the task; return the one chosen."""
    field = type(config.model).model_fields["name"]
    chosen = config.model.name if suits(config.model.name, task) else field.default
    other = {name for kind, names in ENCODER_NAMES.items() if kind not in kinds for name in names}
    other |= set() if "text" in kinds else set(TERM_MODELS)
    other -= {chosen}
    every = [name for name in get_args(field.annotation) if suits(name, task)]
    fitting = tuple(name for name in every if name not in other)
    shown = FieldInfo.merge_field_infos(field, annotation=Literal[fitting])
    return show_field("model.name", shown, chosen, f"{key}_{task}")


def show_field(name: str, field: FieldInfo, value: Any, key: str) -> Any:
    """Show one setting's widget and return what was entered."""
    label, text = field.title or name, field.description
    place = f"{key}_{name}"
    if field.annotation is bool:
        return st.toggle(label, value=value, help=text, key=place)
    if get_origin(field.annotation) is Literal:
        options = list(get_args(field.annotation))
        return st.selectbox(
            label, options, index=options.index(value), help=text, key=place,
            format_func=lambda option: write_option(name, option),
        )  # fmt: skip
    if get_origin(field.annotation) is tuple:
        written = st.text_input(label, ", ".join(value), help=text, key=place)
        return read_list(written)
    if field.annotation is str:
        return st.text_input(label, value=value, help=text, key=place)
    return _show_number(label, field, value, text, place)


def write_option(name: str, option: str) -> str:
    """Return a choice of a setting in words.

    >>> write_option("balance.recalibration", "none"), write_option("model.embedding", "none")
    ('Taken as they are', 'none')
    """
    words = FIELD_WORDS.get(name, WORDS)
    return words.get(option, option.replace("_", " "))


def _show_number(label: str, field: FieldInfo, value: Any, text: str | None, place: str) -> Any:
    limits = {
        side: getattr(rule, side)
        for rule in field.metadata
        for side in ("ge", "gt", "le", "lt")
        if getattr(rule, side, None) is not None
    }
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    if field.annotation is int:
        return st.number_input(
            label, min_value=low, max_value=high, value=value, step=1, help=text, key=place
        )
    tiny = 1e-6 if "gt" in limits else 0.0
    return st.number_input(
        label,
        min_value=float(low) + tiny if low is not None else None,
        max_value=float(high) - (1e-6 if "lt" in limits else 0.0) if high is not None else None,
        value=None if value is None else float(value),
        step=_step(field.default, high),
        placeholder="not set",
        format="%g",
        help=text,
        key=place,
    )


def _step(usual: float | None, high: float | None) -> float:
    """Return a tenth of the usual value's order of magnitude; a twentieth of a share."""
    if usual is None:
        return 1.0 if high is None or high > 1 else 0.05
    return 10.0 ** (math.floor(math.log10(abs(usual))) - 1) if usual else 0.05
