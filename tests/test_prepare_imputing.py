"""Gaps filled from a patient's other columns: contracts of every imputer, and their oracles."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, load_sample, make_dataset
from medcore.errors import FitError, StoreError
from medcore.prepare import fit_imputer, fit_preparation, prepare_rows
from medcore.prepare.chain import apply_chain, fit_chain
from medcore.prepare.coding import encode, fit_coding
from medcore.prepare.draws import fit_draws, row_keys, row_uniforms
from medcore.prepare.imputing import (
    DEEP,
    IMPUTERS,
    complete_frame,
    complete_matrix,
    load_imputer,
    save_imputer,
)
from medcore.prepare.leaving import describe_left, kept_rows
from medcore.prepare.neighbours import apply_neighbours, fit_neighbours
from medcore.train import imputers

INPUTS = ("age", "lactate", "rhythm")


@pytest.fixture(scope="module", autouse=True)
def _short_training():
    """What holds for any number of steps is held with few; the real patients get them all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imputers, "STEPS", 300)
        yield


def a_table(rows: int = 90, seed: int = 0):
    """Return a table whose columns tell of each other, a fifth of them unknown."""
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 12, rows)
    lactate = np.exp(0.03 * age + rng.normal(0, 0.1, rows))
    rhythm = np.where(age > 60, "sinus", "paced").astype(object)
    died = np.where(rng.random(rows) < 0.4, "yes", "no")
    frame = pd.DataFrame({"age": age, "lactate": lactate, "rhythm": rhythm, "died": died})
    for name in INPUTS:
        frame.loc[rng.random(rows) < 0.2, name] = None if name == "rhythm" else np.nan
    return make_dataset(frame, "Hearts", "hearts.csv", "0" * 64)


def settings(strategy: str, **changes):
    names = {f"missing.{name}": value for name, value in changes.items()}
    roles = {"data.roles": {"died": "outcome"}, "missing.strategy": strategy}
    return change_config(RunConfig(), roles | names)


def learn(dataset, strategy: str, rows=slice(None)):
    config = settings(strategy, draws=2)
    columns = [column for column in dataset.columns if column.name in INPUTS]
    return fit_imputer(dataset.frame.iloc[rows], columns, config.missing, 0, device="cpu")


@pytest.fixture(scope="module")
def learned():
    dataset = a_table()
    return dataset, {strategy: learn(dataset, strategy) for strategy in IMPUTERS}


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_gaps_are_filled_and_nothing_else_is_touched(learned, strategy):
    dataset, fitted = learned
    done = complete_frame(fitted[strategy], dataset.frame)
    assert not done[list(INPUTS)].isna().any().any()
    for name in INPUTS:
        known = dataset.frame[name].notna()
        assert done[name][known].tolist() == dataset.frame[name][known].tolist()
    assert dataset.frame[list(INPUTS)].isna().any().all()


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_estimates_stay_within_what_training_patients_had(learned, strategy):
    dataset, fitted = learned
    done = complete_frame(fitted[strategy], dataset.frame)
    for name in ("age", "lactate"):
        known = dataset.frame[name].dropna()
        assert done[name].between(known.min(), known.max()).all()
    assert set(done["rhythm"]) == {"sinus", "paced"}


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_a_patient_is_filled_alike_alone_and_in_a_batch(learned, strategy):
    dataset, fitted = learned
    matrix = encode(fitted[strategy].coding, dataset.frame)
    together = complete_matrix(fitted[strategy], matrix)
    alone = [complete_matrix(fitted[strategy], matrix[[row]])[0] for row in range(0, 90, 9)]
    assert np.array_equal(together[::9], np.stack(alone))


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_other_rows_and_the_outcome_do_not_change_what_was_learned(strategy):
    plain, other = a_table(), a_table()
    other.frame.loc[60:, ["age", "lactate"]] = 1e6
    other.frame["died"] = other.frame["died"].to_numpy()[::-1]
    first, second = (learn(table, strategy, slice(0, 60)) for table in (plain, other))
    assert first.arrays.keys() == second.arrays.keys()
    for name, array in first.arrays.items():
        assert np.array_equal(array, second.arrays[name], equal_nan=True)


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_a_patient_of_whom_nothing_is_known_is_filled(learned, strategy):
    _, fitted = learned
    nobody = pd.DataFrame({name: [None] for name in INPUTS})
    done = complete_frame(fitted[strategy], nobody)
    assert not done.isna().any().any()


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_a_kept_imputer_fills_the_same_to_the_last_bit(learned, strategy, tmp_path):
    dataset, fitted = learned
    save_imputer(fitted[strategy], tmp_path)
    read = load_imputer(tmp_path)
    matrix = encode(read.coding, dataset.frame)
    for draw in (None, 1) if strategy == "multiple" else (None,):
        ours, kept = (complete_matrix(i, matrix, draw) for i in (fitted[strategy], read))
        assert np.array_equal(ours, kept)


