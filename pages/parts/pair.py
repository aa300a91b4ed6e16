"""Two models on the same test patients, and the curves of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from medcore import figures
from medcore.config import RunConfig
from medcore.errors import MedcoreError
from medcore.evaluate import compare_predictions, explain_metric, label_metric, paired_p
from medcore.evaluate.words import LARGER_IS_WORSE
from medcore.records import Metric, Run
from medcore.store import RunRow, get_run, read_predictions, run_folder
from pages.parts import state
from pages.parts.charts import show_chart
from pages.parts.form import batched
from pages.parts.judgement import METHODS, load_evaluation
from pages.parts.leaderboard import show_settings

OVERLAID = 6
# Above this many test rows the resampling takes seconds, and is not begun unasked.
MOST_UNASKED = 5_000


def show_pair(runs: Sequence[RunRow], names: Mapping[str, str]) -> None:
    """Show the difference of two models on the same test patients, and of their settings."""
    st.subheader("Is the difference real?", anchor=False)
    left, right = st.columns(2)
    keys = [run.id for run in runs]
    first = left.selectbox("This model", keys, format_func=names.get, key="first_run")
    rest = [identity for identity in keys if identity != first]
    second = right.selectbox("less this one", rest, format_func=names.get, key="second_run")
    ours, theirs = (get_run(state.current().workspace, key) for key in (first, second))
    many = max(run.summary.get("n") or 0 for run in (ours, theirs)) > MOST_UNASKED
    if not many or st.button("Compare on the same patients", key="compare_pair"):
        try:
            _show_difference(ours, theirs, names)
        except MedcoreError as error:
            st.warning(str(error), icon=":material/warning:")
    with st.expander("Settings that differ"):
        show_settings(ours, theirs)


@st.cache_data(scope="session", max_entries=16, show_spinner="Comparing on the same patients …")
def _compare(
    folders: tuple[str, str], configs: tuple[str, str]
) -> tuple[dict[str, Metric], float | None]:
    first, second = (read_predictions(Path(folder)) for folder in folders)
    read = [RunConfig.model_validate_json(config) for config in configs]
    both = (read[0], read[1])
    return compare_predictions(first, second, both), paired_p(first, second, both)


def _show_difference(first: Run, second: Run, names: Mapping[str, str]) -> None:
    """Show the paired difference of two runs; raises `DataError` for different test patients."""
    differences, p = _compare(
        (str(first.folder), str(second.folder)),
        (first.config.model_dump_json(), second.config.model_dump_json()),
    )
    pair = (names[first.id], names[second.id])
    rows = [_write_row(name, metric, pair) for name, metric in differences.items()]
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, key="pair",
        column_config={
            side: st.column_config.NumberColumn(format="%+.3f")
            for side in ("Difference", "From", "To")
        },
    )  # fmt: skip
    if p is not None:
        said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        st.markdown(
            f"DeLong's paired test of the two AUROCs: {said}. It says how surprising such a "
            "difference would be if both ranked alike, not how large or useful it is."
        )
    st.caption(
        "Both models are judged on the same patients, drawn anew together; an interval that "
        "includes zero cannot tell them apart. With many figures, one in twenty misses zero by "
        "chance."
    )


def _write_row(name: str, metric: Metric, pair: tuple[str, str]) -> dict[str, Any]:
    known = metric.low == metric.low
    if not known:
        verdict = metric.reason or "No interval."
    elif metric.low <= 0 <= metric.high:
        verdict = "Not distinguishable"
    else:
        better = (metric.value > 0) != (name in LARGER_IS_WORSE)
        verdict = f"{pair[not better]} is better"
    return {
        "Metric": label_metric(name),
        "Difference": metric.value,
        "From": metric.low,
        "To": metric.high,
        "What it says": verdict,
        "Interval by": METHODS.get(metric.method, metric.method),
        "What it means for patients": explain_metric(name),
    }


def show_curves(runs: Sequence[RunRow], names: Mapping[str, str]) -> None:
    """Overlay the curves of several models, the first few of them."""
    curves = {}
    for run in runs[:OVERLAID]:
        folder = run_folder(state.current().workspace, run.id)
        try:
            curves[names[run.id]] = load_evaluation(str(folder)).curves["model"]
        except MedcoreError as error:
            st.warning(f"“{names[run.id]}”: {error}", icon=":material/warning:")
    charts, inside = figures.CHARTS.get(runs[0].summary["task"], ((), None))
    if not curves or not charts:
        return
    st.subheader("Their curves", anchor=False)
    if len(runs) > OVERLAID:
        st.caption(f"The first {OVERLAID} of {len(runs)}; tick rows above to choose.")
    within = None
    if inside is not None:
        options = dict.fromkeys(key for own in curves.values() for key in own.get(charts[0], {}))
        if not options:
            return
        within = st.selectbox(inside, list(options), key="compare_within")
    drawn = {chart: figures.overlay(curves, chart, within) for chart in charts}
    drawn = {chart: found for chart, found in drawn.items() if len(found[1])}
    for pair in batched(list(drawn.items()), 2):
        for column, (chart, found) in zip(st.columns(2), pair, strict=False):
            with column:
                show_chart(*found, f"compare_{chart}")
