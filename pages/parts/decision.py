"""Whether acting on the risks is worth it, over the thresholds a clinic would act on."""

from __future__ import annotations

import streamlit as st

from medcore.evaluate import better_range
from medcore.figures import draw_avoided, draw_decision
from medcore.records import Evaluation, Run
from pages.parts.border import draw_apart
from pages.parts.charts import show_chart


@draw_apart
def show_decision(run: Run, evaluation: Evaluation) -> None:
    """Show net benefit and interventions avoided between two thresholds, and what they say."""
    if evaluation.task != "binary":
        return
    st.subheader("Is acting on it worth it?", anchor=False)
    model = evaluation.curves["model"]
    if "decision" not in model:
        st.warning(model["refused"]["decision"], icon=":material/block:")
        return
    evaluate = run.config.evaluate
    low, high = st.slider(
        "From which risks might a clinic act?", 0.01, 0.99,
        (round(evaluate.act_from, 2), round(evaluate.act_to, 2)), 0.01, format="percent",
        key=f"act_{run.id}",
        help="If one would treat five patients in vain to treat one rightly, one acts from a risk "
        "of 1 in 6. Choose the range within which reasonable doctors and patients would differ.",
    )  # fmt: skip
    if low == high:
        st.caption("Choose a range, not one risk.")
        return
    st.markdown(_say(model["decision"], low, high))
    left, right = st.columns(2)
    with left:
        show_chart(*draw_decision(evaluation.curves, low, high), "decision")
    with right:
        show_chart(*draw_avoided(model["decision"], low, high), "avoided")


def _say(curve: dict, low: float, high: float) -> str:
    better, sure = (better_range(curve, low, high, sure=side) for side in (False, True))
    if not better:
        return (
            "At no threshold of this range is acting on the model's risks worth more than acting "
            "on everybody or on nobody."
        )
    shown = sum(low - 1e-9 <= t <= high + 1e-9 for t in curve["threshold"])
    where = "throughout this range"
    if len(better) < shown:
        where = f"at {len(better)} of the {shown} thresholds of this range"
    doubt = "; chance may explain it"
    if sure:
        doubt = f"; beyond chance from {sure[0]:.0%} to {sure[-1]:.0%}"
    place = curve["threshold"].index((sure or better)[len(sure or better) // 2])
    spared = [curve[name][place] for name in ("avoided", "avoided_low", "avoided_high")]
    return (
        f"Acting on the model's risks is worth more than acting on everybody or on nobody {where}"
        f"{doubt}. Acting from a risk of {curve['threshold'][place]:.0%}, it spares "
        f"{spared[0]:.0f} ({spared[1]:.0f} to {spared[2]:.0f}) of 100 patients an intervention, "
        "compared with acting on everybody, without missing more."
    )
