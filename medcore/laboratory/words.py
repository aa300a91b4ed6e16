"""What a laboratory's figures support, in words; nobody is crowned where intervals overlap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from medcore.strategies import BALANCE_TITLES, MISSING_TITLES

# The figure that decides, by task, and whether more is better.
LEADING = {
    "binary": (("auroc", "AUROC", True), ("brier", "Brier score", False)),
    "multiclass": (("auroc", "AUROC", True), ("brier", "Brier score", False)),
    "multilabel": (("auroc", "AUROC", True), ("brier", "Brier score", False)),
    "regression": (("mae", "mean absolute error", False),),
    "survival": (
        ("c_index", "C-index", True),
        ("integrated_brier", "integrated Brier score", False),
    ),
}


def cell_title(missing: str, balance: str) -> str:
    """Return what a combination is called.

    >>> cell_title("median", "none")
    'Median, nothing for rare classes'
    """
    title = BALANCE_TITLES[balance]
    if balance == "none":
        title = "nothing for rare classes"
    elif not title.isupper():
        title = title[0].lower() + title[1:]
    return f"{MISSING_TITLES[missing]}, {title}"


def write_conclusion(result: Mapping[str, Any]) -> list[str]:
    """Return sentences on which combinations differ from the least that can be done."""
    base = result["base"]
    cells = [c for c in result["cells"] if c["reason"] is None and c["cell"] != base]
    failed = [c for c in result["cells"] if c["reason"] is not None]
    sentences = []
    if cells:
        for name, title, more in LEADING[result["task"]]:
            sentences.append(_compare(cells, name, title, more, cell_title(*base)))
        sentences.append(
            f"{len(cells)} combinations were compared: about one in twenty differs by chance "
            "alone. Only what you choose is judged on the test patients, once."
        )
    if failed:
        sentences.append(
            f"{len(failed)} of {len(result['cells'])} combinations could not be fitted; the table "
            "says why."
        )
    return sentences


def _compare(cells: list[Mapping[str, Any]], name: str, title: str, more: bool, base: str) -> str:
    better, worse = [], []
    for cell in cells:
        difference = cell["differences"].get(name)
        if difference is None or difference["low"] is None:
            continue
        if difference["low"] <= 0 <= difference["high"]:
            continue
        size = f"{difference['value']:+.3f}".replace("-", "−")
        shown = f"{cell_title(*cell['cell'])} ({size})"
        (better if (difference["value"] > 0) == more else worse).append(shown)
    if not better and not worse:
        return f"By {title}, no combination can be told from “{base}”: do the simplest."
    first = (
        f"better than “{base}”: {'; '.join(better)}"
        if better
        else (f"none can be told to be better than “{base}”")
    )
    second = f"; worse: {'; '.join(worse)}" if worse else ""
    close = " Those named better are not thereby told from each other." if len(better) > 1 else ""
    return f"By {title}, {first}{second}.{close}"
