"""What a figure's traces leave on paper: lines, points, intervals, bands, bars, cells."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from medcore.figures.axes import Axis, axis_name, bar_width, error_ends, listed
from medcore.figures.style import SEQUENCE

DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4"}
INK = "#24292f"


@dataclass(frozen=True)
class Picture:
    """A figure's traces that share a y axis, called `name`, with their axes on paper."""

    figure: go.Figure
    name: str
    x: Axis
    y: Axis

    @property
    def traces(self) -> list[Any]:
        """The traces on this axis."""
        return [trace for trace in self.figure.data if axis_name(trace, "y") == self.name]

    @property
    def title(self) -> str:
        """What the y axis is called."""
        return str(self.figure.layout[f"yaxis{self.name[1:]}"].title.text or "")

    def points(self, trace: Any) -> list[tuple[float, float]]:
        """Return a trace's points on paper; NaN where a value is absent."""
        pairs = zip(listed(trace.x), listed(trace.y), strict=True)
        return [(self.x.place(x), self.y.place(y)) for x, y in pairs]


def write_text(
    x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", weight: str = "400",
    turn: float = 0, fill: str = INK,
) -> str:  # fmt: skip
    """Return words, line by line, as an SVG element."""
    turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn else ""
    lines = re.split(r"<br\s*/?>", words)
    first = y - 7 * (len(lines) - 1)
    spans = "".join(
        f'<tspan x="{x:.1f}" y="{first + 14 * place:.1f}">{html.escape(line)}</tspan>'
        for place, line in enumerate(lines)
    )
    return (
        f'<text font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
        f'fill="{fill}"{turned}>{spans}</text>'
    )


def draw_line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    """Return a straight line."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def draw_box(x: float, y: float, width: float, height: float, colour: str, shade: float = 1) -> str:
    """Return a filled rectangle."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="{shade:.3f}"/>'
    )


def trace_colour(picture: go.Figure, trace: Any) -> str:
    """Return the colour that a trace is told by."""
    place = list(picture.data).index(trace)
    for part in (trace.line if trace.type == "scatter" else None, trace.marker):
        if part is not None and isinstance(part.color, str):
            return part.color
    return SEQUENCE[place % len(SEQUENCE)]


def draw_trace(picture: Picture, trace: Any) -> Iterator[str]:
    """Yield the marks of a line, points, a band or a heat map."""
    if trace.type == "heatmap":
        yield from _draw_heatmap(picture, trace)
    elif trace.type == "scatter":
        points, colour = picture.points(trace), trace_colour(picture.figure, trace)
        mode = trace.mode or "lines"
        if trace.fill in ("toself", "tonexty"):
            ring = points
            if trace.fill == "tonexty":
                traces = picture.traces
                other = traces[traces.index(trace) - 1]
                ring = _walk(points, trace) + _walk(picture.points(other), other)[::-1]
            shown = trace.fillcolor or colour
            yield f'<polygon points="{_join(ring)}" fill="{shown}" stroke="none"/>'
        yield from _draw_intervals(picture, trace, colour)
        if "text" in mode:
            for (x, y), words in zip(points, listed(trace.text), strict=True):
                shade = trace.textfont.color or INK
                yield write_text(x, y + 4, str(words), size=11, anchor="middle", fill=shade)
        if "lines" in mode and trace.line.width != 0:
            yield from _draw_line(points, trace.line, colour)
        if "markers" in mode:
            size, shade = trace.marker.size, trace.marker.opacity
            radius = size / 2 if isinstance(size, int | float) else 3
            yield from (
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}" '
                f'fill-opacity="{shade or 1}"/>'
                for x, y in points
                if math.isfinite(x + y)
            )


def _draw_line(points: list[tuple[float, float]], line: Any, colour: str) -> Iterator[str]:
    dash = DASHES.get(line.dash or "", "")
    style = f'fill="none" stroke="{colour}" stroke-width="{0.75 * (line.width or 2):.2f}"' + (
        f' stroke-dasharray="{dash}"' if dash else ""
    )
    for run in _unbroken(points):
        steps = _make_steps(run) if line.shape == "hv" else run
        yield f'<polyline points="{_join(steps)}" {style}/>'


