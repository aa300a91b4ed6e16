"""Speech: sixty sentences in six synthetic voices, half of their medical terms not in the lexicon.

Real-time factors are seconds of processor time of all threads, halved for two cores, so that a busy
machine does not count; memory is the peak of a process of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from medcore.evaluate.classification import wilson
from medcore.jobs.speech import accept_likely
from medcore.lexicon import Lexicon, find_terms, load_lexicon, protected_reason
from medcore.lexicon.terms import words_of
from medcore.speech import (
    RATE,
    Recognizer,
    Recording,
    Sound,
    Transcript,
    find_model,
    read_sound,
    score_recordings,
    transcribe,
)
from medcore.speech.correction import DEFAULT_CONFIDENCE
from tests.benchmarks import Row
from tests.spoken_sentences import HELD_OUT_VOICES, SENTENCES, VOICES, left_out, say, split_sentence

CHILD = """
import pathlib, re, sys
from medcore.lexicon import load_lexicon
from medcore.speech import Recognizer, find_model, read_sound, transcribe
transcribe(read_sound(pathlib.Path(sys.argv[1])), Recognizer(find_model()), load_lexicon())
status = pathlib.Path("/proc/self/status").read_text()
print(int(re.search(r"VmHWM:\\s+(\\d+)", status).group(1)) / 2**20)
"""


def half_lexicon() -> Lexicon:
    """Return the lexicon without every second of the terms that will be said."""
    whole, out = load_lexicon(), left_out()
    terms = {written: term for written, term in whole.terms.items() if written not in out}
    gone = words_of(out) - words_of(terms)
    return replace(whole, terms=terms, words=whole.words - gone)


def rows() -> Iterator[Row]:
    """Yield error rates, recall of terms, what was invented, and the cost.

    First for the voices that thresholds were chosen with, then for voices never heard before.
    """
    yield from voice_rows(VOICES)
    yield from voice_rows(HELD_OUT_VOICES, "held-out voices: ")


def voice_rows(voices: Sequence[str], label: str = "") -> Iterator[Row]:
    """Yield the rows of one set of voices, each called by `label` too."""
    for row in _rows(voices):
        yield replace(row, name=row.name.replace("speech: ", f"speech: {label}"))


def _rows(voices: Sequence[str]) -> Iterator[Row]:
    whole, half, recognizer = load_lexicon(), half_lexicon(), Recognizer(find_model())
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, sentence in enumerate(SENTENCES):
            voice = voices[number % len(voices)]
            paths.append(say(split_sentence(sentence)[0], voice, Path(folder) / f"{number}.wav"))
        sounds = [read_sound(path) for path in paths]
        clock = time.process_time()
        made = [transcribe(sound, recognizer, half) for sound in sounds]
        clips = (time.process_time() - clock) / 2 / sum(sound.seconds for sound in sounds)
        yield from _quality(made, whole, voices)
        yield Row(
            "speech: real-time factor, clips of 5 s",
            clips,
            "<= 0.25",
            "two cores, by processor time",
        )
        yield _dictation(sounds, recognizer, half)
        command = [sys.executable, "-c", CHILD, str(paths[0])]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peak = float(done.stdout.split()[-1])
        yield Row("speech: peak memory, GB", peak, "<= 1", "a process of its own, small model")


def _quality(made: list[Transcript], whole: Lexicon, voices: Sequence[str]) -> Iterator[Row]:
    said = [split_sentence(sentence)[0] for sentence in SENTENCES]
    speakers = [voices[number % len(voices)] for number in range(len(made))]
    texts = {
        "plain": [m.text for m in made],
        "biased": [m.biased or m.text for m in made],
        "corrected": [_accept_right(m, s, whole) for m, s in zip(made, said, strict=True)],
        "above default": [accept_likely(m) for m in made],
    }
    recalls = {}
    for name, heard in texts.items():
        score = score_recordings(
            [Recording(*r) for r in zip(said, heard, speakers, strict=True)], whole
        )
        wer, terms = score.measures["wer"], score.measures["term_recall"]
        recalls[name] = terms.value
        yield Row(f"speech: word error rate, {name}", wer.value, "", "60 sentences, 6 voices",
                  f"{wer.low:.3f} to {wer.high:.3f}")  # fmt: skip
        yield Row(f"speech: terms recalled, {name}", terms.value, "", f"{terms.n} terms said",
                  f"{score.counts['inserted_terms']} never said; flipped negations "
                  f"{score.counts['flipped_negations']}")  # fmt: skip
    rise = recalls["corrected"] - recalls["plain"]
    yield Row("speech: rise of terms recalled", rise, ">= 0.15", "the plain pass")
    likely = [
        _is_right(proposal.options[0], sentence, whole)
        for m, sentence in zip(made, said, strict=True)
        for proposal in m.proposals
        if proposal.score >= DEFAULT_CONFIDENCE
    ]
    if likely:
        wrong = len(likely) - sum(likely)
        low, high = wilson(wrong, len(likely))
        yield Row("speech: wrong above the default confidence", wrong / len(likely), "<= 0.1",
                  f"{len(likely)} proposals",
                  f"{wrong} wrong; {low:.2f} to {high:.2f}")  # fmt: skip
    unasked = sum(
        proposal.sure
        and any(_is_touchy(word, whole) for word in (proposal.before, *proposal.options))
        for m in made
        for proposal in m.proposals
    )
    yield Row("speech: protected words sure to change", unasked, "<= 0", "all proposals")


def _is_right(option: str, sentence: str, whole: Lexicon) -> bool:
    term = whole.terms.get(option.lower())
    names = {found.term.name for found in find_terms(sentence, whole)}
    return option.lower() in sentence.lower() or (term is not None and term.name in names)


def _is_touchy(text: str, whole: Lexicon) -> bool:
    words = re.findall(r"[\w'-]+", text)
    return any(protected_reason(word) or whole.is_drug(word) for word in words)


def _accept_right(made: Transcript, sentence: str, whole: Lexicon) -> str:
    """Return the text after a reader accepted what is right and left the rest."""
    text = made.text
    for proposal in sorted(made.proposals, key=lambda p: -p.start):
        right = [option for option in proposal.options if _is_right(option, sentence, whole)]
        if right:
            text = text[: proposal.start] + right[0] + text[proposal.end :]
    return text


def _dictation(sounds: list[Sound], recognizer: Recognizer, lexicon: Lexicon) -> Row:
    """Time one dictation of a minute and a half: sentences with pauses between."""
    pause = np.zeros(RATE // 2, np.float32)
    whole = Sound(np.concatenate([part for s in sounds[:20] for part in (s.samples, pause)]))
    clock = time.process_time()
    transcribe(whole, recognizer, lexicon)
    factor = (time.process_time() - clock) / 2 / whole.seconds
    return Row("speech: real-time factor, dictation", factor, "<= 0.25",
               "two cores, by processor time", f"{whole.seconds:.0f} s of sound")  # fmt: skip
