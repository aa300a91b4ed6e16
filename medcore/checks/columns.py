"""Findings about single columns: gaps, codes for gaps, constants, spellings, impossible values."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from medcore.checks.plausible import find_limits
from medcore.config import ENCODER_NAMES, Repair
from medcore.data.kinds import LOOK
from medcore.data.repair import UNIT, parse_measured
from medcore.records import Column, Dataset, Finding

MANY_MISSING, MOST_MISSING = 0.05, 0.5
CODES = (-999.0, -99.0, -9.0, -1.0, 99.0, 999.0, 9999.0, 99999.0)
UNKNOWN = {
    "unknown", "unk", "?", "missing", "not known", "not available", "not recorded", "not done",
    "n.a.", "na.", "-", "--", "none recorded", "nd", ".", "unbekannt", "no data", "undefined",
}  # fmt: skip
NEAR_CONSTANT = 0.99
MANY_CATEGORIES = 100


def check_columns(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is to be said of each column that a model would look at, and of the outcome."""
    for column in dataset.with_role("input", "outcome", "treatment", "date"):
        values = dataset.frame[column.name]
        yield from _check_missing(column, values, bool(dataset.with_role("visit")))
        if column.kind == "number":
            yield from _check_numbers(column, values)
        elif column.kind == "category":
            yield from _check_words(column, values)
        elif column.kind == "date":
            yield from _check_dates(column, values)
        elif column.role == "input" and column.kind not in ENCODER_NAMES:
            yield Finding(
                "unusable_kind",
                "warning",
                (column.name,),
                f"{column.name} holds {column.kind}, which cannot be used yet",
                "No model can look at this kind of column; it is left out.",
                repair=Repair(action="ignore_column", column=column.name),
            )
        if column.role == "input":
            yield from _check_constant(column, values)


def _check_missing(column: Column, values: pd.Series, visits: bool) -> Iterator[Finding]:
    count = int(values.isna().sum())
    if not count:
        return
    share = count / len(values)
    if column.role == "outcome":
        yield Finding(
            "outcome_missing",
            "warning",
            (column.name,),
            f"The outcome is missing in {count:,} of {len(values):,} rows",
            "These rows are set aside: an outcome is never guessed.",
            {"missing": count, "share": share},
        )
    elif share == 1:
        yield Finding(
            "all_missing",
            "warning",
            (column.name,),
            f"{column.name} has no value in any row",
            "It is left out of the model.",
            {"missing": count, "share": share},
            Repair(action="ignore_column", column=column.name),
        )
    elif visits:
        yield Finding(
            "missing",
            "hint",
            (column.name,),
            f"{column.name} was not measured at {share:.0%} of visits",
            "That is usual of visits: the model is told what was measured, and how long ago.",
            {"missing": count, "share": share},
        )
    else:
        severe = share > MOST_MISSING
        yield Finding(
            "missing",
            "warning" if share > MANY_MISSING else "hint",
            (column.name,),
            f"{column.name} is missing in {_share(count, share)}",
            _then(column)
            + (
                " With more than half missing, ask whether the column is worth it."
                if severe
                else ""
            ),
            {"missing": count, "share": share},
            Repair(action="ignore_column", column=column.name) if severe else None,
        )


def _then(column: Column) -> str:
    if column.kind in ENCODER_NAMES:
        return "The model goes by the other inputs there, and knows that it is absent."
    return (
        "A stand-in value is learned from training patients, and the model is told what was "
        "missing."
    )


def _share(count: int, share: float) -> str:
    return f"{share:.0%} of rows" if share >= 0.01 else f"{count:,} rows"


def _check_numbers(column: Column, values: pd.Series) -> Iterator[Finding]:
    known = values.dropna().to_numpy(np.float64)
    infinite = ~np.isfinite(known)
    if infinite.any():
        yield Finding(
            "infinite",
            "warning",
            (column.name,),
            f"{column.name} holds {int(infinite.sum()):,} infinite numbers",
            "They are read as missing; often they come from a division by zero.",
            {"infinite": int(infinite.sum())},
        )
    known = known[~infinite]
    if column.role != "input" or len(known) < 10:
        return
    yield from _check_zero(column, known)
    yield from _check_codes(column, known)
    yield from _check_limits(column, known)


