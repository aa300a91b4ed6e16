"""A laboratory's combinations: what the figures support, a forest plot, all figures, one chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.config import RunConfig
from medcore.evaluate import explain_metric, label_metric, write_metric
from medcore.jobs import Job, list_jobs, start_run
from medcore.laboratory import cell_config, cell_title, read_choice, write_conclusion
from pages.parts import state
from pages.parts.charts import BLUE, GREYS, make_figure, show_chart
from pages.parts.form import WORDS
from pages.parts.frame import RESEARCH
from pages.parts.strategies import read_metric
from pages.parts.training import WATCHED

RARE = 0.2
REMARK = (
    "Re-sampling or weighting seldom finds more patients, and makes predicted risks too high "
    "(van den Goorbergh et al. 2022, JAMIA). Choose a threshold first. Risks below are put right "
    "on patients outside each fit."
)


def find_laboratory(kind: str = "laboratory") -> Job | None:
    """Return the newest comparison of a kind on the data set in use."""
    now = state.current()
    jobs = list_jobs(now.workspace, kind=kind)
    return next((job for job in jobs if job.payload["dataset"] == now.dataset.id), None)


def show_end(job: Job) -> bool:
    """Say why a comparison has no figures; tell whether it has."""
    if job.state == "failed":
        st.error(job.error or "The comparison failed.", icon=":material/error:")
    elif job.state == "stopped":
        st.warning(
            "The comparison was stopped; pressing Compare with the same choice goes on from there.",
            icon=":material/stop_circle:",
        )
    return job.state == "finished"


def show_result(job: Job, config: RunConfig) -> None:
    """Show what became of a laboratory."""
    if not show_end(job):
        return
    result = job.result
    st.subheader("What the figures support", anchor=False)
    prevalence = result.get("prevalence")
    if prevalence is not None and prevalence < RARE:
        st.info(
            f"The outcome is rare ({prevalence:.0%}). {REMARK} A model that never alarms is right "
            f"for {result['majority']:.0%}, so accuracy proves little.",
            icon=":material/info:",
        )
    for sentence in write_conclusion(result):
        st.markdown(f"- {sentence}")
    st.caption(
        f"{WORDS[result['model']]}, {result['folds']} folds of {result['rows']:,} rows; "
        f"{result['set_aside']:,} test rows were set aside first and took no part."
    )
    fitted = [cell for cell in result["cells"] if cell["reason"] is None]
    if fitted:
        _draw_forest(result, fitted)
    _show_table(result)
    if fitted:
        _take_further(job, fitted, config)
    st.caption(RESEARCH)


def _draw_forest(result: Mapping[str, Any], fitted: list[Mapping[str, Any]]) -> None:
    names = list(fitted[0]["metrics"])
    name = st.selectbox(
        "Compare by", names, format_func=label_metric, key="forest_figure",
        help="The difference to the combination that does least, on the same patients.",
    )  # fmt: skip
    shown = [cell for cell in fitted if name in cell["differences"]]
    if not shown:
        return
    table = pd.DataFrame(
        [
            {
                "combination": cell_title(*cell["cell"]).replace(", ", ",<br>"),
                **{k: cell["differences"][name][k] for k in ("value", "low", "high")},
            }
            for cell in shown
        ]
    ).astype({"value": float, "low": float, "high": float})
    apart = (table["low"] > 0) | (table["high"] < 0)
    figure = make_figure(
        f"{label_metric(name)}: difference to the least", "Difference (95 % interval)", "",
        160 + 40 * len(table),
    )  # fmt: skip
    for chosen, colour, words in (
        (apart, BLUE, "differs"),
        (~apart, GREYS[0], "not distinguishable"),
    ):
        part = table[chosen]
        figure.add_scatter(
            x=part["value"], y=part["combination"], mode="markers", name=words,
            marker={"color": colour, "size": 9},
            error_x={"type": "data", "symmetric": False, "array": part["high"] - part["value"],
                     "arrayminus": part["value"] - part["low"]},
            hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
        )  # fmt: skip
    figure.add_vline(x=0, line={"color": "#999999", "dash": "dash"})
    order = table["combination"].tolist()[::-1]
    figure.update_yaxes(categoryorder="array", categoryarray=order, type="category")
    figure.update_layout(legend={"y": -60 / (160 + 40 * len(table)) - 0.1})
    st.caption(
        f"Differences to “{cell_title(*result['base'])}”, on the same patients drawn anew together."
    )
    told = table.assign(combination=table["combination"].str.replace("<br>", " "))
    show_chart(figure, told, "laboratory_forest")


def _show_table(result: Mapping[str, Any]) -> None:
    rows = []
    for cell in result["cells"]:
        row = {"Combination": cell_title(*cell["cell"])}
        for name, metric in cell["metrics"].items():
            row[label_metric(name)] = write_metric(read_metric(metric))
        before = cell.get("before")
        if before is not None:
            row["Mean risk before"] = f"{before['mean_risk']:.3f}"
            row["Brier before"] = f"{before['brier']:.3f}"
        row["Not fitted because"] = cell["reason"] or ""
        rows.append(row)
    named = {name for cell in result["cells"] for name in cell["metrics"]}
    st.markdown("**All figures**")
    shown = pd.DataFrame(rows)
    if not shown["Not fitted because"].any():
        shown = shown.drop(columns="Not fitted because")
    st.dataframe(
        shown, hide_index=True, key="laboratory_table",
        column_config={
            label_metric(name): st.column_config.TextColumn(help=explain_metric(name))
            for name in named
        }
        | {
            "Combination": st.column_config.TextColumn(pinned=True, width="medium"),
            "Mean risk before": st.column_config.TextColumn(
                help="Mean predicted risk before the risks were put right."
            ),
            "Brier before": st.column_config.TextColumn(
                help="Brier score before the risks were put right."
            ),
        },
    )  # fmt: skip
    st.download_button(
        "Download as CSV", shown.to_csv(index=False).encode(), "laboratory.csv", "text/csv",
        key="csv_laboratory", on_click="ignore",
    )  # fmt: skip


def _take_further(job: Job, fitted: list[Mapping[str, Any]], config: RunConfig) -> None:
    """Train one combination as a full run, judged on the test patients, or take its settings."""
    st.subheader("Take one further", anchor=False)
    cells = {cell_title(*cell["cell"]): tuple(cell["cell"]) for cell in fitted}
    title = st.selectbox("Combination", list(cells), key="chosen_cell")
    choice = read_choice(job.payload["choice"])
    wanted = cell_config(config, choice, cells[title])
    left, right = st.columns(2)
    if left.button("Train it and judge it on the test patients", type="primary", key="train_cell",
                   width="stretch", wrap=True):  # fmt: skip
        now = state.current()
        run, _ = start_run(now.workspace, now.dataset.id, wanted, name=title)
        st.session_state[WATCHED] = run.id
        state.keep_settings(wanted)
        state.use(state.RUN, run.id)
        state.go("train")
    if right.button("Use these settings on Train", key="use_cell", width="stretch", wrap=True):
        kept = {"missing": wanted.missing, "balance": wanted.balance}
        state.keep_settings(config.model_copy(update=kept))
        state.go("train")
