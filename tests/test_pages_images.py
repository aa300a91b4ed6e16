"""The page Images, and images brought in on Data."""

import io
import zipfile
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from medcore.data.dicom.brought import Wishes, read_brought
from medcore.data.likeness import find_copies, read_prints
from medcore.data.media import MediaFolder, read_image
from medcore.data.phantoms import phantom_dataset
from medcore.data.sources import read_source
from medcore.jobs import list_jobs, wait
from medcore.records import Column, Dataset
from medcore.store import (
    get_dataset_row,
    list_datasets,
    load_dataset,
    open_home,
    open_workspace,
)
from medcore.store import save_dataset as save
from pages.parts.copies import pair_rows
from pages.parts.viewing import lay_on_square
from tests.dicom_files import make_header, make_slices, to_bytes
from tests.finished_runs import keep_case
from tests.test_data_images import a_picture, as_png, write_zip
from tests.test_dicom_brought import pack
from tests.test_pages import (  # noqa: F401 - a fixture that all tests of pages need
    _server_knows_the_navigation,
    check,
    in_address,
    open_page,
    words,
)

UNUSUAL_RUN = []


def keep(dataset):
    """Keep a data set in a visitor's workspace and return both."""
    workspace = open_workspace(open_home(), None)
    return workspace, save(workspace, dataset)


@pytest.fixture
def chests(tmp_path):
    return keep(phantom_dataset(30, 48, media=tmp_path / "made" / "media"))


@pytest.fixture
def scans(tmp_path):
    """A CT volume, and an ultrasound picture that says it has names in it."""
    files = {f"{n}.dcm": to_bytes(piece) for n, piece in enumerate(make_slices(5))}
    us = np.random.default_rng(0).integers(0, 200, (60, 80)).astype(np.uint8)
    files["us.dcm"] = to_bytes(make_header(us, Modality="US", PatientID="7", StudyID="KNOWN"))
    path = pack(tmp_path / "x.zip", files)
    wishes = Wishes(series=True)
    return keep(read_brought(path, tmp_path / "made" / "media", name="Scans", wishes=wishes))


def test_the_page_without_images_says_where_to_get_some():
    workspace = open_workspace(open_home(), None)
    row, _ = keep_case(workspace, "binary")
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    assert "has no images" in app.info[0].value


def test_all_images_are_shown_and_examples_of_each_class(chests):
    workspace, row = chests
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    assert "no patient is in them" in words(app)
    way = next(group for group in app.button_group if group.label == "Show")
    way.set_value("By class").run()
    check(app)
    assert "**yes**, 12 images" in words(app)
    assert "**no**, 18 images" in words(app)


def test_a_volume_is_scrolled_and_windowed(scans):
    workspace, row = scans
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    frame = load_dataset(workspace, row.id).frame
    ct = int(frame.index[frame["modality"] == "CT"][0]) + 1
    app.number_input(key="view_row").set_value(ct).run()
    check(app)
    slider = next(s for s in app.slider if s.label == "Slice")
    assert (slider.min, slider.max) == (1, 5)
    slider.set_value(5).run()
    window = next(group for group in app.button_group if group.label == "Window")
    window.set_value("brain").run()
    check(app)
    level = next(s for s in app.slider if s.label.startswith("Level"))
    assert level.value == 40
    header = next(f.value for f in app.dataframe if "Element" in f.value and "Value" in f.value)
    named = header.set_index("Name")["Value"]
    assert named["Patient Identity Removed"] == "YES"
    assert "Doe" not in header.to_string()


def test_what_was_removed_is_listed(scans):
    workspace, row = scans
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    removed = next(f.value for f in app.dataframe if "What was done" in f.value)
    assert "Patient's Name" in set(removed["Name"])
    assert "KNOWN" not in removed.to_string()


def blank_out(app, workspace):
    """Press the button and wait until the new data set stands there."""
    app.button(key="blank_out").click().run()
    check(app)
    (job,) = list_jobs(workspace, kind="blank")
    assert wait(workspace, job.id, timeout=60).state == "finished"
    app.run()
    check(app)


