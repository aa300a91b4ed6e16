"""A zip of patients' images to a data set: grouped, joined, cleaned; what cannot be read listed."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image

from medcore.data.dicom.brought import Wishes, holds_dicom, read_brought
from medcore.data.media import image_shape, read_image
from medcore.data.media.account import read_audit
from medcore.errors import DataError
from tests.dicom_files import make_header, make_slices, to_bytes

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
SECRET = bytes(range(32))


def pack(path, files):
    """Write a zip file of names and bytes."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def image(number, seed=0, **elements):
    values = np.random.default_rng(seed).integers(0, 4000, (20, 24)).astype(np.uint16)
    return to_bytes(make_header(values, PatientID=number, **elements))


def as_png(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def read(path, tmp_path, **wishes):
    return read_brought(
        path, tmp_path / "out" / "media", name="Images", wishes=Wishes(secret=SECRET, **wishes)
    )


def test_each_image_is_a_row_with_what_its_header_says(tmp_path):
    path = pack(tmp_path / "x.zip", {
        "a.dcm": image("1", 1, Modality="DX", BodyPartExamined="CHEST", ViewPosition="PA",
                       PixelSpacing=[0.2, 0.2], StudyDate="20200101", InstitutionName="Ward"),
        "b.dcm": image("1", 2, Modality="DX", StudyDate="20200131", InstitutionName="Ward"),
        "c.dcm": image("2", 3, Modality="CT", InstitutionName="Elsewhere"),
    })  # fmt: skip
    dataset = read(path, tmp_path)
    frame = dataset.frame
    assert frame["patient"].nunique() == 2
    assert frame["site"].nunique() == 2
    assert frame["modality"].tolist() == ["DX", "DX", "CT"]
    assert (frame["study_date"][1] - frame["study_date"][0]).days == 30
    roles = {column.name: column.role for column in dataset.columns}
    assert roles["image"] == "input"
    assert roles["patient"] == "patient"
    assert {roles[name] for name in ("modality", "body_part", "view")} == {"ignored"}
    assert "sex" not in roles
    pixels = read_image(dataset.media, frame["image"][0])
    assert (pixels.shape, pixels.dtype) == ((20, 24), np.uint16)
    assert image_shape(dataset.media, frame["image"][0]) == (20, 24, 1, "uint16")
    assert image_shape(dataset.media, frame["image"][2]) == (20, 24, 1, "float32")
    assert read_image(dataset.media, frame["image"][2]).dtype == np.int16


def test_a_series_is_a_volume_in_the_order_of_its_places(tmp_path):
    slices = make_slices(7)
    files = {f"z{(5 * n) % 7}.dcm": to_bytes(piece) for n, piece in enumerate(slices)}
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path, series=True)
    assert len(dataset.frame) == 1
    volume = read_image(dataset.media, dataset.frame["image"][0])
    assert volume[:, 0, 0].tolist() == list(range(7))
    assert dataset.frame["images"][0] == 7
    assert dataset.frame["slice_spacing"][0] == pytest.approx(2.5, abs=1e-3)


def test_slices_of_a_series_keep_their_own_rescaling(tmp_path):
    slices = make_slices(3)
    for slope, piece in zip((1, 2, 3), slices, strict=True):
        piece.RescaleSlope, piece.RescaleIntercept = slope, -1000
    files = {f"{n}.dcm": to_bytes(piece) for n, piece in enumerate(slices)}
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path, series=True)
    volume = read_image(dataset.media, dataset.frame["image"][0])
    assert volume[:, 0, 0].tolist() == [-1000, -998, -994]


def test_a_series_goes_on_without_a_slice_that_cannot_be_read(tmp_path):
    slices = [to_bytes(piece) for piece in make_slices(7)]
    slices[2] = slices[2][:-10]
    files = {f"{n}.dcm": piece for n, piece in enumerate(slices)}
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path, series=True)
    volume = read_image(dataset.media, dataset.frame["image"][0])
    assert volume[:, 0, 0].tolist() == [0, 1, 3, 4, 5, 6]
    told = " ".join(entry.reason for entry in dataset.ledger)
    assert "File 3 (.dcm) ends before its pixels do" in told
    assert "goes on without 1 of its 7 slices" in told


