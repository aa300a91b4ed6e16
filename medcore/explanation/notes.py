"""One note explained: which of its words raised or lowered what the model says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from medcore.errors import ConfigError
from medcore.explanation.subject import Subject
from medcore.models.plain import PlainModel
from medcore.predict import predict_rows
from medcore.prepare import prepare_rows
from medcore.prepare.terms import Places, find_grams, find_terms, term_values
from medcore.prepare.text import TextFit, read_notes
from medcore.prepare.tokens import cut_middle, encode_texts, load_tokenizer
from medcore.records import Block, Prepared
from medcore.store.files import plain
from medcore.train import TrainedNetwork

WORD = re.compile(r"\w+|[^\w\s]")
MOST_WORDS = 30
# In a short note a single model that learned nothing may agree by chance.
DRAWS = 5
Score = Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Told:
    """What one member says of a note: (start, end, share) by place; how far they fail to add up."""

    places: list[tuple[int, int, float]]
    gap: float


def explain_note(subject: Subject, row_id: int, column: str, target: str) -> dict[str, Any]:
    """Return each word's share in the log-odds of a class, or in the value, JSON-ready.

    `words`: start, end, share, the mean over the members that read the column, which make up
    `weight` of the model; `text` the note as it is read; `table`: word, share and count, the
    largest first; `gap`: how far the shares of any member are from adding up, as a part; `likeness`
    the mean rank correlation with the shares of networks and weights that learned nothing. Raises
    `ConfigError` where nothing can be shown.
    """
    model = subject.deployed.model
    place = model.classes.index(target) if target in model.classes else 0
    (text,) = read_notes(subject.dataset.frame.loc[[row_id], column])
    if not text:
        raise ConfigError("This patient has no note to look at.")
    spans = [match.span() for match in WORD.finditer(text)]
    found, blank = np.zeros(len(spans)), np.zeros((DRAWS, len(spans)))
    weight, gap = 0.0, 0.0
    for part, told, untaught in _ask_members(subject, row_id, column, place, text):
        found += part * _by_word(spans, told.places)
        blank += [part * _by_word(spans, none.places) for none in untaught]
        weight, gap = weight + part, max(gap, told.gap)
    if not weight:
        raise ConfigError(
            f"Nothing in this model that can be followed word by word reads '{column}'."
        )
    found /= weight
    said = predict_rows(model, subject.dataset, np.array([row_id])).reshape(-1)
    return plain({
        "text": text,
        "words": [[start, end, share] for (start, end), share in zip(spans, found, strict=True)],
        "table": _count_words(text, spans, found),
        "said": said[place],
        "weight": weight,
        "gap": gap,
        "likeness": _likeness(found, blank),
    })  # fmt: skip


def _ask_members(
    subject: Subject, row_id: int, column: str, place: int, text: str
) -> Iterator[tuple[float, Told, list[Told]]]:
    """Yield weight, answer, and what `DRAWS` say that learned nothing, of what reads the column.

    All that look at the frozen transformer's vector are asked in one go, and only one that learned
    nothing, since it takes long.
    """
    model = subject.deployed.model
    rows: dict[int, Prepared] = {}
    behind: list[tuple[float, Score, Score]] = []
    last = None
    for number, member in enumerate(model.members):
        preparation = model.preparations[member.preparation]
        fit = next((fit for fit in preparation.kinds if fit.name == column), None)
        if fit is None or not _reads(member.fitted, column, place):
            continue
        if member.preparation not in rows:
            rows[member.preparation] = prepare_rows(preparation, subject.dataset, [row_id])
        fitted, at = _of_finding(member.fitted, place)
        asked = _Asked(fitted, fit, rows[member.preparation], column, at, text)
        if fit.frozen and not asked.sparse:
            behind.append((member.weight, _vector_score(asked, None), _vector_score(asked, number)))
            last = asked
        else:
            tell = _tell_terms if isinstance(member.fitted, PlainModel) else _tell_tokens
            seeds = range(number, number + DRAWS * len(model.members), len(model.members))
            yield member.weight, tell(asked, None), [tell(asked, seed) for seed in seeds]
    if behind:
        total = sum(part for part, _, _ in behind)
        told, none = (_tell_vector(last, behind, which, total) for which in (1, 2))
        yield total, told, [none] * DRAWS


@dataclass(frozen=True, eq=False)
class _Asked:
    fitted: Any
    fit: TextFit
    rows: Prepared
    column: str
    place: int
    text: str

    @property
    def block(self) -> Block:
        return self.rows.blocks[self.column]

    @property
    def sparse(self) -> bool:
        return isinstance(self.fitted, PlainModel) and self.fitted.spec["formula"] == "sparse"

    @property
    def characters(self) -> bool:
        return bool(self.fitted.spec.get("characters"))

    def weighed(self) -> tuple[Sequence[str], np.ndarray, Places]:
        """Return the terms that a linear member sees, their values, and where they stand."""
        if self.characters:
            values = self.block.grams.toarray()[0].astype(np.float64)
            return self.fit.grams, values, find_grams(self.text)
        values, terms = self.block.terms.toarray()[0].astype(np.float64), self.fit.terms
        if not self.sparse:
            kept = list(self.fit.common)
            values, terms = values[kept], tuple(terms[place] for place in kept)
        return terms, values, find_terms(self.text)


def _reads(fitted: Any, column: str, place: int) -> bool:
    """Tell whether a member reads the column in a way that can be followed word by word."""
    if isinstance(fitted, TrainedNetwork):
        return column in fitted.spec["network"]["blocks"]
    if not isinstance(fitted, PlainModel):
        return False
    fitted, place = _of_finding(fitted, place)
    if fitted.spec["formula"] not in ("linear", "sparse") or "features" in fitted.spec:
        return False
    return fitted.spec["task"] == "regression" or place in fitted.arrays["places"]


def _of_finding(fitted: Any, place: int) -> tuple[Any, int]:
    """Return, of a model of several findings, that of the one asked about, and its output."""
    if isinstance(fitted, PlainModel) and "findings" in fitted.spec:
        from medcore.models.labels import split_labels

        return split_labels(fitted)[place], 1
    return fitted, place


def _measure(asked: _Asked) -> Any:
    from medcore.models.passages import finding_score
    from medcore.models.saliency import class_score

    return finding_score if asked.fitted.spec["task"] == "multilabel" else class_score


def _linear(asked: _Asked, seed: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, int, int]:
    """Return a linear member's weights, intercepts, its row, where the column begins, the output.

    With a `seed` the weights are dealt out anew among the features.
    """
    row, start = _row_values(asked)
    weights, raw = asked.fitted.arrays["coefficients"], asked.fitted.arrays["intercepts"]
    if seed is not None:
        weights = np.random.default_rng(seed).permuted(weights, axis=1)
    at = 0
    if asked.fitted.spec["task"] != "regression":
        at = int(np.flatnonzero(asked.fitted.arrays["places"] == asked.place)[0])
    return weights, raw, row, start, at


def _tell_terms(asked: _Asked, seed: int | None) -> Told:
    """Return what a linear model of terms says."""
    from medcore.models.passages import odds_of, term_shares

    link = asked.fitted.spec["link"]
    weights, raw, row, start, at = _linear(asked, seed)
    terms, values, places = asked.weighed()
    used = np.flatnonzero(values)
    scale = 1.0 if asked.sparse else 1 / np.array(asked.fit.plain_spread)
    slopes, values = (weights[:, start : start + len(terms)] * scale)[:, used], values[used]
    rest = raw + weights @ row - slopes @ values
    shares = term_shares(slopes, values, rest, lambda scores: odds_of(scores, at, link))
    by_term = dict(zip([terms[place] for place in used], shares.values.tolist(), strict=True))
    return Told(_spread_terms(places, by_term), shares.gap)


def _vector_score(asked: _Asked, seed: int | None) -> Score:
    """Return a member's answer as a function of the frozen transformer's vector."""
    import torch

    from medcore.models.passages import odds_of, vector_piece

    if isinstance(asked.fitted, TrainedNetwork):
        look, scale = _look(asked, seed), asked.block.scale
        return lambda vector: vector_piece(look, vector, scale, _measure(asked))
    fit, link = asked.fit, asked.fitted.spec["link"]
    weights, raw, row, start, at = _linear(asked, seed)
    own = slice(start, start + len(fit.plain_mean))
    rest = torch.from_numpy(raw + weights @ row - weights[:, own] @ row[own])
    matrix = torch.from_numpy(weights[:, own].copy())
    centre, width = (
        torch.tensor(part, dtype=torch.float64) for part in (fit.plain_mean, fit.plain_spread)
    )

    def score(vector: Any) -> Any:
        unit = vector.double() / vector.double().norm().clamp_min(1e-12)
        return odds_of(rest + matrix @ ((unit - centre) / width), at, link)

    return score


def _tell_vector(
    asked: _Asked, behind: Sequence[tuple[float, Score, Score]], which: int, total: float
) -> Told:
    """Return what all members behind the frozen transformer say together."""
    from medcore.models.passages import vector_shares
    from medcore.models.pretrained import load_reader

    reader = load_reader(asked.fit.model["place"])
    (tokens,) = encode_texts(reader.tokenizer, [asked.text])
    shares = vector_shares(
        reader, cut_middle(tokens, asked.fit.length),
        lambda vector: sum(part[0] * part[which](vector) for part in behind) / total,
    )  # fmt: skip
    return _place_tokens(asked, reader.tokenizer, shares)


def _look(asked: _Asked, seed: int | None) -> Any:
    from medcore.models import read_piece
    from medcore.models.saliency import Look, randomised
    from medcore.train.trained import seen_blocks

    spec, network = asked.fitted.spec["network"], asked.fitted.network
    device = next(network.parameters()).device
    blocks = seen_blocks(spec, asked.rows)
    inputs = {key: read_piece(block, np.array([0]), device) for key, block in blocks.items()}
    look = Look(network, spec, inputs, asked.column, asked.place)
    return look if seed is None else randomised(look, seed)


def _tell_tokens(asked: _Asked, seed: int | None) -> Told:
    """Return what a network says that reads the tokens itself."""
    from medcore.models.passages import token_shares

    shares = token_shares(_look(asked, seed), asked.fit.hidden, _measure(asked))
    return _place_tokens(asked, load_tokenizer(asked.fit.tokenizer), shares)


def _row_values(asked: _Asked) -> tuple[np.ndarray, int]:
    """Return what a linear model sees of the row, and where the column's features begin."""
    from medcore.predict import plain_values

    rows, sparse, start = asked.rows, asked.sparse, 0
    for key, block in rows.blocks.items():
        if key == asked.column:
            break
        if sparse and block.terms is not None:
            start += (block.grams if asked.characters else block.terms).shape[1] + 1
        else:
            start += block.values.shape[1] if block.kind == "table" else block.plain.shape[1]
    if sparse:
        row = term_values(rows, characters=asked.characters).toarray()[0]
    else:
        row = plain_values(rows)[0]
    return row.astype(np.float64), start