def _check_zero(column: Column, known: np.ndarray) -> Iterator[Finding]:
    limits, zeros = find_limits(column.name), int((known == 0).sum())
    if limits is None or limits.zero or limits.low <= 0 or not zeros or zeros == len(known):
        return
    yield Finding(
        "disguised_missing",
        "warning",
        (column.name,),
        f"{column.name} is 0 in {zeros:,} row{'' if zeros == 1 else 's'}, which cannot be true",
        f"A {limits.what} of 0 usually stands for “not measured”. Read it as missing?",
        {"value": 0, "rows": zeros, "share": zeros / len(known)},
        Repair(action="missing_values", column=column.name, values=("0",)),
    )


def _check_codes(column: Column, known: np.ndarray) -> Iterator[Finding]:
    """Codes stand apart: at an end of the range, far from the neighbouring value."""
    values, counts = np.unique(known, return_counts=True)
    if len(values) < 4:
        return
    spread = np.subtract(*np.quantile(known, [0.95, 0.05])) or values[-2] - values[1]
    for place, gap in ((0, values[1] - values[0]), (-1, values[-1] - values[-2])):
        code, count = float(values[place]), int(counts[place])
        lonely = gap > max(spread * 0.5, 1) or (code < 0 <= values[1] and count > 1)
        if code in CODES and lonely and (place == -1 or code < 0):
            yield Finding(
                "disguised_missing",
                "warning",
                (column.name,),
                f"{column.name} is {code:g} in {count:,} rows, far from every other value",
                f"{code:g} often stands for “unknown”. Read it as missing?",
                {"value": code, "rows": count, "share": count / len(known)},
                Repair(action="missing_values", column=column.name, values=(f"{code:g}",)),
            )


def _check_limits(column: Column, known: np.ndarray) -> Iterator[Finding]:
    limits = find_limits(column.name)
    if limits is None:
        return
    sides = (
        ("missing_above", limits.high, known[known > limits.high], "above"),
        ("missing_below", limits.low, known[(known < limits.low) & (known != 0)], "below"),
    )
    for action, limit, beyond, word in sides:
        # A whole column beyond is another quantity or unit, not a set of errors.
        if not len(beyond) or len(beyond) > 0.2 * len(known):
            continue
        extreme = beyond.max() if word == "above" else beyond.min()
        yield Finding(
            "impossible",
            "warning",
            (column.name,),
            f"{column.name} holds {len(beyond):,} values {word} {limit:g}, e.g. {extreme:g}",
            f"No {limits.what} lies there; often a typing error or another unit. Read as missing?",
            {"rows": len(beyond), "limit": limit, "extreme": float(extreme)},
            Repair(action=action, column=column.name, values=(f"{limit:g}",)),
        )


def _check_words(column: Column, values: pd.Series) -> Iterator[Finding]:
    counts = values.astype("string").value_counts()
    if column.role == "input":
        yield from _check_unknown(column, counts)
        yield from _check_measured(column, counts)
        if len(counts) > MANY_CATEGORIES:
            yield Finding(
                "many_categories",
                "warning",
                (column.name,),
                f"{column.name} has {len(counts):,} different categories",
                "Only the most frequent get a place of their own; is it a code or an identifier?",
                {"categories": len(counts)},
                Repair(action="ignore_column", column=column.name),
            )
    yield from _check_spellings(column, counts)


def _check_unknown(column: Column, counts: pd.Series) -> Iterator[Finding]:
    found = [word for word in counts.index if str(word).strip().lower() in UNKNOWN]
    if found and len(found) < len(counts):
        rows = int(counts[found].sum())
        listed = ", ".join(f"“{word}”" for word in found)
        yield Finding(
            "disguised_missing",
            "warning",
            (column.name,),
            f"{column.name} says {listed} in {rows:,} rows",
            "That usually stands for “not known”. Read it as missing?",
            {"words": list(map(str, found)), "rows": rows},
            Repair(action="missing_values", column=column.name, values=tuple(map(str, found))),
        )


