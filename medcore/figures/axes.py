"""Axes of a static picture: from a figure's values to places on paper, and round numbers beside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

WANTED_TICKS = 5
ROOM = 0.04


@dataclass(frozen=True)
class Axis:
    """`start` and `end` are the places of `low` and `high`; `categories` stand at 0, 1, 2, …"""

    low: float
    high: float
    start: float
    end: float
    categories: tuple[str, ...] = ()
    log: bool = False
    percent: bool = False

    def place(self, value: Any) -> float:
        """Return a value's place, NaN where it has none."""
        number = self._number(value)
        if not math.isfinite(number):
            return math.nan
        share = (number - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def _number(self, value: Any) -> float:
        if self.categories:
            return float(self.categories.index(str(value)))
        if value is None:
            return math.nan
        number = float(value)
        if not self.log:
            return number
        return math.log10(number) if number > 0 else math.nan

    def ticks(self, wanted: int = WANTED_TICKS) -> list[tuple[float, str]]:
        """Return where the scale is labelled, and with what; about `wanted` places."""
        if self.categories:
            return [(self.place(name), name) for name in self.categories]
        if self.log:
            powers = range(math.ceil(self.low - 1e-9), math.floor(self.high + 1e-9) + 1)
            return [(self.place(10.0**power), f"{10.0**power:g}") for power in powers]
        step = round_step(self.high - self.low, wanted)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        values = [step * number for number in range(first, last + 1)]
        return [(self.place(value), self._label(value, step)) for value in values]

    def _label(self, value: float, step: float) -> str:
        if self.percent:
            return f"{value:.0%}"
        # A step of 0.25 needs one digit more than its size says.
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        if round(step, digits) != round(step, digits + 1):
            digits += 1
        return f"{value + 0.0:,.{digits}f}"


def round_step(span: float, wanted: int = WANTED_TICKS) -> float:
    """Return the step of 1, 2, 2.5 or 5 times a power of ten that gives about `wanted` labels.

    >>> round_step(1), round_step(37), round_step(0.9)
    (0.2, 10.0, 0.2)
    """
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = min((1, 2, 2.5, 5, 10), key=lambda size: abs(math.log(size * power / rough)))
    return step * power


def make_axis(figure: go.Figure, name: str, start: float, end: float) -> Axis:
    """Return the axis "x", "y" or "y2" of a figure, as its layout or else its values want it."""
    side = name[0]
    layout = figure.layout[f"{side}axis{name[1:]}"]
    traces = [trace for trace in figure.data if axis_name(trace, side) in (name, "x")]
    values = list(_values(traces, figure.layout.barmode, side))
    words = layout.type == "category" or any(isinstance(value, str) for value in values)
    log = layout.type == "log"
    percent = "%" in (layout.tickformat or "")
    if layout.autorange == "reversed":
        start, end = end, start
    if words:
        found = dict.fromkeys(str(value) for value in values)
        order = dict.fromkeys(str(value) for value in listed(layout.categoryarray))
        names = tuple(name for name in order if name in found) + tuple(found.keys() - order.keys())
        names = names if order else tuple(found)
        return Axis(-0.5, len(names) - 0.5, start, end, names)
    if layout.range is not None:
        low, high = (float(bound) for bound in layout.range)
        return Axis(low, high, start, end, log=log, percent=percent)
    numbers = [float(v) for v in values if v is not None and math.isfinite(float(v))]
    if log:
        numbers = [math.log10(number) for number in numbers if number > 0]
    low, high = (min(numbers), max(numbers)) if numbers else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    room = ROOM * (high - low)
    bars = any(trace.type == "bar" for trace in traces)
    floor = low if bars and low == 0 and side == "y" else low - room
    return Axis(floor, high + room, start, end, log=log, percent=percent)


def axis_name(trace: Any, side: str) -> str:
    """Return the name of a trace's axis; all share one x axis."""
    return "x" if side == "x" else (trace.yaxis or "y")


def _values(traces: Sequence[Any], barmode: str | None, side: str) -> Iterable[Any]:
    """Return all that must find a place: points, the ends of their intervals, bars' tops."""
    tops: dict[Any, float] = {}
    for trace in traces:
        points = listed(trace[side])
        lengthwise = trace.type == "bar" and (side == "x") == (trace.orientation == "h")
        if lengthwise:
            along = listed(trace["y" if side == "x" else "x"])
            stacked = barmode == "stack"
            for place, length in zip(along, points, strict=True):
                tops[place] = (tops.get(place, 0.0) if stacked else 0.0) + (length or 0.0)
                yield tops[place]
            yield 0.0
        elif trace.type == "bar" and not any(isinstance(p, str) for p in points):
            half = bar_width(trace, points) / 2
            yield from (edge for point in points for edge in (point - half, point + half))
        else:
            yield from points
            error = trace[f"error_{side}"] if trace.type == "scatter" else None
            if error is not None and error.array is not None:
                for low, high in error_ends(points, error):
                    yield from (low, high)


def error_ends(points: Sequence[Any], error: Any) -> list[tuple[float, float]]:
    """Return the ends of each point's interval."""
    up = listed(error.array)
    down = listed(error.arrayminus) or up
    return [(p - d, p + u) for p, d, u in zip(points, down, up, strict=True) if p is not None]


def bar_width(trace: Any, points: Sequence[Any]) -> float:
    """Return how wide bars are, in the axis' own unit."""
    if isinstance(trace.width, int | float):
        return float(trace.width)
    places = sorted({point for point in points if not isinstance(point, str)})
    gaps = [after - before for before, after in pairwise(places)]
    return 0.9 * min(gaps) if gaps else 0.8


def listed(values: Any) -> list[Any]:
    """Return a trace's values as a list, of none when there are none."""
    if values is None:
        return []
    return values.tolist() if hasattr(values, "tolist") else list(values)
