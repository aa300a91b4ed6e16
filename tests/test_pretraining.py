"""Learning from images without their outcome: what is usual, and where training starts from."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medcore import pipeline
from medcore.apply import open_run, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import configure_dataset
from medcore.data.media import MediaFolder
from medcore.errors import ConfigError, FitError
from medcore.explanation.likeness import SHOWN, UNUSUAL, find_unusual
from medcore.explanation.subject import open_subject
from medcore.prepare import fit_preparation, prepare_rows
from medcore.recipes.looking import unlabelled_rows
from medcore.records import Column, Watch
from medcore.report.claim import _say_start
from medcore.report.training import say_training
from medcore.train.pretraining import train_autoencoder, unusual_shares
from tests.picture_rows import draw_picture, picture_dataset
from tests.prepared_rows import KeptCheckpoint, finish, fit

CLASSES = ("lower", "upper")
SETTINGS = {
    "train.epochs": 2, "train.batch_size": 16, "train.learning_rate": 3e-3, "image.views": 1,
    "evaluate.resamples": 100, "model.name": "resnet_small", "image.pretrain": 12,
}  # fmt: skip


def settings(**changes):
    return change_config(
        RunConfig(), SETTINGS | {name.replace("__", "."): value for name, value in changes.items()}
    )


def unlike_pictures(side=16):
    """Return pictures that no training picture is like, by what they are."""
    rng = np.random.default_rng(5)
    usual = draw_picture(rng, True)
    checks = np.indices((side, side)).sum(axis=0) % 2 * 255
    return {
        "inverted": 255 - usual,
        "black": np.zeros_like(usual),
        "white": np.full_like(usual, 255),
        "a board": checks.astype(np.uint8),
        "lit from one side": np.linspace(0, 255, side).astype(np.uint8)[None].repeat(side, 0),
    }


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """An autoencoder that learned from most pictures, the data set and its preparation."""
    dataset = picture_dataset(tmp_path_factory.mktemp("pictures"), 160)
    config = settings()
    preparation = fit_preparation(dataset, np.arange(120), config, CLASSES)
    block = prepare_rows(preparation, dataset, np.arange(120)).blocks["scan"]
    trained = finish(train_autoencoder([block], config, fit="autoencoder"))[1]
    return trained, dataset, preparation


def test_a_picture_unlike_any_is_more_unusual_than_all_training_ones(learned):
    trained, dataset, preparation = learned
    media = MediaFolder(dataset.media)
    pictures = unlike_pictures()
    frame = pd.DataFrame({"scan": [media.add(p) for p in pictures.values()]}, dtype="string")
    strange = prepare_rows(preparation, replace(dataset, frame=frame)).blocks["scan"]
    shares = dict(zip(pictures, unusual_shares(trained, strange), strict=True))
    assert shares == dict.fromkeys(pictures, 1.0)


def test_new_pictures_of_the_usual_kind_are_as_unusual_as_training_ones(learned):
    trained, dataset, preparation = learned
    new = prepare_rows(preparation, dataset, np.arange(120, 160)).blocks["scan"]
    shares = unusual_shares(trained, new)
    assert 0.2 < np.median(shares) < 0.95
    assert (shares < 1).mean() > 0.7


def test_a_row_without_a_picture_has_no_share_and_others_do_not_depend_on_it(learned):
    trained, dataset, preparation = learned
    block = prepare_rows(preparation, dataset, np.arange(10)).blocks["scan"]
    gone = replace(
        block, present=np.arange(10) != 3, place=np.where(np.arange(10) == 3, -1, block.place)
    )
    shares, all_of_them = unusual_shares(trained, gone), unusual_shares(trained, block)
    assert np.isnan(shares[3]) and np.isfinite(np.delete(shares, 3)).all()
    np.testing.assert_allclose(np.delete(shares, 3), np.delete(all_of_them, 3), atol=1e-6)


def test_the_encoder_starts_from_what_pre_training_found(learned):
    trained, dataset, preparation = learned
    train = prepare_rows(preparation, dataset, np.arange(60))
    weights = trained.encoder_weights()
    held = settings(image__frozen=1.0, train__epochs=1)
    _, network = fit(train, None, held, name="resnet_small", starts={"scan": weights})
    for name, value in weights.items():
        np.testing.assert_array_equal(network.arrays[f"encoder.encoders.0.{name}"], value)
    _, other = fit(train, None, held, name="resnet_small")
    assert not np.array_equal(
        other.arrays["encoder.encoders.0.stem.0.weight"], weights["stem.0.weight"]
    )


def test_an_autoencoder_that_was_stopped_goes_on_to_the_same_weights(learned):
    trained, dataset, preparation = learned
    block = prepare_rows(preparation, dataset, np.arange(120)).blocks["scan"]
    kept = KeptCheckpoint()
    first = train_autoencoder([block], settings(), fit="autoencoder", checkpoint=kept)
    for _ in range(3):
        next(first)
    first.close()
    kept_epochs = train_autoencoder(
        [block], settings(), fit="autoencoder", checkpoint=kept, stopping=lambda: True
    )
    assert finish(kept_epochs)[1].spec["stopped"]
    again = finish(train_autoencoder([block], settings(), fit="autoencoder", checkpoint=kept))[1]
    for name, value in trained.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], value, err_msg=name)


def test_too_few_pictures_are_refused_in_a_sentence(learned):
    _, dataset, preparation = learned
    block = prepare_rows(preparation, dataset, np.arange(8)).blocks["scan"]
    with pytest.raises(FitError, match="8 images are too few"):
        next(train_autoencoder([block], settings(), fit="few"))


def with_patients(dataset, unknown):
    frame = dataset.frame.copy()
    frame["patient"] = pd.Series([f"p{row // 4}" for row in frame.index], dtype="string")
    frame.loc[unknown, "place"] = pd.NA
    columns = (*dataset.columns, Column("patient", "category", "patient"))
    return replace(dataset, frame=frame, columns=columns)


def test_rows_without_an_outcome_are_looked_at_unless_their_patient_is_judged(tmp_path):
    dataset = with_patients(picture_dataset(tmp_path, 80), np.arange(0, 80, 4))
    ready = configure_dataset(dataset, RunConfig())
    learn = ready.frame.index[ready.frame.index < 60]
    found = unlabelled_rows(ready, learn, RunConfig())
    assert found.index.tolist() == list(range(0, 60, 4))


def test_a_run_with_pre_training_says_how_unusual_a_new_picture_is(tmp_path):
    dataset = with_patients(picture_dataset(tmp_path, 120), np.arange(0, 120, 3))
    folder = tmp_path / "run"
    evaluation = pipeline.run(settings(), dataset, Watch(), folder=folder)
    assert not [w for w in evaluation.warnings if "leak" in w.lower()]
    deployed = open_run(folder)
    shares = {}
    usual = {"usual": draw_picture(np.random.default_rng(7), True)}
    for name, pixels in (usual | unlike_pictures()).items():
        Image.fromarray(pixels).save(tmp_path / "new.png")
        said = predict_patient(deployed, {"scan": str(tmp_path / "new.png")})
        shares[name] = said["unusual_images"]["scan"]
    assert shares.pop("usual") < 1
    assert set(shares.values()) == {1.0}
    assert predict_patient(deployed, {"scan": None})["unusual_images"] == {"scan": None}
    subject = open_subject(folder, dataset)
    told = find_unusual(subject, "scan")
    found = [image["share"] for image in told["images"]]
    assert found == sorted(found, reverse=True) and len(found) == SHOWN
    assert told["looked"] == len(subject.judged)
    each = {
        row: predict_patient(deployed, {"scan": str(dataset.media / name)})
        for row, name in dataset.frame["scan"][subject.judged].items()
    }
    shares = pd.Series({row: said["unusual_images"]["scan"] for row, said in each.items()})
    assert found == pytest.approx(shares.nlargest(SHOWN).tolist())
    assert told["beyond"] == (shares >= UNUSUAL).sum()
    with pytest.raises(ConfigError, match="cannot tell how unusual"):
        find_unusual(subject, "place")


def test_the_report_says_how_training_images_were_changed():
    def said(**changes):
        spec = {"epochs": [], "best_epoch": 3}
        column = SimpleNamespace(kind="image", role="input")
        config = settings(**changes)
        facts = SimpleNamespace(
            model={"members": [{"spec": spec}]}, config=config, columns=[column]
        )
        return say_training(facts).split("Augmentation: ")[1]

    none = {f"image__{name}": 0.0 for name in
            ("rotate", "shift", "zoom", "intensity", "noise", "erase")}  # fmt: skip
    assert said(**none, image__flips="none") == "none."
    assert said(**none | {"image__rotate": 10, "image__erase": 0.25}, image__flips="both") == (
        "turned by up to (degrees) 10, chance of erasing 0.25, mirrored sideways and upside down."
    )
    chest = said(image__modality="radiograph")
    assert "turned by up to" in chest and "mirrored" not in chest
    assert said(**none, image__flips="horizontal", augment__mixup=0.2) == (
        "mixup 0.2, mirrored sideways."
    )


def test_the_report_says_what_networks_started_from():
    model = {"members": [{"spec": {"network": {}}}]}
    said = {
        passes: _say_start(
            SimpleNamespace(model=model, config=settings(image__pretrain=passes, image__frozen=0.5))
        )
        for passes in (0, 12)
    }
    assert "random weights" in said[0]
    assert "autoencoder learned in 12 passes" in said[12] and "first 50% of its layers" in said[12]
