"""Every number of the report comes from `evaluation.json` through here, and says from where.

Places are JSON pointers (RFC 6901), such as /parts/test/metrics/auroc.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from medcore.evaluate import write_metric
from medcore.records import Metric

DIGITS = 3


def look_up(values: Mapping[str, Any], pointer: str) -> Any:
    """Return what stands at a JSON pointer; raises `KeyError` where nothing does.

    >>> look_up({"a/b": [{"c": 1}]}, "/a~1b/0/c")
    1
    """
    found: Any = values
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(name)] if isinstance(found, list) else found[name]
        except (IndexError, ValueError, TypeError):
            raise KeyError(pointer) from None
    return found


def point(*names: Any) -> str:
    """Return the JSON pointer of a path.

    >>> point("parts", "test", "metrics", "recall_a/b")
    '/parts/test/metrics/recall_a~1b'
    """
    return "".join(f"/{str(name).replace('~', '~0').replace('/', '~1')}" for name in names)


def write_value(values: Any, digits: int = DIGITS) -> str:
    """Return what stands at a place as people read it: an interval, a number, a count, a dash.

    >>> write_value({"value": 0.8561, "low": None, "high": None}), write_value(1200)
    ('0.856', '1,200')
    """
    if values is None:
        return "–"
    if isinstance(values, Mapping):
        return write_metric(read_metric(values), digits)
    if isinstance(values, float):
        return f"{values:.{digits}f}" if math.isfinite(values) else "–"
    return f"{values:,}" if isinstance(values, int) else str(values)


def write_measure(value: float) -> str:
    """Return a measured value with four digits, never as a power of ten.

    >>> write_measure(262358.3), write_measure(1.18), write_measure(0.0012345)
    ('262,400', '1.18', '0.001234')
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "–"
    digits = 3 - math.floor(math.log10(abs(value)))
    rounded = round(value, digits)
    text = f"{rounded:,.{max(0, digits)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_metric(values: Mapping[str, Any]) -> Metric:
    """Return a figure of `evaluation.json` as a record."""
    numbers = {
        name: math.nan if values.get(name) is None else float(values[name])
        for name in ("value", "low", "high")
    }
    method, reason = values.get("method", "none"), values.get("reason")
    return Metric(**numbers, n=values.get("n", 0), method=method, reason=reason)


class Numbers:
    """Writes numbers of one `evaluation.json`, for a page and for plain text.

    `file` is its place in the run's folder where it is not the run's own.
    """

    def __init__(self, values: Mapping[str, Any], file: str = "") -> None:
        self.values, self.file = values, file

    def html(self, *path: Any, digits: int = DIGITS) -> Markup:
        """Return a number in an element that names its place and its digits."""
        pointer = point(*path)
        shown = write_value(look_up(self.values, pointer), digits)
        return Markup('<span data-metric="{}" data-digits="{}"{}>{}</span>').format(
            pointer, digits, self._named, shown
        )

    @property
    def _named(self) -> Markup:
        return Markup(' data-file="{}"').format(self.file) if self.file else Markup()

    def text(self, *path: Any, digits: int = DIGITS) -> str:
        """Return a number as plain text."""
        return write_value(look_up(self.values, point(*path)), digits)
