"""Notes: words, tokens and vectors learned from training rows, and the block they become."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from medcore.config import ENCODER_NAMES, TERM_MODELS, RunConfig
from medcore.models.pretrained import check_reader, has_text_model, load_reader
from medcore.prepare.notes import read_vectors
from medcore.prepare.terms import clean_text, learn_terms, weigh_terms
from medcore.prepare.tokens import encode_texts, learn_tokenizer, load_tokenizer, stack_tokens
from medcore.records import Block, Dataset

Encoder = Literal["text_pretrained", "text_bag", "text_gru", "text_transformer"]
# Frequent terms that models of plain numbers see where no transformer reads the notes.
PLAIN_TERMS = 300
# Vectors of length 1, times this, are what plain models see: about the strength of penalty that
# cross-validation on notes liked best; scaled one by one their many states would drown it.
STRENGTH = 5.5
# Numbers that a token becomes on its way through a network, about.
PER_TOKEN = 512


@dataclass(frozen=True)
class TextFit:
    """A text column: its terms with their weights, and what a network gets of a note.

    `grams` are its pieces of words, with weights `gram_idf`, where a model of them is wanted.

    `frozen`: a vector of the pretrained transformer `model` (place, digest, label), standardised by
    `mean` and `spread`; else `length` tokens of the `tokenizer` (JSON), which knows `vocabulary` of
    them; `pad` fills up and `hidden` stands for a hidden one. `transformer` is the configuration
    of one that is fine-tuned. Models of plain numbers see the vector at length 1, or the terms at
    the places `common`, standardised by `plain_mean` and `plain_spread`. `cut`: the share of
    training notes longer than the networks read.
    """

    name: str
    encoder: Encoder
    frozen: bool
    length: int
    terms: tuple[str, ...]
    idf: tuple[float, ...]
    common: tuple[int, ...] = ()
    plain_mean: tuple[float, ...] = ()
    plain_spread: tuple[float, ...] = ()
    mean: tuple[float, ...] = ()
    spread: tuple[float, ...] = ()
    tokenizer: str = ""
    vocabulary: int = 0
    pad: int = 0
    hidden: int = 1
    cut: float = 0.0
    model: Mapping[str, str] = field(default_factory=dict)
    transformer: Mapping[str, Any] = field(default_factory=dict)
    grams: tuple[str, ...] = ()
    gram_idf: tuple[float, ...] = ()
    kind: Literal["text"] = "text"

    @property
    def remark(self) -> str:
        """What a reader of the model must know of how the column is read, or nothing."""
        if not self.cut:
            return ""
        return (
            f"Of '{self.name}', {self.cut:.1%} of the training notes are longer than {self.length} "
            "tokens: the networks read their beginning and end, TF-IDF all of them."
        )


def choose_text_encoder(config: RunConfig) -> Encoder:
    """Return which encoder notes get: the one that is set, or the best at hand."""
    if config.model.name in ENCODER_NAMES["text"]:
        return config.model.name
    if config.text.encoder != "auto":
        return config.text.encoder
    if config.model.name in TERM_MODELS:
        # Nobody would look at what a transformer read.
        return "text_bag"
    return "text_pretrained" if has_text_model(config.text.model) else "text_bag"


def joins_grams(dataset: Dataset, config: RunConfig) -> bool:
    """Tell whether a member of the model reads pieces of words: where all inputs are notes."""
    if config.model.name != "recommended" or any(map(dataset.with_role, ("event", "treatment"))):
        return config.model.name == "tfidf_characters"
    return all(column.kind == "text" for column in dataset.with_role("input"))


def fit_text(name: str, training: pd.Series, dataset: Dataset, config: RunConfig) -> TextFit | str:
    """Learn a text column from training rows; a sentence where it has nothing to tell."""
    fit = _fit_reading(name, training, dataset, config)
    if isinstance(fit, str) or not joins_grams(dataset, config):
        return fit
    notes = [note for note in read_notes(training) if note]
    grams, idf, _ = learn_terms(notes, config.text.terms, characters=True)
    return replace(fit, grams=grams, gram_idf=idf)


def _fit_reading(
    name: str, training: pd.Series, dataset: Dataset, config: RunConfig
) -> TextFit | str:
    notes = [note for note in read_notes(training) if note]
    if not notes:
        return f"Column '{name}' has no text in any training row and is left out."
    terms, idf, seen = learn_terms(notes, config.text.terms)
    encoder = choose_text_encoder(config)
    if encoder == "text_pretrained" and not config.text.fine_tune:
        return _fit_frozen(name, notes, dataset, config, terms, idf)
    told: dict[str, Any] = {}
    if encoder == "text_pretrained":
        reader = load_reader(config.text.model)
        told = {
            "tokenizer": reader.tokenizer.to_str(), "pad": reader.pad,
            "hidden": reader.pad if reader.hidden is None else int(reader.hidden),
            "transformer": json.loads(reader.config.to_json_string(use_diff=False)),
            "model": _identity(reader, config),
        }  # fmt: skip
    else:
        told = {"tokenizer": learn_tokenizer(notes, config.text.vocabulary)}
    tokenizer = load_tokenizer(told["tokenizer"])
    sizes = np.array([len(tokens) for tokens in encode_texts(tokenizer, notes)])
    length = int(min(config.text.tokens, -(-max(sizes.max(), 1) // 8) * 8))
    if encoder == "text_pretrained":
        length = min(length, reader.window)
    common = np.sort(np.argsort(-seen, kind="stable")[:PLAIN_TERMS])
    plain = weigh_terms(terms, idf, notes)[:, common].toarray()
    centre, width = _measure(plain)
    return TextFit(
        name, encoder, False, length, terms, idf, tuple(map(int, common)), centre, width,
        vocabulary=tokenizer.get_vocab_size(), cut=float((sizes > length).mean()), **told,
    )  # fmt: skip


def _fit_frozen(
    name: str, notes: Sequence[str], dataset: Dataset, config: RunConfig,
    terms: tuple[str, ...], idf: tuple[float, ...],
) -> TextFit:  # fmt: skip
    reader = load_reader(config.text.model)
    vectors, sizes = read_vectors(reader, notes, config.text.tokens, dataset.cache)
    mean, spread = _measure(vectors)
    centre = tuple(map(float, _unit(vectors).mean(axis=0, dtype=np.float64)))
    width = (1 / STRENGTH,) * len(centre)
    return TextFit(
        name, "text_pretrained", True, config.text.tokens, terms, idf, (), centre, width, mean,
        spread, cut=float((sizes > config.text.tokens).mean()), model=_identity(reader, config),
    )  # fmt: skip


def text_block(fit: TextFit, frame: pd.DataFrame, dataset: Dataset) -> Block:
    """Return the notes of some rows; each different one is read once."""
    cells = frame[fit.name] if fit.name in frame.columns else pd.Series(pd.NA, index=frame.index)
    notes = read_notes(cells)
    present = np.array([bool(note) for note in notes], dtype=bool)
    different = sorted({note for note in notes if note})
    at = {note: place for place, note in enumerate(different)}
    place = np.array([at.get(note, -1) for note in notes], dtype=np.int64)
    values = _read_values(fit, different, dataset)
    terms = weigh_terms(fit.terms, fit.idf, [*different, ""])[place]
    grams = weigh_terms(fit.grams, fit.gram_idf, [*different, ""], characters=True)[place]
    simple = _unit(values)[place[present]] if fit.frozen else terms[present][:, list(fit.common)]
    centre, width = (np.array(v, np.float32) for v in (fit.plain_mean, fit.plain_spread))
    plain = np.zeros((len(notes), len(centre) + 1), dtype=np.float32)
    plain[present, :-1] = ((simple if fit.frozen else simple.toarray()) - centre) / width
    plain[:, -1] = ~present
    names = (*(f"{fit.name}: {name}" for name in _plain_names(fit)), f"{fit.name}: missing")
    scale = tuple(np.array(part, np.float32) for part in (fit.mean, fit.spread))
    return Block(
        kind="text", names=names, sources=(fit.name,) * len(names), values=values,
        present=present, place=place, scale=scale if fit.frozen else None, plain=plain,
        traits=_traits(fit), digest=_digest(fit, different), terms=terms, grams=grams,
    )  # fmt: skip


def read_notes(cells: pd.Series) -> list[str]:
    """Return a column's notes without signs that nobody wrote; an empty one where there is none."""
    words = cells.astype("string")
    return [clean_text(str(word)) if word is not pd.NA else "" for word in words]