def test_a_damaged_imputer_is_refused_in_words(learned, tmp_path):
    save_imputer(learned[1]["knn"], tmp_path)
    (tmp_path / "imputer.safetensors").write_bytes(b"nothing")
    with pytest.raises(StoreError, match="train again"):
        load_imputer(tmp_path)


@pytest.mark.parametrize("strategy", IMPUTERS)
def test_the_estimates_are_better_than_the_mean_where_columns_tell_of_each_other(strategy):
    dataset = a_table(240, seed=3)
    truth = dataset.frame["lactate"].to_numpy(copy=True)
    hidden = np.zeros(240, dtype=bool)
    hidden[160::3] = True
    hidden &= ~np.isnan(truth) & dataset.frame["age"].notna().to_numpy()
    dataset.frame.loc[hidden, "lactate"] = np.nan
    done = complete_frame(learn(dataset, strategy, slice(0, 160)), dataset.frame)
    error = np.abs(np.log(done["lactate"][hidden]) - np.log(truth[hidden])).mean()
    middle = np.nanmean(np.log(truth[:160]))
    assert error < 0.9 * np.abs(middle - np.log(truth[hidden])).mean()


def errors_on_hidden_cells(strategy: str, frame: pd.DataFrame, share: float) -> float:
    """Return the root mean squared error of hidden cells of new patients, in standard deviations.

    Cells are hidden at random in training and in new patients; the new ones are scored.
    """
    rng = np.random.default_rng(5)
    names = list(frame.columns)
    hidden = rng.random(frame.shape) < share
    shown = frame.mask(hidden)
    dataset = make_dataset(shown, "Hidden", "hidden.csv", "0" * 64)
    columns = [replace(column, kind="number", role="input") for column in dataset.columns]
    learned_from, new = shown.iloc[:380], shown.iloc[380:]
    if strategy == "mean":
        done = new.fillna(learned_from.mean())
    else:
        missing = RunConfig().missing.model_copy(update={"strategy": strategy})
        done = complete_frame(fit_imputer(learned_from, columns, missing, 0, device="cpu"), new)
    away = (done[names].to_numpy() - frame.iloc[380:].to_numpy()) / frame.std().to_numpy()
    return float(np.sqrt((away[hidden[380:]] ** 2).mean()))


@pytest.mark.slow
def test_on_real_patients_every_imputer_beats_the_mean(monkeypatch):
    monkeypatch.setattr(imputers, "STEPS", 1000)
    frame = load_sample("wdbc").frame.select_dtypes("number").iloc[:, :30]
    plain = errors_on_hidden_cells("mean", frame, 0.3)
    assert plain == pytest.approx(1.0, abs=0.1)
    for strategy in ("knn", "iterative", *DEEP):
        assert errors_on_hidden_cells(strategy, frame, 0.3) < 0.75 * plain, strategy


def numbers(rows: int, places: int, seed: int, missing: float = 0.2):
    rng = np.random.default_rng(seed)
    factors = rng.normal(size=(rows, 2)) @ rng.normal(size=(2, places))
    matrix = factors + rng.normal(0, 0.5, (rows, places))
    matrix[rng.random(matrix.shape) < missing] = np.nan
    matrix[0] = rng.normal(size=places)
    return matrix, tuple(slice(place, place + 1) for place in range(places))


@pytest.mark.parametrize("neighbours", [1, 5, 200])
def test_neighbours_are_those_of_scikit_learn(neighbours):
    from sklearn.impute import KNNImputer

    matrix, blocks = numbers(150, 6, seed=1)
    new, _ = numbers(40, 6, seed=2, missing=0.4)
    ours = apply_neighbours(fit_neighbours(matrix), blocks, new, neighbours)
    theirs = KNNImputer(n_neighbors=neighbours).fit(matrix).transform(new)
    assert ours == pytest.approx(theirs, abs=1e-10)