def test_two_views_of_one_series_are_two_images(tmp_path):
    files = {f"{n}.dcm": image("1", n, Modality="DX", SeriesInstanceUID="1.5") for n in range(2)}
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path, series=True)
    assert dataset.frame["images"].tolist() == [1, 1]
    assert "2 files do not say where they lie" in dataset.ledger[1].reason


def test_a_gap_in_a_series_is_told_in_the_ledger(tmp_path):
    slices = make_slices(7)
    del slices[3]
    files = {f"{n}.dcm": to_bytes(piece) for n, piece in enumerate(slices)}
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path, series=True)
    assert any("1 slice is missing" in entry.reason for entry in dataset.ledger)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("file", ["in/a.dcm", "in/b.dcm", "in/x.dcm"]),
        ("name", ["A", "b", "x"]),
        ("Accession", [" AC1", "AC2", "AC9"]),
        ("MRN", [4711, 4712, 9999]),
    ],
)
def test_a_table_beside_finds_its_images_and_its_naming_column_goes(tmp_path, column, words):
    table = pd.DataFrame({column: words, "outcome": ["yes", "no", "yes"], "age": [50, 60, 70]})
    files = {
        "in/b.dcm": image("4712", 2, AccessionNumber="AC2"),
        "in/a.dcm": image("4711", 1, AccessionNumber="AC1"),
        "in/lone.dcm": image("4713", 3, AccessionNumber="AC3"),
        "labels.csv": table.to_csv(index=False),
    }
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path)
    frame = dataset.frame
    assert column not in frame.columns
    assert len(frame) == 4
    by_age = frame.set_index("age")
    assert by_age.loc[50, "outcome"] == "yes"
    assert by_age.loc[60, "outcome"] == "no"
    assert frame["image"].isna().sum() == 1
    assert frame["outcome"].isna().sum() == 1
    told = " ".join(entry.reason for entry in dataset.ledger)
    assert "1 image is named by no row" in told
    assert "1 row of the table has no image" in told


def test_a_patient_column_of_the_table_gets_the_same_pseudonyms(tmp_path):
    table = "file,patient_id,outcome\na.dcm,4711,yes\nb.dcm,4712,no\n"
    files = {"a.dcm": image("4711", 1), "b.dcm": image("4712", 2), "t.csv": table}
    frame = read(pack(tmp_path / "x.zip", files), tmp_path).frame
    assert (frame["patient_id"] == frame["patient"]).all()


def test_a_table_that_names_no_image_or_one_twice_is_refused(tmp_path):
    files = {"a.dcm": image("4711", 1), "t.csv": "file,outcome\nzzz,yes\nyyy,no\n"}
    with pytest.raises(DataError, match="No column of the table names the images"):
        read(pack(tmp_path / "x.zip", files), tmp_path)
    files["t.csv"] = "file,outcome\na.dcm,yes\na.dcm,no\n"
    with pytest.raises(DataError, match="more than one row"):
        read(pack(tmp_path / "y.zip", files), tmp_path)


