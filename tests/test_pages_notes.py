"""Notes as a visitor meets it: a pasted note, a row beside it, proposals, the log and its undo."""

import re

import pandas as pd
import pytest

from medcore.config import RunConfig, change_config
from medcore.data import make_dataset
from medcore.errors import DataError, StoreError
from medcore.lexicon import load_lexicon
from medcore.notes import find_contradictions, read_note
from medcore.store import (
    delete_text,
    export_workspace,
    import_workspace,
    list_texts,
    load_text,
    load_wording,
    open_home,
    open_workspace,
    save_dataset,
    save_settings,
    save_text,
    save_wording,
)
from pages.parts.marked_text import Mark, show_quote
from pages.parts.note_source import check_note
from tests.test_pages import _server_knows_the_navigation, check, open_page, words

__all__ = ["_server_knows_the_navigation"]
NOTE = "68 y/o lady, denies diabetes. Pnuemonia. RA was discussed. Takes hydroxizine."


@pytest.fixture
def workspace():
    return open_workspace(open_home(), None)


def paste(app, text):
    app.text_area(key="note_text").set_value(text).run()
    check(app)
    return app


def test_a_pasted_note_gets_proposals_and_every_accepted_one_can_be_undone(workspace):
    app = paste(open_page("notes", workspace=workspace.id), NOTE)
    assert "1 decision" not in words(app)
    place = NOTE.index("Pnuemonia")
    app.button(key=f"note_{place}_{place + len('Pnuemonia')}").click().run()
    check(app)
    assert "1 decision so far" in words(app)
    row = list_texts(workspace, "note")[0]
    assert row.text == NOTE
    assert [(e["before"], e["after"]) for e in row.edits] == [("Pnuemonia", "Pneumonia")]
    app.button(key=f"undo_{row.id}_0").click().run()
    check(app)
    edit = load_text(workspace, row.id).edits[0]
    assert edit["undone"] is not None


def test_a_kept_note_is_found_again_by_another_session_and_deleted(workspace):
    app = paste(open_page("notes", workspace=workspace.id), NOTE)
    app.button(key="note_all").click().run()
    later = open_page("notes", workspace=workspace.id)
    later.segmented_control(key="note_way").set_value("Kept earlier").run()
    check(later)
    assert "decisions so far" in words(later)
    assert "0 edits" not in words(later)
    later.button(key="delete_note").click().run()
    check(later)
    assert list_texts(workspace, "note") == []


def test_accepting_the_sure_ones_leaves_drugs_and_ambiguous_abbreviations(workspace):
    app = paste(open_page("notes", workspace=workspace.id), NOTE)
    app.button(key="note_all").click().run()
    check(app)
    accepted = {edit["before"] for edit in list_texts(workspace, "note")[0].edits}
    assert "Pnuemonia" in accepted
    assert not accepted & {"hydroxizine", "RA"}


def test_a_note_of_the_data_set_is_compared_with_its_row(workspace):
    frame = pd.DataFrame(
        {"patient": ["a", "b"], "age": [86, 40], "diabetes": ["yes", "no"],
         "note": [NOTE + " " * 60, "Nothing new since the last visit, which was four weeks ago."],
         "outcome": ["x", "y"]}
    )  # fmt: skip
    row = save_dataset(workspace, make_dataset(frame, "Notes", "notes.csv", "3" * 64))
    kinds = {"note": "text"}
    roles = {"outcome": "outcome", "patient": "patient"}
    save_settings(
        workspace, row.id, change_config(RunConfig(), {"data.roles": roles, "data.kinds": kinds})
    )
    app = open_page("notes", workspace=workspace.id, dataset=row.id)
    assert "The note says 68 years, the row says 86." in words(app)
    assert "The note denies diabetes" in words(app)
    app.button(key="scan_notes").click().run()
    check(app)
    assert "2 of 2 notes looked at" in words(app) and "in 1 note" in words(app)
    (table,) = (f.value for f in app.dataframe if "What contradicts" in f.value)
    assert set(table["Row"]) == {1}
    assert "The note says 68 years, the row says 86." in set(table["What contradicts"])
    assert any(place.startswith("column age") for place in table["The other place"])
    assert not [button for button in app.button if button.key == "scan_notes"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x00\x01\x02binary", "not a text file"),
        ("word " * 20_000, "letters"),
        (" \n\t", "no words"),
        ("<html><body>Note</body></html>", "web page"),
        ('{"note": "x"}', "JSON"),
    ],
)
def test_what_is_no_note_is_refused_in_a_sentence(data, said):
    with pytest.raises(DataError, match=said):
        check_note(data, "note.txt")


@pytest.mark.parametrize("text", ["Заметка о пациенте 🩺", "患者は65歳の女性", "ملاحظة"])
def test_other_alphabets_are_read(workspace, text):
    app = paste(open_page("notes", workspace=workspace.id), text)
    assert "0 contradictions" in words(app)


def test_own_words_and_header_rules_are_kept_and_checked(workspace):
    save_wording(workspace, own="florbetapir")
    app = paste(open_page("notes", workspace=workspace.id), "Scan with florbetapyr today.")
    assert "florbetapir" in words(app)
    assert load_wording(workspace)["seed"] == load_wording(workspace)["seed"]


def test_texts_travel_with_an_exported_workspace(workspace, tmp_path):
    save_text(workspace, "note", "mine", "BP 128/74", edits=[{"before": "x"}])
    archive = export_workspace(workspace, tmp_path / "all.zip")
    other = open_workspace(open_home(), None)
    assert import_workspace(other, archive)["texts"] == 1
    row = list_texts(other, "note")[0]
    assert (row.name, row.text, row.edits) == ("mine", "BP 128/74", ({"before": "x"},))
    assert row.id != list_texts(workspace, "note")[0].id


def test_a_text_of_another_workspace_is_not_found(workspace):
    row = save_text(workspace, "note", "mine", "text")
    other = open_workspace(open_home(), None)
    with pytest.raises(StoreError, match="not in the workspace"):
        load_text(other, row.id)
    with pytest.raises(StoreError, match="not in the workspace"):
        load_text(workspace, "../../etc")
    delete_text(workspace, row.id)
    assert list_texts(workspace, "note") == []


def test_stand_ins_are_marked_where_they_stand_and_quotes_hold_whole_words(workspace):
    app = paste(open_page("notes", workspace=workspace.id), "Mrs. Ellsworth, MRN 4471182, is well.")
    shown = [element.proto.body for element in app.get("html")]
    changed = next(body for body in shown if "stands for: name" in body)
    assert "Ellsworth" not in changed and "4471182" not in changed
    inside = re.findall(r"<mark[^>]*>([^<]*)</mark>", changed)
    assert len(inside) == 2 and re.fullmatch(r"\d{7}", inside[1])


def test_a_quote_never_cuts_a_word(monkeypatch):
    said = []
    monkeypatch.setattr("pages.parts.marked_text.st.html", said.append)
    text = "alphabetical " * 20
    show_quote(text, Mark(130, 142, "red"))
    assert set(re.findall(r"\w+", re.sub(r"<[^>]*>", "", said[0]))) == {"alphabetical"}


def test_a_whole_number_of_the_row_is_written_whole():
    read = read_note("A 76-year-old woman.", load_lexicon())
    (found,) = find_contradictions(read, {"age": 86.0}, load_lexicon())
    assert "age = 86" in {found.first.text, found.second.text}
