"""What is to be predicted, and who is judged on: the choices that make a run's question."""

from __future__ import annotations

import streamlit as st

from medcore.config import PRESETS, RunConfig, change_config, preset_config, preset_values
from medcore.data import infer_task, outcome_candidates, outcome_classes
from medcore.data.labels import wants_labels
from medcore.errors import MedcoreError
from medcore.records import Dataset
from pages.parts import state
from pages.parts.arms import asks_effect, choose_effect, leave_effect
from pages.parts.choice import choose_one
from pages.parts.followup import choose_event, choose_kind
from pages.parts.form import WORDS, read_field
from pages.parts.roles import ASKED, ask_anew
from pages.parts.several import choose_several

PRESET_WORDS = {
    "quick": "Quick",
    "balanced": "Balanced",
    "thorough": "Thorough",
}
TASKS = {"classes": "multiclass", "a number": "regression"}


def choose_question(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show what is asked (an outcome, several, time to an event); return the settings with it."""
    asked = choose_kind(config, dataset)
    if asked == "effect":
        return choose_effect(config, dataset)
    config = leave_effect(config, dataset)
    if asked == "time":
        return choose_event(config, dataset)
    if asked == "several":
        return choose_several(config, dataset)
    return choose_outcome(config, dataset)


def choose_outcome(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show the outcome, what counts as having it, and return the settings with the choice."""
    held = next((column.name for column in dataset.with_role("outcome")), None)
    likely = outcome_candidates(dataset.frame, dataset.columns)
    names = list(dict.fromkeys([*([held] if held else []), *likely, *_others(dataset)]))
    outcome = st.selectbox(
        "Outcome to predict",
        names,
        index=names.index(held) if held else None,
        placeholder="Choose a column",
        help="The column that the model learns to predict. Likely ones stand first.",
        key=f"outcome_{state.current().dataset.id}",
    )
    if outcome is None:
        return config
    if outcome != held or wants_labels(dataset, config):
        left = {column.name: "ignored" for column in dataset.with_role(*ASKED)}
        config = ask_anew(config, {**config.data.roles, **left, outcome: "outcome"})
    try:
        return _choose_positive(_choose_task(config))
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return config


def _others(dataset: Dataset) -> list[str]:
    return [c.name for c in dataset.columns if c.kind in ("number", "category")]


def _choose_task(config: RunConfig) -> RunConfig:
    """Ask how a number with few whole values is meant."""
    dataset = state.asked(config)
    outcome = dataset.with_role("outcome")[0]
    values = dataset.frame[outcome.name].dropna()
    if outcome.kind != "number" or values.nunique() <= 2:
        return config
    inferred = "a number" if infer_task(dataset, config) == "regression" else "classes"
    if inferred == "classes" or infer_task(dataset) != "regression":
        chosen = st.segmented_control(
            f"“{outcome.name}” has {values.nunique()} whole values; predict",
            list(TASKS), default=inferred, required=True, key=f"task_{outcome.name}",
        )  # fmt: skip
        return change_config(config, {"task": TASKS[chosen]}) if chosen != inferred else config
    return config


def _choose_positive(config: RunConfig) -> RunConfig:
    dataset = state.asked(config)
    classes, positive = outcome_classes(dataset, config)
    outcome = dataset.predicted_column().name
    if dataset.with_role("outcome")[0].made_of and positive is not None:
        st.caption(f"Risk of: {outcome} = {positive}.")
        return config
    if positive is None:
        words = f"{len(classes)} classes: {', '.join(classes[:8])}" if classes else "a number"
        st.caption(f"Predicts {words}.")
        return _choose_order(config, classes)
    chosen = choose_one(
        "Risk of",
        classes,
        positive,
        format_func=lambda name: f"{outcome} = {name}",
        help="The class whose risk is predicted. Recall is the share of these patients found.",
        key=f"positive_{outcome}_{'_'.join(classes)}",
    )
    return change_config(config, {"outcome.positive": chosen}) if chosen != positive else config


def _choose_order(config: RunConfig, classes: tuple[str, ...]) -> RunConfig:
    """Ask for the order of several classes; numbers have their own."""
    if not classes or _are_numbers(classes):
        return config
    field = type(config.outcome).model_fields["order"]
    order = st.multiselect(
        "Order of the classes, if they have one: choose from least to most", classes,
        default=[name for name in config.outcome.order if name in classes],
        placeholder="No order", help=field.description, key=f"order_{'_'.join(classes)}",
    )  # fmt: skip
    if 0 < len(order) < len(classes):
        st.caption("The order counts once every class stands in it.")
        order = []
    return change_config(config, {"outcome.order": tuple(order)})


def _are_numbers(classes: tuple[str, ...]) -> bool:
    try:
        return all(float(name) == float(name) for name in classes)
    except ValueError:
        return False


def choose_split(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show who is judged on, offering only what the table allows."""
    if asks_effect(config, dataset):
        st.caption(
            f"Everybody is judged by models that did not learn from them: patients are divided "
            f"into {config.split.folds} groups, and each group is left out in turn (cross-fitting)."
        )
        return config
    kinds = ["holdout", "kfold"]
    kinds += ["temporal"] if dataset.with_role("date") else []
    kinds += ["site"] if dataset.with_role("site") else []
    held = config.split.kind if config.split.kind in kinds else "holdout"
    kind = st.selectbox(
        "Who is judged on", kinds, index=kinds.index(held), format_func=WORDS.get,
        help="Test patients are set aside before anything is learned, and scored once.",
        key=f"split_{state.current().dataset.id}",
    )  # fmt: skip
    patients = dataset.with_role("patient")
    if patients:
        st.caption(f"All rows of a patient (“{patients[0].name}”) stay in the same part.")
    else:
        st.caption("Each row counts as one patient; no column says otherwise.")
    return change_config(config, {"split.kind": kind}) if kind != config.split.kind else config


def choose_preset(config: RunConfig) -> None:
    """Show the presets; choosing one sets its values among the settings."""
    place = f"preset_{state.current().dataset.id}_{version()}"

    def set_preset() -> None:
        chosen = st.session_state[place]
        if chosen is not None:
            # The presets differ in these names; what another one had set must not stay.
            usual = {name: read_field(RunConfig(), name) for name in _preset_names()}
            config_now = change_config(config, usual)
            state.keep_settings(preset_config(chosen, config_now, state.input_kinds()))
            bump_version()

    st.segmented_control(
        "Effort", list(PRESETS), default=find_preset(config), format_func=PRESET_WORDS.get,
        on_change=set_preset, key=place,
        help="How long the network may learn and how large it is: with a thousand patients quick "
        "takes half a minute, thorough some minutes. Everything a preset sets can be "
        "seen and changed under Advanced.",
    )  # fmt: skip


def find_preset(config: RunConfig) -> str | None:
    """Return the preset whose values the settings have; None when they are someone's own."""
    for preset in PRESETS:
        model = preset_config(preset, None, state.input_kinds())
        if all(read_field(config, name) == read_field(model, name) for name in _preset_names()):
            return preset
    return None


def _preset_names() -> set[str]:
    """Return the settings in which the presets differ for the inputs in use."""
    kinds = state.input_kinds()
    return {name for preset in PRESETS for name in preset_values(preset, kinds)}


def version() -> int:
    """Return a number that changes when a preset replaces what the form's widgets show."""
    return st.session_state.get("form_version", 0)


def bump_version() -> None:
    """Make the form's widgets show the kept settings anew."""
    st.session_state["form_version"] = version() + 1