def test_of_patients_with_two_images_the_column_that_tells_them_apart_names_them(tmp_path):
    table = "patient_id,accession,uid,outcome\n" + "".join(
        f"{4711 + n // 2},AC{n},1.9.{n},{'yes' if n % 2 else 'no'}\n" for n in range(4)
    )
    files = {
        f"{n}.dcm": image(
            str(4711 + n // 2), n, AccessionNumber=f"AC{n}", SOPInstanceUID=f"1.9.{n}"
        )
        for n in range(4)
    }
    dataset = read(pack(tmp_path / "x.zip", files | {"t.csv": table}), tmp_path)
    assert dataset.frame["outcome"].tolist() == ["no", "yes", "no", "yes"]
    assert (dataset.frame["patient_id"] == dataset.frame["patient"]).all()
    told = " ".join(entry.reason for entry in dataset.ledger)
    assert "matched by the table's column 'uid'" in told
    # What identifies an image is no more kept in the table than in its header.
    assert not {"accession", "uid"} & set(dataset.frame.columns)
    assert "Left out because they identify images: accession." in told


def test_a_column_that_only_looks_like_numbers_of_patients_stays(tmp_path):
    files = {f"{n}.dcm": image(str(n), n) for n in (1, 2, 3)}
    table = "file,grade\n1.dcm,2\n2.dcm,3\n3.dcm,3\n"
    frame = read(pack(tmp_path / "x.zip", files | {"t.csv": table}), tmp_path).frame
    assert frame["grade"].tolist() == [2, 3, 3]


def test_folders_are_classes_only_if_wished_for(tmp_path):
    files = {f"all/{label}/{n}.dcm": image(str(n), n) for n, label in enumerate(["sick", "well"])}
    path = pack(tmp_path / "x.zip", files)
    assert "label" not in read(path, tmp_path).frame.columns
    labelled = read(path, tmp_path / "again", folders=True)
    assert labelled.frame["label"].tolist() == ["sick", "well"]
    assert labelled.column("label").role == "outcome"


def test_folders_that_hold_several_patients_each_are_taken_for_classes_and_that_is_said(tmp_path):
    files = {f"set/{'sick' if n % 2 else 'well'}/{n}.dcm": image(str(n), n) for n in range(6)}
    files["set/lost.dcm"] = image("9", 9)
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path)
    assert dataset.column("label").role == "outcome"
    assert dataset.frame["label"].value_counts().to_dict() == {"sick": 3, "well": 3}
    told = " ".join(entry.reason for entry in dataset.ledger)
    assert "7 files: 7 images that are read" in told
    assert "taken for classes, in the column label: sick (3), well (3)" in told
    assert "1 image lies in no class's folder" in told
    plain = read(tmp_path / "x.zip", tmp_path / "no", folders=False)
    assert "label" not in plain.frame.columns


def test_folders_of_single_patients_or_series_are_no_classes_and_their_names_go(tmp_path):
    files = {
        f"Winterbottom {n // 2}/{n}.dcm": image(str(n // 2), n, SeriesInstanceUID=f"1.5.{n // 2}")
        for n in range(8)
    }
    # One folder named for a patient is enough to keep none of the names.
    files |= {f"control/{n}.dcm": image(str(n), n) for n in range(10, 14)}
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path)
    assert "label" not in dataset.frame.columns
    told = " ".join(entry.reason for entry in dataset.ledger)
    assert "Winterbottom" not in told
    assert "4 of 5 hold images of one patient alone" in told


def test_beside_a_table_folders_are_no_classes_unless_wished_for(tmp_path):
    files = {f"{'sick' if n % 2 else 'well'}/{n}.dcm": image(str(n), n) for n in range(6)}
    files["t.csv"] = "file,outcome\n" + "".join(f"{n}.dcm,{n % 3}\n" for n in range(6))
    assert "label" not in read(pack(tmp_path / "x.zip", files), tmp_path).frame.columns


def test_parts_above_the_classes_hold_the_split(tmp_path):
    files = {
        f"{part}/{label}/{n}{part}.dcm": image(f"{part}{label}{n}", n)
        for part in ("train", "test") for label in ("sick", "well") for n in range(3)
    }  # fmt: skip
    frame = read(pack(tmp_path / "x.zip", files), tmp_path).frame
    assert frame["split"].value_counts().to_dict() == {"train": 6, "test": 6}
    assert frame["label"].value_counts().to_dict() == {"sick": 6, "well": 6}


def test_what_cannot_be_read_is_listed_by_its_place_and_the_rest_goes_on(tmp_path):
    gif = io.BytesIO()
    frames = [Image.new("L", (30, 30), grey) for grey in (0, 90)]
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    good = image("4711", 1)
    files = {
        "1 WINTERBOTTOM.dcm": good,
        "2 WINTERBOTTOM.dcm": good[:600],
        "3 WINTERBOTTOM.png": gif.getvalue(),
        "4 WINTERBOTTOM.dcm": (FILES / "reportsi.dcm").read_bytes(),
        "5 WINTERBOTTOM.png": as_png(np.arange(900, dtype=np.uint8).reshape(30, 30)),
        "6.dcm": b"rubbish",
        "7.pdf": b"%PDF",
        "8.dcm": b"",
    }
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path)
    assert len(dataset.frame) == 2
    told = "\n".join(entry.reason for entry in dataset.ledger)
    assert "WINTERBOTTOM" not in told
    assert "File 2 (.dcm)" in told
    assert "'File 3 (.png)' is an animation of 2 pictures" in told
    assert "File 4 (.dcm) holds no image (Basic Text SR)" in told
    assert "File 6 (.dcm) is not a DICOM image" in told
    assert "1 file is neither image nor table" in told
    assert dataset.ledger[0].rows_in - dataset.ledger[1].rows_out == 5
    assert "8 files: 2 images that are read, 5 images that cannot be read, 1 of other" in told
    assert read_audit(dataset.media)["refused"]


