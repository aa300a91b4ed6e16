"""What was found out about a model after its run: luck, sites, elsewhere, one patient, drivers.

Each section stands only where somebody asked for it; its numbers come from the file it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from markupsafe import Markup

from medcore.evaluate import label_metric, leading_metrics, read_evaluation, write_headline
from medcore.evaluate.multilabel import read_findings
from medcore.explanation.words import (
    MEASURES,
    REMARK,
    leading_measure,
    ranked_groups,
    write_checks,
    write_drivers,
)
from medcore.figures import draw_forest, draw_importance, draw_size_curve
from medcore.figures.svg import draw_svg
from medcore.optimism.words import leading_figure, write_findings
from medcore.report.causal import list_groups, tell_effect
from medcore.report.facts import Facts
from medcore.report.numbers import Numbers
from medcore.store.folder import (
    EVALUATION,
    EXPLANATION,
    OPTIMISM,
    VALIDATIONS,
    list_validations,
    read_json,
)

Cells = list[tuple[str, list[str]]]
SHIFT = (
    "The promise holds for patients drawn as those of this study; at another place, or later, it "
    "may fail."
)


@dataclass(frozen=True)
class Section:
    """A title, sentences, a table (its head and rows) and pictures."""

    title: str
    sentences: tuple[str | Markup, ...]
    head: tuple[str, ...] = ()
    rows: Cells = field(default_factory=list)
    charts: tuple[Markup, ...] = ()


def further_sections(facts: Facts) -> list[Section]:
    """Return the sections that this run's folder has something for."""
    return [section for make in MAKERS if (section := make(facts)) is not None]


def say_validations(facts: Facts) -> str | None:
    """What came of trying the model elsewhere, in sentences; None where nobody did."""
    found = [
        f"On '{told['name']}' ({told['judged']:,} rows, SHA-256 {told['sha256']}): "
        f"{_elsewhere(facts, identity)[1]}"
        for identity, told in list_validations(facts.folder).items()
    ]
    return " ".join(found) or None


def say_optimism(facts: Facts) -> str | None:
    """What repeated cross-validation and the bootstrap found; None where nobody asked."""
    found = _read(facts, OPTIMISM)
    return " ".join(write_findings(found, facts.evaluation)) if found else None


def say_drivers(facts: Facts) -> str | None:
    """What drives the model; None where nobody asked."""
    found = _read(facts, EXPLANATION)
    if not found:
        return None
    said = [sentence for target in found["targets"] for sentence in write_drivers(found, target)]
    return " ".join([*said, *write_checks(found), REMARK])


def _read(facts: Facts, name: str) -> dict[str, Any] | None:
    return read_json(facts.folder, name) if (facts.folder / name).is_file() else None


def _make_sites(facts: Facts) -> Section | None:
    found = facts.evaluation.curves.get("sites")
    if not found:
        return None
    numbers, figures = Numbers(facts.values), list(found["figures"])
    at = ("curves", "sites", "figures")
    rows: Cells = [
        (f"{site['site']} ({site['n']:,})",
         [numbers.html(*at, name, "metrics", place) for name in figures])
        for place, site in enumerate(found["sites"])
    ]  # fmt: skip
    pooled = [
        numbers.html(*at, name, "pooled") if found["figures"][name]["pooled"] else "–"
        for name in figures
    ]
    rows.append(("Pooled (random effects)", pooled))
    lead = found["figures"][figures[0]]
    names = [name for name, _ in rows[:-1]]
    few = [site["few"] for site in found["sites"]]
    title = f"{label_metric(figures[0])} by site"
    label = label_metric(figures[0])
    figure, _ = draw_forest(title, label, names, lead["metrics"], lead["pooled"], few)
    words = (
        "Each site was judged by a model that had learned from the other sites only."
        if found["unseen"]
        else "The model learned from patients of these sites too."
    )
    return Section(
        "Site by site", (words,), ("Site (patients)", *(label_metric(name) for name in figures)),
        rows, (Markup(draw_svg(figure)),),
    )  # fmt: skip


def _make_optimism(facts: Facts) -> Section | None:
    found = _read(facts, OPTIMISM)
    if not found:
        return None
    points = (found.get("learning_curve") or {}).get("points", ())
    name = leading_figure(facts.evaluation.task)
    drawn = [point for point in points if point["metrics"].get(name, {}).get("value") is not None]
    charts = (Markup(draw_svg(draw_size_curve(drawn, name)[0])),) if drawn else ()
    return Section(
        "Luck and optimism", tuple(write_findings(found, facts.evaluation)), charts=charts
    )


def _elsewhere(facts: Facts, identity: str) -> tuple[dict[str, Any], str]:
    values = read_json(facts.folder / VALIDATIONS / identity, EVALUATION)
    evaluation = read_evaluation(values)
    return values, write_headline(evaluation, facts.outcome.name, facts.outcome.unit or "")


