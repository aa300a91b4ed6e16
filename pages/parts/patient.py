"""One patient by form: every field may stay unknown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from medcore.evaluate import label_model
from medcore.jobs import ask, warm_up
from medcore.records import Column, Run
from medcore.sound import ENDINGS
from medcore.store import drop_upload, read_columns, read_rules, stage_upload
from pages.parts import state
from pages.parts.certainty import show_answers
from pages.parts.charts import BLUE, make_figure
from pages.parts.findings import show_patient_findings
from pages.parts.form import batched
from pages.parts.frame import count
from pages.parts.judgement import outcome_unit
from pages.parts.likeness import show_similar
from pages.parts.prognosis import show_prognosis
from pages.parts.runs import has_table
from pages.parts.treatment import show_patient_effect

UNUSUAL = 0.99


def show_patient(run: Run) -> None:
    """Show the form, and what the model says of the patient entered."""
    inputs = [column for column in read_columns(run.folder) if column.role == "input"]
    warm_once(run)
    values = enter_patient(run, inputs, "Predict")
    if values is not None:
        with st.spinner("Asking the model …"):
            answer = _ask(run, values)
        st.session_state["said"] = (run.id, answer["rows"][0])
    if (said := st.session_state.get("said")) and said[0] == run.id:
        show_answer(run, inputs, said[1])
        _show_similar(run, said[1])


def _show_similar(run: Run, said: Mapping[str, Any]) -> None:
    """Show the training images most like those of the patient, while they are still there."""
    outcome = next(c for c in read_columns(run.folder) if c.role in ("outcome", "event"))
    if not said["vectors"] or not has_table(run):
        return
    likeliest = said["positive"]
    if likeliest is None and said["classes"]:
        likeliest = said["classes"][int(np.argmax(said["value"]))]
    for column, vector in said["vectors"].items():
        show_similar(run, column, outcome, likeliest or "", {"vector": vector})


def write_rule(rule: Mapping[str, Any] | None) -> str | None:
    """Return what the model does where an input is unknown, in a sentence."""
    if rule is None:
        return "The model does not look at this value: it told training patients nothing apart."
    if not rule["gaps"]:
        return f"Every training patient had this value. If it is unknown: {rule['then']}."
    return f"Unknown in {rule['gaps']:.0%} of training patients. If it is unknown: {rule['then']}."


def _ask(run: Run, values: Mapping[str, Any]) -> dict[str, Any]:
    """Ask the model; uploaded files are on the disk only as long as it looks at them."""
    workspace = state.current().workspace
    staged = {
        name: stage_upload(workspace, value.name, value)
        for name, value in values.items()
        if hasattr(value, "read")
    }
    row = {**values, **{name: str(path) for name, path in staged.items()}}
    try:
        question = {"do": "predict_rows", "run_folder": str(run.folder), "rows": [row]}
        return ask(workspace.home, question)
    finally:
        for path in staged.values():
            drop_upload(path)


def warm_once(run: Run) -> None:
    """Have the run's model loaded while the visitor still reads."""
    if st.session_state.get("warmed") != run.id:
        warm_up(state.current().workspace.home, run.folder)
        st.session_state["warmed"] = run.id


def enter_patient(run: Run, inputs: list[Column], action: str) -> dict[str, Any] | None:
    """Show the form with a button, and return what was entered when it is pressed."""
    rules = read_rules(run.folder)
    with st.form("patient"):
        st.caption(
            "Leave a field empty where the value is unknown; each field's help says what the model "
            "then does."
        )
        values = {}
        for three in batched(inputs, 3):
            for place, column in zip(st.columns(3), three, strict=False):
                with place:
                    key = f"patient_{run.id}_{column.name}"
                    text = write_rule(rules.get(column.name))
                    values[column.name] = show_field(column, key, text=text)
        asked = st.form_submit_button(action, type="primary", icon=":material/play_arrow:")
    return values if asked else None


def label_column(column: Column) -> str:
    """Return a column's name with its unit.

    >>> label_column(Column("weight", "number", "input", "kg"))
    'weight (kg)'
    """
    return f"{column.name} ({column.unit})" if column.unit else column.name


