"""Nothing that names a patient is stored: the whole workspace and its database are searched."""

import gzip
import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from medcore.config import RunConfig, change_config
from medcore.jobs import start_import, start_prediction, wait
from medcore.jobs.handlers import predict_file, report, train
from medcore.records import Watch
from medcore.store import (
    change_job,
    export_workspace,
    get_dataset_row,
    job_of_run,
    load_dataset,
    open_home,
    open_workspace,
    queue_run,
    run_key,
    stage_images,
)
from tests.dicom_files import inflate, make_header, make_slices, to_bytes
from tests.finished_runs import QUICK
from tests.test_dicom_clean import SECRETS, fill

NAME = "WINTERBOTTOM_4711230815_19471103"


def patient_files():
    """Return files of every kind with a patient's name in each place where one can be."""
    dicom = fill(make_header(np.arange(900, dtype=np.uint16).reshape(30, 30)))
    dicom.PatientID, dicom.PatientName = "4711230815", "Winterbottom^Agatha"
    dicom.preamble = NAME.encode().ljust(128)
    block = dicom.private_block(0x0029, NAME, create=True)
    block.add_new(1, "LO", NAME)
    broken = to_bytes(dicom)[:-400]
    pixels = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)
    info = PngInfo()
    info.add_text("Patient", NAME)
    png, tiff, jpeg, nifti = (io.BytesIO() for _ in range(4))
    image = Image.fromarray(pixels)
    image.save(png, "PNG", pnginfo=info)
    image.save(tiff, "TIFF", description=NAME, artist=NAME)
    image.save(jpeg, "JPEG", comment=NAME.encode())
    volume = nibabel.Nifti1Image(np.arange(64, dtype=np.int16).reshape(4, 4, 4), np.eye(4))
    volume.header["descrip"] = NAME.encode()
    volume.header["db_name"] = b"WINTERBOTTOM"
    volume.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", NAME.encode()))
    nifti.write(gzip.compress(volume.to_bytes()))
    table = f"file,patient,outcome\n{NAME}/a.dcm,4711230815,yes\n{NAME}/b.png,4711230815,no\n"
    slices = {f"{NAME}/{n}.dcm": to_bytes(piece) for n, piece in enumerate(make_slices(3))}
    return {
        f"{NAME}/a.dcm": to_bytes(dicom),
        f"{NAME}/broken.dcm": broken,
        f"{NAME}/b.png": png.getvalue(),
        f"{NAME}/c.tif": tiff.getvalue(),
        f"{NAME}/d.jpg": jpeg.getvalue(),
        f"{NAME}/e.nii.gz": nifti.getvalue(),
        f"{NAME}.pdf": b"%PDF",
        f"{NAME}.csv": table.encode(),
    } | slices


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    buffer.seek(0)
    return buffer


