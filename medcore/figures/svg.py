"""A Plotly figure as a static picture for paper: SVG, with nothing to load and nothing that runs.

It knows what medcore's own figures are made of: lines, markers, intervals, filled bands, bars,
heat maps, and vertical lines.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from medcore.figures.axes import Axis, bar_width, error_ends, listed, make_axis
from medcore.figures.style import SEQUENCE

WIDTH, TOP, RIGHT, BOTTOM, LETTER = 560, 40, 16, 48, 6.1
DASHES = {"dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4"}
INK, FAINT = "#24292f", "#d8dde2"


@dataclass(frozen=True)
class Picture:
    """The figure with its axes on paper."""

    figure: go.Figure
    x: Axis
    y: Axis

    def points(self, trace: Any) -> list[tuple[float, float]]:
        """Return a trace's points on paper; NaN where a value is absent."""
        pairs = zip(listed(trace.x), listed(trace.y), strict=True)
        return [(self.x.place(x), self.y.place(y)) for x, y in pairs]


def draw_svg(figure: go.Figure, width: int = WIDTH) -> str:
    """Return the figure as an `<svg>` element, `width` units wide.

    >>> figure = go.Figure().add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="Chance")
    >>> draw_svg(figure).startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 ')
    True
    """
    legend = list(_lay_legend(figure, width))
    under = (1 + legend[-1][1]) * 18 + 6 if legend else 0
    height = int(figure.layout.height or 410) * 0.86 + under
    left = 22 + LETTER * _longest_label(figure)
    x = make_axis(figure, "x", left, width - RIGHT)
    y = make_axis(figure, "y", height - under - BOTTOM, TOP)
    picture = Picture(figure, x, y)
    title = str(figure.layout.title.text or "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'role="img" aria-label="{html.escape(title)}" font-family="sans-serif" font-size="12">',
        _text(4, 20, title, size=15, weight="600"),
        *_draw_axes(picture),
        _open_window(picture),
        *_draw_shapes(picture),
        *_draw_bars(picture),
        *(mark for trace in figure.data for mark in _draw_trace(picture, trace)),
        "</svg>",
        *_draw_notes(picture),
        *_draw_legend(legend, height - under + 8),
        "</svg>",
    ]
    return "".join(parts)


def _open_window(picture: Picture) -> str:
    """Begin the part within the axes; what leads out of it is cut off."""
    left, right = sorted((picture.x.start, picture.x.end))
    top, bottom = sorted((picture.y.start, picture.y.end))
    frame = f"{left:.1f} {top:.1f} {right - left:.1f} {bottom - top:.1f}"
    x, y, width, height = frame.split()
    return (
        f'<svg x="{x}" y="{y}" width="{width}" height="{height}" viewBox="{frame}" '
        'stroke-linejoin="round">'
    )


def _text(
    x: float, y: float, words: str, *, size: int = 12, anchor: str = "start", weight: str = "400",
    turn: float = 0, fill: str = INK,
) -> str:  # fmt: skip
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


def _line(x1: float, y1: float, x2: float, y2: float, color: str, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" '
        f'stroke-width="{width}"/>'
    )


def _longest_label(figure: go.Figure) -> int:
    return max((len(words) for _, words in make_axis(figure, "y", 0, 1).ticks()), default=0)


def _draw_axes(picture: Picture) -> Iterator[str]:
    x, y, layout = picture.x, picture.y, picture.figure.layout
    left, right = sorted((x.start, x.end))
    top, bottom = sorted((y.start, y.end))
    grid = not any(trace.type == "heatmap" for trace in picture.figure.data)
    for place, words in x.ticks():
        if grid and not x.categories:
            yield _line(place, top, place, bottom, FAINT)
        yield _text(place, bottom + 16, words, anchor="middle")
    for place, words in y.ticks():
        if grid and not y.categories:
            yield _line(left, place, right, place, FAINT)
        yield _text(left - 6, place + 4, words, anchor="end")
    yield _line(left, bottom, right, bottom, INK)
    yield _text((left + right) / 2, bottom + 36, layout.xaxis.title.text or "", anchor="middle")
    yield _text(12, (top + bottom) / 2, layout.yaxis.title.text or "", anchor="middle", turn=-90)


def _colour(picture: go.Figure, trace: Any) -> str:
    place = list(picture.data).index(trace)
    for part in (trace.line if trace.type == "scatter" else None, trace.marker):
        if part is not None and isinstance(part.color, str):
            return part.color
    return SEQUENCE[place % len(SEQUENCE)]


def _draw_trace(picture: Picture, trace: Any) -> Iterator[str]:
    if trace.type == "heatmap":
        yield from _draw_heatmap(picture, trace)
    elif trace.type == "scatter":
        points, colour = picture.points(trace), _colour(picture.figure, trace)
        mode = trace.mode or "lines"
        if trace.fill == "toself":
            shown = trace.fillcolor or colour
            yield f'<polygon points="{_join(points)}" fill="{shown}" stroke="none"/>'
            return
        yield from _draw_intervals(picture, trace, colour)
        if "lines" in mode:
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
            yield _line(place, picture.y.place(low), place, picture.y.place(high), colour, 1.2)
    if trace.error_x.array is not None:
        for y, (low, high) in zip(ys, error_ends(xs, trace.error_x), strict=True):
            place = picture.y.place(y)
            yield _line(picture.x.place(low), place, picture.x.place(high), place, colour, 1.2)


