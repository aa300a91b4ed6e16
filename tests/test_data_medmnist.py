"""Fetching a published set: whole and checked, or a sentence and nothing kept."""

import hashlib
import http.server
import threading
from dataclasses import replace

import pytest

from medcore.data.medmnist import MEDMNIST, fetch_medmnist
from medcore.errors import DataError

BODY = bytes(range(256)) * 4096


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if "missing" in self.path:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if "short" in self.path else BODY)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


SET = replace(MEDMNIST[0], md5=hashlib.md5(BODY).hexdigest())


def test_the_file_comes_whole_with_progress(address, tmp_path):
    heard = []
    path = fetch_medmnist(SET, tmp_path / "set.npz", address=address, tell=heard.append)
    assert path.read_bytes() == BODY
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        (replace(SET, md5="0" * 32), "not the published file"),
        (replace(SET, name="missing"), r"could not be fetched \(Not Found\)"),
        (replace(SET, name="short"), "could not be fetched"),
    ],
)
def test_what_is_not_the_published_file_is_not_kept(address, tmp_path, chosen, sentence):
    with pytest.raises(DataError, match=sentence):
        fetch_medmnist(chosen, tmp_path / "set.npz", address=address)
    assert not list(tmp_path.iterdir())


def test_without_a_server_there_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match="is there internet"):
        fetch_medmnist(SET, tmp_path / "set.npz", address="http://127.0.0.1:9")


def test_fetching_stops_when_asked(address, tmp_path):
    with pytest.raises(DataError, match="stopped"):
        fetch_medmnist(SET, tmp_path / "set.npz", address=address, stopping=lambda: True)
    assert not list(tmp_path.iterdir())


def test_every_set_has_a_hash_of_its_own():
    assert len({chosen.md5 for chosen in MEDMNIST}) == len(MEDMNIST)
    assert all(len(chosen.md5) == 32 for chosen in MEDMNIST)
