"""A question about treatment: what against what, for which outcome, and how it was decided."""

from __future__ import annotations

import streamlit as st

from medcore.config import RunConfig, change_config
from medcore.data import assign_columns, outcome_candidates, outcome_classes, treatment_arms
from medcore.errors import MedcoreError
from medcore.records import Column, Dataset
from pages.parts import state
from pages.parts.choice import choose_one
from pages.parts.roles import ASKED, ask_anew

DESIGNS = {
    "observational": "Doctors and patients (observational)",
    "randomised": "Chance (randomised)",
}
BETTER = {"lower": "Lower", "higher": "Higher"}
WISHED = {"lower": "To be avoided", "higher": "To be wished for"}


def asks_effect(config: RunConfig, dataset: Dataset) -> bool:
    """Tell whether settings ask for the effect of a treatment."""
    return bool(dataset.with_role("treatment")) and config.task in (None, "effect")


def refuse_effect() -> None:
    """Say that the Laboratory compares no effects, and where they are compared."""
    st.info(
        "The Laboratory compares predictions of an outcome; for the effect of a treatment, train "
        "runs that differ in one setting and set them side by side on Compare.",
        icon=":material/science:",
    )


def choose_effect(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Show treatment, outcome, arms and how they came about; return the settings with them."""
    place = state.current().dataset.id
    left, right = st.columns(2)
    with left:
        treatment = _choose(
            "Treatment", dataset.with_role("treatment"), _two_valued(dataset), f"treatment_{place}",
            "The column that says which of two arms each patient was in.",
        )  # fmt: skip
    with right:
        likely = outcome_candidates(dataset.frame, dataset.columns)
        others = [c.name for c in dataset.columns if c.kind in ("number", "category")]
        outcome = _choose(
            "Outcome", dataset.with_role("outcome"), [*likely, *others], f"effect_outcome_{place}",
            "What treatment may change: a number, or yes/no by a fixed time.",
        )  # fmt: skip
    if treatment is None or outcome is None or treatment == outcome:
        st.caption("Say which column holds the treatment, and which the outcome it may change.")
        return config
    config = _keep_roles(config, treatment, outcome)
    try:
        ready = assign_columns(state.table(), config)
        arms = treatment_arms(ready, config)
        classes, positive = outcome_classes(ready, config)
    except MedcoreError as error:
        st.error(str(error), icon=":material/error:")
        return config
    return _choose_meaning(config, treatment, outcome, arms, classes, positive)


def _choose_meaning(
    config: RunConfig,
    treatment: str,
    outcome: str,
    arms: tuple[str, str],
    classes: tuple[str, ...],
    positive: str | None,
) -> RunConfig:
    fields = type(config.effect).model_fields
    treated = choose_one(
        "Treated are those with", sorted(arms), arms[1],
        format_func=lambda name: f"{treatment} = {name}", help=fields["treated"].description,
        key=f"treated_{treatment}_{'_'.join(sorted(arms))}",
    )  # fmt: skip
    changes = {"effect.treated": treated} if treated != arms[1] else {}
    if classes:
        chosen = choose_one(
            "Effect on", sorted(classes), positive,
            format_func=lambda name: f"{outcome} = {name}", key=f"effect_on_{outcome}",
        )  # fmt: skip
        changes |= {"outcome.positive": chosen} if chosen != positive else {}
    design = st.segmented_control(
        "Who decided on treatment?", list(DESIGNS), default=config.effect.design,
        required=True, format_func=DESIGNS.get, help=fields["design"].description, wrap=True,
        key=f"design_{treatment}",
    )  # fmt: skip
    titles = WISHED if classes else BETTER
    better = st.segmented_control(
        f"{outcome} = {changes.get('outcome.positive', positive)} is" if classes
        else f"Better is a {outcome} that is",
        list(titles), default=config.effect.better, required=True, format_func=titles.get,
        help=fields["better"].description, key=f"better_{outcome}",
    )  # fmt: skip
    st.caption("Every input must have been known before treatment: set the role of others on Data.")
    return change_config(config, {**changes, "effect.design": design, "effect.better": better})


def leave_effect(config: RunConfig, dataset: Dataset) -> RunConfig:
    """Return settings that no longer ask for an effect: the treatment becomes an input."""
    if not asks_effect(config, dataset):
        return config
    values = config.model_dump()
    for column in dataset.with_role("treatment"):
        values["data"]["roles"][column.name] = "input"
    values["task"] = None
    return RunConfig.model_validate(values)


def _choose(
    label: str, held: tuple[Column, ...], names: list[str], key: str, help_text: str
) -> str | None:
    first = [column.name for column in held[:1]]
    names = list(dict.fromkeys([*first, *names]))
    return st.selectbox(
        label, names, index=0 if first else None, placeholder="Choose a column", key=key,
        help=help_text,
    )  # fmt: skip


def _two_valued(dataset: Dataset) -> list[str]:
    wanted = [c.name for c in dataset.columns if c.kind in ("number", "category")]
    return [name for name in wanted if dataset.frame[name].nunique() == 2]


def _keep_roles(config: RunConfig, treatment: str, outcome: str) -> RunConfig:
    freed = (*ASKED, "treatment")
    roles = {name: "ignored" if role in freed else role for name, role in config.data.roles.items()}
    roles |= {treatment: "treatment", outcome: "outcome"}
    if roles == dict(config.data.roles) and config.task in (None, "effect"):
        return config
    return change_config(ask_anew(config, roles), {"effect.treated": None})
