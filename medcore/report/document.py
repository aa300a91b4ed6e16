"""`report.html`: one file that holds everything, loads nothing and prints on A4."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from medcore.evaluate import (
    explain_metric,
    label_metric,
    label_model,
    leading_metrics,
    write_difference,
    write_headline,
)
from medcore.evaluate.effect_words import write_claims
from medcore.figures import draw_judgement, draw_learning
from medcore.figures.svg import draw_svg
from medcore.report import causal, making, patients
from medcore.report.checklist import ABSENT, Answer
from medcore.report.facts import Facts
from medcore.report.further import Section, further_sections
from medcore.report.numbers import Numbers, point, write_measure, write_value
from medcore.report.training import say_training

RESEARCH = "Research use only. Not a medical device."
LIMITS = (
    "Judged on patients of the same source; elsewhere, or later, it may do worse.",
    "A prediction is no cause: changing an input does not change a patient's risk.",
)
LEADS = {"regression": "mae", "survival": "c_index"}
RANKING = {"binary": ("auroc", "brier"), "multiclass": ("auroc", "log_loss")}


def write_document(
    facts: Facts,
    title: str,
    items: Sequence[Answer],
    export: str,
    failures: Section | None = None,
) -> str:
    """Return the report; `items` is the filled-in checklist, `export` a sentence on model.onnx."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    template = environment.get_template("report.html.j2")
    return template.render(
        facts=facts,
        title=title,
        research=RESEARCH,
        absent=ABSENT,
        made=time.strftime("%d %B %Y, %H:%M UTC", time.gmtime()),
        numbers=Numbers(facts.values),
        headline=write_headline(facts.evaluation, facts.outcome.name, facts.outcome.unit or ""),
        leading=_lead(facts),
        limits=(*facts.warnings, *say_limits(facts)),
        said=_sections(facts, export),
        measures=making.say_measures(facts),
        cohort=_table_one(facts),
        metrics=_metric_rows(facts),
        baselines=_baseline_table(facts),
        differences=_differences(facts),
        groups=_group_tables(facts),
        charts=_draw(facts),
        further=[*([failures] if failures else []), *further_sections(facts)],
        settings=list(_list_settings(facts.config.model_dump(mode="json"))),
        items=items,
    )


def say_limits(facts: Facts) -> tuple[str, ...]:
    """Return what holds of every run of the task, whatever its figures."""
    effect = facts.evaluation.effect
    return LIMITS if effect is None else tuple(write_claims(effect))


def _lead(facts: Facts) -> list[dict[str, Any]]:
    if "test" not in facts.evaluation.parts:
        return []
    numbers = Numbers(facts.values)
    return [
        {
            "label": label_metric(name),
            "value": numbers.html("parts", "test", "metrics", name, digits=2),
            "help": explain_metric(name),
        }
        for name in leading_metrics(facts.evaluation)
    ]


def _sections(facts: Facts, export: str) -> dict[str, list[tuple[str, str | None]]]:
    """Return the sentences of each section by their subjects; None is not reported."""
    return {
        "patients": [
            ("Source", patients.say_source(facts)),
            ("Dates", patients.say_dates(facts)),
            ("Outcome", patients.say_outcome(facts)),
            ("Missing values", patients.say_missing(facts)),
            ("Complete cases", patients.say_complete(facts)),
            ("Sample size", patients.say_sample_size(facts)),
            ("Development and test", patients.say_difference(facts)),
        ],
        "making": [
            ("Who was where", patients.say_split(facts)),
            ("Missing values", making.say_missing_handling(facts)),
            ("Preparation", making.say_preparation(facts)),
            ("Rare classes", making.say_balance(facts)),
            ("Recalibration", making.say_recalibration(facts)),
            ("Model", making.say_model(facts)),
            ("Training", say_training(facts)),
            ("Threshold", making.say_threshold(facts)),
        ],
        "judging": [
            ("Groups", making.say_groups(facts)),
            ("Sites and folds", making.say_heterogeneity(facts)),
        ],
        "rebuilding": [
            ("Data", f"SHA-256 {facts.dataset['sha256']}"),
            ("Seed", str(facts.config.seed)),
            ("Split", f"SHA-256 {facts.split_hash}"),
            ("Weights", facts.weights_hash and f"SHA-256 {facts.weights_hash}"),
            ("Computed with", making.say_environment(facts)),
            ("Computed on", (facts.environment or {}).get("time")),
            ("Time it took", making.say_seconds(facts)),
            ("In other programs", export),
            ("Again", "python rebuild.py DATA FOLDER trains it anew from the data and compares."),
        ],
    }


def _table_one(facts: Facts) -> dict[str, Any] | None:
    """Return the patients' characteristics as a table: head, rows, and their last column."""
    if facts.cohort is None:
        return None
    parts = facts.cohort["parts"]
    head = [f"{name} (n = {told['rows']:,})" for name, told in parts.items()]
    rows = [row for column in facts.cohort["columns"] for row in _cohort_rows(column, parts)]
    return {"head": head, "rows": rows, "compared": "test" in parts}


