"""Known cells hidden and filled: the figures are true, and nobody is praised without cause."""

import json

import numpy as np
import pandas as pd
import pytest

from medcore.config import RunConfig, change_config
from medcore.errors import ConfigError, DataError
from medcore.laboratory import SHARES, MaskChoice, read_mask_choice, write_masking
from medcore.laboratory.masking import hide_cells, run_masking
from medcore.records import Column, Dataset, Watch
from medcore.train import imputers

CONFIG = change_config(RunConfig(), {"evaluate.resamples": 200})


def a_table(rows: int = 360, seed: int = 0) -> Dataset:
    """Return patients whose first numbers tell of each other; the last column is noise."""
    rng = np.random.default_rng(seed)
    size = rng.normal(0, 1, rows)
    frame = pd.DataFrame(
        {
            "weight": 70 + 10 * size + rng.normal(0, 2, rows),
            "waist": 90 + 8 * size + rng.normal(0, 2, rows),
            "noise": rng.normal(0, 1, rows),
            "build": pd.Series(np.where(size > 0, "broad", "slim"), dtype="string"),
            "y": pd.Series(np.where(rng.random(rows) < 0.4, "yes", "no"), dtype="string"),
        }
    )
    frame.loc[::7, "waist"] = np.nan
    kinds = ("number", "number", "number", "category", "category")
    roles = ("input", "input", "input", "input", "outcome")
    columns = tuple(map(Column, frame.columns, kinds, roles))
    return Dataset("a", "a", "0", frame, columns)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    choice = MaskChoice(("mean", "median", "knn", "iterative", "denoising_autoencoder"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(imputers, "STEPS", 60)
        folder = tmp_path_factory.mktemp("masks")
        return run_masking(a_table(900), CONFIG, choice, Watch(), folder)


def by_strategy(part):
    return {row["strategy"]: row for row in part["strategies"]}


def test_each_share_is_hidden_and_the_mean_is_the_measure(found):
    assert [part["share"] for part in found["shares"]] == list(SHARES)
    for part in found["shares"]:
        rows = by_strategy(part)
        assert rows["mean"]["error"]["value"] == pytest.approx(1)
        assert part["cells"] == pytest.approx(part["share"] * found["new"] * (4 - 1 / 7), rel=0.25)
        for row in rows.values():
            assert row["error"]["low"] <= row["error"]["value"] <= row["error"]["high"]
    json.dumps(found, allow_nan=False)


def test_columns_that_tell_of_each_other_are_filled_better_and_noise_is_not(found):
    rows = by_strategy(found["shares"][0])
    for name in ("knn", "iterative"):
        assert rows[name]["columns"]["weight"] < 0.8
        assert rows[name]["columns"]["build"] < 0.8
        assert rows[name]["columns"]["noise"] > 0.9
        assert rows[name]["differences"]["mean"]["high"] < 0
    assert rows["iterative"]["error"]["value"] < rows["median"]["error"]["value"]


def test_the_more_is_hidden_the_worse_the_estimates(found):
    errors = [by_strategy(part)["iterative"]["error"]["value"] for part in found["shares"]]
    assert errors[0] < errors[2]


def test_the_error_is_that_of_an_independent_computation():
    table = a_table()
    hidden = hide_cells(table.frame, list(table.columns[:3]), 0.3, "random", 0)
    assert hidden.cells.mean() == pytest.approx(0.3 * (3 - 1 / 7) / 3, abs=0.03)
    shown = hidden.frame["weight"]
    assert shown.isna().sum() == hidden.cells[:, 0].sum()
    assert shown.dropna().equals(table.frame["weight"][shown.notna()])


def test_related_gaps_follow_the_column_that_stays_whole():
    table = a_table(4000)
    columns = list(table.columns[:4])
    hidden = hide_cells(table.frame, columns, 0.3, "related", 0)
    assert not hidden.cells[:, 0].any()
    weight = table.frame["weight"].to_numpy()
    for place in (1, 2, 3):
        own = hidden.cells[:, place]
        heavy = weight > np.median(weight)
        assert own[heavy].mean() > 2 * own[~heavy].mean()
    assert hidden.cells[:, 2].mean() == pytest.approx(0.3, abs=0.03)


def test_a_network_that_learned_nothing_is_said_not_to_beat_the_regressions(found):
    sentences = " ".join(write_masking(found))
    assert "Denoising autoencoder does not beat the iterative ridge regressions here" in sentences
    assert "better than the mean: " in sentences


def row_of(strategy: str, value: float, iterative: tuple | None, mean: tuple):
    def figure(low, value, high):
        return {"value": value, "low": low, "high": high}

    differences = {"mean": figure(*mean)}
    if iterative:
        differences["iterative"] = figure(*iterative)
    return {"strategy": strategy, "reason": None, "error": figure(0, value, 2),
            "differences": differences}  # fmt: skip


def test_words_follow_the_intervals():
    few = {"share": 0.5, "strategies": [], "reason": "too few"}
    rows = [
        row_of("miwae", 0.5, (-0.2, -0.1, -0.05), (-0.6, -0.5, -0.4)),
        row_of("denoising_autoencoder", 0.7, (0.02, 0.1, 0.2), (-0.4, -0.3, 0.1)),
    ]
    words = write_masking({"shares": [{"share": 0.1, "strategies": rows, "reason": None}, few]})
    assert words[0] == "With 10% hidden, better than the mean: MIWAE (0.50 of its error)."
    assert "it is worse" in words[1]
    assert words[2:] == ["With 50% hidden: too few."]


def test_a_strategy_that_cannot_fill_has_its_reason_and_the_others_go_on(tmp_path, monkeypatch):
    from medcore.errors import FitError
    from medcore.laboratory import masking

    def fail(*_, **__):
        raise FitError("No neighbours today.")

    monkeypatch.setattr(masking, "fit_imputer", fail)
    choice = MaskChoice(("mean", "knn"))
    result = run_masking(a_table(), CONFIG, choice, Watch(), tmp_path)
    rows = by_strategy(result["shares"][1])
    assert rows["knn"]["reason"] == "No neighbours today."
    assert rows["mean"]["error"]["value"] == pytest.approx(1)


def test_stopped_there_are_no_figures(tmp_path):
    watch = Watch(stopping=lambda: True)
    assert run_masking(a_table(), CONFIG, MaskChoice(("mean", "knn")), watch, tmp_path) is None


def test_test_rows_and_outcomes_take_no_part(tmp_path):
    from medcore.data import configure_dataset
    from medcore.laboratory.work import development_rows

    plain, other = a_table(), a_table()
    kept = development_rows(configure_dataset(plain, CONFIG), CONFIG)
    aside = np.setdiff1d(plain.frame.index, kept)
    other.frame.loc[aside, ["weight", "noise"]] = 1e6
    choice = MaskChoice(("mean", "iterative"))
    first, second = (run_masking(t, CONFIG, choice, Watch(), tmp_path) for t in (plain, other))
    assert first == second
    assert first["set_aside"] == len(aside)


def test_too_little_to_hide_is_a_sentence(tmp_path):
    table = a_table(40)
    with pytest.raises(DataError, match="hidden cells among the new patients"):
        run_masking(table, CONFIG, MaskChoice(("mean",)), Watch(), tmp_path)


@pytest.mark.parametrize("strategies", [["native"], ["wrong"]])
def test_a_choice_that_cannot_be_is_refused(strategies):
    with pytest.raises(ConfigError, match=strategies[0]):
        read_mask_choice({"strategies": strategies, "mechanism": "random"})
    with pytest.raises(ConfigError, match="hidden"):
        read_mask_choice({"strategies": ["knn"], "mechanism": strategies[0]})