def _draw_bars(picture: Picture) -> Iterator[str]:
    """Yield the bars of all traces, stacked where the layout says so, else side by side."""
    bars = [trace for trace in picture.figure.data if trace.type == "bar"]
    stacked = picture.figure.layout.barmode in ("stack", "overlay") or len(bars) == 1
    tops: dict[Any, float] = {}
    for number, trace in enumerate(bars):
        flat = trace.orientation == "h"
        along, across = (picture.x, picture.y) if flat else (picture.y, picture.x)
        places, lengths = listed(trace.y if flat else trace.x), listed(trace.x if flat else trace.y)
        unit = abs(across.end - across.start) / (across.high - across.low)
        thick = unit * bar_width(trace, places) / (1 if stacked else len(bars))
        offset = 0.0 if stacked else (number - (len(bars) - 1) / 2) * thick
        colour = _colour(picture.figure, trace)
        for place, length in zip(places, lengths, strict=True):
            start = tops.get(place, 0.0) if picture.figure.layout.barmode == "stack" else 0.0
            tops[place] = start + (length or 0.0)
            ends = sorted((along.place(start), along.place(tops[place])))
            side = across.place(place) + offset - thick / 2
            yield (
                _box(ends[0], side, ends[1] - ends[0], thick, colour)
                if flat
                else _box(side, ends[0], thick, ends[1] - ends[0], colour)
            )


def _box(x: float, y: float, width: float, height: float, colour: str, shade: float = 1) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'fill="{colour}" fill-opacity="{shade:.3f}"/>'
    )


def _draw_heatmap(picture: Picture, trace: Any) -> Iterator[str]:
    """Yield a cell for each value, the darker the larger, with its words."""
    xs, ys = listed(trace.x), listed(trace.y)
    wide = abs(picture.x.end - picture.x.start) / len(xs)
    high = abs(picture.y.end - picture.y.start) / len(ys)
    colour = trace.colorscale[-1][1] if trace.colorscale else SEQUENCE[0]
    low, top = trace.zmin or 0.0, trace.zmax if trace.zmax is not None else 1.0
    for row, (y, values) in enumerate(zip(ys, listed(trace.z), strict=True)):
        for column, (x, value) in enumerate(zip(xs, values, strict=True)):
            share = 0.05 + 0.95 * (value - low) / (top - low)
            left, above = picture.x.place(x) - wide / 2, picture.y.place(y) - high / 2
            yield _box(left + 1, above + 1, wide - 2, high - 2, colour, share)
            if trace.text is not None:
                ink = "#ffffff" if share > 0.55 else INK
                words = str(listed(trace.text)[row][column])
                yield _text(left + wide / 2, above + high / 2 + 4, words, anchor="middle", fill=ink)


def _draw_shapes(picture: Picture) -> Iterator[str]:
    """Yield the vertical lines."""
    top, bottom = sorted((picture.y.start, picture.y.end))
    for shape in picture.figure.layout.shapes:
        if shape.type == "line" and shape.x0 == shape.x1 and "y" in (shape.yref or ""):
            place = picture.x.place(shape.x0)
            dash = DASHES.get(shape.line.dash or "", "")
            yield (
                f'<line x1="{place:.1f}" y1="{top:.1f}" x2="{place:.1f}" y2="{bottom:.1f}" '
                f'stroke="{shape.line.color}" stroke-width="1.5" stroke-dasharray="{dash}"/>'
            )


def _draw_notes(picture: Picture) -> Iterator[str]:
    """Yield the words beside vertical lines."""
    top = min(picture.y.start, picture.y.end)
    for note in picture.figure.layout.annotations:
        if note.xref == "x" and note.text:
            yield _text(picture.x.place(note.x) + 4, top + 10, note.text, size=11)


def _lay_legend(figure: go.Figure, width: int) -> Iterator[tuple[float, int, Any, str]]:
    """Yield where each name goes: its left end, its line, the trace and its colour."""
    if figure.layout.showlegend is False:
        return
    named = [t for t in figure.data if t.name and t.showlegend is not False and t.type != "heatmap"]
    if len(named) < 2 and figure.layout.showlegend is not True:
        return
    left, line = 10.0, 0
    for trace in named:
        room = 34 + LETTER * len(trace.name)
        if left + room > width and left > 10:
            left, line = 10.0, line + 1
        yield left, line, trace, _colour(figure, trace)
        left += room + 8


def _draw_legend(legend: list[tuple[float, int, Any, str]], top: float) -> Iterator[str]:
    for left, line, trace, colour in legend:
        y = top + 18 * line
        shown = trace.fillcolor if trace.type == "scatter" and trace.fill == "toself" else colour
        if trace.type == "bar" or shown != colour:
            yield _box(left, y - 5, 18, 10, shown)
        elif trace.mode == "markers":
            yield f'<circle cx="{left + 9:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        else:
            dash = DASHES.get(trace.line.dash or "", "")
            yield (
                f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{left + 20:.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
            )
        yield _text(left + 25, y + 4, trace.name, size=11)
