"""The charts of a judged run, as a page shows them."""

from __future__ import annotations

import streamlit as st

from medcore.figures import draw_judgement
from medcore.records import Evaluation, Run
from pages.parts.charts import show_chart
from pages.parts.form import batched
from pages.parts.judgement import outcome_unit

APART = ("decision",)


def show_charts(run: Run, evaluation: Evaluation, most: int | None = None) -> None:
    """Show charts two abreast, with many classes one; on a narrow screen they follow each other.

    `most` takes the first ones only; without it, those with a section of their own stay apart.
    """
    drawn = list(draw_judgement(evaluation, *outcome_unit(run)).items())[:most]
    if most is None:
        drawn = [(name, chart) for name, chart in drawn if name not in APART]
    abreast = 2 if len(evaluation.classes) <= 4 else 1
    for pair in batched(drawn, abreast):
        height = max(figure.layout.height for _, (figure, _) in pair)
        for column, (name, (figure, table)) in zip(st.columns(abreast), pair, strict=False):
            figure.update_layout(height=height)
            with column:
                show_chart(figure, table, name)
