"""Whether a model holds at each site, and later in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.errors import MedcoreError
from medcore.evaluate import explain_metric, label_metric, write_metric
from medcore.evaluate.subgroups import FIGURES
from medcore.figures import draw_forest
from medcore.records import Evaluation, Metric, Run
from medcore.store import read_columns, read_json
from medcore.store.folder import SPLIT
from pages.parts.border import draw_apart
from pages.parts.charts import show_chart
from pages.parts.choice import choose_one
from pages.parts.findings import finding_of
from pages.parts.groups import divide, draw_groups, judge_groups
from pages.parts.strategies import read_metric

FORETELL = 5
PERFECT = {"o_e": 1.0, "calibration_slope": 1.0}


@draw_apart
def show_sites(run: Run, evaluation: Evaluation) -> None:
    """Show the model's figures at each site, pooled, and how much sites differ."""
    found = evaluation.curves.get("sites")
    if found is None:
        return
    st.subheader("Does it hold at each site?", anchor=False)
    if found["unseen"]:
        st.markdown(
            "Each site was judged by a model that had learned from the other sites only: the best "
            "forecast of how the model will do at a place it does not know."
        )
    else:
        st.markdown(
            "The model learned from patients of these sites too; at a place it does not know it "
            "may do worse. Divide by site on Train to try that."
        )
    figures = list(found["figures"])
    figure = figures[0] if len(figures) == 1 else choose_one(
        "Figure", figures, figures[0], format_func=label_metric,
        key=f"sites_{run.id}",
    )  # fmt: skip
    st.markdown(_say_sites(found, figure))
    sites, told = found["sites"], found["figures"][figure]
    label = label_metric(figure)
    show_chart(
        *draw_forest(
            f"{label} by site", label, [_name(site) for site in sites], told["metrics"],
            told["pooled"], [site["few"] for site in sites], PERFECT.get(figure),
        ),
        "sites",
    )  # fmt: skip
    _show_numbers(found)


def _name(site: Mapping[str, Any]) -> str:
    return f"{site['site']} ({site['n']:,})"


def _say_sites(found: Mapping[str, Any], figure: str) -> str:
    told, label = found["figures"][figure], label_metric(figure)
    few = [site["site"] for site in found["sites"] if site["few"]]
    apart = f" Too few patients with, or without, the outcome to count: {', '.join(few)}."
    if told["pooled"] is None:
        return f"{label} cannot be pooled: {told['reason']}.{apart if few else ''}"
    pooled = told["pooled"]
    value = write_metric(read_metric({**pooled, "n": 0, "method": "none", "reason": None}))
    text = (
        f"{label} over {pooled['places']} sites: {value}. Of the spread between sites, "
        f"{pooled['i2']:.0%} is more than chance (I²)."
    )
    if pooled["predict_low"] is not None:
        text += (
            f" At a new site it may lie between {pooled['predict_low']:.2f} and "
            f"{pooled['predict_high']:.2f}."
        )
    if pooled["places"] < FORETELL:
        text += " So few sites foretell little."
    return text + (apart if few else "")


def _show_numbers(found: Mapping[str, Any]) -> None:
    with st.expander("Every figure of every site"):
        rows = []
        for place, site in enumerate(found["sites"]):
            row = {"Site": site["site"], "Patients": site["n"], "With the outcome": site["events"]}
            for figure, told in found["figures"].items():
                row[label_metric(figure)] = write_metric(read_metric(told["metrics"][place]))
            rows.append(row)
        pooled: dict[str, Any] = {"Site": "Pooled (random effects)"}
        for figure, told in found["figures"].items():
            pooled[label_metric(figure)] = _write_pooled(told["pooled"])
        st.dataframe(
            pd.DataFrame([*rows, pooled]), hide_index=True, key="sites_table",
            column_config={
                label_metric(figure): st.column_config.TextColumn(help=explain_metric(figure))
                for figure in found["figures"]
            },
        )  # fmt: skip
        st.caption(
            "Pooled by DerSimonian and Laird's random effects with Hartung and Knapp's interval; "
            "AUROC on the scale of log odds, observed/expected on that of logarithms."
            + (f" {found['without']:,} rows have no site." if found["without"] else "")
        )


def _write_pooled(pooled: Mapping[str, Any] | None) -> str:
    if pooled is None:
        return "–"
    metric = Metric(pooled["value"], pooled["low"], pooled["high"], 0, "none")
    return f"{write_metric(metric)}; I² {pooled['i2']:.0%}, τ² {pooled['tau2']:.3g}"


def show_times(run: Run, evaluation: Evaluation) -> None:
    """Show, after a split by time, whether the model holds among ever later patients."""
    if run.config.split.kind != "temporal" or evaluation.task not in FIGURES:
        return
    dates = [column for column in read_columns(run.folder) if column.role == "date"]
    if not dates:
        return
    st.subheader("Does it hold later?", anchor=False)
    said = [note for note in evaluation.warnings if note.startswith("The test patients are those")]
    st.markdown(
        "The model learned from earlier patients and was judged on later ones. " + " ".join(said)
    )
    try:
        groups = divide(run, dates[0], read_json(run.folder, SPLIT)["parts"]["test"])
    except MedcoreError:
        st.info("The data set of this model was deleted; its patients cannot be divided any more.")
        return
    told = (str(run.folder), run.config.model_dump_json(), groups, dates[0].name)
    found = judge_groups(*told, finding_of(run, evaluation))
    found = tuple(sorted(found, key=lambda group: group.name))
    show_chart(*draw_groups(found, FIGURES[evaluation.task][0], dates[0].name), "times")
