"""Reading images: MedMNIST files, folders, zips and tables beside; for bad files a sentence."""

import io
import struct
import zipfile
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from medcore.checks import check_dataset
from medcore.config import RunConfig, change_config
from medcore.data import Wishes, configure_dataset, open_dataset, read_table_isolated
from medcore.data.media import MediaFolder, decode_image, image_shape, read_image
from medcore.data.sources import read_source
from medcore.errors import DataError
from medcore.prepare.images import fit_image
from medcore.split import make_split
from medcore.store import load_dataset, local_workspace, open_home, save_dataset

RNG = np.random.default_rng(0)


def a_picture(side=12, colour=False):
    shape = (side, side, 3) if colour else (side, side)
    return RNG.integers(0, 255, shape, dtype=np.uint8)


def as_png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def write_medmnist(path, counts=(12, 4, 4), labels=1):
    arrays = {}
    for part, count in zip(("train", "val", "test"), counts, strict=True):
        arrays[f"{part}_images"] = np.stack([a_picture(8) for _ in range(count)])
        values = np.arange(count * labels).reshape(count, labels) % 2
        arrays[f"{part}_labels"] = values.astype(np.uint8)
    np.savez(path, **arrays)
    return arrays


def read(path, tmp_path, **options):
    return read_source(path, tmp_path / "kept" / "media", **options)


def pixels_of(dataset, row):
    return read_image(dataset.media, dataset.frame.loc[row, "image"])


def test_a_medmnist_file_keeps_its_images_labels_and_split(tmp_path):
    arrays = write_medmnist(tmp_path / "discs.npz")
    dataset = read(tmp_path / "discs.npz", tmp_path)
    assert [(c.name, c.kind, c.role) for c in dataset.columns] == [
        ("image", "image", "input"),
        ("label", "category", "outcome"),
        ("split", "category", "ignored"),
    ]
    assert dataset.frame["label"].tolist()[:4] == ["0", "1", "0", "1"]
    assert np.array_equal(pixels_of(dataset, 3), arrays["train_images"][3])
    assert np.array_equal(pixels_of(dataset, 13), arrays["val_images"][1])
    ready = configure_dataset(dataset, RunConfig())
    parts = make_split(ready, RunConfig()).parts
    assert parts["train"].tolist() == list(range(12))
    assert parts["validation"].tolist() == list(range(12, 16))
    assert parts["test"].tolist() == list(range(16, 20))


def test_a_given_split_is_kept_and_calibration_comes_out_of_train(tmp_path):
    write_medmnist(tmp_path / "many.npz", counts=(1200, 40, 50))
    ready = configure_dataset(read(tmp_path / "many.npz", tmp_path), RunConfig())
    parts = make_split(ready, RunConfig()).parts
    assert len(parts["train"]) + len(parts["calibration"]) == 1200
    assert 80 < len(parts["calibration"]) < 160
    assert len(parts["validation"]) == 40 and len(parts["test"]) == 50


