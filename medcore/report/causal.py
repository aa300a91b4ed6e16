"""The report's part on an effect of treatment: question, overlap, who benefits, and claims."""

from __future__ import annotations

from typing import Any

from medcore.evaluate import effect_words as words
from medcore.evaluate import explain_metric, label_metric
from medcore.report.facts import Facts
from medcore.report.numbers import Numbers

METHODS = {"crossfit": "influence function", "bootstrap": "bootstrap", "none": ""}


def tell_effect(facts: Facts) -> tuple[str, ...]:
    """Return the sentences on an effect in their order; none for a run of another task."""
    evaluation, effect = facts.evaluation, facts.evaluation.effect
    if effect is None:
        return ()
    return (
        words.write_question(effect, evaluation.positive).replace("**", ""),
        words.write_overlap(effect),
        words.write_balance(evaluation.curves["model"]["balance"]),
        words.write_benefit(effect),
        words.write_better(effect, evaluation.positive),
        words.write_policy(effect),
        *words.write_forest(effect),
        *words.write_robustness(effect, evaluation.positive),
    )


def list_groups(facts: Facts) -> list[tuple[str, list[Any]]]:
    """Return each group of patients with its size, the effect in it, and its interval."""
    numbers, rows = Numbers(facts.values), []
    for column, groups in facts.evaluation.curves["model"].get("groups", {}).items():
        for place, group in enumerate(groups):
            at = ("curves", "model", "groups", column, place)
            names = ("n",) if group["few"] else ("n", "effect", "low", "high")
            cells: list[Any] = [numbers.html(*at, name) for name in names]
            cells += ["too few"] if group["few"] else []
            rows.append((f"{column} = {group['name']}", cells))
    return rows


def list_figures(facts: Facts) -> list[dict[str, Any]]:
    """Return every figure of an effect with its interval, its method and its meaning."""
    effect, numbers = facts.values["effect"], Numbers(facts.values)
    return [
        {
            "label": label_metric(name),
            "value": numbers.html("effect", name),
            "method": METHODS.get(effect[name]["method"], effect[name]["method"]),
            "help": explain_metric(name),
            "reason": effect[name]["reason"] or "",
        }
        for name in words.FIGURES
        if name in effect
    ]


def say_intervals(facts: Facts) -> str:
    """Which figures of an effect have which intervals."""
    return (
        "95 % intervals of average effects by their influence functions, of what tells who "
        f"benefits by bootstrap ({facts.config.evaluate.resamples:,} resamples); where patients "
        "repeat they stay whole. Everybody was judged by models that did not learn from them."
    )
