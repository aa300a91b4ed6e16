"""Weights from a model hub: one safetensors file, fetched once and kept on this machine."""

from __future__ import annotations

import os
import re
from pathlib import Path

from medcore.errors import FitError

MARK = "hub:"
NAMED = re.compile(
    r"hub:(?P<model>[\w.-]+/[\w.-]+)/(?P<file>[\w./-]+\.safetensors)(@(?P<revision>[\w.-]+))?"
)


def fetch_weights(named: str) -> Path:
    """Return the kept file that `hub:OWNER/MODEL/FILE.safetensors[@REVISION]` names.

    Nothing but the file's name is sent: no account, no data. `HF_ENDPOINT` and `HF_HUB_CACHE` name
    another hub and where files are kept. Raises `FitError` when it is not a file of weights, is not
    there, or cannot be fetched and is not kept.
    """
    found = NAMED.fullmatch(named)
    if found is None or ".." in named:
        raise FitError(
            f"'{named}' names no weights on a hub; write hub:OWNER/MODEL/FILE.safetensors."
        )
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            hf_hub_download(
                found["model"], found["file"], revision=found["revision"], token=False,
                endpoint=os.environ.get("HF_ENDPOINT"), cache_dir=os.environ.get("HF_HUB_CACHE"),
            )
        )  # fmt: skip
    except LocalEntryNotFoundError:
        raise FitError(
            f"The weights '{named}' cannot be fetched, and are not kept here: give image.weights a "
            "file of your own, or leave it empty."
        ) from None
    except EntryNotFoundError:
        raise FitError(f"The hub has no '{found['file']}' in '{found['model']}'.") from None
    except (HfHubHTTPError, OSError) as error:
        raise FitError(f"The hub does not give '{named}' ({type(error).__name__}).") from None
