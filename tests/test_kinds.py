"""Contracts that every kind of column holds, from preparing to predicting."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medcore.config import ENCODER_NAMES, RunConfig, change_config
from medcore.errors import FitError
from medcore.models import ENCODERS
from medcore.prepare import fit_preparation, load_preparation, prepare_rows, save_preparation
from medcore.prepare.kinds import WAYS
from medcore.train import predict_network
from medcore.train.balance import balance_rows
from tests.note_rows import note_dataset
from tests.picture_rows import picture_dataset
from tests.prepared_rows import fit
from tests.tone_rows import tone_dataset

CLASSES = ("lower", "upper")
TRAIN, VALIDATION = np.arange(0, 80), np.arange(80, 120)


def kind_config(**changes):
    """Return a config that trains in a moment."""
    values = {"train.epochs": 2, "train.batch_size": 32, "model.width": 16, "model.ensemble": 2,
              "audio.encoder": "crnn", "audio.bands": 24, "text.encoder": "text_bag"}  # fmt: skip
    return change_config(
        RunConfig(), values | {name.replace("__", "."): value for name, value in changes.items()}
    )


MAKERS = {
    "image": picture_dataset,
    "audio": tone_dataset,
    "text": lambda _, table: note_dataset(table=table),
}
ENCODERS_USED = {"image": "resnet_small", "audio": "crnn", "text": "text_bag"}


@pytest.fixture(
    scope="module", params=[f"{kind}{rest}" for kind in MAKERS for rest in ("", " and table")]
)
def dataset(request, tmp_path_factory):
    """Rows of each kind, with and without a table beside."""
    folder, table = tmp_path_factory.mktemp("media"), request.param.endswith("table")
    return MAKERS[request.param.split()[0]](folder, table=table)


@pytest.fixture(scope="module")
def encoder(dataset):
    """The network that looks at the kind of the rows."""
    return ENCODERS_USED[dataset.column("scan").kind]


@pytest.fixture(scope="module")
def preparation(dataset):
    return fit_preparation(dataset, TRAIN, kind_config(), CLASSES)


def same_blocks(one, other):
    """Tell whether two prepared sets of rows say the same to the last bit."""
    assert list(one.blocks) == list(other.blocks)
    everywhere = np.arange(len(one.row_id))
    return all(
        np.array_equal(block.gather(everywhere), other.blocks[key].gather(everywhere))
        and np.array_equal(block.present, other.blocks[key].present)
        and (block.plain is None or np.array_equal(block.plain, other.blocks[key].plain))
        for key, block in one.blocks.items()
    )


def test_every_kind_that_can_be_learned_from_has_all_it_needs():
    assert set(WAYS) == set(ENCODERS) == set(ENCODER_NAMES)
    for kind, names in ENCODER_NAMES.items():
        assert set(names) == set(ENCODERS[kind])
        assert getattr(RunConfig(), kind).encoder in (*names, "auto")


def test_a_preparation_survives_save_and_load(dataset, preparation, tmp_path):
    save_preparation(preparation, tmp_path)
    again = load_preparation(tmp_path)
    assert again == preparation
    assert same_blocks(prepare_rows(preparation, dataset), prepare_rows(again, dataset))


def test_fitting_looks_at_training_rows_only(dataset, preparation):
    frame = dataset.frame.copy()
    frame.loc[VALIDATION, "scan"] = frame.loc[0, "scan"]
    changed = fit_preparation(replace(dataset, frame=frame), TRAIN, kind_config(), CLASSES)
    assert changed == preparation


@pytest.mark.parametrize("name", ["encoder", "mlp"])
def test_the_same_seed_gives_the_same_numbers_and_rows_do_not_depend_on_each_other(
    dataset, preparation, encoder, name
):
    name = encoder if name == "encoder" else name
    train, held = (prepare_rows(preparation, dataset, rows) for rows in (TRAIN, VALIDATION))
    said = [
        predict_network(fit(train, held, kind_config(augment__mask=0.2), name=name)[1], held)
        for _ in range(2)
    ]
    assert np.array_equal(*said)
    _, network = fit(train, held, kind_config(), name=name)
    whole = predict_network(network, held)
    order = np.random.default_rng(0).permutation(len(VALIDATION))
    assert np.array_equal(predict_network(network, held.take(order)), whole[order])
    assert np.array_equal(predict_network(network, held.take(np.array([7]))), whole[7:8])
    assert json.loads(json.dumps(network.spec)) == network.spec


def test_what_is_missing_is_a_stated_answer(dataset, preparation, encoder):
    frame = dataset.frame.copy()
    frame["scan"] = pd.Series(pd.NA, index=frame.index, dtype="string")
    gone = prepare_rows(preparation, replace(dataset, frame=frame), VALIDATION)
    block = gone.blocks["scan"]
    assert not block.present.any() and not block.gather(np.arange(5)).any()
    train, held = (prepare_rows(preparation, dataset, rows) for rows in (TRAIN, VALIDATION))
    _, network = fit(train, held, kind_config(), name=encoder)
    said = predict_network(network, gone)
    assert np.isfinite(said).all()
    if list(gone.blocks) == ["scan"]:
        assert (said == said[0]).all()


def test_training_with_some_missing_ignores_what_stands_in_their_place(
    dataset, preparation, encoder
):
    train, held = (prepare_rows(preparation, dataset, rows) for rows in (TRAIN, VALIDATION))
    block = train.blocks["scan"]
    absent = np.arange(len(TRAIN)) % 4 == 0
    place = np.where(absent, -1, block.place)
    some = replace(block, place=place, present=~absent)
    some = replace(train, blocks={**train.blocks, "scan": some})
    _, network = fit(some, held, kind_config(), name=encoder)
    assert np.isfinite(predict_network(network, held)).all()


def test_smote_is_refused_with_the_reason(dataset, preparation):
    train = prepare_rows(preparation, dataset, TRAIN)
    balance = kind_config(balance__strategy="smote").balance
    with pytest.raises(FitError, match="'scan' is not one"):
        balance_rows(train, balance, np.random.default_rng(0))


@pytest.mark.parametrize(
    "strategy", ["class_weight", "focal", "logit_adjusted", "balanced_sampler"]
)
def test_strategies_for_rare_classes_work_with_every_kind(dataset, preparation, encoder, strategy):
    train, held = (prepare_rows(preparation, dataset, rows) for rows in (TRAIN, VALIDATION))
    config = kind_config(balance__strategy=strategy)
    _, network = fit(train, held, config, name=encoder, ratio=np.array([0.5, 2.0]))
    assert np.isfinite(predict_network(network, held)).all()
