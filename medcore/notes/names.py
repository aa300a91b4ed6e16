"""Common names, to find them in notes and to stand in for them; the lists are `names.txt`."""

from pathlib import Path


def _load() -> dict[str, tuple[str, ...]]:
    text = (Path(__file__).parent / "names.txt").read_text(encoding="utf-8")
    parts = [part.partition("]") for part in text.split("\n[")[1:]]
    return {name: tuple(names.split()) for name, _, names in parts}


_NAMES = _load()
GIVEN_NAMES, SURNAMES = frozenset(_NAMES["given"]), frozenset(_NAMES["family"])
STAND_IN_GIVEN, STAND_IN_FAMILY = _NAMES["stand-in given"], _NAMES["stand-in family"]
