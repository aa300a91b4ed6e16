"""Who is learned from and who is judged on, held for any table of patients."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, make_dataset
from medcore.errors import ConfigError, DataError
from medcore.split import cross_fit_folds, make_split, read_split, split_json


def make(patients=60, visits=2, rare=0, seed=0, **extra):
    """Return a configured table: each patient has some rows, an outcome, a site and a date."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(patients), visits)
    ill = np.where(rng.random(patients) < 0.3, "yes", "no")
    ill[:8:2], ill[1:8:2] = "yes", "no"
    if rare:
        ill[-rare:] = "odd"
    rows = len(patient)
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.permutation(rows), unit="D")
    frame = pd.DataFrame(
        {
            "patient_id": patient,
            "site": np.array(["north", "south", "west"])[patient % 3],
            "seen": day,
            "age": rng.uniform(20, 80, rows),
            "ill": ill[patient],
        }
        | extra
    )
    dataset = make_dataset(frame, "t", "t.csv", "0")
    return configure_dataset(dataset, change_config(RunConfig(), {"data.roles": ROLES}))


ROLES = {"ill": "outcome", "patient_id": "patient", "site": "site", "seen": "date"}


def config(**changes):
    return change_config(RunConfig(), {key.replace("_", ".", 1): v for key, v in changes.items()})


def all_parts(split):
    return split.folds or (split.parts,)


def hold_patients_whole(dataset, parts):
    patient = dataset.frame["patient_id"]
    seen = [set(patient.loc[rows]) for rows in parts.values()]
    for place, own in enumerate(seen):
        for other in seen[place + 1 :]:
            assert not own & other


@given(st.integers(20, 90), st.integers(1, 3), st.integers(0, 20), st.sampled_from([0.1, 0.2, 0.4]))
def test_a_hold_out_keeps_patients_whole_and_uses_every_row_once(patients, visits, seed, share):
    dataset = make(patients, visits, seed=seed)
    split = make_split(dataset, config(split_test=share, seed=seed))
    rows = np.concatenate(list(split.parts.values()))
    assert sorted(rows.tolist()) == dataset.frame.index.tolist()
    hold_patients_whole(dataset, split.parts)
    assert abs(len(split.parts["test"]) / len(dataset.frame) - share) < 0.12


@pytest.mark.parametrize("kind", ["holdout", "kfold", "site"])
def test_the_order_of_rows_in_the_file_changes_nothing(kind):
    dataset = make()
    shuffled = dataset.frame.sample(frac=1, random_state=1)
    from dataclasses import replace

    again = make_split(replace(dataset, frame=shuffled), config(split_kind=kind))
    for ours, theirs in zip(
        all_parts(make_split(dataset, config(split_kind=kind))), all_parts(again), strict=True
    ):
        for part in ours:
            assert ours[part].tolist() == theirs[part].tolist()


def test_another_seed_gives_another_split_and_the_same_seed_the_same():
    dataset = make()
    first, same, other = (
        make_split(dataset, config(seed=seed)).parts["test"].tolist() for seed in (1, 1, 2)
    )
    assert first == same
    assert first != other


def test_the_classes_keep_their_shares_in_every_part():
    dataset = make(patients=400, visits=1)
    overall = dataset.frame["ill"].eq("yes").mean()
    for rows in make_split(dataset, config()).parts.values():
        assert abs(dataset.frame.loc[rows, "ill"].eq("yes").mean() - overall) < 0.03


def test_a_number_as_outcome_is_spread_over_the_parts_too():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.uniform(0, 1, 400), "stay": rng.lognormal(0, 1, 400)})
    dataset = configure_dataset(
        make_dataset(frame, "t", "t", "0"), config(data_roles={"stay": "outcome"})
    )
    split = make_split(dataset, config())
    middle = dataset.frame["stay"].median()
    for rows in split.parts.values():
        assert abs((dataset.frame.loc[rows, "stay"] > middle).mean() - 0.5) < 0.08


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("folds", [2, 5])
def test_k_fold_tests_every_row_once_a_repeat(folds, repeats):
    dataset = make()
    split = make_split(
        dataset, config(split_kind="kfold", split_folds=folds, split_repeats=repeats)
    )
    assert len(split.folds) == folds * repeats == len(split.fold_names)
    assert "test" not in split.parts
    tested = np.concatenate([parts["test"] for parts in split.folds])
    counts = pd.Series(tested).value_counts()
    assert set(counts) == {repeats}
    assert len(counts) == len(dataset.frame)
    for parts in split.folds:
        hold_patients_whole(dataset, parts)
    first = {tuple(parts["test"]) for parts in split.folds}
    assert len(first) == folds * repeats


