"""Notes and dictations of a workspace: the text as it was given, and the log of its edits.

A text is a folder with one JSON file, and for a dictation its sound beside it; the wording (a
user's own words, header rules, the seed of stand-in names) is one JSON file of the workspace.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medcore.errors import StoreError
from medcore.store.files import remove_folder
from medcore.store.folder import read_json, write_json
from medcore.store.home import new_id
from medcore.store.workspaces import Workspace, check_space, clean_name

TextKind = Literal["note", "dictation"]
TEXT, WORDING = "text.json", "wording.json"
IDENTITY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class TextRow:
    """A kept text: `details` is what a dictation knows besides, `edits` its log as plain values."""

    id: str
    kind: TextKind
    name: str
    text: str
    created: float
    edits: tuple[Mapping[str, Any], ...]
    details: Mapping[str, Any]


def save_text(
    workspace: Workspace,
    kind: TextKind,
    name: str,
    text: str,
    *,
    edits: Sequence[Mapping[str, Any]] = (),
    details: Mapping[str, Any] | None = None,
) -> TextRow:
    """Keep a text; raises `LimitError` over the allowance, `StoreError` when the disk is full."""
    check_space(workspace, len(text.encode(errors="replace")))
    identity = new_id()
    row = TextRow(
        identity, kind, clean_name(name, "Unnamed"), text, time.time(), tuple(edits), details or {}
    )
    _write(workspace, row)
    return row


def save_text_edits(
    workspace: Workspace, identity: str, edits: Sequence[Mapping[str, Any]]
) -> TextRow:
    """Keep a text's log of edits; the text itself never changes."""
    old = load_text(workspace, identity)
    row = TextRow(old.id, old.kind, old.name, old.text, old.created, tuple(edits), old.details)
    _write(workspace, row)
    return row


def load_text(workspace: Workspace, identity: str) -> TextRow:
    """Return a kept text; raises `StoreError` when it is not in the workspace or is damaged."""
    if not IDENTITY.fullmatch(identity) or not (text_folder(workspace, identity) / TEXT).is_file():
        raise StoreError("This text is not in the workspace (deleted?); choose another.")
    values = read_json(text_folder(workspace, identity), TEXT)
    try:
        if not (isinstance(values["text"], str) and isinstance(values["name"], str)):
            raise TypeError
        return TextRow(
            identity, values["kind"], values["name"], values["text"], float(values["created"]),
            tuple(values["edits"]), dict(values["details"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        raise StoreError("A kept text is damaged; bring it again.") from None


def list_texts(workspace: Workspace, kind: TextKind) -> list[TextRow]:
    """Return the workspace's texts of a kind, the newest first; damaged ones are left out."""
    rows = []
    for identity in list_text_ids(workspace):
        try:
            row = load_text(workspace, identity)
        except StoreError:
            continue
        if row.kind == kind:
            rows.append(row)
    return sorted(rows, key=lambda row: -row.created)


def list_text_ids(workspace: Workspace) -> list[str]:
    """Return the ids of the workspace's texts."""
    names = (path.parent.name for path in _folder(workspace).glob(f"*/{TEXT}"))
    return sorted(name for name in names if IDENTITY.fullmatch(name))


def delete_text(workspace: Workspace, identity: str) -> None:
    """Delete a text with its log and its sound."""
    load_text(workspace, identity)
    remove_folder(text_folder(workspace, identity))


def text_folder(workspace: Workspace, identity: str) -> Path:
    """Return the folder of a text."""
    return _folder(workspace) / identity


def load_wording(workspace: Workspace) -> dict[str, Any]:
    """Return the workspace's own words, header rules ("" for the shipped ones) and seed."""
    known = {"own": "", "rules": "", "seed": None}
    if (_folder(workspace) / WORDING).is_file():
        known |= read_json(_folder(workspace), WORDING)
    if not isinstance(known["seed"], int):
        known["seed"] = secrets.randbelow(2**31)
        write_json(_folder(workspace), WORDING, known)
    return known


def save_wording(workspace: Workspace, **changes: str) -> None:
    """Change the workspace's own words (`own`) or header rules (`rules`)."""
    write_json(_folder(workspace), WORDING, load_wording(workspace) | changes)


def _folder(workspace: Workspace) -> Path:
    return workspace.folder / "texts"


def _write(workspace: Workspace, row: TextRow) -> None:
    values = {
        "kind": row.kind, "name": row.name, "text": row.text, "created": row.created,
        "edits": list(row.edits), "details": dict(row.details),
    }  # fmt: skip
    write_json(text_folder(workspace, row.id), TEXT, values)
