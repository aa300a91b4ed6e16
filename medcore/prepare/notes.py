"""What a pretrained transformer makes of notes, computed once and kept beside the data set.

The file's name is the hash of the transformer and the settings, a note is known in it by the hash
of its text: whoever asks for the same note again finds it, and training starts at once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from medcore.models.pretrained import MOST_HELD, TextReader
from medcore.prepare.tokens import cut_middle, encode_texts

VERSION, KEY = 1, 16
# Fewer new notes than this are not worth writing the file anew; nor are those typed into a form.
LEAST_KEPT, AT_ONCE = 32, 512


def read_vectors(
    reader: TextReader, notes: Sequence[str], tokens: int, cache: Path | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each note's vector, float32 (notes, width), and its number of tokens, int64 (notes,).

    Of notes longer than `tokens`, the beginning and the end are read.
    """
    name = hashlib.sha256(f"{VERSION} {reader.digest} {tokens}".encode()).hexdigest()
    salt = bytes.fromhex(name)[:KEY]
    keys = [hashlib.sha256(salt + note.encode()).digest()[:KEY] for note in notes]
    held = reader.held
    if any(key not in held for key in keys) and cache is not None:
        held.update(_read_file(cache / f"text-{name[:32]}.npz", reader.width))
    new = {key: note for key, note in zip(keys, notes, strict=True) if key not in held}
    waiting = list(new.items())
    for start in range(0, len(waiting), AT_ONCE):
        some = waiting[start : start + AT_ONCE]
        found = list(encode_texts(reader.tokenizer, [note for _, note in some]))
        vectors = reader.read([cut_middle(one, tokens) for one in found])
        for (key, _), vector, one in zip(some, vectors, found, strict=True):
            held[key] = np.append(vector, np.float32(len(one)))
    rows = np.stack([held[key] for key in keys]) if keys else np.zeros((0, reader.width + 1))
    if cache is not None and len(new) >= LEAST_KEPT:
        _write_file(cache / f"text-{name[:32]}.npz", dict(zip(keys, rows, strict=True)))
    while len(held) > max(MOST_HELD, len(keys)):
        del held[next(iter(held))]
    return rows[:, :-1].astype(np.float32), rows[:, -1].astype(np.int64)


def _read_file(path: Path, width: int) -> dict[bytes, np.ndarray]:
    """Return kept vectors by note; nothing where the file is absent or damaged."""
    try:
        with np.load(path, allow_pickle=False) as file:
            keys, rows = file["keys"], file["rows"]
    except (OSError, ValueError, KeyError):
        return {}
    if keys.ndim != 2 or keys.dtype != np.uint8 or rows.shape != (len(keys), width + 1):
        return {}
    return {key.tobytes(): row for key, row in zip(keys, rows, strict=True)}


def _write_file(path: Path, rows: dict[bytes, np.ndarray]) -> None:
    """Add vectors to what is kept, replacing the file in one go."""
    path.parent.mkdir(parents=True, exist_ok=True)
    width = len(next(iter(rows.values()))) - 1
    rows = _read_file(path, width) | rows
    keys = np.frombuffer(b"".join(rows), dtype=np.uint8).reshape(-1, KEY)
    near = path.with_suffix(f".{os.getpid()}.tmp")
    with near.open("wb") as file:
        np.savez(file, keys=keys, rows=np.stack(list(rows.values())))
    os.replace(near, path)