def read_text_fit(values: Mapping[str, Any]) -> TextFit:
    """Return the fit that was written as JSON."""
    tuples = {key: tuple(v) for key, v in values.items() if isinstance(v, list | tuple)}
    return TextFit(**{**values, **tuples})


def _read_values(fit: TextFit, notes: Sequence[str], dataset: Dataset) -> np.ndarray:
    if not fit.frozen:
        found = list(encode_texts(load_tokenizer(fit.tokenizer), notes))
        return stack_tokens(found, fit.length, fit.pad)
    if not notes:
        return np.zeros((0, len(fit.mean)), dtype=np.float32)
    reader = load_reader(fit.model["place"])
    check_reader(reader, fit.model["digest"], fit.model["label"])
    return read_vectors(reader, notes, fit.length, dataset.cache)[0]


def _identity(reader: Any, config: RunConfig) -> dict[str, str]:
    return {"place": config.text.model, "digest": reader.digest, "label": reader.label}


def _traits(fit: TextFit) -> dict[str, Any]:
    """Return what an encoder must know; of a transformer that is fine-tuned, how it is built."""
    traits: dict[str, Any] = {"encoder": fit.encoder, "frozen": fit.frozen}
    if fit.frozen:
        return traits
    traits |= {"vocabulary": fit.vocabulary, "pad": fit.pad, "hidden": fit.hidden}
    traits |= {"numbers": fit.length * PER_TOKEN, "transformer": dict(fit.transformer)}
    return traits


def _plain_names(fit: TextFit) -> list[str]:
    if fit.frozen:
        return [f"state {place + 1}" for place in range(len(fit.plain_mean))]
    return [f"“{fit.terms[place]}”" for place in fit.common]


def _digest(fit: TextFit, notes: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for part in (fit.name, fit.encoder, str(fit.length), fit.tokenizer, *fit.model.values()):
        digest.update(part.encode() + b"\0")
    digest.update(json.dumps([fit.terms, fit.idf]).encode())
    for note in notes:
        digest.update(note.encode() + b"\0")
    return digest.hexdigest()[:32]


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.sqrt((vectors.astype(np.float64) ** 2).sum(axis=1, keepdims=True))
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)


def _measure(values: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each feature; 1 where it does not vary."""
    values = np.asarray(values, dtype=np.float64)
    width = values.std(axis=0)
    width = np.where(width > 1e-6, width, 1.0)
    return tuple(map(float, values.mean(axis=0))), tuple(map(float, width))