def test_writing_is_blanked_out_in_a_new_data_set_and_the_old_one_goes(scans):
    workspace, row = scans
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    assert "may have names written" in words(app)
    boxes = {box.label: box for box in app.number_input}
    for label, value in (("Top", 0), ("Left", 0), ("Bottom", 9), ("Right", 79)):
        boxes[f"{label} (pixel)"].set_value(value)
    blank_out(app, workspace)
    assert "may have names written" not in words(app)
    (left,) = list_datasets(workspace)
    assert left.name == "Scans, blanked"
    assert in_address(app, "dataset") == left.id
    assert left.sha256 != row.sha256
    dataset = load_dataset(workspace, left.id)
    us = dataset.frame[dataset.frame["modality"] == "US"].iloc[0]
    assert us["text_in_image"] == "blanked out by hand"
    pixels = read_image(dataset.media, us["image"])
    assert pixels[:10].max() == 0
    assert pixels[10:].max() > 0
    ct = dataset.frame[dataset.frame["modality"] == "CT"].iloc[0]
    assert read_image(dataset.media, ct["image"]).shape == (5, 4, 5)
    assert "Parts of 1 image were blanked out by hand." in [e.reason for e in dataset.ledger]
    assert "Parts of 1 image were blanked out by hand." in words(app)
    removed = next(f.value for f in app.dataframe if "What was done" in f.value)
    assert "Patient's Name" in set(removed["Name"])


def test_blanking_out_plain_pictures_is_told_and_so_are_the_models_that_saw_the_writing(
    chests, monkeypatch
):
    workspace, row = chests
    learned = [SimpleNamespace(dataset=row.id), SimpleNamespace(dataset="another")]
    monkeypatch.setattr("pages.parts.blanking.list_runs", lambda *_, **__: learned)
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    assert "1 model learned from these images with the writing in them" in words(app)
    app.checkbox(key="blank_delete").uncheck()
    blank_out(app, workspace)
    assert "Parts of 1 image were blanked out by hand." in words(app)
    assert "came without headers" in words(app)
    assert "learned from these images" not in words(app)


def test_a_tall_picture_stays_in_its_row_of_small_ones():
    tall, colour = np.full((144, 31), 200, np.uint8), np.full((60, 144, 3), 200, np.uint8)
    for picture in (tall, colour):
        small = lay_on_square(picture, 144)
        assert small.shape[:2] == (144, 144)
        rows, columns = np.nonzero(small if small.ndim == 2 else small[..., 0])
        assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == picture.shape[:2]


def test_pairs_of_copies_name_the_earlier_row_first():
    frame = pd.DataFrame({"image": ["c", "a", "b"]})
    columns = (Column("image", "image", "input"),)
    dataset = Dataset("Three", "three", "0" * 64, frame, columns, (), None)
    found = pd.DataFrame({"first": ["a", "b"], "second": ["c", "c"], "kind": "near",
                          "likeness": 0.9})  # fmt: skip
    pairs = pair_rows(dataset, "image", found)
    assert pairs[["first", "second"]].to_numpy().tolist() == [[0, 1], [0, 2]]


def test_copies_are_shown_with_how_many_have_different_outcomes(tmp_path):
    dataset = phantom_dataset(20, 48, media=tmp_path / "made" / "media")
    frame = dataset.frame
    folder = MediaFolder(dataset.media)
    brighter = np.clip(read_image(dataset.media, frame["image"][10]) * 1.1, 0, 255)
    yes, no = (frame.index[frame["lesion"] == label][0] for label in ("yes", "no"))
    frame.loc[no, "image"] = frame["image"][yes]
    frame.loc[19, "image"] = folder.add(brighter.astype(np.uint8))
    workspace, row = keep(dataset)
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    told = " ".join(warning.value for warning in app.warning)
    assert "1 pair of equal images and 1 pair of near copies" in told
    assert "with different outcomes" in told
    names = sorted(set(frame["image"]))
    assert len(find_copies(read_prints(dataset.media, names))) == 1


