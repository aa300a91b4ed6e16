"""A speech model from the hub: its size is told, each file is checked, and it is fetched once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medcore.errors import DataError
from medcore.records import Event, Watch
from medcore.speech.recognizer import FILES, SpeechModel, find_model

PUBLISHER = "Systran/faster-whisper-"
# Where a home keeps its speech models, what a page calls one of them, and what it offers to fetch.
MODELS, KEPT = "speech_models", "kept:"
OFFERED = ("base", "small", "medium", "large-v3")
WANTED = re.compile(r"(model\.bin|config\.json|tokenizer\.json|preprocessor_config\.json|"
                    r"vocabulary\.(json|txt))")  # fmt: skip
MOST_BYTES, MOST_LISTING, PIECE, SECONDS = 4 * 2**30, 2**24, 2**20, 60


@dataclass(frozen=True)
class HubFile:
    """A file on the hub: `digest` is SHA-256 for large files, git's own hash for small ones."""

    name: str
    size: int
    digest: str
    large: bool


def list_choices(folder: Path) -> dict[str, str]:
    """Return what a page may name, with its label: the models kept in `folder`, and the hub's.

    A page takes nothing else, so that no visitor names a place of the server.
    """
    near = sorted(folder.iterdir()) if folder.is_dir() else []
    kept = [
        path.name
        for path in near
        if path.name[0] != "." and all((path / name).is_file() for name in FILES)
    ]
    # One of the hub's is called the same before and after it was fetched.
    offered = {name: f"{PUBLISHER}{name}".replace("/", "--") for name in OFFERED}
    own = [name for name in kept if name not in offered.values()]
    return {f"{KEPT}{name}": name.replace("--", "/") for name in own} | {
        name: name if folder_name in kept else f"{name}, fetched from the hub once"
        for name, folder_name in offered.items()
    }


def find_choice(choice: str, folder: Path) -> SpeechModel:
    """Return the model that one of `list_choices`, or "" for the server's own, stands for.

    Raises `DataError` when it is none of them.
    """
    if not choice:
        return find_model()
    choices = list_choices(folder)
    if choice not in choices:
        raise DataError(
            f"The speech model '{choice.removeprefix(KEPT)}' is not on this server; choose another."
        )
    if choice.startswith(KEPT):
        return SpeechModel(str(folder / choice.removeprefix(KEPT)), choices[choice])
    return SpeechModel(choice, choice)


def fetch_model(
    found: SpeechModel,
    folder: Path,
    watch: Watch = Watch(),  # noqa: B008 - frozen and without state
) -> SpeechModel:
    """Return a hub's model as a folder below `folder`, fetched and checked where it is not there.

    A model that is a folder already is returned as it is. `HF_ENDPOINT` names another hub. Raises
    `DataError` without internet, for a name that the hub does not know, for a file that is not the
    published one, and when asked to stop; nothing half is kept.
    """
    if Path(found.place).is_dir():
        return found
    repository = found.place if "/" in found.place else f"{PUBLISHER}{found.place}"
    target = folder / repository.replace("/", "--")
    if not (target / FILES[0]).is_file():
        _fetch(repository, target, found.label, watch)
    return SpeechModel(str(target), found.label)


def _fetch(repository: str, target: Path, label: str, watch: Watch) -> None:
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    revision, files = list_files(repository, endpoint)
    total = sum(file.size for file in files)
    if total > MOST_BYTES:
        raise DataError(
            f"The speech model '{label}' has {total / 2**30:.1f} GB; at most "
            f"{MOST_BYTES / 2**30:.0f} GB are fetched. Put it in a folder."
        )
    near = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(near, ignore_errors=True)
    near.mkdir(parents=True)
    done = 0
    try:
        for file in files:
            address = f"{endpoint}/{repository}/resolve/{revision}/{file.name}"

            def tell(got: int, before: int = done) -> None:
                share = (before + got) / max(total, 1)
                message = f"Fetching '{label}' ({total / 2**20:,.0f} MB)"
                watch.emit(Event(time.time(), "fetch", message, share))

            stream_file(address, near / file.name, file, tell, watch.stopping)
            done += file.size
        os.replace(near, target)
    except (urllib.error.URLError, TimeoutError, ConnectionError, EOFError) as error:
        raise _absent(label, getattr(error, "reason", None) or error) from None
    finally:
        shutil.rmtree(near, ignore_errors=True)


def list_files(repository: str, endpoint: str) -> tuple[str, list[HubFile]]:
    """Return a repository's revision and the files of a faster-whisper model in it."""
    try:
        asked = f"{endpoint}/api/models/{repository}?blobs=true"
        with urllib.request.urlopen(asked, timeout=SECONDS) as answer:
            info: dict[str, Any] = json.loads(answer.read(MOST_LISTING))
        files = [_read_file(one) for one in info["siblings"] if WANTED.fullmatch(one["rfilename"])]
        revision = str(info["sha"])
    except urllib.error.HTTPError as error:
        if error.code not in (401, 404):
            raise _absent(repository, error) from None
        raise DataError(
            f"The hub knows no model '{repository}'; check its name, or put it in a folder."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _absent(repository, getattr(error, "reason", None) or error) from None
    absent = [name for name in FILES if name not in {file.name for file in files}]
    if absent:
        raise DataError(f"'{repository}' is no faster-whisper model: {absent[0]} is missing.")
    return revision, files


def _read_file(values: dict[str, Any]) -> HubFile:
    large = values.get("lfs")
    digest = large["sha256"] if large else values["blobId"]
    return HubFile(values["rfilename"], int(values["size"]), digest, bool(large))


def stream_file(
    address: str,
    path: Path,
    file: HubFile,
    tell: Callable[[int], None],
    stopping: Callable[[], bool],
) -> None:
    """Fetch one file and check its length and hash; `tell` hears the bytes that are there."""
    digest = hashlib.sha256() if file.large else hashlib.sha1(usedforsecurity=False)
    if not file.large:
        digest.update(f"blob {file.size}\0".encode())
    got = 0
    with urllib.request.urlopen(address, timeout=SECONDS) as answer, path.open("xb") as out:
        while piece := answer.read(PIECE):
            if stopping():
                raise DataError("Fetching the speech model was stopped; nothing was kept.")
            got += len(piece)
            if got > file.size:
                break
            digest.update(piece)
            out.write(piece)
            tell(got)
    if got < file.size:
        raise EOFError(f"only {got:,} of {file.size:,} bytes of {file.name} came")
    if got != file.size or digest.hexdigest() != file.digest:
        raise DataError(
            f"What came for {file.name} is not the published file (its hash differs); try again "
            "later."
        )


def _absent(label: str, reason: object) -> DataError:
    return DataError(
        f"The speech model '{label}' could not be fetched ({reason}); is there internet? Else put "
        "it in a folder and name that."
    )
