"""Who is learned from and who is judged on; patients are never divided.

Rows are dealt by a random key that depends on the seed and the row id alone, so the order of rows
in a file changes nothing. Within each outcome class (or tenth of a numeric outcome) patients are
laid out in the order of their keys and cut at the wanted shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from medcore.config import Part, RunConfig, generator
from medcore.data import read_labels
from medcore.errors import ConfigError, DataError
from medcore.records import Dataset, Parts, Split

CROSS_FIT_BELOW = 1000
MOST_SITES = 50
GIVEN = {
    "train": "train", "training": "train", "val": "validation", "valid": "validation",
    "validation": "validation", "dev": "validation", "calibration": "calibration", "test": "test",
}  # fmt: skip


def make_split(dataset: Dataset, config: RunConfig) -> Split:
    """Divide the rows of a configured data set as `config.split` says.

    Raises `DataError` or `ConfigError` when there are too few patients, sites or dates.
    """
    rows = _read_rows(dataset)
    patients = len(np.unique(rows.group))
    needed = config.split.folds if config.split.kind == "kfold" else 5
    if patients < needed:
        raise DataError(
            f"{patients} patients are too few to divide into {needed} groups; bring more patients, "
            "or give their column the role site and let each be the test in turn."
        )
    makers = {"holdout": _hold_out, "kfold": _k_fold, "temporal": _temporal, "site": _by_site}
    return makers[config.split.kind](rows, dataset, config)


class _Rows:
    """The columns a split looks at; `group` is the smallest row id of the patient's rows."""

    def __init__(self, row_id: np.ndarray, group: np.ndarray, stratum: np.ndarray, names) -> None:
        self.row_id, self.group, self.stratum, self.names = row_id, group, stratum, names

    def take(self, mask: np.ndarray) -> _Rows:
        return _Rows(self.row_id[mask], self.group[mask], self.stratum[mask], self.names)


def _read_rows(dataset: Dataset) -> _Rows:
    row_id = dataset.frame.index.to_numpy(np.int64)
    outcome = dataset.predicted_column()
    if outcome is None:
        raise ConfigError("No column has the role outcome; choose what is to be predicted.")
    stratum, names = _strata(outcome_strata(dataset))
    # Findings overlap, so their patients are not those of a stratum; the judgement names rare ones.
    names = () if dataset.labels else names
    patient = dataset.with_role("patient")
    group = _groups(dataset.frame[patient[0].name], row_id) if patient else row_id
    return _Rows(row_id, group, stratum, names)


def outcome_strata(dataset: Dataset) -> pd.Series:
    """Return what rows are dealt by: their outcome, or the rarest finding that they have."""
    outcome = dataset.frame[dataset.predicted_column().name]
    if not dataset.labels:
        return outcome
    found = read_labels(outcome, dataset.labels) == 1
    order = np.argsort(found.sum(axis=0), kind="stable")
    first = found[:, order].argmax(axis=1)
    rarest = np.where(found.any(axis=1), np.array(dataset.labels, dtype=object)[order][first], "")
    return pd.Series(rarest, index=outcome.index, dtype="string")