def _cohort_rows(column: Mapping[str, Any], parts: Iterable[str]) -> list[tuple[str, list, str]]:
    unit = f", {column['unit']}" if column["unit"] else ""
    away = column.get("difference")
    shown = "–" if away is None else f"{away:+.2f}"
    told = [column["parts"][name] for name in parts]
    name = f"{column['name']}{unit}"
    rows: list[tuple[str, list, str]] = []
    if "counts" in told[0]:
        rows.append((name, [""] * len(told), shown))
        rows += [
            (f"  {value}", [_share(part["counts"], value) for part in told], "")
            for value in told[0]["counts"]
        ]
    elif column["kind"] == "date":
        rows.append((name, [_between(part, "first", "last") for part in told], ""))
    else:
        rows.append((f"{name}, median (quartiles)", [_quartiles(part) for part in told], shown))
    if any(part["missing"] for part in told):
        rows.append(("  missing", [f"{part['missing']:,}" for part in told], ""))
    return rows


def _share(counts: Mapping[str, int], value: str) -> str:
    total = sum(counts.values())
    n = counts.get(value, 0)
    return f"{n:,} ({n / total:.0%})" if total else "–"


def _between(values: Mapping[str, Any], low: str, high: str) -> str:
    return f"{values[low]} to {values[high]}" if low in values else "–"


def _quartiles(values: Mapping[str, Any]) -> str:
    if "median" not in values:
        return "–"
    low, middle, high = (write_measure(values[name]) for name in ("q1", "median", "q3"))
    return f"{middle} ({low}–{high})"


def _metric_rows(facts: Facts) -> list[dict[str, Any]]:
    if facts.evaluation.effect is not None:
        return causal.list_figures(facts)
    part = facts.evaluation.parts.get("test")
    if part is None:
        return []
    numbers = Numbers(facts.values)
    return [
        {
            "label": label_metric(name),
            "value": numbers.html("parts", "test", "metrics", name),
            "method": making.METHODS.get(metric.method, metric.method),
            "help": explain_metric(name),
            "reason": metric.reason or "",
        }
        for name, metric in part.metrics.items()
    ]


def _baseline_table(facts: Facts) -> dict[str, Any] | None:
    part = facts.evaluation.parts.get("test")
    if part is None:
        return None
    wanted = (*leading_metrics(facts.evaluation), *RANKING.get(facts.evaluation.task, ()))
    names = [name for name in dict.fromkeys(wanted) if name in part.metrics]
    numbers = Numbers(facts.values)
    rows = [("This model", [numbers.html("parts", "test", "metrics", n) for n in names])]
    for model, other in facts.evaluation.baselines.items():
        cells = [
            numbers.html("baselines", model, "metrics", name) if name in other.metrics else "–"
            for name in names
        ]
        rows.append((label_model(model, facts.evaluation.task), cells))
    return {"head": [label_metric(name) for name in names], "rows": rows}


def _differences(facts: Facts) -> list[dict[str, Any]]:
    """Return the leading difference to each baseline, with the sentence that judges it."""
    lead = LEADS.get(facts.evaluation.task, "auroc")
    task = facts.evaluation.task
    return [
        {
            "sentence": write_difference(lead, baseline, metrics[lead], task),
            "place": point("curves", "differences", baseline, lead),
        }
        for baseline, metrics in facts.evaluation.curves.get("differences", {}).items()
        if baseline != "prevalence" and lead in metrics
    ]


def _group_tables(facts: Facts) -> list[dict[str, Any]]:
    """Return one table for each column that patients are grouped by; few patients, no figures."""
    numbers, tables = Numbers(facts.values), []
    for column, found in (facts.evaluation.curves.get("subgroups") or {}).items():
        figures = list(found[0]["metrics"]) if found else []
        rows = []
        for place, group in enumerate(found):
            at = ("curves", "subgroups", column, place)
            cells = [
                "too few" if group["few"] else numbers.html(*at, "metrics", name)
                for name in figures
            ]
            events = "–" if group["events"] is None else numbers.html(*at, "events")
            rows.append((group["name"], numbers.html(*at, "n"), events, cells, group["few"]))
        tables.append({"column": column, "head": [label_metric(n) for n in figures], "rows": rows})
    return tables


def _draw(facts: Facts) -> list[Markup]:
    unit = facts.outcome.unit or ""
    drawn = draw_judgement(facts.evaluation, facts.outcome.name, unit).values()
    learning = draw_learning(list(facts.events))
    figures = [figure for figure, _ in (*drawn, *([learning] if learning else []))]
    return [Markup(draw_svg(figure)) for figure in figures]


def _list_settings(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value and prefix == "":
            yield from _list_settings(value, f"{name}.")
        else:
            shown = value if isinstance(value, str) else write_value(value) if value else value
            yield f"{prefix}{name}", str(shown if shown is not None else "–")
