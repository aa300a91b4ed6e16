"""Which strategies are asked to fill hidden cells, and what their answers support, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

from medcore.config import MissingStrategy
from medcore.errors import ConfigError
from medcore.strategies import MISSING_TITLES

SHARES = (0.1, 0.3, 0.5)
MECHANISMS = {
    "random": "At random: every known cell alike",
    "related": "In some patients more: the higher another column, the more is hidden",
}
PLAIN: tuple[MissingStrategy, ...] = ("mean", "median", "most_frequent")
MASKED: tuple[MissingStrategy, ...] = (
    *PLAIN, "knn", "iterative", "iterative_trees", "denoising_autoencoder", "miwae",
)  # fmt: skip


@dataclass(frozen=True)
class MaskChoice:
    """Which strategies fill cells hidden in which way; the mean is always among them."""

    strategies: tuple[MissingStrategy, ...]
    mechanism: str = "random"

    def values(self) -> dict[str, Any]:
        """Return the choice as plain values for JSON."""
        return asdict(self)


def read_mask_choice(values: Mapping[str, Any]) -> MaskChoice:
    """Return a checked choice; raises `ConfigError` for what there is not."""
    wanted = [given for given in values["strategies"] if given != "mean"]
    unknown = [given for given in wanted if given not in MASKED]
    if unknown:
        known = unknown[0] in get_args(MissingStrategy)
        why = "fills no single cell" if known else "is unknown"
        raise ConfigError(f"The strategy '{unknown[0]}' {why}; choose of {', '.join(MASKED)}.")
    if values["mechanism"] not in MECHANISMS:
        raise ConfigError(f"Cells are hidden 'random' or 'related', not '{values['mechanism']}'.")
    return MaskChoice(("mean", *wanted), values["mechanism"])


def write_masking(result: Mapping[str, Any]) -> list[str]:
    """Return sentences on which strategies fill gaps better than the mean, and the deep ones."""
    sentences = []
    for part in result["shares"]:
        if part["reason"]:
            sentences.append(f"With {part['share']:.0%} hidden: {part['reason']}.")
            continue
        fitted = [row for row in part["strategies"] if row["reason"] is None]
        better = [_named(row) for row in fitted if _below(row["differences"].get("mean"))]
        found = f"better than the mean: {'; '.join(better)}"
        found = found if better else "none can be told to be better than the mean"
        sentences.append(f"With {part['share']:.0%} hidden, {found}.")
        for row in fitted:
            if row["strategy"] in ("denoising_autoencoder", "miwae"):
                sentences += _write_deep(row)
    return sentences


def _named(row: Mapping[str, Any]) -> str:
    return f"{MISSING_TITLES[row['strategy']]} ({row['error']['value']:.2f} of its error)"


def _below(difference: Mapping[str, Any] | None) -> bool:
    return difference is not None and difference["high"] is not None and difference["high"] < 0


def _write_deep(row: Mapping[str, Any]) -> list[str]:
    difference = row["differences"].get("iterative")
    if difference is None or _below(difference):
        return []
    title = MISSING_TITLES[row["strategy"]]
    if difference["low"] is not None and difference["low"] > 0:
        return [f"{title} does not beat the iterative ridge regressions here: it is worse. Take "
                "those; they are also quicker."]  # fmt: skip
    return [f"{title} does not beat the iterative ridge regressions here: the two cannot be told "
            "apart, and those are quicker."]  # fmt: skip
