"""Results of a treatment's effect, the right way round: question, comparability, effect, claims."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from medcore.evaluate import effect_words as words
from medcore.evaluate import explain_metric, label_metric, label_model
from medcore.figures import effect as figures
from medcore.figures.judgement import Drawn
from medcore.records import Column, Evaluation, Metric, Run
from pages.parts import state
from pages.parts.certificate import show_certificate
from pages.parts.charts import show_chart
from pages.parts.development import show_rows
from pages.parts.form import batched
from pages.parts.frame import close_page
from pages.parts.judgement import METHODS

ELSEWHERE = {
    "explain": "What sets patients with a large effect apart stands on Results, under “Who "
    "benefits?”, beside the effect in groups of patients.",
    "validate": "Nobody is seen both with and without treatment, so an effect cannot be looked up "
    "in new patients. Train on the other table, with its own treatment, and compare the average "
    "effects.",
}


def show_effect(run: Run, evaluation: Evaluation, *, present: bool = False) -> None:
    """Show the whole judgement of an effect; `present` keeps what a meeting needs."""
    _show_question(evaluation)
    _show_overlap(evaluation)
    _show_averages(evaluation)
    _show_benefit(run, evaluation, present)
    _show_robustness(evaluation)
    _show_claims(evaluation)
    if present:
        return
    _show_numbers(evaluation)
    show_certificate(run, evaluation)
    show_rows(run, evaluation)


def _show_question(evaluation: Evaluation) -> None:
    st.subheader("The question", anchor=False)
    st.markdown(words.write_question(evaluation.effect, evaluation.positive))


def _show_overlap(evaluation: Evaluation) -> None:
    curves, effect = evaluation.curves["model"], evaluation.effect
    st.subheader("Can the two groups be compared?", anchor=False)
    st.markdown(f"- {words.write_overlap(effect)}\n- {words.write_balance(curves['balance'])}")
    drawn = {"balance": figures.draw_balance(curves["balance"])}
    if effect["design"] == words.OBSERVATIONAL:
        drawn = {"overlap": figures.draw_overlap(curves["propensity"], effect), **drawn}
    _show_abreast(drawn)


def _show_averages(evaluation: Evaluation) -> None:
    effect, binary = evaluation.effect, words.is_binary(evaluation.effect)
    st.subheader("The effect on average", anchor=False)
    st.markdown(f"#### {words.write_effect(effect, evaluation.positive)}")
    names = ("ate_crude", "ate", "risk_ratio" if binary else "att")
    unit = " per 100" if binary else f", {effect['unit']}" if effect["unit"] else ""
    for column, name in zip(st.columns(3), names, strict=True):
        ratio = name in words.RATIOS
        with column:
            _show_metric(name, effect[name], "" if ratio else unit, binary and not ratio)
    st.caption(
        f"{effect['n']:,} rows of {effect['patients']:,} patients; each was judged by models that "
        "did not learn from them. In brackets: 95 % intervals."
    )
    show_chart(*figures.draw_averages(effect), "averages")


def _show_metric(name: str, metric: dict, unit: str, binary: bool) -> None:
    known = metric["value"] is not None
    interval = None
    if known and metric["low"] is not None:
        low, high = (words.write_amount(metric[side], binary) for side in ("low", "high"))
        interval = f"({low} to {high})"
    st.metric(
        label_metric(name) + unit,
        words.write_amount(metric["value"], binary),
        interval or metric["reason"],
        delta_color="off", delta_arrow="off", help=explain_metric(name), border=True,
    )  # fmt: skip


def _show_benefit(run: Run, evaluation: Evaluation, present: bool) -> None:
    curves, effect = evaluation.curves["model"], evaluation.effect
    st.subheader("Who benefits?", anchor=False)
    st.markdown(
        f"- {words.write_benefit(effect)}\n- {words.write_policy(effect)}\n\n"
        f"Learned by: {label_model(_learner(run))}. "
        f"{words.write_better(effect, evaluation.positive)}"
    )
    _show_forest(run, evaluation)
    drawn = {
        "effect_calibration": figures.draw_effect_calibration(curves["calibration"], effect),
        "qini": figures.draw_qini(curves["uplift"], effect),
    }
    if not present:
        drawn |= {
            "effects": figures.draw_effects(curves["effects"], effect),
            "uplift": figures.draw_uplift(curves["uplift"], effect),
        }
    _show_abreast(drawn)
    if present:
        return
    groups = curves["groups"]
    if groups:
        st.markdown("**The effect in groups of patients**, each by itself; dashed: everybody.")
        _show_abreast(
            {
                f"effect_by_{name}": figures.draw_group_effects(name, rows, effect)
                for name, rows in groups.items()
            }
        )
    _show_apart(evaluation)


def _show_forest(run: Run, evaluation: Evaluation) -> None:
    sentences = words.write_forest(evaluation.effect)
    if sentences:
        table = forest_table(evaluation.effect, label_model(_learner(run)))
        helps = {
            column: st.column_config.TextColumn(help=explain_metric(name))
            for column, name in zip(table.columns[1:], ("ate", "qini", "effect_slope"), strict=True)
        }
        st.dataframe(table, hide_index=True, column_config=helps)
        st.caption(" ".join(sentences))


def forest_table(effect: Mapping[str, Any], learner: str) -> pd.DataFrame:
    """Return the model and the causal forest, a row each, in what tells who benefits."""
    unit = f", {effect['unit']}" if effect["unit"] else ""
    unit = " per 100" if words.is_binary(effect) else unit
    columns = {f"Average effect{unit}": "ate", f"Qini{unit}": "qini"}
    rows = []
    for title, end in ((learner, ""), ("Causal forest (econml)", "_causal_forest")):
        told = {
            label: words.write_interval(effect[name + end], words.is_binary(effect))
            for label, name in columns.items()
        }
        slope = words.write_interval(effect[f"effect_slope{end}"], False)
        rows.append({"Who benefits, by": title, **told, "Calibration slope": slope})
    return pd.DataFrame(rows)


def _learner(run: Run) -> str:
    name = run.config.model.name
    return "dr_learner" if name == "recommended" else name


def _show_apart(evaluation: Evaluation) -> None:
    rows = evaluation.curves["model"]["apart"]
    if not rows:
        return
    with st.expander("What sets those with the largest predicted benefit apart"):
        table = pd.DataFrame(rows).rename(
            columns={
                "column": "Column", "level": "Value", "least": "Least third", "most": "Top third",
                "difference": "Difference (SD)",
            }
        )  # fmt: skip
        numbers = dict.fromkeys(
            ("Least third", "Top third", "Difference (SD)"),
            st.column_config.NumberColumn(format="%.2f"),
        )
        st.dataframe(table, hide_index=True, column_config=numbers)
        st.caption("Means, or shares of patients, in the thirds by predicted benefit.")


def _show_robustness(evaluation: Evaluation) -> None:
    st.subheader("Does it hold?", anchor=False)
    for sentence in words.write_robustness(evaluation.effect, evaluation.positive):
        st.markdown(f"- {sentence}")
    if "ate_placebo" not in evaluation.effect:
        st.caption("The placebo test and the random confounder were switched off (Advanced).")


def _show_claims(evaluation: Evaluation) -> None:
    st.subheader("What can be claimed", anchor=False)
    for sentence in (*evaluation.warnings, *words.write_claims(evaluation.effect)):
        st.markdown(f"- {sentence}")


def _show_numbers(evaluation: Evaluation) -> None:
    with st.expander("All figures, with intervals and what each means"):
        table = effect_table(evaluation)
        st.dataframe(
            table,
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="%.4g")
                for name in ("Value", "From", "To")
            },
        )
        st.download_button(
            "Download as CSV", table.to_csv(index=False).encode(), "effect.csv", "text/csv",
            on_click="ignore", key="effect_csv",
        )  # fmt: skip


def effect_table(evaluation: Evaluation) -> pd.DataFrame:
    """Return every figure of an effect with its interval, method and meaning, one row each."""
    rows = []
    for name in words.FIGURES:
        if name in evaluation.effect:
            metric = Metric(**evaluation.effect[name])
            rows.append(
                {
                    "Figure": label_metric(name), "Value": metric.value, "From": metric.low,
                    "To": metric.high, "Interval by": METHODS[metric.method],
                    "What it means for patients": explain_metric(name),
                    "Why there is none": metric.reason or "",
                }
            )  # fmt: skip
    return pd.DataFrame(rows)


def show_patient_effect(outcome: Column, said: Mapping[str, Any]) -> None:
    """Show what treatment is expected to change for one patient, and how sure that is."""
    binary = bool(said["classes"])
    unit = " per 100 patients like this one" if binary else f" {outcome.unit or ''}".rstrip()
    what = f"{outcome.name} = {said['positive']}" if binary else outcome.name
    value, low, high = (words.write_amount(said[s], binary, signed=True) for s in
                        ("value", "low", "high"))  # fmt: skip
    st.markdown(f"#### Expected effect of treatment on {what}: {value}{unit}")
    if said["low"] is None:
        return
    verdict = (
        "so that in such patients no effect can be told from chance"
        if said["low"] <= 0 <= said["high"]
        else "more than chance would explain"
    )
    st.markdown(
        f"In patients the model did not learn from, and for whom it expected a similar effect, "
        f"treatment made {low} to {high}{unit.replace(' like this one', '')} on average (95 % "
        f"interval): {verdict}. This one patient's own effect can never be seen."
    )


def leave_effect_to_results(run: Run, page: str) -> None:
    """Say of an effect, on a page that cannot answer for one, where the answer stands."""
    if run.summary.get("task") != "effect":
        return
    st.info(ELSEWHERE[page], icon=":material/alt_route:")
    state.link("results", "See its results", ":material/monitoring:")
    close_page()
    st.stop()


def _show_abreast(drawn: dict[str, Drawn]) -> None:
    """Show charts two abreast, equally high."""
    for pair in batched(list(drawn.items()), 2):
        height = max(figure.layout.height for _, (figure, _) in pair)
        for column, (name, (figure, table)) in zip(st.columns(2), pair, strict=False):
            figure.update_layout(height=height)
            with column:
                show_chart(figure, table, name)
