"""Findings: what a person should know of the data before training; nothing is changed here."""

from dataclasses import asdict
from typing import Any

from medcore.checks.columns import check_columns
from medcore.checks.figures import (
    class_balance,
    missing_by_column,
    missing_by_outcome,
    missing_patterns,
)
from medcore.checks.gaps import (
    LittleTest,
    gap_predictability,
    lost_by_limit,
    missing_by_group,
    missing_by_row,
    run_little,
)
from medcore.checks.images import check_images
from medcore.checks.shortcuts import Shortcut, check_shortcuts, measure_shortcut, say_shortcut
from medcore.checks.size import Enough, check_size, compare_size
from medcore.checks.sounds import check_sounds
from medcore.checks.tables import check_table
from medcore.checks.texts import check_texts
from medcore.checks.visits import check_visits
from medcore.records import Dataset, Finding

__all__ = [
    "Enough",
    "LittleTest",
    "Shortcut",
    "check_dataset",
    "check_size",
    "class_balance",
    "compare_size",
    "findings_json",
    "gap_predictability",
    "lost_by_limit",
    "measure_shortcut",
    "missing_by_column",
    "missing_by_group",
    "missing_by_outcome",
    "missing_by_row",
    "missing_patterns",
    "run_little",
    "say_shortcut",
]

ORDER = {"stop": 0, "warning": 1, "hint": 2}


def check_dataset(dataset: Dataset) -> tuple[Finding, ...]:
    """Return the findings about a data set, the most severe first."""
    found = [*check_table(dataset), *check_columns(dataset)]
    found += [*check_images(dataset), *check_shortcuts(dataset), *check_sounds(dataset)]
    found += [*check_texts(dataset), *check_visits(dataset)]
    return tuple(sorted(found, key=lambda finding: ORDER[finding.severity]))


def findings_json(findings: tuple[Finding, ...]) -> list[dict[str, Any]]:
    """Return findings as plain values for JSON."""
    rows = []
    for finding in findings:
        values = asdict(finding)
        values["repair"] = None if finding.repair is None else finding.repair.model_dump()
        rows.append(values)
    return rows
