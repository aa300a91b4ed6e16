"""Which words of a note moved the prediction: shares that add up, and find what was planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset, make_dataset, outcome_classes
from medcore.errors import ConfigError
from medcore.explanation.notes import explain_note
from medcore.explanation.subject import Subject
from medcore.models.passages import integrate, odds_of, term_shares
from medcore.predict import predict_rows
from medcore.recipes import fit_model
from tests.note_rows import LOWER, UPPER, note_dataset
from tests.test_text import CLASSES, small_transformer  # noqa: F401 - a fixture

PARTS = {"train": np.arange(0, 80), "validation": np.arange(80, 100), "test": np.arange(100, 120)}
TELLING = {word for said in (*UPPER, *LOWER) for word in said.lower().split()}


class Deployed:
    def __init__(self, model, config):
        self.model, self.config, self.positive = model, config, "upper"


def subject(name, **changes):
    values = {"train.epochs": 25, "train.batch_size": 32, "train.learning_rate": 5e-3,
              "train.patience": 25, "model.width": 16, "model.name": name, "text.mask": 0.3,
              "text.encoder": "text_bag", "data.roles": {"place": "outcome"}}  # fmt: skip
    values |= {key.replace("__", "."): value for key, value in changes.items()}
    config = change_config(RunConfig(), values)
    dataset = configure_dataset(note_dataset(), config)
    fitted = fit_model(dataset, PARTS, config, CLASSES, baselines=())
    return Subject(Deployed(fitted.model, config), dataset, None, "test", PARTS["test"], None)


@pytest.fixture(
    scope="module", params=["tfidf", "tfidf_characters", "text_bag", "text_gru", "text_transformer"]
)
def asked(request):
    return subject(request.param)


def test_the_words_that_tell_the_outcome_stand_out(asked):
    hits = 0
    for row in PARTS["test"][:8]:
        said = explain_note(asked, int(row), "scan", "upper")
        assert said["gap"] < 0.1 and said["weight"] == pytest.approx(1.0)
        top = [word for word, share, _ in said["table"] if word.isalpha()][:3]
        hits += bool(TELLING & set(top))
        assert {text for text, _, _ in said["table"]} <= {
            said["text"][start:end].lower() for start, end, _ in said["words"]
        }
    assert hits >= 7


def test_shares_change_sign_with_the_class(asked):
    up, down = (explain_note(asked, 100, "scan", name)["words"] for name in ("upper", "lower"))
    np.testing.assert_allclose([w[2] for w in up], [-w[2] for w in down], atol=1e-5)


def test_a_model_that_learned_nothing_gives_another_map(asked):
    found = [explain_note(asked, int(row), "scan", "upper")["likeness"] for row in range(100, 106)]
    assert np.nanmean(found) < 0.5


def test_a_row_without_a_note_is_refused_with_the_reason(asked):
    frame = asked.dataset.frame.copy()
    frame.loc[100, "scan"] = None
    gone = replace(asked, dataset=replace(asked.dataset, frame=frame))
    with pytest.raises(ConfigError, match="has no note"):
        explain_note(gone, 100, "scan", "upper")


@pytest.mark.parametrize("name", ["tfidf", "tfidf_characters"])
def test_of_two_classes_tfidf_shares_are_weight_times_value(name):
    asked = subject(name)
    said = explain_note(asked, 101, "scan", "upper")
    risk = predict_rows(asked.deployed.model, asked.dataset, np.array([101]))[0, 1]
    member = asked.deployed.model.members[0].fitted
    total = sum(share for _, _, share in said["words"])
    odds = np.log(risk / (1 - risk))
    assert total == pytest.approx(odds - member.arrays["intercepts"][0], abs=1e-4)


def test_members_behind_a_frozen_transformer_are_followed_to_the_words(small_transformer):  # noqa: F811
    asked = subject("logistic", text__encoder="text_pretrained", text__model=str(small_transformer))
    said = explain_note(asked, 101, "scan", "upper")
    assert said["gap"] < 0.1 and np.abs([share for _, _, share in said["words"]]).max() > 0
    lower = explain_note(asked, 101, "scan", "lower")
    first, second = ([share for _, _, share in told["words"]] for told in (said, lower))
    np.testing.assert_allclose(first, np.negative(second), atol=1e-5)


def test_shares_of_a_product_add_up():
    given = torch.tensor([[1.0, 2.0], [3.0, 0.5]])
    shares = integrate(given, torch.zeros_like(given), lambda x: (x[0] * x[1]).sum())
    assert shares.values.sum() == pytest.approx(4.0, rel=1e-4) and shares.gap < 1e-4


def test_with_three_classes_shares_add_up_to_the_log_odds():
    rng = np.random.default_rng(0)
    weights, values, rest = rng.normal(size=(3, 5)), rng.random(5), rng.normal(size=3)
    shares = term_shares(weights, values, rest, lambda raw: odds_of(raw, 1, "softmax"))

    def odds(raw):
        return raw[1] - np.log(np.exp(raw[[0, 2]]).sum())

    assert shares.values.sum() == pytest.approx(
        odds(rest + weights @ values) - odds(rest), abs=1e-3
    )


@pytest.mark.parametrize("name", ["tfidf", "tfidf_characters", "text_bag"])
def test_of_several_findings_each_has_words_of_its_own(name):
    rng = np.random.default_rng(1)
    said = {"fluid": "effusion at the base", "shadow": "nodule in the apex"}
    has = rng.random((160, 2)) < 0.5
    notes = [". ".join(["Seen today", *(text for text, true in zip(said.values(), row, strict=True)
                                        if true), "no pain"]) for row in has]  # fmt: skip
    frame = pd.DataFrame({"note": notes, **{
        key: np.where(column, "yes", "no") for key, column in zip(said, has.T, strict=True)
    }})  # fmt: skip
    values = {"train.epochs": 25, "train.learning_rate": 5e-3, "model.name": name,
              "text.encoder": "text_bag", "model.width": 16, "data.kinds": {"note": "text"},
              "data.roles": {"note": "input", **dict.fromkeys(said, "outcome")}}  # fmt: skip
    config = change_config(RunConfig(), values)
    dataset = configure_dataset(make_dataset(frame, "Findings", "f.csv", "4" * 64), config)
    classes, _ = outcome_classes(dataset, config)
    parts = {"train": np.arange(100), "validation": np.arange(100, 160)}
    model = fit_model(dataset, parts, config, classes).model
    asked = Subject(Deployed(model, config), dataset, None, "test", parts["validation"], None)
    row = int(100 + np.flatnonzero(has[100:].all(axis=1))[0])
    for finding, text in said.items():
        words = explain_note(asked, row, "note", finding)["table"]
        top = [word for word, share, _ in words if share > 0][:3]
        assert set(text.split()) & set(top)
        assert not {"effusion", "nodule"} - set(text.split()) & set(top[:2])
