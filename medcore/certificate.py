"""The leakage certificate: what was verified about a run, and the evidence.

Each check holds what was written down while the run went on (the split, the rows each fitted step
looked at, the rows that decided the threshold) against the data themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from medcore.checks.shortcuts import measure_shortcut, say_shortcut
from medcore.checks.twins import find_twins
from medcore.evaluate import deciding_rows
from medcore.records import Dataset, Finding, Parts, Predictions, Seen, Split

MOST_EVIDENCE = 20
THRESHOLD, SHORTCUT = "threshold", "Outcome told without the picture"
# Title, the finding that says no, and what holds where there is none.
ABOUT_COLUMNS = (
    (
        "Inputs known only afterwards", "after_outcome",
        "No input is named like a length of follow-up or stay, or another time that the outcome "
        "ends.",
    ),
    (
        "Identifiers among the inputs", "identifier",
        "No input has a value of its own in every row, which a model could learn by heart.",
    ),
    (
        "Inputs that give the outcome away", "leak",
        "No input alone tells the outcome almost perfectly (AUROC or rank correlation of 0.98).",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Check:
    """One thing that was verified; `passed` is None where the data do not allow to tell."""

    check: str
    passed: bool | None
    sentence: str
    evidence: tuple[Mapping[str, Any], ...] = ()


def certify(
    dataset: Dataset,
    split: Split,
    fits: Sequence[tuple[Parts, Sequence[Seen]]],
    predictions: Predictions,
    findings: Sequence[Finding],
) -> tuple[Check, ...]:
    """Verify a run; `fits` are the parts of each fit with the rows that its steps looked at."""
    return (
        _check_patients(dataset, split),
        *_check_twins(dataset, split),
        _check_steps(dataset, fits, predictions),
        _check_dates(dataset),
        *_check_columns(dataset, findings),
        *_check_shortcuts(dataset),
    )


def certificate_json(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Return the content of `certificate.json`: check, passed, sentence, evidence."""
    return [{**asdict(check), "evidence": list(check.evidence)} for check in checks]


def _judged(split: Split) -> list[tuple[str, Parts]]:
    """Return the parts that have test rows, with the fold's name."""
    if split.folds is None:
        return [("", split.parts)]
    return list(zip(split.fold_names, split.folds, strict=True))


def _check_patients(dataset: Dataset, split: Split) -> Check:
    title = "Patients in one part only"
    who = _patients(dataset)
    evidence, shared = [], 0
    for fold, parts in _judged(split):
        where = {"fold": fold} if fold else {}
        for (first, some), (second, others) in combinations(parts.items(), 2):
            both = len(np.intersect1d(who.loc[some].unique(), who.loc[others].unique()))
            shared += both
            evidence.append(
                {**where, "part": first, "other part": second, "patients in both": both}
            )
    evidence.sort(key=lambda row: -row["patients in both"])
    evidence = tuple(evidence[:MOST_EVIDENCE])
    thing = "patients" if dataset.with_role("patient") else "rows"
    folds = f" in any of {len(split.folds)} folds" if split.folds else ""
    if shared:
        worst = evidence[0]
        words = (
            f"{worst['patients in both']:,} {thing} are both in {worst['part']} and in "
            f"{worst['other part']}; figures for the test part are too good."
        )
        return Check(title, False, words, evidence)
    if not dataset.with_role("patient"):
        words = (
            f"No row is in two parts{folds}; but no column names the patient, so that nobody can "
            "tell whether one patient has several rows. If so, give that column the role patient."
        )
        return Check(title, None, words, evidence)
    return Check(
        title, True, f"None of {who.nunique():,} patients is in two parts{folds}.", evidence
    )


def _patients(dataset: Dataset) -> pd.Series:
    """Return a patient's number for each row id; a row without one is a patient of its own."""
    index = dataset.frame.index
    columns = dataset.with_role("patient")
    if not columns:
        return pd.Series(np.arange(len(index)), index=index)
    codes, known = pd.factorize(dataset.frame[columns[0].name].astype("string"))
    return pd.Series(np.where(codes < 0, len(known) + np.arange(len(index)), codes), index=index)


def _check_twins(dataset: Dataset, split: Split) -> Iterator[Check]:
    found, judged = [], 0
    for fold, parts in _judged(split):
        others = np.concatenate([rows for part, rows in parts.items() if part != "test"])
        judged += len(parts["test"])
        found.append(find_twins(dataset, parts["test"], others).assign(fold=fold))
    twins = pd.concat(found, ignore_index=True)
    for title, equal, words in (
        ("Copies of test patients", True, "equal in every input to"),
        ("Near copies of test patients", False,
         "nearly equal (numbers within a hundredth of their spread, all inputs but one, or an "
         "image saved anew) to"),
    ):  # fmt: skip
        chosen = twins[(twins["kind"] == "equal") == equal]
        evidence = tuple(
            {"test row": int(row.row_id) + 1, "like row": int(row.twin_id) + 1, "how": row.kind}
            | ({"fold": row.fold} if row.fold else {})
            for row in chosen.head(MOST_EVIDENCE).itertuples()
        )
        be = "is" if len(chosen) == 1 else "are"
        if len(chosen):
            sentence = (
                f"{len(chosen):,} of {judged:,} test rows {be} {words} a row the model learned "
                "from, more than chance explains: perhaps one patient under two numbers. Name the "
                "patient column, or leave copies out."
            )
        else:
            sentence = f"None of {judged:,} test rows is {words} a row the model learned from."
        yield Check(title, not len(chosen), sentence, evidence)


