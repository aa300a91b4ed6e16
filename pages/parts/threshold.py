"""The threshold control: what the clinic needs, where alarms begin then, and what that means."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from medcore.config import EvaluateConfig, RunConfig
from medcore.evaluate import operating_point, write_need
from medcore.evaluate.judge import judge_rows
from medcore.evaluate.judged import Judged
from medcore.evaluate.threshold import NEEDS
from medcore.records import Evaluation, Run
from medcore.store.folder import MODEL, drop_need, keep_need, read_needs
from pages.parts.border import draw_apart
from pages.parts.findings import finding_of, load_predictions

SHARES = {
    "sensitivity": ("Sensitivity (recall)", "Of 100 patients with the outcome, how many alarm."),
    "specificity": ("Specificity", "Of 100 patients without it, how many do not alarm."),
    "ppv": ("PPV (precision)", "Of 100 alarms, how many are right."),
    "npv": ("NPV", "Of 100 patients without an alarm, how many are truly without the outcome."),
}
# Rule → the setting it needs, its label, lowest, highest and usual value.
NUMBERS = {
    "sensitivity": ("target", "Sensitivity of at least", 0.01, 0.99, 0.9),
    "specificity": ("target", "Specificity of at least", 0.01, 0.99, 0.9),
    "cost": ("cost_ratio", "A missed patient is as bad as … false alarms", 0.1, 1000.0, 5.0),
    "alarms": ("alarms", "Alarms per 100 patients, at most", 1.0, 99.0, 20.0),
}


@st.cache_data(scope="session", max_entries=32, show_spinner=False)
def _judge(folder: str, finding: str, config: str) -> Judged:
    """Return the test rows, with the thresholds that validation patients decide."""
    told = load_predictions(folder, finding)
    return judge_rows(told, "model", RunConfig.model_validate_json(config))


def _place(run: Run, finding: str, evaluate: EvaluateConfig) -> tuple[Judged, float]:
    """Return the rows judged by a rule, and the threshold (with folds, their median)."""
    config = run.config.model_copy(update={"evaluate": evaluate})
    rows = _judge(str(run.folder), finding, config.model_dump_json())
    return rows, float(np.median(list(rows.thresholds.values())))


@draw_apart
def show_threshold(run: Run, evaluation: Evaluation) -> None:
    """Show what the clinic needs, the slider and, at once, what its place means for patients."""
    if evaluation.task != "binary":
        return
    st.subheader("Where should an alarm begin?", anchor=False)
    evaluate = _choose_need(run)
    finding = finding_of(run, evaluation)
    rows, chosen = _place(run, finding, evaluate)
    place = f"threshold_{run.id}_{finding}_{evaluate.model_dump_json()}"

    def reset() -> None:
        st.session_state[place] = _round(chosen)

    left, right = st.columns([5, 2], vertical_alignment="bottom")
    with left:
        threshold = st.slider(
            "Alarm from a risk of", 0.0, 1.0, _round(chosen), 0.001, format="%.3f", key=place,
            help="Nothing is trained again. Choosing it on these test patients makes the figures "
            "below look better than they will be; a need above is met on validation patients.",
        )  # fmt: skip
    right.button(f"Back to {chosen:.3f}", on_click=reset, key=f"reset_{run.id}", width="stretch")
    # The slider's step would move a patient who lies on the border.
    kept = threshold == _round(chosen)
    alarm = rows.alarm if kept else rows.risk >= threshold
    if kept:
        st.caption(f"This threshold is {write_need(evaluate)}; {_say_folds(rows)}")
    _offer_need(run, str(evaluation.positive), evaluate, chosen)
    _show_point(rows, alarm)
    table = pd.DataFrame(evaluation.curves["model"]["thresholds"])
    with st.expander("Every threshold in a table"):
        st.dataframe(table, hide_index=True, height=260)


def _offer_need(run: Run, name: str, evaluate: EvaluateConfig, chosen: float) -> None:
    """Offer to let Predict alarm where this need is met, and say where it does now."""
    if not (run.folder / MODEL).is_file():
        # A validation judges the model and is none.
        return
    held = read_needs(run.folder).get(name)
    if held is not None:
        st.info(
            f"Predict alarms from a risk of {held['threshold']:.3f}: {held['words']}.",
            icon=":material/notifications_active:",
        )
    elif evaluate == run.config.evaluate:
        return
    with st.container(horizontal=True):
        if evaluate != run.config.evaluate and (held is None or held["threshold"] != chosen):
            st.button(
                f"Let Predict alarm from {chosen:.3f}", key=f"keep_need_{run.id}", type="primary",
                on_click=keep_need, args=(run.folder, name, chosen, write_need(evaluate)),
            )  # fmt: skip
        if held is not None:
            st.button(
                "Back to the one of training", key=f"drop_need_{run.id}",
                on_click=drop_need, args=(run.folder, name),
            )  # fmt: skip


def _round(threshold: float) -> float:
    return round(min(1.0, max(0.0, threshold)), 3)


def _choose_need(run: Run) -> EvaluateConfig:
    """Return how the threshold is to be chosen: as in training, or by another need."""
    usual = run.config.evaluate
    left, right = st.columns([5, 2], vertical_alignment="bottom")
    rules = [rule for rule in NEEDS if rule != "fixed"]
    need = left.selectbox(
        "What does the clinic need?", ["", *rules], key=f"need_{run.id}",
        format_func=lambda rule: NEEDS[rule] if rule else f"As trained: {NEEDS[usual.threshold]}",
        help="The threshold is looked for among validation patients and then tried, unchanged, on "
        "test patients. A button below lets Predict alarm there; the report keeps the one chosen "
        "in training, which “Threshold chosen by” on Train changes.",
    )  # fmt: skip
    if not need:
        return usual
    if need not in NUMBERS:
        return usual.model_copy(update={"threshold": need})
    name, label, low, high, value = NUMBERS[need]
    number = right.number_input(
        label, low, high, value, step=0.01 if name == "target" else 1.0, key=f"{need}_{run.id}"
    )
    return usual.model_copy(update={"threshold": need, name: number})


def _say_folds(rows: Judged) -> str:
    values = list(rows.thresholds.values())
    if len(values) == 1:
        return "test patients had no say in it."
    return (
        f"each of the {len(values)} folds has its own ({min(values):.3f} to {max(values):.3f}), "
        "and test patients had no say in it."
    )


def _show_point(rows: Judged, alarm: np.ndarray) -> None:
    event = rows.event
    point = operating_point(event, alarm, rows.cluster)
    for column, (name, (label, text)) in zip(st.columns(4), SHARES.items(), strict=True):
        value, low, high = point[name]
        interval = f"({low:.2f}–{high:.2f})" if np.isfinite(low) else None
        column.metric(
            label, f"{value:.2f}" if np.isfinite(value) else "–", interval,
            delta_color="off", delta_arrow="off", help=text, border=True,
        )  # fmt: skip
    alarms, patients = point["tp"] + point["fp"], len(event)
    st.markdown(
        f"{alarms:,} of {patients:,} test patients alarm ({100 * alarms / patients:.0f} of 100): "
        f"{point['tp']:,} rightly, {point['fp']:,} wrongly; {point['fn']:,} with the outcome are "
        "missed."
    )