def test_images_dropped_on_data_are_asked_about_and_read_without_names():
    app = open_page("data")
    values = np.arange(400, dtype=np.uint16).reshape(20, 20)
    files = {"Winterbottom/1.dcm": to_bytes(make_header(values, PatientID="WINTERBOTTOM"))}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    app.file_uploader[0].set_value(("Winterbottom.zip", buffer.getvalue(), "application/zip"))
    app.run()
    check(app)
    assert "identities are removed" in words(app)
    assert app.text_input(key="images_name").value == "Images"
    app.checkbox(key="images_characteristics").check()
    app.button(key="read_uploads").click().run()
    check(app)
    token = app.query_params["workspace"]
    workspace = open_workspace(open_home(), token[0] if isinstance(token, list) else token)
    (job,) = list_jobs(workspace)
    assert "Winterbottom" not in str(job.payload)
    assert job.payload["wishes"]["characteristics"] is True
    done = wait(workspace, job.id, timeout=60)
    assert done.state == "finished", done.error
    assert get_dataset_row(workspace, done.result["dataset"]).name == "Images"


def bring(path, tmp_path, **wishes):
    """Keep what a file holds as an upload is kept, and open it on Data."""
    media = tmp_path / "made" / "media"
    dataset = read_source(path, media, name="Brought", wishes=Wishes(names=False, **wishes))
    workspace, row = keep(dataset)
    return open_page("data", workspace=workspace.id, dataset=row.id)


def test_data_says_what_became_of_rows_without_an_image_and_images_without_a_row(tmp_path):
    files = {f"{n}.png": as_png(a_picture()) for n in range(6)}
    files["5.png"] = b"\x89PNG\r\n\x1a\nbroken"
    rows = "".join(f"{n}.png,{n % 2}\n" for n in range(1, 8))
    app = bring(write_zip(tmp_path / "x.zip", files | {"t.csv": f"file,ill\n{rows}"}), tmp_path)
    check(app)
    (told,) = [warning.value for warning in app.warning if "files" in warning.value]
    assert "7 files: 5 images that are read, 1 image that cannot be read, 1 table" in told
    assert "3 rows have no image that can be read; they stay, with the image missing" in told
    assert "1 image is named by no row of the table and is not used" in told
    assert "'image 6' begins like an image, but the rest is damaged." in told
    assert "numbered in the order of their names" in words(app)


def test_data_lists_every_file_that_cannot_be_read_with_its_reason(tmp_path):
    files = {f"{n % 2}/{n}.png": as_png(a_picture()) for n in range(4)}
    files |= {f"0/x{n}.png": b"\x89PNG\r\n\x1a\n" for n in range(15)}
    app = bring(write_zip(tmp_path / "x.zip", files), tmp_path)
    check(app)
    assert "19 files: 4 images that are read, 15 images that cannot" in app.warning[0].value
    (listed,) = [frame.value for frame in app.dataframe if "Why" in frame.value]
    assert len(listed) == 15


def test_data_is_quiet_where_every_file_was_read_and_says_what_folders_became(tmp_path):
    files = {f"{label}/{n}.dcm": to_bytes(make_header(np.full((9, 9), n, np.uint16),
             PatientID=f"{label}{n}")) for label in "ab" for n in range(3)}  # fmt: skip
    app = bring(pack(tmp_path / "x.zip", files), tmp_path)
    check(app)
    assert not [w.value for w in app.warning if "file" in w.value]
    assert "taken for classes, in the column label: a (3), b (3)" in app.info[0].value


