"""The threshold control: where a risk becomes an alarm, and what that means for patients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from medcore.evaluate import operating_point
from medcore.records import Evaluation, Run
from medcore.store import read_predictions

SHARES = {
    "sensitivity": ("Sensitivity (recall)", "Of 100 patients with the outcome, how many alarm."),
    "specificity": ("Specificity", "Of 100 patients without it, how many do not alarm."),
    "ppv": ("PPV (precision)", "Of 100 alarms, how many are right."),
    "npv": ("NPV", "Of 100 patients without an alarm, how many are truly without the outcome."),
}


@st.cache_data(scope="session", max_entries=8, show_spinner=False)
def _load_risks(folder: str) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each test patient has the outcome, and the predicted risk."""
    predictions = read_predictions(Path(folder))
    frame = predictions.frame
    rows = frame[frame["model"].eq("model") & frame["part"].eq("test")]
    event = rows["outcome"].eq(predictions.positive).to_numpy(bool)
    return event, rows[f"p_{predictions.positive}"].to_numpy(np.float64)


@st.fragment
def show_threshold(run: Run, evaluation: Evaluation) -> None:
    """Show the slider and, at once, what its place means for the test patients."""
    if evaluation.task != "binary":
        return
    st.subheader("Where should an alarm begin?", anchor=False)
    chosen = evaluation.parts["test"].threshold or 0.5
    place = f"threshold_{run.id}"

    def reset() -> None:
        st.session_state[place] = round(chosen, 3)

    left, right = st.columns([5, 2], vertical_alignment="bottom")
    with left:
        threshold = st.slider(
            "Alarm from a risk of", 0.0, 1.0, round(chosen, 3), 0.001, format="%.3f", key=place,
            help="Nothing is trained again. Choosing it on these test patients makes the figures "
            "below look better than they will be; the default was chosen on validation patients.",
        )  # fmt: skip
    right.button(f"Back to {chosen:.3f}", on_click=reset, key=f"reset_{run.id}", width="stretch")
    event, risk = _load_risks(str(run.folder))
    # The slider's step would move a patient who lies on the border.
    point = operating_point(event, risk, chosen if threshold == round(chosen, 3) else threshold)
    for column, (name, (label, text)) in zip(st.columns(4), SHARES.items(), strict=True):
        value, low, high = point[name]
        known = np.isfinite(value)
        column.metric(
            label, f"{value:.2f}" if known else "–", f"({low:.2f}–{high:.2f})" if known else None,
            delta_color="off", delta_arrow="off", help=text, border=True,
        )  # fmt: skip
    alarms, patients = point["tp"] + point["fp"], len(event)
    st.markdown(
        f"{alarms:,} of {patients:,} test patients alarm: {point['tp']:,} rightly, "
        f"{point['fp']:,} wrongly; {point['fn']:,} with the outcome are missed."
    )
    table = pd.DataFrame(evaluation.curves["model"]["thresholds"])
    with st.expander("Every threshold in a table"):
        st.dataframe(table, hide_index=True, height=260)
