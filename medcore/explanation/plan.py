"""What an explanation of a run takes into account: how often it shuffles, what goes together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medcore.errors import ConfigError

VERSION = 1
# More rows than these make no interval narrower that anyone would notice, and take time.
MOST_JUDGED, MOST_BACKGROUND, MOST_WALKED = 2_000, 300, 100
MOST_TARGETS, MOST_EFFECTS = 12, 20


@dataclass(frozen=True)
class ExplainChoice:
    """`repeats`: shuffles of each column; `together`: from which association on columns are
    shuffled together (1: only copies); `checks`: whether the sanity checks' models are trained.
    """

    repeats: int = 5
    together: float = 0.7
    checks: bool = True

    def values(self) -> dict[str, Any]:
        """Return the choice as plain values for JSON."""
        return asdict(self)


def read_explain_choice(values: Mapping[str, Any]) -> ExplainChoice:
    """Return a checked choice; raises `ConfigError` for values out of bounds."""
    choice = ExplainChoice(
        int(values["repeats"]), float(values["together"]), bool(values["checks"])
    )
    if not 1 <= choice.repeats <= 100:
        raise ConfigError(f"Each column is shuffled 1 to 100 times, not {choice.repeats}.")
    if not 0.1 <= choice.together <= 1:
        raise ConfigError(
            f"Columns go together from an association between 0.1 and 1, not {choice.together:g}."
        )
    return choice