def test_many_images_are_compared_in_the_background(tmp_path, monkeypatch):
    monkeypatch.setattr("pages.parts.copies.AT_ONCE", 10)
    dataset = phantom_dataset(12, 48, media=tmp_path / "made" / "media")
    dataset.frame.loc[5, "image"] = dataset.frame["image"][6]
    workspace, row = keep(dataset)
    app = open_page("images", workspace=workspace.id, dataset=row.id)
    app.button(key="compare").click().run()
    check(app)
    (job,) = list_jobs(workspace, kind="compare")
    assert wait(workspace, job.id, timeout=60).result == {"images": 11}
    app.run()
    check(app)
    assert "1 pair of equal images and 0 pairs of near copies" in app.warning[0].value


def test_an_unusual_image_is_warned_of_and_a_usual_one_described():
    def page():
        from pages.parts.patient import _say_images, _warn_of_images

        shares = {"front": 1.0, "side": 0.2, "none": None}
        _warn_of_images(shares)
        _say_images(shares)

    app = AppTest.from_function(page).run()
    assert ["“front”" in warning.value for warning in app.warning] == [True]
    assert ["20%" in caption.value for caption in app.caption] == [True]


def test_the_map_of_a_volume_is_scrolled_through_and_starts_where_it_is_highest(monkeypatch):
    def page():
        from types import SimpleNamespace

        from medcore.records import Column
        from pages.parts.saliency import show_saliency

        run = SimpleNamespace(summary={"task": "binary"})
        show_saliency(run, {}, Column("label", "category", "outcome"))

    def answer(*_, method, slice=2):
        place = slice
        return {"pixels": np.full((4, 4), 50 * place).tolist(), "found": np.ones((4, 4)).tolist(),
                "slice": place, "slices": 5, "weight": 1.0, "likeness": 0.1,
                "layer": ""}  # fmt: skip

    part = "pages.parts.saliency"
    case = SimpleNamespace(row=0, column="scan", target="yes", positive="yes")
    monkeypatch.setattr(f"{part}.has_table", lambda _: True)
    monkeypatch.setattr(f"{part}.choose_case", lambda *_: case)
    monkeypatch.setattr(f"{part}.ask_case", answer)
    shown = []
    monkeypatch.setattr(
        f"{part}._name_image", lambda said, high: shown.append((said["slice"], high))
    )
    monkeypatch.setattr(f"{part}.say_share", lambda _: None)
    monkeypatch.setattr(f"{part}.show_similar", lambda *_: None)
    app = AppTest.from_function(page).run()
    check(app)
    slider = next(s for s in app.slider if s.label == "Slice")
    assert (slider.min, slider.max, slider.value) == (1, 5, 3)
    slider.set_value(5).run()
    check(app)
    assert shown == [(2, 2), (4, 2)]


def test_results_show_the_most_unusual_test_images_of_a_model_that_can_tell(monkeypatch, tmp_path):
    def page():
        from pages.parts.unusual import show_unusual
        from tests.test_pages_images import UNUSUAL_RUN

        show_unusual(UNUSUAL_RUN[0], None)

    dataset = phantom_dataset(6, 48, media=tmp_path / "media")
    monkeypatch.setattr("pages.parts.unusual.read_columns", lambda _: list(dataset.columns))
    monkeypatch.setattr("pages.parts.unusual.has_table", lambda _: True)
    monkeypatch.setattr("pages.parts.unusual.state.table_of", lambda _: dataset)
    told = {"images": [{"row": 4, "share": 1.0}, {"row": 2, "share": 0.5}], "looked": 40,
            "beyond": 7}  # fmt: skip
    monkeypatch.setattr("pages.parts.unusual.question", lambda *_, **__: told)
    image = SimpleNamespace(pretrain=5)
    UNUSUAL_RUN[:] = [SimpleNamespace(folder=tmp_path, workspace="w", id="r", dataset="d",
                                      config=SimpleNamespace(image=image))]  # fmt: skip
    app = AppTest.from_function(page).run()
    check(app)
    assert "Of 40 test images 7 are more unusual than 95% of training images; about 2" in words(app)
    assert [c.value for c in app.caption] == [
        "Row 5: more unusual than 100%", "Row 3: more unusual than 50%",
    ]  # fmt: skip
    image.pretrain = 0
    assert not words(AppTest.from_function(page).run())
