"""Series of slices and NIfTI volumes from files to a judged run, and new ones read alike."""

import gzip
import json
import zipfile

import nibabel
import numpy as np
import pandas as pd
import pytest

from medcore import pipeline
from medcore.apply import open_run, predict_file, predict_patient
from medcore.config import RunConfig, change_config
from medcore.data import Wishes, open_dataset
from medcore.errors import DataError
from medcore.records import Watch
from medcore.store import load_dataset, open_home, open_workspace, save_dataset
from tests.dicom_files import make_header, to_bytes

SLICES, SIDE = 4, 14
SETTINGS = {
    "train.epochs": 2, "train.batch_size": 16, "train.learning_rate": 3e-3,
    "evaluate.resamples": 100, "image.views": 1,
}  # fmt: skip


def draw(rng, bleeding):
    """Return a small head (slices, rows, columns) in Hounsfield units, with or without blood."""
    values = rng.normal(35, 5, (SLICES, SIDE, SIDE))
    if bleeding:
        down, right = rng.integers(2, 8, 2)
        values[rng.integers(1, 3), down : down + 4, right : right + 4] += 400
    return values.round().astype(np.int16)


def write_series(path, patients, seed=0):
    """Write a series a patient, its files in no order, and a table by accession number."""
    rng, lines = np.random.default_rng(seed), ["accession,bleeding"]
    with zipfile.ZipFile(path, "w") as archive:
        for patient in range(patients):
            bleeding = bool(patient % 2)
            lines.append(f"A{patient},{'yes' if bleeding else 'no'}")
            volume = draw(rng, bleeding)
            for place in rng.permutation(SLICES):
                header = make_header(
                    volume[place], PatientID=f"N{patient}", PatientAge=f"{40 + patient % 40:03d}Y",
                    SeriesInstanceUID=f"1.2.9.{patient}", AccessionNumber=f"A{patient}",
                    SOPInstanceUID=f"1.2.9.{patient}.{place}", PixelSpacing=[1.0, 1.0],
                    ImagePositionPatient=[0.0, 0.0, 5.0 * place],
                    ImageOrientationPatient=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                )  # fmt: skip
                archive.writestr(f"{patient}/{rng.integers(1e9)}", to_bytes(header))
        archive.writestr("list.csv", "\n".join(lines))
    return path


def learn(dataset, folder, **changes):
    config = change_config(RunConfig(), SETTINGS | changes)
    return pipeline.run(config, dataset, Watch(), folder=folder)


@pytest.fixture(scope="module")
def series(tmp_path_factory):
    """A judged run over series, kept and loaded as the pages do; new files beside it."""
    folder = tmp_path_factory.mktemp("series")
    wishes = Wishes(series=True, characteristics=True)
    dataset = open_dataset(write_series(folder / "x.zip", 50), wishes=wishes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDCORE_HOME", str(folder / "home"))
        workspace = open_workspace(open_home(), None)
    kept = load_dataset(workspace, save_dataset(workspace, dataset).id)
    changes = {"data.roles": {"bleeding": "outcome"}, "model.name": "resnet_small"}
    evaluation = learn(kept, folder / "run", **changes)
    assert 0 <= evaluation.parts["test"].metrics["auroc"].value <= 1
    return folder


def test_new_series_are_read_as_those_were_that_the_model_learned_from(series, tmp_path):
    assert json.loads((series / "run/dataset.json").read_text())["reading"] == [
        "series", "characteristics",
    ]  # fmt: skip
    new, deployed = write_series(tmp_path / "new.zip", 3, seed=5), open_run(series / "run")
    match = predict_file(deployed, new, tmp_path / "out.csv")
    table = pd.read_csv(tmp_path / "out.csv")
    assert table["images"].tolist() == [SLICES] * 3
    assert table["age"].notna().all()
    assert not any("volumes" in sentence for sentence in match.sentences)


def test_one_slice_is_told_not_to_be_a_series(series, tmp_path):
    header = make_header(draw(np.random.default_rng(1), False)[0])
    (tmp_path / "one.dcm").write_bytes(to_bytes(header))
    deployed = open_run(series / "run")
    match = predict_file(deployed, tmp_path / "one.dcm", tmp_path / "out.csv")
    said = predict_patient(deployed, {"image": str(tmp_path / "one.dcm")})
    for sentences in (match.sentences, said["unexpected"]):
        assert any("1 of 1 in 'image' are single images" in sentence for sentence in sentences)


def test_a_form_takes_one_series_and_refuses_several(series, tmp_path):
    deployed = open_run(series / "run")
    one = write_series(tmp_path / "one.zip", 1)
    with zipfile.ZipFile(one) as source, zipfile.ZipFile(tmp_path / "bare.zip", "w") as bare:
        for name in source.namelist():
            if not name.endswith(".csv"):
                bare.writestr(name, source.read(name))
    said = predict_patient(deployed, {"image": str(tmp_path / "bare.zip")})
    assert sum(said["value"]) == pytest.approx(1)
    with pytest.raises(DataError, match="holds 3 series"):
        predict_patient(deployed, {"image": str(write_series(tmp_path / "three.zip", 3))})


def test_a_file_that_cannot_be_read_is_told_beside_the_predictions(series, tmp_path):
    new = write_series(tmp_path / "new.zip", 2)
    with zipfile.ZipFile(new, "a") as archive:
        archive.writestr("broken.dcm", b"rubbish")
    match = predict_file(open_run(series / "run"), new, tmp_path / "out.csv")
    assert any("could not be read" in sentence for sentence in match.sentences)


def test_a_network_in_three_dimensions_learns_from_nifti_files_in_folders(tmp_path):
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for place in range(50):
            image = nibabel.Nifti1Image(draw(rng, bool(place % 2)), np.eye(4))
            name = f"{'bleeding' if place % 2 else 'well'}/{place}.nii.gz"
            archive.writestr(name, gzip.compress(image.to_bytes()))
    dataset = open_dataset(tmp_path / "x.zip")
    evaluation = learn(dataset, tmp_path / "run", **{"model.name": "resnet3d_small"})
    assert evaluation.parts["test"].n == 10
    match = predict_file(open_run(tmp_path / "run"), tmp_path / "x.zip", tmp_path / "out.csv")
    assert len(pd.read_csv(tmp_path / "out.csv")) == 50
    assert not any("volumes" in sentence for sentence in match.sentences)