def _check_steps(
    dataset: Dataset, fits: Sequence[tuple[Parts, Sequence[Seen]]], predictions: Predictions
) -> Check:
    title = "Rows seen by fitted steps"
    who = _patients(dataset)
    rows = []
    for number, (parts, seen) in enumerate(fits):
        test = parts.get("test", np.empty(0, dtype=np.int64))
        strangers = who.loc[test].unique()
        decided = _deciding(predictions, number if len(fits) > 1 else -1)
        steps = [*seen, Seen(THRESHOLD, "", decided)] if len(test) and len(decided) else seen
        rows += [
            {
                "step": step.step, "rows": len(step.rows),
                "test rows": len(np.intersect1d(step.rows, test)),
                "test patients": len(np.intersect1d(who.loc[step.rows].unique(), strangers)),
            }
            for step in steps
        ]  # fmt: skip
    table = pd.DataFrame(rows).groupby("step", sort=False)
    evidence = tuple(
        {
            "step": step, "fits": len(part), "least rows seen": int(part["rows"].min()),
            "most rows seen": int(part["rows"].max()), "test rows": int(part["test rows"].sum()),
            "test patients": int(part["test patients"].sum()),
        }
        for step, part in table
    )  # fmt: skip
    leaks = [row["step"] for row in evidence if row["test rows"] or row["test patients"]]
    unknown = [row["step"] for row in evidence if not row["least rows seen"]]
    if leaks:
        words = (
            f"Test patients were seen while fitting: {', '.join(leaks)}. Do not trust the figures."
        )
        return Check(title, False, words, evidence)
    if unknown:
        words = f"It is not known which rows were seen while fitting: {', '.join(unknown)}."
        return Check(title, None, words, evidence)
    words = (
        f"{len(rows):,} fitted steps of {len(evidence)} kinds, from preparing to predicting, "
        "were watched; none looked at a patient it was judged on."
    )
    return Check(title, True, words, evidence)


def _deciding(predictions: Predictions, fold: int) -> np.ndarray:
    """Return the ids of the rows that decide a fold's threshold; none where there is none."""
    if predictions.task != "binary":
        return np.empty(0, dtype=np.int64)
    frame = predictions.frame[predictions.frame["model"] == "model"]
    rows = deciding_rows(frame)
    rows = rows if fold < 0 else rows[rows["fold"] == fold]
    return rows["row_id"].unique()


def _check_dates(dataset: Dataset) -> Check:
    title = "Dates after the prediction"
    dates = [column.name for column in dataset.with_role("input") if column.kind == "date"]
    index = dataset.with_role("date")
    if not dates:
        return Check(title, True, "No input is a date.")
    if not index:
        words = (
            f"{', '.join(dates)}: whether these are known when the prediction is made cannot be "
            "told; give the column with that day the role date."
        )
        return Check(title, None, words)
    day = pd.to_datetime(dataset.frame[index[0].name], errors="coerce")
    evidence = tuple(
        {"input": name, "rows later than the index date": int((values > day).sum())}
        for name in dates
        for values in [pd.to_datetime(dataset.frame[name], errors="coerce")]
    )
    late = [row["input"] for row in evidence if row["rows later than the index date"]]
    if late:
        words = (
            f"{', '.join(late)} lies after {index[0].name} in some rows: it is not known yet when "
            "the prediction is made. Leave it out."
        )
        return Check(title, False, words, evidence)
    return Check(title, True, f"No date among the inputs lies after {index[0].name}.", evidence)


def _check_columns(dataset: Dataset, findings: Sequence[Finding]) -> Iterator[Check]:
    inputs = {column.name for column in dataset.with_role("input")}
    for title, code, holds in ABOUT_COLUMNS:
        found = [f for f in findings if f.code == code and inputs.intersection(f.columns)]
        evidence = tuple({"input": f.columns[0], **f.evidence} for f in found)
        words = " ".join(f"{finding.title}." for finding in found) or holds
        yield Check(title, not found, words, evidence)


def _check_shortcuts(dataset: Dataset) -> Iterator[Check]:
    """Yield, for images, whether facts about the files alone tell the outcome."""
    outcome = dataset.predicted_column()
    if outcome is None or not any(c.kind == "image" for c in dataset.with_role("input")):
        return
    found = measure_shortcut(dataset)
    if found is None:
        words = "There are too few images of each class, or nothing but the picture differs."
        yield Check(SHORTCUT, None, words)
        return
    evidence = [
        {"facts": "all together", "AUROC": found.auroc, "from": found.low, "to": found.high}
    ]
    evidence += [{"facts": name, "AUROC": area} for name, area in found.facts]
    words = say_shortcut(found, outcome.name)
    if found.strong:
        words += " The figures may owe to how the images were made, not to the disease."
    yield Check(SHORTCUT, not found.strong, words, tuple(evidence))
