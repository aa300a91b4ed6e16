"""Sentences on whom the model learned from and was judged on; None where the run does not know."""

from __future__ import annotations

from typing import Any

from medcore.data.course.fold import MEASURED_AT
from medcore.report.facts import Facts
from medcore.report.numbers import write_measure

STRONG = 0.1
MOST_NAMED = 12
PARTS = {
    "train": "learned from",
    "validation": "decided when to stop and the threshold",
    "calibration": "set aside for calibration",
    "test": "judged on, once",
}


def say_source(facts: Facts) -> str:
    """Where the data came from, as a hash that anybody can check."""
    data = facts.dataset
    return (
        f"Data set '{data['name']}' read from {data['source']}; SHA-256 of the file "
        f"{data['sha256']}; {data['rows']:,} rows used."
    )


def say_dates(facts: Facts) -> str | None:
    """From when to when, where a column says so."""
    known = [
        f"{column['name']} from {told['first']} to {told['last']}"
        for column in _columns(facts)
        if "first" in (told := column["parts"]["all"])
    ]
    return f"Dates in the data: {'; '.join(known)}." if known else None


def say_ledger(facts: Facts) -> str:
    """What each step did to rows and columns."""
    return " ".join(
        f"{entry['reason']} Rows {entry['rows_in']:,} → {entry['rows_out']:,}, "
        f"columns {entry['columns_in']:,} → {entry['columns_out']:,}."
        for entry in facts.dataset["ledger"]
    )


def say_eligible(facts: Facts) -> str:
    """How many rows are left after each filter."""
    ledger = facts.dataset["ledger"]
    first, last = ledger[0]["rows_in"], ledger[-1]["rows_out"]
    return f"{first:,} rows were read and {last:,} used; each step stands in the ledger."


def say_outcome(facts: Facts) -> str:
    """Which column is predicted, and what counts as the event."""
    outcome, evaluation = facts.outcome, facts.evaluation
    if evaluation.task == "survival":
        return _say_event(facts)
    unit = f" in {outcome.unit}" if outcome.unit else ""
    if evaluation.positive is not None:
        others = [name for name in evaluation.classes if name != evaluation.positive]
        against = f"'{evaluation.positive}' against '{others[0]}'" if others else ""
        return f"Column '{outcome.name}': {against or evaluation.positive}."
    if evaluation.classes:
        classes = ", ".join(f"'{name}'" for name in evaluation.classes)
        return f"Column '{outcome.name}', one of {len(evaluation.classes)} classes: {classes}."
    return f"Column '{outcome.name}'{unit}."


def _say_event(facts: Facts) -> str:
    length = next((column for column in facts.columns if column.role == "duration"), None)
    since = f" by '{length.name}'" + (f" in {length.unit}" if length.unit else "") if length else ""
    events = " or ".join(f"'{name}'" for name in facts.evaluation.classes)
    horizons = facts.evaluation.curves["model"].get("horizons", ())
    by = ", ".join(f"{horizon['time']:g}" for horizon in horizons)
    unit = f" {length.unit}" if length and length.unit else ""
    return f"Time to {events} in column '{facts.outcome.name}'{since}; risks told by {by}{unit}."


def say_inputs(facts: Facts) -> str:
    """The data dictionary of the inputs."""
    return f"{len(facts.inputs)} inputs: " + "; ".join(_say_column(c) for c in facts.inputs) + "."


def _say_column(column: Any) -> str:
    words = f"{column.name} ({column.kind}"
    if column.unit:
        words += f", {column.unit}"
    if column.kind == "category" and column.categories:
        named = ", ".join(column.categories[:MOST_NAMED])
        more = len(column.categories) - MOST_NAMED
        words += f": {named}" + (f" and {more} more" if more > 0 else "")
    return words + ")"


def say_sample_size(facts: Facts) -> str | None:
    """How many patients there are, beside the least by Riley's criteria."""
    size = (facts.cohort or {}).get("sample_size")
    if not size:
        return None
    criteria = {"shrinkage": "little shrinkage", "optimism": "little optimism",
                "precision": "overall risk known"}  # fmt: skip
    each = ", ".join(f"{criteria.get(k, k)} {n:,}" for k, n in size["criteria"].items())
    return f"{size['sentence']} By criterion: {each}."


def say_complete(facts: Facts) -> str | None:
    """How many rows miss nothing, part by part."""
    parts = _parts(facts)
    if not parts:
        return None
    told = [f"{told['complete']:,} of {told['rows']:,} rows ({name})"
            for name, told in parts.items()]  # fmt: skip
    return f"Complete in every input: {', '.join(told)}."


