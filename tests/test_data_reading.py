"""Reading tables: whatever the format and dialect, the same patients; for bad files a sentence."""

import io
import zipfile
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medcore.data import SAMPLES, estimate_memory, load_sample, read_table, read_table_isolated
from medcore.data import table as table_module
from medcore.errors import DataError, MedcoreError

ROWS = 40
PATIENTS = pd.DataFrame(
    {
        "name": [f"Müller {i}" for i in range(ROWS)],
        "age": [20 + i for i in range(ROWS)],
        "weight": [50.5 + i / 2 for i in range(ROWS)],
        "ill": ["yes" if i % 3 else "no" for i in range(ROWS)],
    }
)


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def as_text(delimiter=",", decimal=".", line_end="\n"):
    return PATIENTS.to_csv(sep=delimiter, decimal=decimal, index=False, lineterminator=line_end)


def same_patients(frame):
    assert list(frame.columns) == list(PATIENTS.columns)
    assert frame["name"].tolist() == PATIENTS["name"].tolist()
    assert frame["ill"].tolist() == PATIENTS["ill"].tolist()
    for name in ("age", "weight"):
        assert frame[name].to_numpy(float).tolist() == PATIENTS[name].to_numpy(float).tolist()


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize(
    ("delimiter", "decimal"), [(",", "."), (";", ","), ("\t", "."), ("\t", ","), ("|", ".")]
)
def test_every_dialect_gives_the_same_patients(tmp_path, delimiter, decimal, encoding, line_end):
    path = write(tmp_path / "t.csv", as_text(delimiter, decimal, line_end), encoding)
    same_patients(read_table(path).frame)


def write_sheet(path):
    PATIENTS.to_excel(path, index=False)


def write_portable(path):
    pyreadstat.write_xport(PATIENTS, str(path))


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("t.xlsx", write_sheet),
        ("t.parquet", lambda path: PATIENTS.to_parquet(path)),
        ("t.dta", lambda path: PATIENTS.to_stata(path, write_index=False, version=118)),
        ("t.sav", lambda path: pyreadstat.write_sav(PATIENTS, str(path))),
        ("t.xpt", write_portable),
    ],
)
def test_every_format_gives_the_same_patients(tmp_path, name, writer):
    writer(tmp_path / name)
    same_patients(read_table(tmp_path / name).frame)


def test_the_format_is_told_by_content_not_by_name(tmp_path):
    PATIENTS.to_parquet(tmp_path / "parquet.csv")
    same_patients(read_table(tmp_path / "parquet.csv").frame)


def test_value_labels_of_spss_become_words(tmp_path):
    frame = pd.DataFrame({"sex": [1.0, 2.0, 1.0] * 10, "age": np.arange(30.0)})
    labels = {"sex": {1.0: "female", 2.0: "male"}}
    pyreadstat.write_sav(frame, str(tmp_path / "t.sav"), variable_value_labels=labels)
    assert read_table(tmp_path / "t.sav").frame["sex"].iloc[:3].tolist() == [
        "female", "male", "female",
    ]  # fmt: skip


def test_a_column_that_turns_to_text_late_in_a_long_file_keeps_every_cell(tmp_path):
    rows = 300_000
    lines = [f"{i % 1000:04d},{i % 2}" for i in range(rows)]
    path = write(tmp_path / "long.csv", "\n".join(["code,ill", *lines, "x1,1"]))
    frame = read_table(path).frame
    assert frame["code"].iloc[[0, 1, -1]].tolist() == ["0000", "0001", "x1"]
    assert frame["ill"].dtype.kind in "if"


def test_a_sheet_after_an_empty_one_is_found(tmp_path):
    with pd.ExcelWriter(tmp_path / "t.xlsx") as book:
        pd.DataFrame({"note": []}).to_excel(book, sheet_name="cover", index=False)
        PATIENTS.to_excel(book, sheet_name="data", index=False)
    same_patients(read_table(tmp_path / "t.xlsx").frame)