def _strata(outcome: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return a code per row, and the classes' names (none for a numeric outcome)."""
    if pd.api.types.is_numeric_dtype(outcome) and outcome.nunique() > 20:
        tenth = pd.qcut(outcome.rank(method="first"), min(10, max(1, len(outcome) // 10)))
        return tenth.cat.codes.to_numpy(np.int64), ()
    codes, names = pd.factorize(outcome, sort=True)
    return codes.astype(np.int64), tuple(str(name) for name in names)


def _groups(patient: pd.Series, row_id: np.ndarray) -> np.ndarray:
    """Return the smallest row id of each row's patient; a row without a patient stands alone."""
    first = pd.Series(row_id).groupby(patient.to_numpy(), dropna=True).transform("min")
    return np.where(first.isna(), row_id, first.fillna(0)).astype(np.int64)


def _keys(group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random uint64 per group id (SplitMix64; Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        z = group.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += rng.integers(2**63, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def _places(
    group: np.ndarray, stratum: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's place (0–1) within its stratum, equal for a patient, and the stratum.

    A patient whose rows differ in outcome belongs to the rarest of them.
    """
    size = np.bincount(stratum + 1)
    order = np.lexsort((size[stratum + 1], group))
    patient, first, inverse = np.unique(group[order], return_index=True, return_inverse=True)
    rows_of = np.bincount(inverse)
    stratum_of = stratum[order][first]
    sequence = np.lexsort((_keys(patient, rng), stratum_of))
    counts = rows_of[sequence].astype(np.float64)
    strata = stratum_of[sequence]
    ends = np.cumsum(counts)
    _, start, which = np.unique(strata, return_index=True, return_inverse=True)
    before = (ends - counts)[start]
    total = np.add.reduceat(counts, start)
    middle = (ends - counts / 2 - before[which]) / total[which]
    place_of = np.empty(len(patient))
    place_of[sequence] = middle
    back = np.searchsorted(patient, group)
    return place_of[back], stratum_of[back]


def cross_fit_folds(
    outcome: Any, group: Any, folds: int, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return the positions of each held-out fold: stratified by outcome, groups kept whole.

    >>> parts = cross_fit_folds(["a", "b"] * 10, range(20), 5, np.random.default_rng(0))
    >>> [len(part) for part in parts]
    [4, 4, 4, 4, 4]
    """
    stratum, _ = _strata(pd.Series(outcome).reset_index(drop=True))
    patient = pd.Series(group).reset_index(drop=True)
    codes = _groups(patient, np.arange(len(patient)))
    number = _deal(codes, stratum, folds, rng)
    return [np.flatnonzero(number == fold) for fold in range(folds)]


def _deal(
    group: np.ndarray, stratum: np.ndarray, folds: int, rng: np.random.Generator
) -> np.ndarray:
    place, stratum_of = _places(group, stratum, rng)
    # Shifting by stratum keeps the odd rows of every class from landing in the same fold.
    return (np.floor(place * folds).astype(np.int64) + stratum_of) % folds


def _cut(rows: _Rows, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a mask of about `share` of the rows; a class too rare for it keeps all its rows."""
    place, _ = _places(rows.group, rows.stratum, rng)
    return place < share


def _develop(rows: _Rows, config: RunConfig, *names: str | int) -> dict[Part, np.ndarray]:
    """Divide development rows into train, validation and, when there are enough, calibration."""
    held = _cut(rows, config.split.validation, generator(config.seed, "validation", *names))
    train, validation = rows.take(~held), rows.take(held)
    parts: dict[Part, np.ndarray] = {"train": train.row_id, "validation": validation.row_id}
    return _calibrate(parts, train, config, *names)


def _calibrate(
    parts: dict[Part, np.ndarray], train: _Rows, config: RunConfig, *names: str | int
) -> dict[Part, np.ndarray]:
    if len(train.row_id) < CROSS_FIT_BELOW or not config.split.calibration:
        return parts
    kept = _cut(train, config.split.calibration, generator(config.seed, "calibration", *names))
    return {**parts, "train": train.row_id[~kept], "calibration": train.row_id[kept]}


def _hold_out(rows: _Rows, dataset: Dataset, config: RunConfig) -> Split:
    given = _given_parts(rows, dataset, config)
    if given is not None:
        notes = ("The division given by the column 'split' is kept.",)
        return _finish("holdout", config, rows, given, notes=notes)
    test = _cut(rows, config.split.test, generator(config.seed, "test"))
    parts = {**_develop(rows.take(~test), config), "test": rows.row_id[test]}
    return _finish("holdout", config, rows, parts)


def _given_parts(rows: _Rows, dataset: Dataset, config: RunConfig) -> dict[Part, np.ndarray] | None:
    name = next((c.name for c in dataset.columns if c.name.strip().lower() == "split"), None)
    if name is None:
        return None
    words = dataset.frame[name].astype("string").str.strip().str.lower().map(GIVEN)
    if words.isna().any() or not {"train", "test"} <= set(words):
        return None
    for group, parts in words.groupby(rows.group):
        if parts.nunique() > 1:
            raise DataError(
                f"The column '{name}' puts one patient (row {group + 1}) into several parts; "
                "give each patient one part."
            )
    masks = {part: (words == part).to_numpy() for part in set(GIVEN.values())}
    parts = {part: rows.row_id[mask] for part, mask in masks.items() if mask.any()}
    if "validation" not in parts:
        parts |= _develop(rows.take(masks["train"]), config)
    elif "calibration" not in parts:
        parts = _calibrate(parts, rows.take(masks["train"]), config)
    return parts


def _k_fold(rows: _Rows, _: Dataset, config: RunConfig) -> Split:
    folds, names = [], []
    for repeat in range(config.split.repeats):
        rng = generator(config.seed, "folds", repeat)
        number = _deal(rows.group, rows.stratum, config.split.folds, rng)
        for fold in range(config.split.folds):
            test = number == fold
            develop = _develop(rows.take(~test), config, repeat, fold)
            folds.append({**develop, "test": rows.row_id[test]})
            names.append(f"{repeat + 1}.{fold + 1}" if config.split.repeats > 1 else f"{fold + 1}")
    return _finish("kfold", config, rows, _develop(rows, config), folds, names)


def _temporal(rows: _Rows, dataset: Dataset, config: RunConfig) -> Split:
    columns = dataset.with_role("date")
    if not columns:
        raise ConfigError("A split by time needs a column with the role date; choose one.")
    dates = pd.to_datetime(dataset.frame[columns[0].name], errors="coerce")
    last = dates.groupby(rows.group).transform("max").to_numpy("datetime64[ns]")
    known = ~np.isnat(last)
    if len(np.unique(last[known])) < 2:
        raise DataError(f"The column '{columns[0].name}' holds fewer than two different dates.")
    place = int(np.ceil(known.sum() * (1 - config.split.test)))
    ordered = np.sort(last[known])
    border = ordered[min(place, len(ordered) - 1)]
    if border == ordered[0]:
        border = ordered[ordered > border][0]
    test = known & (last >= border)
    notes = [f"The test patients are those seen last on or after {str(border)[:10]}."]
    if not known.all():
        notes.append(f"{(~known).sum():,} rows without a date are used for training only.")
    parts = {**_develop(rows.take(~test), config), "test": rows.row_id[test]}
    return _finish("temporal", config, rows, parts, notes=notes)


def _by_site(rows: _Rows, dataset: Dataset, config: RunConfig) -> Split:
    columns = dataset.with_role("site")
    if not columns:
        raise ConfigError("A split by site needs a column with the role site; choose one.")
    site = dataset.frame[columns[0].name].astype("string")
    # A patient seen at several sites belongs to the first, or one patient would be on both sides.
    site = site.groupby(rows.group).transform("first")
    names = sorted(site.dropna().unique())
    if not 2 <= len(names) <= MOST_SITES:
        raise DataError(
            f"The column '{columns[0].name}' holds {len(names)} sites; "
            f"a split by site needs 2 to {MOST_SITES}."
        )
    folds = []
    for name in names:
        test = (site == name).fillna(False).to_numpy(bool)
        if not (~test).any():
            raise DataError(f"All rows belong to the site '{name}'; choose another split.")
        folds.append({**_develop(rows.take(~test), config, name), "test": rows.row_id[test]})
    unknown = int(site.isna().sum())
    notes = [f"{unknown:,} rows without a site are used for training only."] if unknown else []
    return _finish("site", config, rows, _develop(rows, config), folds, names, notes)


def _finish(
    kind: str,
    config: RunConfig,
    rows: _Rows,
    parts: Parts,
    folds: Sequence[Parts] = (),
    fold_names: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Split:
    ordered = [{part: np.sort(ids) for part, ids in each.items()} for each in (parts, *folds)]
    for number, each in enumerate(ordered[1:] if folds else ordered[:1]):
        if not len(each["train"]) or not len(each["test"]):
            where = f" in fold {fold_names[number]}" if fold_names else ""
            raise DataError(f"The split leaves no patients to train or to test{where}.")
    return Split(
        kind,
        config.seed,
        ordered[0],
        tuple(ordered[1:]) or None,
        tuple(fold_names),
        (*notes, *_rare_notes(rows, ordered[1:] or ordered[:1])),
    )


def _rare_notes(rows: _Rows, judged: Sequence[Parts]) -> list[str]:
    """Say which classes a part has no patient of; their scores there have no value."""
    notes = []
    for code, name in enumerate(rows.names):
        of_class = rows.row_id[rows.stratum == code]
        for part in ("validation", "test"):
            if not any(np.isin(of_class, parts.get(part, ())).any() for parts in judged):
                notes.append(
                    f"The class '{name}' has {len(of_class)} rows, too few for the {part} part; "
                    "all stay in training."
                )
                break
    return notes


def split_json(split: Split) -> dict[str, Any]:
    """Return a split as the content of `split.json`."""
    folds = None
    if split.folds is not None:
        pairs = zip(split.fold_names, split.folds, strict=True)
        folds = [{"name": name, "parts": _lists(parts)} for name, parts in pairs]
    return {
        "kind": split.kind,
        "seed": split.seed,
        "parts": _lists(split.parts),
        "folds": folds,
        "notes": list(split.notes),
    }


def read_split(values: Mapping[str, Any]) -> Split:
    """Return the split that `split_json` wrote."""
    folds = values["folds"]
    return Split(
        values["kind"],
        values["seed"],
        _arrays(values["parts"]),
        None if folds is None else tuple(_arrays(fold["parts"]) for fold in folds),
        () if folds is None else tuple(fold["name"] for fold in folds),
        tuple(values["notes"]),
    )


def _lists(parts: Parts) -> dict[str, list[int]]:
    return {part: ids.tolist() for part, ids in parts.items()}


def _arrays(parts: Mapping[Part, list[int]]) -> dict[Part, np.ndarray]:
    return {part: np.array(ids, dtype=np.int64) for part, ids in parts.items()}
