"""Fetching a speech model: size told, hashes checked, once; from a hub in this process."""

import hashlib
import http.server
import json
import threading

import pytest

from medcore.errors import DataError
from medcore.records import Watch
from medcore.speech import SpeechModel
from medcore.speech.hub import fetch_model

MODEL = bytes(range(256)) * 8192
FILES = {"model.bin": MODEL, "config.json": b"{}", "tokenizer.json": b"{}", "README.md": b"no"}
ASKED = []


class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ASKED.append(self.path)
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self.answer(self.describe("/".join(parts[2:4])))
        elif "resolve" in parts:
            body = FILES[parts[-1]]
            if "damaged" in self.path and parts[-1] == "model.bin":
                body = body[::-1]
            self.answer(body[: len(body) // 2] if "short" in self.path else body)
        else:
            self.answer(None)

    def describe(self, repository):
        if "unknown" in repository:
            return None
        names = [n for n in FILES if n != "model.bin" or "table" not in repository]
        siblings = []
        for name in names:
            body = FILES[name]
            size = 9 * 2**30 if "huge" in repository and name == "model.bin" else len(body)
            blob = hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()
            one = {"rfilename": name, "size": size, "blobId": blob}
            if name == "model.bin":
                sha = hashlib.sha256(body).hexdigest()
                one["lfs"] = {"sha256": sha, "size": size, "pointerSize": 134}
            siblings.append(one)
        told = {"id": repository, "sha": "c0ffee", "siblings": siblings, "tags": []}
        return json.dumps(told).encode()

    def answer(self, body):
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def hub(monkeypatch):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    ASKED.clear()
    yield
    server.shutdown()
    thread.join()
    server.server_close()


def fetch(name, folder, **options):
    return fetch_model(SpeechModel(name, name), folder, Watch(**options))


def test_a_model_comes_whole_with_its_size_and_progress_and_only_once(tmp_path):
    events = []
    found = fetch("someone/small", tmp_path, emit=events.append)
    folder = tmp_path / "someone--small"
    assert found == SpeechModel(str(folder), "someone/small")
    assert (folder / "model.bin").read_bytes() == MODEL and not (folder / "README.md").exists()
    fractions = [event.fraction for event in events]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    assert "(2 MB)" in events[0].message
    asked = len(ASKED)
    assert fetch("someone/small", tmp_path) == found and len(ASKED) == asked
    assert fetch(str(folder), tmp_path).place == str(folder)


def test_a_short_name_is_that_of_the_usual_publisher(tmp_path):
    fetch("base.en", tmp_path)
    assert (tmp_path / "Systran--faster-whisper-base.en" / "config.json").is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("someone/damaged", "model.bin is not the published file"),
        ("someone/short", r"could not be fetched .*only .* bytes of \w"),
        ("someone/unknown", "knows no model 'someone/unknown'"),
        ("someone/table", "no faster-whisper model: model.bin is missing"),
        ("someone/huge", "has 9.0 GB; at most 4 GB"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_and_nothing_is_kept(tmp_path, name, words):
    with pytest.raises(DataError, match=words):
        fetch(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_stop_keeps_nothing(tmp_path):
    with pytest.raises(DataError, match="was stopped"):
        fetch("someone/small", tmp_path, stopping=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_without_a_hub_the_sentence_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DataError, match="is there internet"):
        fetch("someone/small", tmp_path)