def bomb():
    """Return a spreadsheet whose sheet unfolds a thousandfold."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (60 * 2**20))
    return file.getvalue()


def cut(writer):
    def make(path):
        writer(path)
        path.write_bytes(path.read_bytes()[:-200])

    return make


BAD = {
    "empty.csv": (lambda p: p.write_bytes(b""), "is empty"),
    "blank.csv": (lambda p: p.write_bytes(b"\n\n\n"), "empty"),
    "header.csv": (lambda p: p.write_bytes(b"a,b,c\n"), "no rows"),
    "rubbish.csv": (lambda p: p.write_bytes(bytes(range(256)) * 30), "not a text table"),
    "picture.csv": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(3000)), "not a text"),
    "bomb.xlsx": (lambda p: p.write_bytes(bomb()), "would unfold"),
    "archive.xlsx": (
        lambda p: zipfile.ZipFile(p, "w").writestr("a.txt", "hello"), "archive, not a spreadsheet",
    ),
    "cut.xlsx": (cut(write_sheet), "cannot be read as XLSX"),
    "cut.parquet": (cut(lambda p: PATIENTS.to_parquet(p)), "cannot be read as Parquet"),
    "doubled.csv": (lambda p: p.write_text("age,ill,age\n1,2,3\n"), "stands 2 times"),
    "long_row.csv": (lambda p: p.write_text("a,b\n1,2\n3,4,5\n"), "Line 3"),
    "long_late.csv": (
        lambda p: p.write_text("a,b\n" + "1,2\n" * 1000 + "3,4,5\n"), "1002",
    ),
    "one_column.csv": (lambda p: p.write_text("a\n1\n2\n"), "single column"),
    "bad.sav": (lambda p: p.write_bytes(b"$FL2" + b"x" * 400), "cannot be read"),
    "bad.dta": (lambda p: p.write_bytes(b"<stata_dta>" + b"x" * 400), "cannot be read"),
    "bad.sas7bdat": (lambda p: p.write_bytes(b"x" * 4000), "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_in_one_sentence_that_names_it(tmp_path, name):
    make, words = BAD[name]
    make(tmp_path / name)
    with pytest.raises(DataError) as caught:
        read_table(tmp_path / name)
    sentence = str(caught.value)
    assert words in sentence
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


@pytest.mark.parametrize("name", ["rubbish.csv", "bomb.xlsx", "long_row.csv"])
def test_the_child_process_refuses_in_the_same_words(tmp_path, name):
    BAD[name][0](tmp_path / name)
    with pytest.raises(DataError) as here:
        read_table(tmp_path / name)
    with pytest.raises(DataError) as there:
        read_table_isolated(tmp_path / name, name="x")
    assert str(here.value) == str(there.value)


def test_the_child_process_reads_the_same_table(tmp_path):
    path = write(tmp_path / "t.csv", as_text())
    here, there = read_table(path, name="x"), read_table_isolated(path, name="x")
    pd.testing.assert_frame_equal(here.frame, there.frame)
    assert here.columns == there.columns
    assert (here.name, here.source, here.sha256, here.ledger) == (
        there.name, there.source, there.sha256, there.ledger,
    )  # fmt: skip


def test_reading_in_a_child_process_can_be_stopped(tmp_path):
    path = write(tmp_path / "t.csv", as_text())
    with pytest.raises(DataError, match="stopped"):
        read_table_isolated(path, name="x", stopping=lambda: True)


def test_a_child_process_that_breaks_is_a_sentence(tmp_path):
    path = write(tmp_path / "t.csv", as_text())
    with patch("medcore.data.isolation.sys.executable", "/bin/false"), pytest.raises(
        DataError, match="could not be read"
    ):  # fmt: skip
        read_table_isolated(path, name="x")


def test_a_file_in_no_one_alphabet_says_so(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"?\x80\n\x9d")
    with pytest.raises(DataError, match="save it as UTF-8"):
        read_table(path)


@given(st.binary(max_size=400))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_named_csv_give_a_table_or_a_sentence(tmp_path, content):
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    try:
        assert len(read_table(path).frame)
    except MedcoreError as error:
        assert str(error).endswith((".", "?"))


def test_memory_is_estimated_before_reading_and_a_table_that_does_not_fit_is_refused(
    tmp_path, monkeypatch
):
    path = write(tmp_path / "t.csv", as_text())
    assert estimate_memory(path).fits
    monkeypatch.setattr(table_module, "_available_bytes", lambda: 1000)
    assert not estimate_memory(path).fits
    with pytest.raises(DataError, match=r"does not fit: Reading needs about .* MB"):
        read_table(path)


def test_a_file_over_the_limit_is_refused_with_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(table_module, "MOST_BYTES", 100)
    with pytest.raises(DataError, match="at most"):
        read_table(write(tmp_path / "t.csv", as_text()))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_sample_is_whole_and_says_where_it_comes_from(sample):
    dataset = load_sample(sample.name)
    assert len(dataset.frame) == sample.rows
    assert [column.name for column in dataset.with_role("outcome")] == [sample.outcome]
    assert set(sample.units) <= {column.name for column in dataset.columns}
    assert sample.licence
    assert sample.source
    assert sample.teaches


def test_a_sample_that_does_not_exist_is_told_with_the_nearest():
    with pytest.raises(DataError, match="uci_heart"):
        load_sample("uci_hart")
