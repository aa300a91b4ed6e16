"""Each class of an outcome with several, against the rest."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from medcore.evaluate import explain_metric, label_metric, write_metric
from medcore.records import Evaluation, Run

FIGURES = ("recall", "specificity", "precision", "f1", "auroc", "auprc", "ece")


def show_classes(_: Run, evaluation: Evaluation) -> None:
    """Show a table of the classes: patients, how many are called so, and every figure."""
    if evaluation.task != "multiclass":
        return
    st.subheader("Class by class", anchor=False)
    metrics = evaluation.parts["test"].metrics
    counts = evaluation.curves["model"]["confusion"]["counts"]
    rows = []
    for place, name in enumerate(evaluation.classes):
        row = {"Class": name, "Patients": sum(counts[place])}
        row["Called so"] = sum(line[place] for line in counts)
        for figure in FIGURES:
            if f"{figure}_{name}" in metrics:
                row[label_metric(figure)] = write_metric(metrics[f"{figure}_{name}"])
        rows.append(row)
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, key="classes",
        column_config={
            label_metric(figure): st.column_config.TextColumn(help=explain_metric(figure))
            for figure in FIGURES
        },
    )  # fmt: skip
    if "kappa_quadratic" in metrics:
        st.markdown(
            f"The classes have an order. {label_metric('kappa_quadratic')}: "
            f"{write_metric(metrics['kappa_quadratic'])}; 1 is perfect, 0 chance."
        )