def show_field(column: Column, place: str, value: Any = None, text: str | None = None) -> Any:
    """Show the widget of a column's value under the key `place` and return it; None is unknown.

    `value` stands in it at first, `text` is its help.
    """
    label = label_column(column)
    if column.kind == "number":
        return st.number_input(label, value=value, placeholder="unknown", format="%g", key=place,
                               help=text)  # fmt: skip
    if column.kind == "category":
        known = list(column.categories)
        index = known.index(value) if value in known else None
        return st.selectbox(
            label, known, index=index, placeholder="unknown", key=place,
            help=text, accept_new_options=len(column.categories) > 20,
        )  # fmt: skip
    if column.kind == "date":
        day = st.date_input(
            label, value=value, key=place, min_value=datetime.date(1900, 1, 1), format="YYYY-MM-DD",
            help=text,
        )  # fmt: skip
        return None if day is None else day.isoformat()
    if column.kind == "image":
        return st.file_uploader(label, key=place, help=text or "PNG, JPEG or DICOM")
    if column.kind == "audio":
        brought = st.file_uploader(label, list(ENDINGS), key=place,
                                   help=text or "WAV, FLAC, MP3, OGG or M4A")  # fmt: skip
        return brought or st.audio_input("or record it now", key=f"{place}_mic")
    if column.kind == "text":
        text = text or "The note as it is written; it is read whole or in part, as in training."
        return (
            st.text_area(
                label, value or "", placeholder="no note", key=place, help=text, height=200
            )
            or None
        )
    if column.kind == "series":
        return st.file_uploader(label, ["npy"], key=place, help=text or "A waveform, .npy")
    return st.text_input(label, value or "", placeholder="unknown", key=place, help=text) or None


def show_answer(run: Run, inputs: list[Column], said: Mapping[str, Any]) -> None:
    """Show what the model says of a patient, and what a reader should know of their values."""
    outcome = next(c for c in read_columns(run.folder) if c.role in ("outcome", "event"))
    _warn_of_images(said["unusual_images"])
    with st.container(border=True):
        if said["task"] == "effect":
            show_patient_effect(outcome, said)
        elif said["horizons"]:
            show_prognosis(outcome, outcome_unit(run)[1], said)
        elif not said["classes"]:
            _show_number(outcome, said)
        elif isinstance(said["threshold"], Mapping):
            show_patient_findings(said)
        elif said["positive"] is not None:
            _show_risk(outcome, said)
        else:
            _show_classes(said)
        show_answers(outcome, said)
    _show_outside(said["outside"], {column.name: column for column in inputs})
    for sentence in said["unexpected"]:
        st.warning(sentence, icon=":material/help:")
    _show_unusual(said["unusual"])
    _say_images(said["unusual_images"])
    imputed = said["imputed"]
    if imputed:
        were = "was" if len(imputed) == 1 else "were"
        said_so = f"{count(len(imputed), 'value')} {were} unknown; what the model took instead"
        with st.expander(said_so):
            st.dataframe(
                {
                    "Column": [row["column"] for row in imputed],
                    "Taken instead": [_word(row["used"]) for row in imputed],
                    "How": [row["then"] for row in imputed],
                },
                hide_index=True,
            )


def _warn_of_images(shares: Mapping[str, float | None]) -> None:
    """Warn, before the answer, of images unlike those that the model learned from."""
    for name, share in shares.items():
        if share is not None and share >= UNUSUAL:
            st.warning(
                f"The image in “{name}” is more unusual than {share:.0%} of those that the model "
                "learned from: see whether it is of the right kind before trusting the answer.",
                icon=":material/image_search:",
            )


def _say_images(shares: Mapping[str, float | None]) -> None:
    for name, share in shares.items():
        if share is not None and share < UNUSUAL:
            st.caption(
                f"The image in “{name}” is more unusual than {share:.0%} of training images."
            )