def _check_measured(column: Column, counts: pd.Series) -> Iterator[Finding]:
    words = pd.Series(counts.index.astype("string"))
    weights = counts.to_numpy(np.float64)
    numbers = parse_measured(words)
    readable = float(weights[numbers.notna().to_numpy()].sum() / weights.sum())
    if len(words) < 5 or readable < 0.8:
        return
    units = words.str.extract(UNIT)[1].dropna().str.strip().value_counts()
    unit = str(units.index[0]) if len(units) else ""
    several = f" The units differ ({', '.join(units.index[:4])}): check." if len(units) > 1 else ""
    yield Finding(
        "numbers_as_text",
        "warning",
        (column.name,),
        f"{column.name} holds numbers written as text",
        f"{readable:.0%} of the values can be read as numbers"
        + (f" with the unit {unit}" if unit else "")
        + f"; the others would become missing.{several}",
        {"readable": readable, "unit": unit, "examples": words.head(5).tolist()},
        Repair(
            action="parse_numbers",
            column=column.name,
            mapping={"unit": unit} if unit else {},
        ),
    )


def _check_spellings(column: Column, counts: pd.Series) -> Iterator[Finding]:
    words = pd.Series(counts.index.astype("string"))
    alike = words.str.strip().str.replace(r"[\s_\-]+", " ", regex=True).str.lower()
    mapping = {}
    for _, group in words.groupby(alike.to_numpy()):
        # The most frequent spelling is kept; counts are in order.
        mapping |= {str(word): str(group.iloc[0]) for word in group.iloc[1:]}
    if mapping:
        listed = ", ".join(f"“{found}” → “{kept}”" for found, kept in list(mapping.items())[:4])
        yield Finding(
            "spellings",
            "warning",
            (column.name,),
            f"{column.name} spells {len(mapping)} categories in several ways",
            f"They differ by case or blanks only: {listed}. Join them?",
            {"spellings": mapping},
            Repair(action="merge_spellings", column=column.name, mapping=mapping),
        )


def _check_dates(column: Column, values: pd.Series) -> Iterator[Finding]:
    years = values.dropna().dt.year
    odd = int(((years < 1900) | (years > 2100)).sum())
    if odd:
        yield Finding(
            "impossible",
            "warning",
            (column.name,),
            f"{column.name} holds {odd:,} dates outside 1900–2100",
            "Dates like 0001-01-01 usually stand for “unknown”; correct them in the source.",
            {"rows": odd},
        )


def _check_constant(column: Column, values: pd.Series) -> Iterator[Finding]:
    known = values.dropna()
    if not len(known):
        return
    look = known.iloc[:: max(1, len(known) // LOOK)]
    # What varies among some thousand rows from all over the table is not nearly constant.
    if len(look) < len(known) and look.value_counts(normalize=True).iloc[0] < NEAR_CONSTANT - 0.05:
        return
    counts = known.value_counts()
    share = counts.iloc[0] / len(known)
    repair = Repair(action="ignore_column", column=column.name)
    if len(counts) == 1 and not values.isna().any():
        picture = column.kind == "image"
        what = "is the same picture" if picture else "has the same value"
        # The name under which a picture is kept tells nobody anything.
        evidence = {} if picture else {"value": str(counts.index[0])}
        yield Finding(
            "constant", "warning", (column.name,), f"{column.name} {what} in every row",
            "It cannot inform a model.", evidence, repair,
        )  # fmt: skip
    elif share >= NEAR_CONSTANT and len(counts) > 1:
        others = int(len(known) - counts.iloc[0])
        yield Finding(
            "near_constant",
            "hint",
            (column.name,),
            f"{column.name} is “{counts.index[0]}” in {share:.2%} of rows",
            f"Only {others:,} rows differ: too few to learn from reliably.",
            {"value": str(counts.index[0]), "share": float(share), "others": others},
            repair,
        )