def test_a_temporal_split_tests_the_latest_and_no_patient_from_before():
    dataset = make(visits=1)
    split = make_split(dataset, config(split_kind="temporal"))
    day = dataset.frame["seen"]
    before = np.concatenate([rows for part, rows in split.parts.items() if part != "test"])
    assert day.loc[split.parts["test"]].min() > day.loc[before].max()


def test_a_temporal_split_keeps_patients_whole():
    dataset = make(visits=3)
    split = make_split(dataset, config(split_kind="temporal"))
    hold_patients_whole(dataset, split.parts)


def test_each_site_is_the_test_in_turn():
    dataset = make()
    split = make_split(dataset, config(split_kind="site"))
    assert sorted(split.fold_names) == ["north", "south", "west"]
    for name, parts in zip(split.fold_names, split.folds, strict=True):
        assert set(dataset.frame.loc[parts["test"], "site"]) == {name}
        learned = np.concatenate([rows for part, rows in parts.items() if part != "test"])
        assert name not in set(dataset.frame.loc[learned, "site"])


@pytest.mark.parametrize(("kind", "role"), [("temporal", "seen"), ("site", "site")])
def test_a_split_without_its_column_is_refused(kind, role):
    dataset = make()
    roles = {**ROLES, role: "ignored"}
    plain = configure_dataset(dataset, change_config(RunConfig(), {"data.roles": roles}))
    with pytest.raises((ConfigError, DataError)) as caught:
        make_split(plain, config(split_kind=kind))
    assert str(caught.value).endswith(".")


def test_too_few_patients_are_refused_with_their_number():
    with pytest.raises(DataError, match="4 patients are too few"):
        make_split(make(patients=4, visits=5), config())


@pytest.mark.parametrize(("patients", "calibrated"), [(500, False), (1400, False), (1700, True)])
def test_calibration_patients_come_out_of_training_from_a_thousand_rows(patients, calibrated):
    split = make_split(make(patients=patients, visits=1), config())
    training = len(split.parts["train"]) + len(split.parts.get("calibration", ()))
    assert (training >= 1000) == calibrated
    assert ("calibration" in split.parts) == calibrated
    if calibrated:
        assert abs(len(split.parts["calibration"]) / training - 0.1) < 0.02


def test_a_rare_class_stays_in_training_and_is_listed():
    dataset = make(patients=90, visits=1, rare=2)
    split = make_split(dataset, config())
    odd = set(dataset.frame.index[dataset.frame["ill"] == "odd"])
    assert odd & set(split.parts["train"].tolist())
    absent = [part for part in ("validation", "test") if not odd & set(split.parts[part].tolist())]
    assert bool(absent) == any("'odd'" in note for note in split.notes)


def test_a_given_division_is_kept():
    rows = 240
    given_parts = np.array(["train", "val", "test"])[np.arange(rows) % 3]
    dataset = make(patients=rows, visits=1, split=given_parts)
    split = make_split(dataset, config())
    for part, word in (("validation", "val"), ("test", "test")):
        assert set(given_parts[split.parts[part]]) == {word}
    assert set(given_parts[split.parts["train"]]) == {"train"}


def test_a_split_comes_back_from_its_file_as_it_was():
    for kind in ("holdout", "kfold", "site"):
        split = make_split(make(), config(split_kind=kind))
        again = read_split(json.loads(json.dumps(split_json(split))))
        assert (again.kind, again.seed, again.fold_names, again.notes) == (
            split.kind, split.seed, split.fold_names, split.notes,
        )  # fmt: skip
        for ours, theirs in zip(all_parts(split), all_parts(again), strict=True):
            assert {p: r.tolist() for p, r in ours.items()} == {
                p: r.tolist() for p, r in theirs.items()
            }


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 12)), min_size=10, max_size=80))
def test_cross_fit_folds_cover_everyone_once_and_keep_groups_whole(rows):
    outcome, group = zip(*rows, strict=True)
    folds = cross_fit_folds(outcome, group, 5, np.random.default_rng(0))
    assert sorted(np.concatenate(folds).tolist()) == list(range(len(rows)))
    fold_of = {place: number for number, held in enumerate(folds) for place in held.tolist()}
    by_group = {}
    for place, name in enumerate(group):
        by_group.setdefault(name, set()).add(fold_of[place])
    assert all(len(numbers) == 1 for numbers in by_group.values())