def everything(folder):
    """Yield all bytes below a folder, compressed parts also unpacked, and all file names."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)).encode()
        if not path.is_file():
            continue
        raw = path.read_bytes()
        yield raw
        if path.suffix == ".dcm":
            yield inflate(raw)
        if path.suffix == ".png":
            with Image.open(path) as image:
                yield image.tobytes()
                yield repr(image.info).encode()


def search(folder):
    found = []
    for data in everything(folder):
        upper = data.upper()
        found += [secret for secret in SECRETS if secret.encode() in upper]
        found += [secret for secret in SECRETS if secret.encode("utf-16-le") in upper]
    return found


def bring(files, wishes=None):
    """Import files the way the Data page does, and return workspace, job and data set."""
    workspace = open_workspace(open_home(), None)
    upload = [(f"{NAME}.zip", zipped(files))] if isinstance(files, dict) else files
    path = stage_images(workspace, upload)
    job = start_import(workspace, path, "Images", wishes)
    job = wait(workspace, job.id, timeout=120)
    return workspace, job


@pytest.mark.parametrize("wishes", [{}, {"series": True, "characteristics": True}])
def test_no_identity_is_found_in_anything_stored(wishes, tmp_path):
    files = patient_files()
    assert any(NAME.encode() in data for data in files.values())
    workspace, job = bring(files, wishes)
    assert job.state == "finished", job.error
    dataset = load_dataset(workspace, job.result["dataset"])
    told = [entry.reason for entry in dataset.ledger]
    assert dataset.frame["image"].notna().sum() == (5 + (1 if wishes else 3)), told
    assert "yes" in dataset.frame["outcome"].tolist()
    assert search(Path(os.environ["MEDCORE_HOME"])) == []
    assert not list((workspace.folder / "uploads").rglob("*"))


def test_no_identity_is_found_after_images_that_are_no_dicom():
    files = {name: data for name, data in patient_files().items() if name.endswith("png")}
    files["other/x.png"] = next(iter(files.values()))
    workspace, job = bring(files)
    assert job.state == "finished", job.error
    assert "file" not in load_dataset(workspace, job.result["dataset"]).frame.columns


def test_several_files_at_once_are_one_data_set_and_their_names_are_not_kept():
    files = patient_files()
    chosen = [
        (f"{NAME}.dcm", io.BytesIO(files[f"{NAME}/a.dcm"])),
        (f"{NAME}.png", io.BytesIO(files[f"{NAME}/b.png"])),
    ]
    workspace, job = bring(chosen)
    assert job.state == "finished", job.error
    assert len(load_dataset(workspace, job.result["dataset"]).frame) == 2
    assert search(Path(os.environ["MEDCORE_HOME"])) == []


def test_what_fails_leaves_no_identity_either():
    files = {name: data for name, data in patient_files().items() if "broken" in name}
    _, job = bring(files)
    assert job.state == "failed"
    assert "No image of 'upload.zip' can be read" in job.error
    assert search(Path(os.environ["MEDCORE_HOME"])) == []


def test_importing_dicom_does_not_load_pydicom_into_the_server():
    code = (
        "import sys, medcore.store, medcore.jobs, medcore.data, medcore.data.sources\n"
        "print([n for n in ('pydicom', 'nibabel', 'PIL', 'gdcm') if n in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[1],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"


def one_patient(number, bright):
    """Return a DICOM file with an identity; the first ones have one in every element."""
    rng = np.random.default_rng(number)
    values = rng.integers(0, 900, (24, 24)).astype(np.uint16)
    values[4:12, 4:12] += 2500 * bright
    header = make_header(values, Modality="DX", StudyDescription=NAME)
    header = fill(header) if number < 3 else header
    header.PatientID, header.PatientName = f"4711230815-{number}", "Winterbottom^Agatha"
    return to_bytes(header)


def unpacked(folder):
    """Yield all that `everything` does, with what tables and archives hold."""
    yield from everything(folder)
    for path in folder.rglob("*.parquet"):
        yield pd.read_parquet(path).to_csv().encode()
    for path in folder.rglob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            yield from (archive.read(name) for name in archive.namelist())


def test_no_identity_is_found_after_a_run_its_report_its_predictions_and_an_export(tmp_path):
    names = {n: f"{NAME}_{n}.dcm" for n in range(60)}
    files = {names[n]: one_patient(n, n % 2) for n in names}
    table = "file,patient,outcome\n" + "".join(
        f"{names[n]},4711230815-{n},{'yes' if n % 2 else 'no'}\n" for n in names
    )
    workspace, job = bring(files | {f"{NAME}.csv": table.encode()}, {"characteristics": True})
    assert job.state == "finished", job.error
    row = get_dataset_row(workspace, job.result["dataset"])
    changes = {"data.roles": {"outcome": "outcome"}, "model.name": "resnet_small"}
    config = change_config(RunConfig(), QUICK | changes)
    run, _ = queue_run(workspace, config, row.id, "A run", run_key(row.sha256, config), again=False)
    job = job_of_run(workspace, run.id)
    assert change_job(workspace.home, job.id, ("queued",), state="running")
    train(workspace, job, Watch())
    assert change_job(workspace.home, job.id, ("running",), state="finished")
    report(workspace, job, Watch())
    path = stage_images(
        workspace, [(f"{NAME}_{n}.dcm", io.BytesIO(files[names[n]])) for n in (0, 1)]
    )
    done = predict_file(workspace, start_prediction(workspace, run.id, path, path.name), Watch())
    told = pd.read_csv(workspace.folder / done["file"])
    assert told["file"].tolist() == ["File 1 (.dcm)", "File 2 (.dcm)"]
    export_workspace(workspace, tmp_path / "all.zip")
    secrets = [secret.encode() for secret in (*SECRETS, NAME)]
    kept = [run.folder / "report" / "report.html", run.folder / "predictions.parquet"]
    assert all(path.is_file() for path in kept)
    for folder in (Path(os.environ["MEDCORE_HOME"]), tmp_path):
        for data in unpacked(folder):
            assert not [s for s in secrets if s in data.upper()]
