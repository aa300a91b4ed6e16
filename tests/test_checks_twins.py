"""Twins: a search in a tree finds what comparing every pair finds, on any scale."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medcore.checks.twins import CHANCE, CLOSE, find_twins
from medcore.data.media import MediaFolder
from medcore.data.phantoms import make_phantoms
from medcore.records import Column, Dataset

NUMBERS, WORDS = [f"n{i}" for i in range(5)], ["sex", "ward"]


def a_dataset(frame: pd.DataFrame) -> Dataset:
    columns = tuple(
        Column(name, "category" if name in WORDS else "number", "input") for name in frame
    )
    return Dataset("t", "t", "0", frame, columns)


def a_frame(seed: int, rows: int = 120) -> pd.DataFrame:
    """Return rows of which some repeat others: wholly, nearly, or in all inputs but one."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(50, 10, (rows, 5)), columns=NUMBERS)
    frame["sex"] = pd.Series(rng.choice(["f", "m"], rows), dtype="string")
    frame["ward"] = pd.Series(rng.choice(list("abcde"), rows), dtype="string")
    for row in range(0, 30, 3):
        frame.loc[100 + row // 3 * 2 % 20] = frame.loc[row]
    frame.loc[101, NUMBERS] += 0.0001 * rng.normal(size=5)
    frame.loc[103, "n2"] = 99.0
    frame.loc[105, "ward"] = pd.NA
    frame.loc[rng.integers(rows, size=8), "n4"] = np.nan
    return frame


def compare_all(frame: pd.DataFrame, rows: np.ndarray, others: np.ndarray) -> dict[int, str]:
    """Return each row's strongest kind of twin, every pair being looked at."""
    whole = frame.loc[np.concatenate([rows, others])]
    spread = {n: whole[n].quantile(0.95) - whole[n].quantile(0.05) for n in NUMBERS}
    cells = {name: frame[name].to_numpy(object, na_value=None) for name in frame}

    def compare(name: str, row: int, other: int) -> tuple[bool, bool]:
        a, b = cells[name][row], cells[name][other]
        if a is None or b is None or a != a or b != b:
            same = pd.isna(a) and pd.isna(b)
            return same, same
        return a == b, a == b if name in WORDS else abs(a - b) <= CLOSE * spread[name]

    found, kinds = {}, ("equal", "near", "one input differs")
    for row in rows:
        share = [
            max(np.mean([compare(name, row, other)[1] for other in others]), 1 / len(others))
            if not pd.isna(cells[name][row]) else 1.0
            for name in frame
        ]  # fmt: skip
        for other in others:
            pairs = [compare(name, row, other) for name in frame]
            equal, agree = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
            likely = np.array(share)
            pairs = len(rows) * len(others)
            odd = np.flatnonzero(~np.array(equal))
            if all(equal) and likely.prod() * pairs < CHANCE:
                kind = "equal"
            elif all(agree) and likely.prod() * pairs < CHANCE:
                kind = "near"
            elif len(odd) == 1 and likely.prod() / likely[odd[0]] * pairs < CHANCE:
                kind = "one input differs"
            else:
                continue
            held = found.get(int(row), kinds[-1])
            found[int(row)] = min(kind, held, key=kinds.index)
    return found


@pytest.mark.parametrize("seed", range(2))
def test_the_tree_finds_what_comparing_every_pair_finds(seed):
    frame = a_frame(seed)
    rows, others = np.arange(95, 120), np.arange(95)
    found = find_twins(a_dataset(frame), rows, others)
    told = dict(zip(found["row_id"].tolist(), found["kind"].tolist(), strict=True))
    assert told == compare_all(frame, rows, others)
    assert told


@given(st.lists(st.sampled_from([1e-6, 0.01, 1, 18.016, 1e5]), min_size=5, max_size=5))
@settings(max_examples=15, deadline=None)
def test_units_of_the_inputs_change_nothing(factors):
    frame = a_frame(0)
    rows, others = np.arange(95, 120), np.arange(95)
    scaled = frame.assign(**{n: frame[n] * f for n, f in zip(NUMBERS, factors, strict=True)})
    plain = find_twins(a_dataset(frame), rows, others)
    pd.testing.assert_frame_equal(plain, find_twins(a_dataset(scaled), rows, others))


def test_the_order_of_rows_changes_nobody_who_has_a_twin():
    frame = a_frame(1)
    rows, others = np.arange(95, 120), np.arange(95)
    plain = find_twins(a_dataset(frame), rows, others)
    mixed = find_twins(a_dataset(frame), rows[::-1], np.random.default_rng(0).permutation(others))
    assert set(plain["row_id"]) == set(mixed["row_id"])


def test_nobody_and_nothing_to_compare_have_no_twins():
    dataset, none = a_dataset(a_frame(0)), np.empty(0, dtype=np.int64)
    assert not len(find_twins(dataset, none, np.arange(3)))
    assert not len(find_twins(dataset, np.arange(3), none))
    assert not len(find_twins(a_dataset(a_frame(0)[[]]), np.arange(3), np.arange(3, 6)))


def test_the_same_picture_under_another_name_is_a_twin_and_an_equal_file_too(tmp_path):
    chests = [phantom.pixels for phantom in make_phantoms(12, 96)]
    pictures = [*chests[:10], chests[2], np.clip(chests[3] * 1.2 + 10, 0, 255).astype(np.uint8)]
    keep = MediaFolder(tmp_path / "media")
    names = pd.Series([keep.add(picture) for picture in pictures], dtype="string")
    names[4] = pd.NA
    frame = pd.DataFrame({"film": names, "sex": ["f", "m"] * 6})
    columns = (Column("film", "image", "input"), Column("sex", "category", "input"))
    dataset = Dataset("t", "t", "0", frame, columns, media=keep.folder)
    found = find_twins(dataset, np.arange(10, 12), np.arange(10))
    told = {row.row_id: (row.twin_id, row.kind) for row in found.itertuples()}
    assert told == {10: (2, "equal"), 11: (3, "nearly the same image")}
    assert not len(find_twins(dataset, np.arange(5, 10), np.arange(5)))
