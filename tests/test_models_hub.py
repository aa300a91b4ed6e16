"""Starting weights from a hub: a local one stands in, so that no test needs the internet."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
import torch
from safetensors.torch import save

from medcore.errors import FitError
from medcore.models.hub import fetch_weights
from medcore.models.images import IMAGE_ENCODERS
from medcore.models.start import start_encoder

COMMIT = "a" * 40
SPEC = {"shape": (3, 96, 96)}


class Hub(BaseHTTPRequestHandler):
    """Answers for one file as a hub does."""

    content = b""
    asked: ClassVar[list[str]] = []

    def do_HEAD(self):
        self.answer(with_content=False)

    def do_GET(self):
        self.answer(with_content=True)

    def answer(self, *, with_content):
        type(self).asked.append(self.path)
        there = self.path == "/clinic/net/resolve/main/model.safetensors"
        self.send_response(200 if there else 404)
        if there:
            self.send_header("ETag", f'"{hashlib.sha256(self.content).hexdigest()}"')
            self.send_header("X-Repo-Commit", COMMIT)
        else:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("Content-Length", str(len(self.content) if there else 0))
        self.end_headers()
        if there and with_content:
            self.wfile.write(self.content)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub on this machine that has the weights of a network."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = IMAGE_ENCODERS["resnet18"](SPEC)
    Hub.content, Hub.asked = save(network.state_dict()), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "kept"))
    yield network, server
    server.shutdown()
    server.server_close()


def test_weights_are_fetched_once_and_then_kept(hub):
    network, server = hub
    own = IMAGE_ENCODERS["resnet18"](SPEC)
    start_encoder(own, "hub:clinic/net/model.safetensors", 0.0)
    for name, value in network.state_dict().items():
        assert torch.equal(own.state_dict()[name], value), name
    server.shutdown()
    server.server_close()
    again = fetch_weights("hub:clinic/net/model.safetensors")
    assert again.read_bytes() == Hub.content


def test_what_is_not_there_is_named(hub):
    with pytest.raises(FitError, match=r"no 'other\.safetensors' in 'clinic/net'"):
        fetch_weights("hub:clinic/net/other.safetensors")


def test_without_a_hub_the_reason_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FitError, match="cannot be fetched, and are not kept here"):
        fetch_weights("hub:clinic/net/model.safetensors")


@pytest.mark.parametrize(
    "named",
    ["hub:", "hub:clinic/model.safetensors", "hub:clinic/net/model.bin",
     "hub:clinic/net/../../other.safetensors", "hub:http://elsewhere/model.safetensors"],
)  # fmt: skip
def test_only_safetensors_of_a_model_on_the_hub_are_asked_for(named, hub):
    with pytest.raises(FitError, match="names no weights on a hub"):
        fetch_weights(named)
    assert not Hub.asked
