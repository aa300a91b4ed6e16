"""A Plotly figure as a static picture for paper: SVG, with nothing to load and nothing that runs.

It knows what medcore's own figures are made of: lines, markers, intervals, filled bands, bars,
heat maps, and vertical lines.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import plotly.graph_objects as go

from medcore.figures.axes import Axis, axis_name, make_axis
from medcore.figures.marks import (
    DASHES,
    INK,
    Picture,
    draw_bars,
    draw_box,
    draw_line,
    draw_trace,
    trace_colour,
    write_text,
)

WIDTH, TOP, RIGHT, BOTTOM, LETTER = 560, 40, 16, 48, 6.1
FAINT = "#d8dde2"


def draw_svg(figure: go.Figure, width: int = WIDTH) -> str:
    """Return the figure as an `<svg>` element, `width` units wide.

    >>> figure = go.Figure().add_scatter(x=[0, 1], y=[0, 1], mode="lines", name="Chance")
    >>> draw_svg(figure).startswith('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 560 ')
    True
    """
    legend = list(_lay_legend(figure, width))
    under = (1 + legend[-1][1]) * 18 + 6 if legend else 0
    height = int(figure.layout.height or 410) * 0.86 + under
    left = 30 + LETTER * _longest_label(figure)
    pictures = _lay_pictures(figure, left, width - RIGHT, height - under - BOTTOM)
    title = str(figure.layout.title.text or "")
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height:.0f}" '
        f'role="img" aria-label="{html.escape(title)}" font-family="sans-serif" font-size="12">',
        write_text(4, 20, title, size=15, weight="600"),
        *(mark for picture in pictures for mark in _draw_picture(picture)),
        *_draw_headings(figure, left, height - under - BOTTOM),
        *_draw_x_axis(figure, pictures[0].x, height - under - BOTTOM),
        *_draw_legend(legend, height - under + 8),
        "</svg>",
    ]
    return "".join(parts)


def _lay_pictures(figure: go.Figure, left: float, right: float, bottom: float) -> list[Picture]:
    """Return one picture for each y axis, where its domain says; they share the x axis."""
    x = make_axis(figure, "x", left, right)
    pictures = []
    for name in sorted({axis_name(trace, "y") for trace in figure.data} | {"y"}):
        low, high = figure.layout[f"yaxis{name[1:]}"].domain or (0, 1)
        start, end = (bottom - share * (bottom - TOP) for share in (low, high))
        pictures.append(Picture(figure, name, x, make_axis(figure, name, start, end)))
    return pictures


def _draw_picture(picture: Picture) -> Iterator[str]:
    yield from _draw_grid(picture)
    yield _open_window(picture)
    yield from _draw_shapes(picture)
    yield from draw_bars(picture)
    for trace in picture.traces:
        yield from draw_trace(picture, trace)
    yield "</svg>"
    yield from _draw_notes(picture)


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


def _longest_label(figure: go.Figure) -> int:
    names = {axis_name(trace, "y") for trace in figure.data} | {"y"}
    ticks = (words for name in names for _, words in make_axis(figure, name, 0, 1).ticks())
    return max((len(line) for words in ticks for line in words.split("<br>")), default=0)


def _draw_x_axis(figure: go.Figure, x: Axis, bottom: float) -> Iterator[str]:
    for place, words in x.ticks():
        yield write_text(place, bottom + 16, words, anchor="middle")
    titles = [axis.title.text for axis in figure.select_xaxes()]
    middle = (x.start + x.end) / 2
    yield write_text(middle, bottom + 36, next(filter(None, titles), ""), anchor="middle")


def _draw_grid(picture: Picture) -> Iterator[str]:
    """Yield the grid, the y axis with its words, and the line below."""
    x, y = picture.x, picture.y
    left, right = sorted((x.start, x.end))
    top, bottom = sorted((y.start, y.end))
    grid = not any(trace.type == "heatmap" for trace in picture.traces)
    for place, _ in x.ticks():
        if grid and not x.categories:
            yield draw_line(place, top, place, bottom, FAINT)
    for place, words in y.ticks(wanted=5 if bottom - top > 120 else 2):
        if grid and not y.categories:
            yield draw_line(left, place, right, place, FAINT)
        yield write_text(left - 6, place + 4, words, anchor="end")
    yield draw_line(left, bottom, right, bottom, INK)
    yield write_text(12, (top + bottom) / 2, picture.title, anchor="middle", turn=-90)


def _draw_shapes(picture: Picture) -> Iterator[str]:
    """Yield the lines right across, upright or level."""
    top, bottom = sorted((picture.y.start, picture.y.end))
    left, right = sorted((picture.x.start, picture.x.end))
    for shape in picture.figure.layout.shapes:
        on_it = (shape.yref or "y").split()[0] in (picture.name, "paper")
        across = shape.x0 == shape.x1 or shape.y0 == shape.y1
        if shape.type != "line" or not on_it or not across:
            continue
        if shape.x0 == shape.x1:
            ends = picture.x.place(shape.x0), top, picture.x.place(shape.x0), bottom
        else:
            ends = left, picture.y.place(shape.y0), right, picture.y.place(shape.y0)
        x1, y1, x2, y2 = (f"{end:.1f}" for end in ends)
        dash = DASHES.get(shape.line.dash or "", "")
        yield (
            f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{shape.line.color}" '
            f'stroke-width="1.5" stroke-dasharray="{dash}"/>'
        )


def _draw_notes(picture: Picture) -> Iterator[str]:
    """Yield the words beside lines right across."""
    top, right = min(picture.y.start, picture.y.end), max(picture.x.start, picture.x.end)
    for note in picture.figure.layout.annotations:
        on_it = (note.yref or "y").split()[0] in (picture.name, "paper")
        if not note.text or not on_it or note.xref == "paper":
            continue
        if note.xref == "x":
            yield write_text(picture.x.place(note.x) + 4, top + 10, note.text, size=11)
        elif note.yref == picture.name:
            place = picture.y.place(note.y)
            yield write_text(right - 4, place - 4, note.text, size=11, anchor="end")


def _draw_headings(figure: go.Figure, left: float, bottom: float) -> Iterator[str]:
    """Yield the words that stand above a strip."""
    for note in figure.layout.annotations:
        if note.text and note.xref == note.yref == "paper":
            yield write_text(left, bottom - note.y * (bottom - TOP), note.text, size=11)


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
        yield left, line, trace, trace_colour(figure, trace)
        left += room + 8


def _draw_legend(legend: list[tuple[float, int, Any, str]], top: float) -> Iterator[str]:
    for left, line, trace, colour in legend:
        y = top + 18 * line
        shown = trace.fillcolor if trace.type == "scatter" and trace.fill == "toself" else colour
        if trace.type == "bar" or shown != colour:
            yield draw_box(left, y - 5, 18, 10, shown)
        elif trace.mode == "markers":
            yield f'<circle cx="{left + 9:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
        else:
            dash = DASHES.get(trace.line.dash or "", "")
            yield (
                f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{left + 20:.1f}" y2="{y:.1f}" '
                f'stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>'
            )
        yield write_text(left + 25, y + 4, trace.name, size=11)
