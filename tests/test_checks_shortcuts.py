"""A shortcut planted in how images were made is found, named and told; where none is, none is."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from medcore.certificate import _check_shortcuts
from medcore.checks import check_dataset, measure_shortcut
from medcore.checks.shortcuts import _predict
from medcore.data.media import MediaFolder
from medcore.records import Column, Dataset

ROWS, SIDE = 240, 20


def make(folder, *, plant=None, classes=("no", "yes"), patients=ROWS):
    """Return noise pictures whose outcome only what was planted tells; a quarter are exceptions."""
    rng, media = np.random.default_rng(0), MediaFolder(folder / "media")
    outcome = rng.choice(classes, ROWS)
    marked = (outcome == classes[-1]) ^ (rng.random(ROWS) < 0.25)
    names = []
    for there in marked:
        side = SIDE + 6 * bool(there and plant == "width")
        picture = rng.integers(60, 190, (SIDE, side)).astype(np.uint8)
        picture[3, 3], picture[3, 4] = 0, 255
        if there and plant == "rim":
            picture[:, 0] = 240
        names.append(media.add(picture))
    frame = pd.DataFrame({"scan": names, "sign": outcome}).astype("string")
    frame["patient"] = pd.Series(rng.permutation(ROWS) % patients).astype("string")
    maker = np.where(marked, "A", "B") if plant == "maker" else rng.choice(["A", "B"], ROWS)
    frame["maker"] = pd.Series(maker, dtype="string")
    frame["diary"] = pd.Series(outcome, dtype="string")
    columns = (
        Column("scan", "image", "input"),
        Column("sign", "category", "outcome", None, tuple(classes)),
        Column("patient", "category", "patient"),
        Column("maker", "category", "ignored", None, ("A", "B")),
        # Not a fact about the image: however well it tells, it is no matter of this check.
        Column("diary", "category", "ignored", None, tuple(classes)),
    )
    return Dataset("Scans", "scans", "0" * 64, frame, columns, (), media.folder)


@pytest.mark.parametrize(
    ("plant", "named"),
    [("maker", "maker"), ("width", "picture width"), ("rim", "picture rim contrast")],
)
def test_a_planted_shortcut_is_found_and_named(tmp_path, plant, named):
    dataset = make(tmp_path, plant=plant)
    found = measure_shortcut(dataset)
    # Told in three of four: an AUROC of 0.75.
    assert found.low < 0.75 < found.high
    assert found.facts[0][0] == named
    (finding,) = [f for f in check_dataset(dataset) if f.code == "shortcut"]
    assert finding.severity == "warning"
    assert f"{named} (0." in finding.detail and "AUROC 0.7" in finding.title
    (line,) = _check_shortcuts(dataset)
    assert line.passed is False
    assert line.evidence[0]["AUROC"] == found.auroc


def test_without_a_shortcut_the_interval_holds_luck_and_nothing_is_found(tmp_path):
    dataset = make(tmp_path)
    found = measure_shortcut(dataset)
    assert found.low < 0.5 < found.high
    assert "diary" not in dict(found.facts)
    assert not [f for f in check_dataset(dataset) if f.code == "shortcut"]
    (line,) = _check_shortcuts(dataset)
    assert line.passed is True
    assert "0.5 is luck" in line.sentence


def test_each_patient_counts_once(tmp_path):
    found = measure_shortcut(make(tmp_path, plant="maker", patients=60))
    assert found.rows == 60


def test_of_several_classes_the_one_told_best_is_named(tmp_path):
    found = measure_shortcut(make(tmp_path, plant="maker", classes=("a", "b", "c")))
    assert found.target == "c"
    assert found.strong


def test_the_scores_are_those_of_a_ridge_regression():
    rng = np.random.default_rng(3)
    features, fold = rng.normal(size=(400, 4)), rng.permutation(400) % 5
    event = (features[:, 0] + rng.normal(size=400) > 0).astype(np.float64)
    parts = [(np.flatnonzero(fold != n), np.flatnonzero(fold == n)) for n in range(5)]
    oracle = RidgeClassifier(alpha=1 + 0.01 * 320)
    theirs = cross_val_predict(oracle, features, event, cv=parts, method="decision_function")
    ours = _predict(features, event, fold)
    assert 2 * ours - 1 == pytest.approx(theirs)
    assert roc_auc_score(event, ours) > 0.75


def test_where_nothing_can_be_told_the_question_stays_open(tmp_path):
    dataset = make(tmp_path)
    few = Dataset(**{**vars(dataset), "frame": dataset.frame.head(30)})
    assert measure_shortcut(few) is None
    (line,) = _check_shortcuts(few)
    assert line.passed is None
    table = Dataset(**{**vars(dataset), "columns": dataset.columns[1:]})
    assert measure_shortcut(table) is None
    assert not list(_check_shortcuts(table))
