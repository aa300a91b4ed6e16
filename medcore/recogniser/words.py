"""What came of a recogniser, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

FEW_SPEAKERS = 5


def write_measure(measure: Mapping[str, Any]) -> str:
    """Return a measure in per cent with its interval, or why it has none.

    >>> write_measure({"value": 0.125, "low": 0.1, "high": 0.2, "n": 40, "reason": ""})
    '12.5 (10.0–20.0)'
    """
    if measure["value"] is None:
        return f"undefined: {measure['reason']}"
    said = f"{100 * measure['value']:.1f}"
    if measure["low"] is None:
        return f"{said} (no interval: it needs two speakers or more)"
    if measure["low"] == measure["high"]:
        # Where all speakers are alike, resampling them tells of no uncertainty.
        return f"{said} (no interval: it is the same for every speaker)"
    return f"{said} ({100 * measure['low']:.1f}–{100 * measure['high']:.1f})"


def write_result(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person should know of a trained recogniser."""
    measures, counts = result["measures"], result["counts"]
    yield (
        f"Of 100 words said, {write_measure(measures['wer_raw'])} were heard wrong, missed or "
        f"added; of 100 letters, {write_measure(measures['cer_raw'])}."
    )
    recordings = f"{counts['recordings']:,} recordings"
    if result["choice"]["speaker"]:
        speakers = counts["speakers"]
        people = "one speaker" if speakers == 1 else f"{speakers:,} speakers"
        few = " With so few, this says little about others." if speakers < FEW_SPEAKERS else ""
        if result["choice"]["turns"]:
            yield (
                f"Judged on {recordings} of {people}, each heard by a recogniser that had not "
                f"learned from them; the one that is kept has learned from all.{few}"
            )
        else:
            yield f"Judged on {recordings} of {people} whom it never heard.{few}"
    else:
        yield (
            f"Judged on {recordings} that it never heard, but their speakers may be the same: "
            "others will be understood less well."
        )
    yield from result["ledger"]