def _spread_terms(found: Places, by_term: dict[str, float]) -> list[tuple[int, int, float]]:
    """Give a term's share to its places in equal parts, half to each word of a pair."""
    places = [(spans, term) for term, spans in found if term in by_term]
    counts: dict[str, int] = {}
    for _, term in places:
        counts[term] = counts.get(term, 0) + 1
    return [
        (start, end, by_term[term] / counts[term] / len(spans))
        for spans, term in places
        for start, end in spans
    ]


def _place_tokens(asked: _Asked, tokenizer: Any, shares: Any) -> Told:
    offsets = np.array(tokenizer.encode(asked.text, add_special_tokens=False).offsets)
    kept = cut_middle(np.arange(len(offsets)), asked.fit.length)
    places = [
        (int(start), int(end), float(share))
        for (start, end), share in zip(offsets[kept], shares.values[: len(kept)], strict=True)
    ]
    return Told(places, shares.gap)


def _by_word(
    spans: Sequence[tuple[int, int]], places: Sequence[tuple[int, int, float]]
) -> np.ndarray:
    """Return the shares by word: a token's goes to the word in which it ends."""
    found = np.zeros(len(spans))
    ends = np.array([end for _, end in spans])
    for _, end, share in places:
        at = min(int(np.searchsorted(ends, end)), len(spans) - 1)
        if at >= 0:
            found[at] += share
    return found


def _count_words(
    text: str, spans: Sequence[tuple[int, int]], shares: np.ndarray
) -> list[list[Any]]:
    """Return word, share and count, the largest shares first."""
    total: dict[str, list[float]] = {}
    for (start, end), share in zip(spans, shares.tolist(), strict=True):
        kept = total.setdefault(text[start:end].lower(), [0.0, 0])
        kept[0] += share
        kept[1] += 1
    order = sorted(total.items(), key=lambda item: -abs(item[1][0]))
    return [[word, share, count] for word, (share, count) in order[:MOST_WORDS]]


def _likeness(found: np.ndarray, blank: np.ndarray) -> float:
    """Return the mean over models that learned nothing; NaN where nothing in the note counts."""
    from medcore.models.saliency import map_likeness

    return float(np.mean([map_likeness(found, one) for one in blank]))