def say_missing(facts: Facts) -> str | None:
    """Which inputs miss how much."""
    if facts.cohort is None:
        return None
    rows = facts.cohort["parts"]["all"]["rows"]
    gaps = [
        (column["parts"]["all"]["missing"], column["name"])
        for column in _columns(facts)
        if column["role"] == "input" and column["parts"]["all"]["missing"]
    ]
    courses = [
        f" {entry['reason']}" for entry in facts.dataset["ledger"] if entry["step"] == MEASURED_AT
    ]
    if not gaps:
        return f"No {'other ' if courses else ''}input misses a value.{''.join(courses)}"
    listed = ", ".join(f"{name} {n:,} ({n / rows:.1%})" for n, name in sorted(gaps, reverse=True))
    return f"Missing values by input: {listed}.{''.join(courses)}"


def say_split(facts: Facts) -> str:
    """Who was in which part, and what keeps them apart."""
    split = facts.split
    counts = [
        f"{len(rows):,} {PARTS.get(part, part)} ({part})" for part, rows in split.parts.items()
    ]
    words = {"holdout": "At random", "temporal": "By time: the latest patients are the test",
             "site": "By site: each is tested in turn",
             "kfold": "Cross-validation"}.get(split.kind, split.kind)  # fmt: skip
    if split.folds:
        tested = sum(len(parts["test"]) for parts in split.folds)
        words += f", {len(split.folds)} folds with {tested:,} tested rows"
    patient = [column.name for column in facts.columns if column.role == "patient"]
    unit = (
        f"Rows of one patient (column '{patient[0]}') stay in one part."
        if patient
        else "No column names the patient; each row is taken as a patient of its own."
    )
    return (
        f"{words}: rows {'; '.join(counts)}. {unit} Seed {split.seed}; SHA-256 of the split "
        f"{facts.split_hash}."
    )


def say_disjoint(facts: Facts) -> str:
    """At which level the parts are disjoint."""
    patient = [column.name for column in facts.columns if column.role == "patient"]
    return f"Patient (column '{patient[0]}')." if patient else "Row; no column names the patient."


def say_difference(facts: Facts) -> str | None:
    """Where development and test patients differ."""
    if facts.cohort is None:
        return None
    measured = [column for column in _columns(facts) if column.get("difference") is not None]
    if not measured:
        return (
            "Development and test patients are the same: everyone was tested, in a fold, by a "
            "model that had not seen them."
        )
    large = [
        f"{column['name']} ({column['difference']:+.2f})"
        for column in measured
        if abs(column["difference"]) > STRONG
    ]
    if not large:
        return f"No column differs by more than {STRONG} standard deviations."
    return (
        f"Columns whose standardised difference, development less test, exceeds {STRONG}: "
        f"{', '.join(large)}."
    )


def say_counts(facts: Facts) -> str:
    """Rows and events of each part that was analysed."""
    part = facts.evaluation.parts.get("test")
    told = []
    if part is not None:
        events = "" if part.events is None else f", {part.events:,} with the outcome"
        told.append(f"test {part.n:,} rows{events}")
    for name, values in (_parts(facts) or {}).items():
        outcome = next((c for c in _columns(facts) if c["role"] in ("outcome", "event")), None)
        counts = outcome["parts"][name].get("counts") if outcome else None
        split = ": " + ", ".join(f"{k} {n:,}" for k, n in counts.items()) if counts else ""
        told.append(f"{name} {values['patients']:,} patients in {values['rows']:,} rows{split}")
    return f"{'; '.join(told)}."


def say_characteristics(facts: Facts) -> str | None:
    """Who the patients are, in one line a column."""
    if facts.cohort is None:
        return None
    told = []
    for column in _columns(facts):
        values = column["parts"]["all"]
        unit = f" {column['unit']}" if column["unit"] else ""
        if "median" in values:
            low, middle, high = (write_measure(values[name]) for name in ("q1", "median", "q3"))
            told.append(f"{column['name']} {middle} ({low}–{high}){unit}")
        elif "counts" in values:
            counts = ", ".join(f"{name} {n:,}" for name, n in values["counts"].items())
            told.append(f"{column['name']}: {counts}")
    return f"Median (quartiles), or counts: {'; '.join(told)}."


def _columns(facts: Facts) -> list[dict[str, Any]]:
    return list((facts.cohort or {}).get("columns", ()))


def _parts(facts: Facts) -> dict[str, dict[str, int]]:
    return dict((facts.cohort or {}).get("parts", {}))