def test_a_file_cut_off_before_its_pixels_is_told_from_one_that_holds_no_image(tmp_path):
    files = {"1.dcm": image("1"), "2.dcm": image("2")[:700]}
    raw = image("3")
    files["3.dcm"] = raw[: raw.index(b"\xe0\x7f\x10\x00")]
    told = " ".join(e.reason for e in read(pack(tmp_path / "x.zip", files), tmp_path).ledger)
    assert "File 3 (.dcm) ends before its pixels (CT Image)." in told


def test_dicom_pictures_that_are_empty_are_found(tmp_path):
    files = {f"{n}.dcm": image(str(n), n) for n in range(3)}
    files["black.dcm"] = to_bytes(make_header(np.zeros((9, 9), np.uint16), PatientID="9"))
    dataset = read(pack(tmp_path / "x.zip", files), tmp_path)
    assert dataset.frame["image_content"].eq("one flat value").sum() == 1
    assert "image_colour" not in dataset.frame.columns


def test_nothing_readable_is_refused_with_the_first_reason(tmp_path):
    path = pack(tmp_path / "x.zip", {"a.dcm": b"DICM", "b.dcm": b"no"})
    with pytest.raises(DataError, match=r"No image of 'x\.zip' can be read\. File 1"):
        read(path, tmp_path)


@pytest.mark.parametrize(
    ("name", "sentence"), [("../out.dcm", "leads out"), ("/etc/x.dcm", "leads out")]
)
def test_names_that_lead_out_of_the_archive_are_refused(tmp_path, name, sentence):
    path = pack(tmp_path / "x.zip", {name: image("1")})
    with pytest.raises(DataError, match=sentence):
        read(path, tmp_path)
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["x.zip"]


def test_dicom_is_told_by_its_content(tmp_path):
    assert holds_dicom(pack(tmp_path / "x.zip", {"IM0001": image("1")}))
    assert not holds_dicom(pack(tmp_path / "y.zip", {"a.png": as_png(np.zeros((4, 4), np.uint8))}))


def test_the_same_patient_is_the_same_in_another_data_set_of_the_workspace(tmp_path):
    path = pack(tmp_path / "x.zip", {"a.dcm": image("4711", 1)})
    one, two = read(path, tmp_path / "1"), read(path, tmp_path / "2", characteristics=True)
    assert one.frame["patient"].tolist() == two.frame["patient"].tolist()
    assert one.sha256 != two.sha256
    other = read_brought(path, tmp_path / "3" / "media", name="x", wishes=Wishes())
    assert other.frame["patient"].tolist() != one.frame["patient"].tolist()


def test_a_folder_and_a_single_file_are_read_like_a_zip(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.dcm").write_bytes(image("4711", 1))
    folder, single = (
        read(tmp_path / "in", tmp_path / "1"),
        read(tmp_path / "in" / "a.dcm", tmp_path / "2"),
    )
    assert folder.frame["patient"].tolist() == single.frame["patient"].tolist()


def test_wishes_travel_as_text():
    wishes = Wishes(series=True, secret=SECRET)
    assert Wishes.read(wishes.write()) == wishes
    assert SECRET.hex() not in repr(wishes)