def _walk(points: list[tuple[float, float]], trace: Any) -> list[tuple[float, float]]:
    """Return the places that a trace's line passes, step by step where it goes in steps."""
    known = [point for point in points if math.isfinite(sum(point))]
    return _make_steps(known) if trace.line.shape == "hv" else known


def _unbroken(points: list[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Yield the runs between absent values."""
    run: list[tuple[float, float]] = []
    for x, y in [*points, (math.nan, math.nan)]:
        if math.isfinite(x + y):
            run.append((x, y))
        elif run:
            yield run
            run = []


def _make_steps(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    found = points[:1]
    for x, y in points[1:]:
        found += [(x, found[-1][1]), (x, y)]
    return found


def _join(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points if math.isfinite(x + y))


def _draw_intervals(picture: Picture, trace: Any, colour: str) -> Iterator[str]:
    xs, ys = listed(trace.x), listed(trace.y)
    if trace.error_y.array is not None:
        for x, (low, high) in zip(xs, error_ends(ys, trace.error_y), strict=True):
            place = picture.x.place(x)
            yield draw_line(place, picture.y.place(low), place, picture.y.place(high), colour, 1.2)
    if trace.error_x.array is not None:
        for y, (low, high) in zip(ys, error_ends(xs, trace.error_x), strict=True):
            place = picture.y.place(y)
            yield draw_line(picture.x.place(low), place, picture.x.place(high), place, colour, 1.2)


def draw_bars(picture: Picture) -> Iterator[str]:
    """Yield the bars of all traces, stacked where the layout says so, else side by side."""
    bars = [trace for trace in picture.traces if trace.type == "bar"]
    stacked = picture.figure.layout.barmode in ("stack", "overlay") or len(bars) == 1
    tops: dict[Any, float] = {}
    for number, trace in enumerate(bars):
        flat = trace.orientation == "h"
        along, across = (picture.x, picture.y) if flat else (picture.y, picture.x)
        places, lengths = listed(trace.y if flat else trace.x), listed(trace.x if flat else trace.y)
        unit = abs(across.end - across.start) / (across.high - across.low)
        thick = unit * bar_width(trace, places) / (1 if stacked else len(bars))
        offset = 0.0 if stacked else (number - (len(bars) - 1) / 2) * thick
        colour = trace_colour(picture.figure, trace)
        for place, length in zip(places, lengths, strict=True):
            start = tops.get(place, 0.0) if picture.figure.layout.barmode == "stack" else 0.0
            tops[place] = start + (length or 0.0)
            ends = sorted((along.place(start), along.place(tops[place])))
            side = across.place(place) + offset - thick / 2
            yield (
                draw_box(ends[0], side, ends[1] - ends[0], thick, colour)
                if flat
                else draw_box(side, ends[0], thick, ends[1] - ends[0], colour)
            )


def _draw_heatmap(picture: Picture, trace: Any) -> Iterator[str]:
    """Yield a cell for each value, the darker the larger, with its words."""
    xs, ys = listed(trace.x), listed(trace.y)
    wide = abs(picture.x.end - picture.x.start) / len(xs)
    high = abs(picture.y.end - picture.y.start) / len(ys)
    colour = trace.colorscale[-1][1] if trace.colorscale else SEQUENCE[0]
    low, top = trace.zmin or 0.0, trace.zmax if trace.zmax is not None else 1.0
    for row, (name, values) in enumerate(zip(ys, listed(trace.z), strict=True)):
        for column, (x, value) in enumerate(zip(xs, values, strict=True)):
            share = 0.05 + 0.95 * (value - low) / (top - low)
            left, above = picture.x.place(x) - wide / 2, picture.y.place(name) - high / 2
            yield draw_box(left + 1, above + 1, wide - 2, high - 2, colour, share)
            if trace.text is not None:
                ink = "#ffffff" if share > 0.55 else INK
                words = str(listed(trace.text)[row][column])
                yield write_text(
                    left + wide / 2, above + high / 2 + 4, words, anchor="middle", fill=ink
                )
