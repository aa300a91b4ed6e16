"""How well gaps are filled: known values hidden, and each strategy held to the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.config import RunConfig
from medcore.evaluate import write_metric
from medcore.figures import SEQUENCE
from medcore.jobs import start_laboratory
from medcore.laboratory import MASKED, MECHANISMS, SHARES, MaskChoice, write_masking
from medcore.strategies import MISSING_TITLES
from pages.parts import state
from pages.parts.cells import find_laboratory, show_end
from pages.parts.charts import make_figure, show_chart
from pages.parts.strategies import read_metric
from pages.parts.waiting import watch_job

USUAL = ("median", "knn", "iterative", "denoising_autoencoder")
DEEP_REMARK = "The autoencoder and MIWAE are networks: they take minutes, the others seconds."


def show_masking(config: RunConfig) -> None:
    """Choose strategies, hide known values, and show whose answers come nearest."""
    shares = ", ".join(f"{share:.0%}" for share in SHARES[:-1])
    st.markdown(
        f"Known values are hidden ({shares} and {SHARES[-1]:.0%} of them) and each strategy fills "
        "them in patients it did not learn from. What comes nearest to the truth need not predict "
        "best: compare that on the other tab."
    )
    place = state.current().dataset.id
    left, right = st.columns(2)
    strategies = left.multiselect(
        "Strategies", [name for name in MASKED if name != "mean"], default=USUAL,
        format_func=MISSING_TITLES.get, key=f"mask_strategies_{place}", help=DEEP_REMARK,
    )  # fmt: skip
    mechanism = right.selectbox(
        "Which values are hidden", list(MECHANISMS), format_func=MECHANISMS.get,
        key=f"mask_mechanism_{place}",
        help="In a clinic, gaps are seldom at random: sicker patients have more tests done.",
    )  # fmt: skip
    job = find_laboratory("masking")
    active = job is not None and job.active
    if st.button("Hide and fill", type="primary", key="start_masking", disabled=active,
                 icon=":material/visibility_off:"):  # fmt: skip
        now = state.current()
        choice = MaskChoice(("mean", *strategies), mechanism)
        start_laboratory(now.workspace, now.dataset.id, config, choice)
        st.rerun()
    if active:
        watch_job(job.id)
    elif job is not None and show_end(job):
        _show_figures(job.result)


def _show_figures(result: Mapping[str, Any]) -> None:
    st.subheader("Whose answers come nearest", anchor=False)
    for sentence in write_masking(result):
        st.markdown(f"- {sentence}")
    st.caption(
        f"Learned from {result['rows']:,} patients, filled in {result['new']:,} others; "
        f"{result['set_aside']:,} test rows took no part. An error of 1 is that of the column's "
        "mean (of a category: its most frequent word); 0 would be the truth."
    )
    show_chart(*_draw(result), "masking")
    _show_columns(result)
    for part in result["shares"]:
        for row in part["strategies"]:
            if row["reason"]:
                title = MISSING_TITLES[row["strategy"]]
                st.warning(f"{title}, {part['share']:.0%} hidden: {row['reason']}")


def _draw(result: Mapping[str, Any]) -> tuple[Any, pd.DataFrame]:
    figure = make_figure(
        "Error of filled-in values", "Share of known values hidden", "Error, mean = 1", 380
    )
    rows = []
    names = [row["strategy"] for row in _compared(result)[-1]["strategies"]]
    for place, name in enumerate(names):
        title = MISSING_TITLES[name]
        told = [
            (part["share"], row["error"])
            for part in result["shares"]
            for row in part["strategies"]
            if row["strategy"] == name and row["reason"] is None
        ]
        if not told:
            continue
        middle = [error["value"] for _, error in told]
        up = [error["high"] - error["value"] for _, error in told]
        down = [error["value"] - error["low"] for _, error in told]
        figure.add_scatter(
            # A little apart, so that intervals do not hide each other.
            x=[share + 0.006 * (place - len(names) / 2) for share, _ in told], y=middle,
            mode="lines+markers", name=title, line={"color": SEQUENCE[place % len(SEQUENCE)]},
            error_y={"type": "data", "symmetric": False, "array": up, "arrayminus": down},
            hovertemplate=f"{title}: %{{y:.2f}}<extra></extra>",
        )  # fmt: skip
        rows += [
            {"Strategy": title, "Hidden": f"{share:.0%}", "Error": write_metric(read_metric(e))}
            for share, e in told
        ]
    figure.update_xaxes(tickvals=list(SHARES), tickformat=".0%")
    figure.update_yaxes(rangemode="tozero")
    return figure, pd.DataFrame(rows)


def _compared(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the shares at which there was enough to compare."""
    return [part for part in result["shares"] if part["strategies"]]


def _show_columns(result: Mapping[str, Any]) -> None:
    """Show each column's error, one share at a time."""
    with st.expander("Column by column"):
        share = st.segmented_control(
            "Hidden", [part["share"] for part in _compared(result)], default=SHARES[-1],
            format_func=lambda share: f"{share:.0%}", key="mask_share",
        )  # fmt: skip
        parts = _compared(result)
        part = next((part for part in parts if part["share"] == share), parts[-1])
        table = pd.DataFrame(
            {
                MISSING_TITLES[row["strategy"]]: row["columns"]
                for row in part["strategies"]
                if row["reason"] is None
            }
        )
        st.dataframe(
            table,
            column_config={name: st.column_config.NumberColumn(format="%.2f") for name in table},
        )
