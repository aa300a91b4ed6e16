"""One way to show a chart: the picture, and its numbers one click away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from medcore.figures import BLUE, GREYS, ORANGE, make_figure

__all__ = ["BLUE", "GREYS", "ORANGE", "make_figure", "show_chart"]


def show_chart(
    figure: go.Figure, table: pd.DataFrame | Mapping[str, Sequence[Any]], name: str
) -> None:
    """Show a chart with its picture's download, and its numbers in a closed table with theirs."""
    options = {
        "displaylogo": False,
        "toImageButtonOptions": {"filename": name, "scale": 2},
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
    }
    st.plotly_chart(figure, config=options, key=f"chart_{name}")
    with st.expander("The numbers behind it"):
        numbers = pd.DataFrame(table)
        st.dataframe(numbers, hide_index=True, key=f"table_{name}")
        st.download_button(
            "Download as CSV",
            numbers.to_csv(index=False).encode(),
            f"{name}.csv",
            "text/csv",
            key=f"csv_{name}",
            on_click="ignore",
        )
