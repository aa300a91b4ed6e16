"""A run over images from end to end: judged, kept, applied to new pictures by file and by form."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medcore import pipeline
from medcore.apply import open_run, predict_file, predict_patient
from medcore.config import RunConfig, change_config, preset_config, preset_values
from medcore.data import configure_dataset
from medcore.errors import ConfigError, DataError, FitError
from medcore.prepare import fit_preparation, prepare_rows
from medcore.prepare.pixels import load_pixels
from medcore.recipes.plan import make_plan
from medcore.records import Watch
from medcore.split import make_split
from medcore.train import train_network
from tests.picture_rows import draw_picture, picture_dataset
from tests.prepared_rows import finish

SETTINGS = {
    "train.epochs": 3, "train.batch_size": 16, "train.learning_rate": 3e-3, "model.ensemble": 2,
    "evaluate.resamples": 100,
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A judged run of the recommended model over pictures, and its data set."""
    folder = tmp_path_factory.mktemp("run")
    dataset = picture_dataset(folder, 100)
    config = change_config(RunConfig(), SETTINGS)
    evaluation = pipeline.run(config, dataset, Watch(), folder=folder / "run")
    return folder / "run", dataset, evaluation


def write_new(path, count=5):
    rng = np.random.default_rng(9)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            near = path.with_name(f"{number}.png")
            Image.fromarray(draw_picture(rng, bool(number % 2))).save(near)
            archive.write(near, f"new/{number}.png")
    return path


def test_the_recommended_model_is_an_ensemble_judged_beside_simple_models(finished):
    folder, _, evaluation = finished
    model = json.loads((folder / "model.json").read_text())
    names = [member["name"] for member in model["members"]]
    assert names == ["resnet_small", "resnet_small 2", "resnet_small 3"]
    assert set(evaluation.baselines) == {"prevalence", "logistic"}
    assert evaluation.parts["test"].metrics["auroc"].value > 0.9
    assert any("second fit" in warning for warning in evaluation.warnings)


def test_the_three_fits_differ(finished):
    members = open_run(finished[0]).model.members
    first, second = (member.fitted.arrays for member in members[:2])
    assert any(not np.array_equal(first[name], second[name]) for name in first)


def test_how_often_a_network_is_fitted_hangs_on_the_images_own_size(finished, monkeypatch):
    _, dataset, _ = finished
    config = change_config(RunConfig(), {"train.epochs": 10})
    parts = make_split(dataset, config).parts
    work = len(parts["train"]) * 16 * 16 * 10
    for limit, fits in ((work, 3), (work - 1, 1)):
        monkeypatch.setattr("medcore.recipes.plan.QUICK", limit)
        assert len(make_plan(dataset, parts, config, ("lower", "upper")).members) == fits


@pytest.mark.parametrize(("rows", "batch"), [(120, 15), (30, 8), (6, 6)])
def test_of_few_images_a_pass_has_several_steps(tmp_path, rows, batch):
    dataset = picture_dataset(tmp_path, rows)
    config = change_config(RunConfig(), {"train.epochs": 1})
    ids = dataset.frame.index.to_numpy()
    prepared = prepare_rows(fit_preparation(dataset, ids, config, ("lower", "upper")), dataset)
    for name, given, expected in (("resnet_small", 128, batch), ("resnet_small", 4, 4)):
        settings = change_config(config, {"model.name": name, "train.batch_size": given})
        _, trained = finish(train_network(name, prepared, None, settings, fit="x", seed=0))
        assert trained.spec["batch_size"] == expected


def test_new_pictures_come_back_with_predictions_in_their_order(finished, tmp_path):
    deployed = open_run(finished[0])
    predict_file(deployed, write_new(tmp_path / "new.zip"), tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["file"].tolist() == [f"new/{n}.png" for n in range(5)]
    assert table["predicted"].tolist() == ["lower", "upper", "lower", "upper", "lower"]
    assert "image" not in table.columns
    single = Image.open(tmp_path / "3.png")
    single.save(tmp_path / "one.png")
    said = predict_patient(deployed, {"scan": str(tmp_path / "one.png")})
    place = said["classes"].index("upper")
    assert said["value"][place] == pytest.approx(table["probability_upper"][3], abs=1e-12)
    assert (tmp_path / "one.png").is_file()


def test_a_picture_that_cannot_be_read_is_named(finished, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    with pytest.raises(DataError, match=r"broken\.png"):
        predict_patient(open_run(finished[0]), {"scan": str(tmp_path / "broken.png")})


def test_a_patient_without_a_picture_gets_a_stated_answer(finished):
    said = predict_patient(open_run(finished[0]), {"scan": None})
    assert sum(said["value"]) == pytest.approx(1)


def test_smote_is_refused_before_anything_starts(finished):
    config = change_config(RunConfig(), {"balance.strategy": "smote"})
    with pytest.raises(ConfigError, match="'scan' is not a number"):
        configure_dataset(finished[1], config)


def test_flat_pictures_are_refused_in_a_sentence(tmp_path):
    dataset = picture_dataset(tmp_path, 10)
    name = next(dataset.media.iterdir()).name
    Image.fromarray(np.full((16, 16), 90, np.uint8)).save(dataset.media / name)
    frame = dataset.frame.assign(scan=name)
    flat = replace(dataset, frame=frame)
    with pytest.raises(FitError, match="one flat grey"):
        fit_preparation(flat, np.arange(8), RunConfig(), ("lower", "upper"))


def test_a_damaged_kept_picture_is_named(tmp_path):
    dataset = picture_dataset(tmp_path, 10)
    (dataset.media / dataset.frame.loc[2, "scan"]).write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(DataError, match=str(dataset.frame.loc[2, "scan"])):
        fit_preparation(dataset, np.arange(8), RunConfig(), ("lower", "upper"))


def test_the_second_time_nothing_is_decoded(tmp_path, monkeypatch):
    dataset = picture_dataset(tmp_path, 12)
    first = fit_preparation(dataset, np.arange(8), RunConfig(), ("lower", "upper"))

    def refuse(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr("medcore.prepare.pixels.read_image", refuse)
    assert fit_preparation(dataset, np.arange(8), RunConfig(), ("lower", "upper")) == first
    with pytest.raises(AssertionError, match="decoded again"):
        shape = replace(first.kinds[0].shape, height=8)
        load_pixels(dataset.media, sorted(set(dataset.frame["scan"])), shape)


def test_presets_fit_what_is_looked_at():
    assert preset_config("balanced", None, ["image"]).train.epochs == 12
    assert preset_config("balanced", None, ["number"]) == RunConfig()
    assert preset_values("quick", ["number", "image"])["train.epochs"] == 6