def test_the_chain_agrees_with_scikit_learn():
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer
    from sklearn.linear_model import BayesianRidge

    matrix, blocks = numbers(200, 5, seed=4)
    new, _ = numbers(50, 5, seed=6)
    fitted = fit_chain(matrix, blocks, 10, lambda *_: False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs = IterativeImputer(BayesianRidge(), max_iter=10, tol=1e-3).fit(matrix)
    # They stop iterating on the same rule; weights agree to the rule's own tolerance.
    assert apply_chain(fitted, blocks, new) == pytest.approx(theirs.transform(new), abs=5e-3)


def test_draws_scatter_as_the_data_do_and_differ_between_imputations():
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    y = 0.6 * x + rng.normal(0, 0.8, 4000)
    matrix = np.column_stack([x, y])
    # The larger x, the more often y is missing: complete cases alone would be too low.
    gone = rng.random(4000) < 1 / (1 + np.exp(-2 * x))
    matrix[gone, 1] = np.nan
    dataset = make_dataset(pd.DataFrame(matrix, columns=["x", "y"]), "D", "d.csv", "0" * 64)
    config = settings("multiple", draws=5)
    imputer = fit_imputer(dataset.frame, dataset.columns, config.missing, 0)
    done = [complete_frame(imputer, dataset.frame, draw)["y"] for draw in range(5)]
    assert np.nanmean(matrix[:, 1]) < -0.2
    means, spreads = [d.mean() for d in done], [d.std() for d in done]
    assert np.mean(means) == pytest.approx(0, abs=0.06)
    assert np.mean(spreads) == pytest.approx(1, abs=0.05)
    filled = np.stack([d[gone] for d in done])
    assert (filled.std(axis=0) > 0.05).mean() > 0.95
    assert complete_frame(imputer, dataset.frame)["y"].std() < np.mean(spreads) - 0.05


def test_draws_of_one_patient_are_independent_of_the_others_and_uniform():
    matrix = np.random.default_rng(0).normal(size=(20_000, 2))
    drawn = row_uniforms(row_keys(matrix, 0), 0, 1)
    assert ((drawn > 0) & (drawn < 1)).all()
    counts = np.histogram(drawn, bins=20, range=(0, 1))[0]
    # Chi-squared with 19 degrees of freedom: 43.8 is passed once in a thousand.
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8
    assert not np.array_equal(drawn, row_uniforms(row_keys(matrix, 1), 0, 1))


def test_fitting_draws_can_be_stopped():
    matrix, blocks = numbers(60, 4, seed=0)
    chain = fit_chain(matrix, blocks, 3, lambda *_: False)
    drawn = fit_draws(matrix, blocks, chain, 5, 0, lambda *_: True)
    assert len(drawn["weights"]) == 1


@given(st.lists(st.sampled_from(["a", "b", None]), min_size=2, max_size=12), st.integers(0, 9))
def test_coded_words_are_told_back_and_numbers_keep_their_order(words, seed):
    if all(word is None for word in words):
        words[0] = "a"
    values = np.random.default_rng(seed).normal(size=len(words))
    frame = pd.DataFrame({"w": pd.array(words, dtype="string"), "x": values})
    dataset = make_dataset(frame, "D", "d.csv", "0" * 64, least_columns=1)
    columns = [replace(c, kind="category" if c.name == "w" else "number") for c in dataset.columns]
    coding = fit_coding(frame, columns)
    matrix = encode(coding, frame)
    place = matrix[:, coding.blocks[1]][:, 0]
    assert (np.argsort(values) == np.argsort(place)).all()
    picked = [None if np.isnan(row).any() else coding.columns[0].words[row.argmax()]
              for row in matrix[:, coding.blocks[0]]]  # fmt: skip
    assert picked == words


def test_a_column_without_any_value_is_left_out_and_said_so():
    dataset = a_table()
    dataset.frame["lactate"] = np.nan
    imputer = learn(dataset, "iterative")
    assert "lactate" in imputer.coding.left_out[0]
    dataset.frame[list(INPUTS)] = np.nan
    with pytest.raises(FitError, match="missing in every training row"):
        learn(dataset, "iterative")


def test_rows_that_miss_too_much_are_left_out_of_learning_alone_and_counted():
    config, rows = settings("drop_rows"), np.arange(60)
    dataset = configure_dataset(a_table(), config)
    kept = kept_rows(dataset, rows, config)
    complete = dataset.frame.iloc[:60][list(INPUTS)].notna().all(axis=1)
    assert kept.tolist() == np.flatnonzero(complete).tolist()
    (sentence,) = describe_left(dataset, rows, config)
    assert sentence.startswith(f"{60 - len(kept)} of 60 training rows")
    assert "the share of 'yes' went from" in sentence
    half = settings("drop_rows", limit=0.5)
    assert len(kept_rows(dataset, rows, half)) > len(kept)


def test_columns_that_miss_too_much_are_left_out_by_name():
    config = settings("drop_columns", limit=0.4)
    dataset = configure_dataset(a_table(), config)
    dataset.frame.loc[:50, "lactate"] = np.nan
    preparation = fit_preparation(dataset, np.arange(90), config, ("no", "yes"))
    assert any("lactate" in sentence for sentence in preparation.left_out)
    assert "lactate" not in prepare_rows(preparation, dataset).blocks["table"].sources