def test_several_labels_an_image_become_columns(tmp_path):
    write_medmnist(tmp_path / "many.npz", labels=3)
    dataset = read(tmp_path / "many.npz", tmp_path)
    assert [c.name for c in dataset.columns] == ["image", "label_1", "label_2", "label_3", "split"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_a_class_gives_labels_split_and_patients(tmp_path, packed):
    files = {
        f"scans/{part}/{label}/p{patient}/{view}.png": as_png(a_picture())
        for part in ("train", "test")
        for label in ("ill", "well")
        for patient in (1, 2)
        for view in (1, 2)
    }
    if packed:
        path = write_zip(tmp_path / "scans.zip", files)
    else:
        path = tmp_path / "folder"
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
    dataset = open_dataset(path) if packed else read(path, tmp_path)
    roles = {c.name: c.role for c in dataset.columns}
    assert roles == {
        "image": "input", "split": "ignored", "label": "outcome", "patient": "patient",
        "file": "ignored",
    }  # fmt: skip
    row = dataset.frame[dataset.frame["file"] == "test/ill/p2/1.png"].iloc[0]
    assert (row["split"], row["label"], row["patient"]) == ("test", "ill", "p2")
    original = np.asarray(Image.open(io.BytesIO(files["scans/test/ill/p2/1.png"])))
    assert np.array_equal(read_image(dataset.media, row["image"]), original)


def test_one_class_is_not_taken_for_the_folder_around_all(tmp_path):
    files = {f"well/{n}.png": as_png(a_picture()) for n in range(3)}
    dataset = read(write_zip(tmp_path / "a.zip", files), tmp_path)
    assert dataset.frame["label"].tolist() == ["well"] * 3


@pytest.mark.parametrize("spelling", ["{}.png", "scans/{}.png", "{}", "SCANS\\{}.PNG"])
def test_a_table_names_its_images_and_nothing_is_lost_silently(tmp_path, spelling):
    files = {f"scans/{n}.png": as_png(a_picture()) for n in range(6)}
    files["scans/5.png"] = b"\x89PNG\r\n\x1a\nbroken"
    files["scans/spare.png"] = as_png(a_picture())
    rows = [{"scan": spelling.format(n), "age": 50 + n, "ill": n % 2} for n in range(8)]
    files["patients.csv"] = pd.DataFrame(rows).to_csv(index=False).encode()
    dataset = read(write_zip(tmp_path / "a.zip", files), tmp_path)
    assert len(dataset.frame) == 8
    assert dataset.frame["image"].notna().tolist() == [True] * 5 + [False] * 3
    assert dataset.column("scan").role == "ignored" and dataset.column("image").kind == "image"
    reasons = " ".join(entry.reason for entry in dataset.ledger)
    assert "3 rows have no image" in reasons
    assert "1 image is named by no row" in reasons
    assert "scans/5.png" in reasons


def test_an_image_without_a_label_is_set_aside_and_counted(tmp_path):
    files = {f"{label}/{n}.png": as_png(a_picture()) for label in ("a", "b") for n in range(4)}
    files["lost.png"] = as_png(a_picture())
    dataset = read(write_zip(tmp_path / "a.zip", files), tmp_path)
    ready = configure_dataset(dataset, RunConfig())
    assert len(ready.frame) == 8
    assert "1 rows without 'label' are set aside" in ready.ledger[-1].reason


def test_an_image_beside_the_folders_of_the_classes_does_not_hide_them(tmp_path):
    files = {f"set/{label}/p{n}/1.png": as_png(a_picture()) for label in "ab" for n in range(3)}
    files |= {"set/lost.png": as_png(a_picture()), "set/README.txt": b"About", "set/x.pdf": b"x"}
    dataset = read(write_zip(tmp_path / "a.zip", files), tmp_path)
    assert dataset.frame["label"].value_counts().to_dict() == {"a": 3, "b": 3}
    assert dataset.frame["patient"].nunique() == 3
    lost = dataset.frame[dataset.frame["label"].isna()]
    assert lost["file"].tolist() == ["lost.png"]
    told = [entry.reason for entry in dataset.ledger]
    assert "9 files: 7 images that are read, 2 of other kinds" in told[0]
    assert "1 image lies in no class's folder: it has no label" in " ".join(told)
    assert "2 files are no images and were not read" in " ".join(told)


def test_many_folders_of_few_images_are_patients_and_their_names_are_not_kept(tmp_path):
    files = {f"Name {n}/{view}.png": as_png(a_picture()) for n in range(21) for view in "ab"}
    path = write_zip(tmp_path / "a.zip", files)
    dataset = read(path, tmp_path, wishes=Wishes(names=False))
    assert dataset.frame["patient"].nunique() == 21
    assert "label" not in dataset.frame.columns
    assert "Name" not in dataset.frame.to_string() + str(dataset.ledger)
    assert "taken for patients, not for classes" in str(dataset.ledger)
    asked = read(path, tmp_path / "asked", wishes=Wishes(names=False, folders=True))
    assert asked.frame["label"].nunique() == 21


def test_folders_that_are_said_to_be_no_classes_are_patients(tmp_path):
    files = {f"{name}/{n}.png": as_png(a_picture()) for name in ("Ann", "Bob") for n in range(9)}
    path = write_zip(tmp_path / "a.zip", files)
    dataset = read(path, tmp_path, wishes=Wishes(names=False, folders=False))
    assert "label" not in dataset.frame.columns
    assert dataset.frame["patient"].nunique() == 2
    assert "Ann" not in dataset.frame.to_string()


def test_empty_pictures_and_a_mixture_of_colour_and_grey_are_findings_with_their_counts(tmp_path):
    files = {f"{'ab'[n % 2]}/{n}.png": as_png(a_picture(colour=n < 4)) for n in range(10)}
    files |= {f"a/black{n}.png": as_png(np.zeros((12, 12), np.uint8)) for n in range(2)}
    dataset = read(write_zip(tmp_path / "a.zip", files), tmp_path)
    found = {f.code: f for f in check_dataset(dataset)}
    mixed = found["mixed_colour"]
    assert mixed.title == "4 of 12 images are in colour, 8 are grey"
    assert "In colour by label: a: 2 of 7; b: 2 of 5." in mixed.detail
    assert found["flat_images"].title.startswith("2 of 12 images are empty")
    assert found["flat_images"].severity == "warning"
    assert dataset.column("image_colour").role == "ignored"
    assert fit_image("image", dataset.frame["image"], dataset, RunConfig()).shape.channels == 3


def test_pictures_that_are_all_empty_stop_and_usual_ones_are_not_spoken_of(tmp_path):
    files = {f"{'ab'[n % 2]}/{n}.png": as_png(np.zeros((12, 12), np.uint8)) for n in range(6)}
    dataset = read(write_zip(tmp_path / "a.zip", files), tmp_path)
    found = {f.code: f for f in check_dataset(dataset)}
    assert found["flat_images"].severity == "stop"
    assert "mixed_colour" not in found
    assert ".png" not in str(found)
    files = {f"{'ab'[n % 2]}/{n}.png": as_png(a_picture()) for n in range(6)}
    usual = read(write_zip(tmp_path / "b.zip", files), tmp_path / "b")
    assert not {"image_colour", "image_content"} & set(usual.frame.columns)


def test_unreadable_images_are_named_with_their_reason_and_the_rest_goes_on(tmp_path):
    moving = io.BytesIO()
    frames = [Image.fromarray(a_picture()) for _ in range(3)]
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    files = {
        "a/good.png": as_png(a_picture()),
        "b/cut.png": as_png(a_picture(64))[:200],
        "b/moving.png": moving.getvalue(),
        "b/huge.png": huge_png(40_000, 40_000),
        "b/words.jpg": b"no picture at all",
        "b/empty.png": b"",
    }
    dataset = read_table_isolated(write_zip(tmp_path / "a.zip", files), name="x")
    assert dataset.frame["file"].tolist() == ["a/good.png"]
    (entry,) = [e for e in dataset.ledger if e.step == "unreadable images"]
    assert (entry.rows_in, entry.rows_out) == (6, 1)
    for name, words in {
        "cut": "cannot be decoded", "moving": "animation of 3", "huge": "1,600,000,000 pixels",
        "words": "not an image", "empty": "is empty",
    }.items():  # fmt: skip
        assert f"'b/{name}." in entry.reason and words in entry.reason


def huge_png(width, height):
    """Return a small file that claims to be a very large picture."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"../out.png": b"x"}, "leads out of it"),
        ({"/etc/out.png": b"x"}, "leads out of it"),
        ({"zeros.png": bytes(50_000_000)}, "unfold too far"),
        ({"notes.doc": b"x"}, "holds no image"),
        ({"a.png": b"x", "b.png": b"y"}, "No image of"),
    ],
)
def test_an_archive_that_cannot_be_trusted_or_used_is_refused_in_a_sentence(tmp_path, files, words):
    path = write_zip(tmp_path / "bad.zip", files)
    with pytest.raises(DataError, match=words):
        read(path, tmp_path)
    assert {p.name for p in tmp_path.iterdir()} <= {"bad.zip", "kept"}
    assert not list(tmp_path.rglob("out.png"))


def test_an_archive_of_too_many_files_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("medcore.data.media.zips.MOST_ENTRIES", 20)
    path = write_zip(tmp_path / "many.zip", {f"{n}.png": b"" for n in range(21)})
    with pytest.raises(DataError, match="21 files"):
        read(path, tmp_path)
    assert not (tmp_path / "kept" / "unpacked").exists()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros(3)}, "no train_images"),
        ({"train_images": np.zeros((3, 4, 4))}, "train_labels"),
        ({"train_images": np.zeros((3, 4, 4)), "train_labels": np.zeros(2)}, "3 train images"),
        ({"train_images": np.zeros(3), "train_labels": np.zeros(3)}, "holds no images"),
        ({"train_images": np.array([{}] * 2), "train_labels": np.zeros(2)}, "cannot be read"),
    ],
)
def test_a_file_of_arrays_that_is_no_medmnist_file_is_refused(tmp_path, arrays, words):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(DataError, match=words):
        read(tmp_path / "a.npz", tmp_path)


def test_pictures_are_kept_bit_by_bit_and_equal_ones_once(tmp_path):
    folder = MediaFolder(tmp_path / "media")
    deep = RNG.integers(0, 65535, (6, 7)).astype(np.uint16)
    units = RNG.integers(-1000, 2000, (5, 6)).astype(np.int16)
    volume = RNG.normal(size=(3, 5, 6)).astype(np.float32)
    for pixels in (a_picture(), a_picture(colour=True), deep, units, volume):
        name = folder.add(pixels)
        again = read_image(folder.folder, name)
        assert again.dtype == pixels.dtype and np.array_equal(again, pixels)
        assert folder.add(pixels.copy()) == name
        assert image_shape(folder.folder, name)[:2] == pixels.shape[-2:] or pixels.ndim == 3
    assert len(list(folder.folder.iterdir())) == 5


def test_transparency_palettes_and_orientation_become_plain_pixels(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert not decode_image(tmp_path / "clear.png").pixels.any()
    grey = Image.fromarray(np.stack([a_picture(4)] * 3, axis=2))
    grey.save(tmp_path / "grey.png")
    assert decode_image(tmp_path / "grey.png").pixels.ndim == 2
    turned = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(3, 4) * 20)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.png", exif=exif)
    assert decode_image(tmp_path / "turned.png").pixels.shape == (4, 3)


def test_the_store_keeps_the_pictures_with_the_table(tmp_path):
    write_medmnist(tmp_path / "discs.npz")
    dataset = read(tmp_path / "discs.npz", tmp_path)
    workspace = local_workspace(open_home())
    kept = load_dataset(workspace, save_dataset(workspace, dataset).id)
    assert kept.media.is_relative_to(workspace.folder)
    assert np.array_equal(pixels_of(kept, 3), pixels_of(dataset, 3))


def test_a_kind_that_the_user_names_makes_a_label_an_input(tmp_path):
    write_medmnist(tmp_path / "discs.npz", labels=3)
    dataset = read(tmp_path / "discs.npz", tmp_path)
    config = change_config(RunConfig(), {"data.roles": {"label_2": "outcome", "label_1": "input"}})
    ready = configure_dataset(dataset, config)
    assert [c.name for c in ready.with_role("input")] == ["image", "label_1"]