def _make_elsewhere(facts: Facts) -> Section | None:
    """Return the external validations, the newest first; each with its own file's numbers."""
    told = list_validations(facts.folder)
    if not told:
        return None
    names = [n for n in (*leading_metrics(facts.evaluation), "auroc", "o_e", "calibration_slope")
             if n in facts.evaluation.parts["test"].metrics]  # fmt: skip
    names = list(dict.fromkeys(names))
    sentences, rows = [], []
    for identity, one in told.items():
        values, headline = _elsewhere(facts, identity)
        numbers = Numbers(values, f"{VALIDATIONS}/{identity}/{EVALUATION}")
        metrics = values["parts"]["test"]["metrics"]
        sentences.append(
            f"{one['name']}: {one['judged']:,} of {one['rows']:,} rows judged, SHA-256 of the file "
            f"{one['sha256']}. {headline}"
        )
        cells = [numbers.html("parts", "test", "metrics", n) if n in metrics else "–"
                 for n in names]  # fmt: skip
        rows.append((one["name"], cells))
    head = ("Data set", *(label_metric(name) for name in names))
    return Section("Does it hold elsewhere?", tuple(sentences), head, rows)


def _make_certainty(facts: Facts) -> Section | None:
    """Return what came of the coverage promised for one patient's answer."""
    found = facts.evaluation.curves.get("uncertainty")
    title = "How sure is it of one patient?"
    if not found:
        return _make_finding_sets(facts, title)
    if "refused" in found:
        return Section(title, (found["refused"],))
    numbers, at = Numbers(facts.values), ("curves", "uncertainty")
    promised = f"{found['coverage']:.0%}"
    if "intervals" in found:
        kept = numbers.html(*at, "intervals", "coverage")
        return Section(title, (
            Markup("An interval was promised to hold the outcome of {} of new patients; share of "
                   "the test patients for whom it did: {}.").format(promised, kept), SHIFT,
        ))  # fmt: skip
    kinds = {"sets": "All patients alike", "sets_by_class": "Each class by itself"}
    rows: Cells = [
        (words, [numbers.html(*at, kind, "coverage"), numbers.html(*at, kind, "size")])
        for kind, words in kinds.items()
        if kind in found
    ]
    words = f"Sets of answers that hold what happens were promised for {promised} of patients."
    return Section(
        title, (words, SHIFT), ("Promise made for", "Kept for", "Answers in a set"), rows
    )


def _make_finding_sets(facts: Facts, title: str) -> Section | None:
    """Return what came of the coverage promised for each of several findings."""
    numbers = Numbers(facts.values)
    promised, rows, refused = "", [], []
    for name, judged in read_findings(facts.evaluation).items():
        found, absent = judged.curves["uncertainty"], judged.classes[0]
        promised = f"{found['coverage']:.0%}"
        if "refused" in found:
            refused.append(f"{name}: {found['refused']}")
            continue
        at = ("curves", "findings", name, "curves", "uncertainty", "sets_by_class")
        shown = (f"coverage_{name}", f"coverage_{absent}", "single")
        rows.append((name, [numbers.html(*at, figure) for figure in shown]))
    if not rows and not refused:
        return None
    words = (
        f"For each finding a set of answers (yes, no, or both) that holds what is true was "
        f"promised for {promised} of those with it, and of those without; for each finding by "
        "itself, not for all at once."
    )
    head = ("Finding", "Kept for those with it", "Kept for those without", "Single answer")
    return Section(title, (words, SHIFT, *refused), head, rows)


def _make_drivers(facts: Facts) -> Section | None:
    found = _read(facts, EXPLANATION)
    if not found:
        return None
    said = [sentence for target in found["targets"] for sentence in write_drivers(found, target)]
    charts = tuple(_draw_drivers(found, target) for target in found["targets"][:4])
    return Section("What drives the model", (*said, *write_checks(found), REMARK), charts=charts)


def _draw_drivers(found: Mapping[str, Any], target: str) -> Markup:
    measure = leading_measure(found, target)
    table = pd.DataFrame(
        [
            {"columns": name, "value": figure.value, "from": figure.low, "to": figure.high}
            for name, figure, _ in ranked_groups(found, target, measure)
        ]
    )
    figure, _ = draw_importance(table, MEASURES[measure][0])
    if len(found["targets"]) > 1:
        figure.update_layout(title={"text": f"What the model leans on for “{target}”"})
    return Markup(draw_svg(figure))


def _make_effect(facts: Facts) -> Section | None:
    sentences = tell_effect(facts)
    if not sentences:
        return None
    head = ("Group", "Patients", "Effect", "From", "To")
    return Section("The effect, step by step", sentences, head, list_groups(facts))


MAKERS: tuple[Callable[[Facts], Section | None], ...] = (
    _make_effect,
    _make_sites,
    _make_optimism,
    _make_elsewhere,
    _make_certainty,
    _make_drivers,
)