def _show_unusual(share: float | None) -> None:
    """Say how unusual the patient's values are together, where the model can tell."""
    if share is None:
        return
    text = f"Taken together, these values are more unusual than those of {share:.0%} of training "
    if share >= UNUSUAL:
        st.warning(f"{text}patients; the prediction may not hold.", icon=":material/warning:")
    else:
        st.caption(f"{text}patients.")


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _show_risk(outcome: Column, said: Mapping[str, Any]) -> None:
    place = said["classes"].index(said["positive"])
    risk, low, high = (said[side][place] for side in ("value", "low", "high"))
    st.markdown(f"#### Risk of {outcome.name} = {said['positive']}: {risk:.0%}")
    if low is not None:
        st.markdown(
            f"Among patients the model did not learn from and gave such a risk, between {low:.0%} "
            f"and {high:.0%} had it (Venn–Abers interval)."
        )
    threshold = said["threshold"]
    if threshold is not None:
        verdict = "counts as an **alarm**" if risk >= threshold else "**does not alarm**"
        need = said["needs"].get(said["positive"])
        how = f" ({need})" if need else ""
        st.markdown(
            f"At the threshold of {threshold:.2f}, chosen on validation patients{how}, this "
            f"{verdict}."
        )
    _draw_risk(risk, low, high, threshold)


def _draw_risk(risk: float, low: float | None, high: float | None, threshold: float | None) -> None:
    figure = make_figure("", "Predicted risk", "", height=150)
    if low is not None:
        figure.add_trace(
            go.Bar(x=[high - low], base=[low], y=["risk"], orientation="h", opacity=0.35,
                   marker_color=BLUE, hovertemplate=f"{low:.0%} to {high:.0%}<extra></extra>")
        )  # fmt: skip
    figure.add_scatter(x=[risk], y=["risk"], mode="markers",
                       marker={"color": BLUE, "size": 16, "symbol": "diamond"},
                       hovertemplate=f"{risk:.1%}<extra></extra>")  # fmt: skip
    if threshold is not None:
        figure.add_vline(x=threshold, line={"dash": "dash", "color": "#D55E00"},
                         annotation_text="threshold")  # fmt: skip
    figure.update_layout(showlegend=False, margin={"t": 20})
    figure.update_xaxes(range=[0, 1], tickformat=".0%")
    figure.update_yaxes(visible=False)
    st.plotly_chart(figure, config={"displayModeBar": False}, key="risk_bar")


def _show_classes(said: Mapping[str, Any]) -> None:
    order = np.argsort([-value for value in said["value"]])
    top = said["classes"][order[0]]
    st.markdown(f"#### Most likely: {top} ({said['value'][order[0]]:.0%})")
    st.dataframe(
        {
            "Class": [said["classes"][i] for i in order],
            "Probability": [said["value"][i] for i in order],
            "From": [said["low"][i] for i in order],
            "To": [said["high"][i] for i in order],
        },
        column_config={
            "Probability": st.column_config.ProgressColumn(
                format="percent", min_value=0, max_value=1
            ),
            "From": st.column_config.NumberColumn(format="percent"),
            "To": st.column_config.NumberColumn(format="percent"),
        },
        hide_index=True,
    )
    st.caption("From–to: Venn–Abers interval of each class against the rest.")


def _show_number(outcome: Column, said: Mapping[str, Any]) -> None:
    unit = f" {outcome.unit}" if outcome.unit else ""
    st.markdown(f"#### {outcome.name}: {said['value']:.4g}{unit}")
    if said["low"] is not None:
        st.markdown(
            f"{said['coverage']:.0%} of new patients lie between such bounds: {said['low']:.4g} to "
            f"{said['high']:.4g}{unit}."
        )


def _show_outside(outside: list[Mapping[str, Any]], columns: Mapping[str, Column]) -> None:
    """Warn of values that no training patient had."""
    for row in outside:
        unit = columns[row["column"]].unit or ""
        if row.get("low") is None or row["low"] != row["low"]:
            text = f"“{row['column']} = {row['value']}” did not occur among the training patients"
        else:
            text = (
                f"“{row['column']}” = {_word(row['value'])} {unit} lies outside what training "
                f"patients had ({_word(row['low'])} to {_word(row['high'])})"
            )
        st.warning(f"{text}; the prediction is a guess there.", icon=":material/warning:")


def describe_model(run: Run) -> str:
    """Return which model answers, in words."""
    return label_model(run.config.model.name, run.summary.get("task", "binary"))
