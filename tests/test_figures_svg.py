"""Figures on paper: every value where the axis says, nothing lost, nothing that runs."""

import math
import re
import xml.etree.ElementTree as ET

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medcore.figures import (
    draw_calibration,
    draw_confusion,
    draw_histogram,
    draw_learning,
    make_figure,
)
from medcore.figures.axes import Axis, make_axis, round_step
from medcore.figures.svg import draw_svg

SVG = "{http://www.w3.org/2000/svg}"


def parse(figure):
    """Return a figure's picture as a tree; malformed markup raises."""
    return ET.fromstring(draw_svg(figure))


def words(tree):
    return [span.text or "" for span in tree.iter(f"{SVG}tspan")]


def marks(tree, tag):
    return list(tree.iter(f"{SVG}{tag}"))


def test_title_axes_names_and_ticks_are_written_as_words():
    figure = make_figure("Title & <b>more</b>", "Risk", "Patients")
    figure.add_scatter(x=[0, 1], y=[0, 10], name="a < b", mode="lines")
    figure.add_scatter(x=[0, 1], y=[10, 0], name="second", mode="lines")
    tree = parse(figure)
    assert {"Title & <b>more</b>", "Risk", "Patients", "a < b", "second"} <= set(words(tree))
    assert {"0.0", "0.5", "1.0"} <= set(words(tree)) or {"0.0", "0.2", "1.0"} <= set(words(tree))
    assert tree.get("aria-label") == "Title & <b>more</b>"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round_lie_within_and_are_about_five(low, span):
    axis = Axis(low, low + span, 0, 100)
    places = [place for place, _ in axis.ticks()]
    assert all(-1e-6 <= place <= 100 + 1e-6 for place in places)
    assert 2 <= len(places) <= 9
    assert len({words for _, words in axis.ticks()}) == len(places) or span < 1e-6 * abs(low)
    step = round_step(span)
    mantissa = step / 10 ** math.floor(math.log10(step) + 1e-9)
    assert min(abs(mantissa - m) for m in (1, 2, 2.5, 5, 10)) < 1e-6


def test_points_lie_where_the_axes_say():
    figure = make_figure("t", "x", "y")
    figure.add_scatter(x=[1, 2, 4], y=[10, 30, 20], mode="markers", name="p")
    tree = parse(figure)
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in marks(tree, "circle")]
    (x1, y1), (x2, y2), (x4, y3) = circles
    assert (x4 - x1) / (x2 - x1) == pytest.approx(3, rel=0.01)
    assert (y1 - y2) / (y1 - y3) == pytest.approx(2, rel=0.01)
    assert y2 < y3 < y1


def test_a_range_and_a_reversed_axis_are_kept():
    figure = make_figure("t", "x", "y")
    figure.add_scatter(x=[0, 1], y=["a", "b"], mode="markers", name="p")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(range=[-1, 3])
    axis = make_axis(figure, "x", 0, 400)
    assert (axis.place(-1), axis.place(3)) == (0, 400)
    first, second = (float(c.get("cy")) for c in marks(parse(figure), "circle"))
    assert first < second


def test_an_absent_value_breaks_a_line_and_draws_no_point():
    figure = make_figure("t", "x", "y")
    figure.add_scatter(x=[0, 1, 2, 3], y=[0, 1, None, 2], mode="lines+markers", name="l")
    tree = parse(figure)
    assert len(marks(tree, "polyline")) == 2
    assert len(marks(tree, "circle")) == 3


def test_steps_go_along_before_they_go_up():
    figure = make_figure("t", "x", "y")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line={"shape": "hv"}, name="km")
    points = marks(parse(figure), "polyline")[0].get("points").split()
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points)
    assert y1 == y0
    assert x1 == x2 > x0
    assert y2 < y1


def test_intervals_reach_from_low_to_high():
    curve = {"predicted": [0.2, 0.8], "observed": [0.25, 0.7], "low": [0.1, 0.5],
             "high": [0.4, 0.9], "n": [10, 10]}  # fmt: skip
    figure, _ = draw_calibration(curve)
    axis = make_axis(figure, "y", 0, 1)
    tree = parse(figure)
    shown = [line for line in marks(tree, "line") if line.get("stroke-width") == "1.2"]
    lengths = [abs(float(line.get("y1")) - float(line.get("y2"))) for line in shown]
    wanted = [axis.place(0.4) - axis.place(0.1), axis.place(0.9) - axis.place(0.5)]
    assert lengths[0] / lengths[1] == pytest.approx(wanted[0] / wanted[1], rel=0.01)


def test_stacked_bars_stand_on_each_other():
    curve = {"edges": [0, 0.5, 1], "with": [3, 1], "without": [6, 2]}
    figure, _ = draw_histogram(curve, "yes", 0.4)
    tree = parse(figure)
    window = next(svg for svg in tree.iter(f"{SVG}svg") if svg is not tree)
    bars = [{k: float(r.get(k)) for k in ("x", "y", "height")} for r in window.iter(f"{SVG}rect")]
    below, above = bars[0], bars[2]
    assert below["height"] == pytest.approx(2 * above["height"], abs=0.2)
    assert above["y"] + above["height"] == pytest.approx(below["y"], abs=0.2)
    assert "threshold" in words(tree)


def test_every_cell_of_a_table_of_classes_is_written():
    figure, _ = draw_confusion(["<no>", "yes & so"], [[5, 1], [2, 8]])
    tree = parse(figure)
    assert {"5", "1", "2", "8", "83%", "80%"} <= set(words(tree))
    assert {"<no>", "yes & so"} <= set(words(tree))
    window = next(svg for svg in tree.iter(f"{SVG}svg") if svg is not tree)
    shades = [float(r.get("fill-opacity")) for r in window.iter(f"{SVG}rect")]
    assert shades[0] > shades[1]
    assert shades[3] > shades[2]


def test_logarithms_and_bars_that_lie_are_drawn():
    figure = make_figure("t", "Ratio", "")
    figure.add_scatter(x=[0.5, 1, 4], y=["a", "b", "c"], mode="markers", name="r")
    figure.update_xaxes(type="log")
    x = [float(c.get("cx")) for c in marks(parse(figure), "circle")]
    assert (x[2] - x[1]) == pytest.approx(2 * (x[1] - x[0]), rel=0.01)
    bars = make_figure("t", "Importance", "")
    bars.add_bar(x=[1, 3], y=["age", "sex"], orientation="h", name="b")
    tree = parse(bars)
    window = next(svg for svg in tree.iter(f"{SVG}svg") if svg is not tree)
    wide = [float(r.get("width")) for r in window.iter(f"{SVG}rect")]
    assert wide[1] == pytest.approx(3 * wide[0], rel=0.02)


def test_learning_curves_of_one_epoch_and_empty_figures_are_pictures():
    event = {"fit": "mlp", "epoch": 1, "train_loss": 0.5, "validation_loss": 0.6}
    figure, _ = draw_learning([event])
    assert len(marks(parse(figure), "polyline")) == 2
    assert parse(make_figure("nothing", "x", "y")).get("aria-label") == "nothing"
    assert parse(go.Figure().add_scatter(x=[1], y=[1])) is not None


def test_what_leads_out_of_the_axes_is_cut_off_and_nothing_has_a_name_that_could_clash():
    figure = make_figure("t", "x", "y")
    figure.add_scatter(x=[0, 1], y=[-50, 50], mode="lines", name="far")
    figure.update_yaxes(range=[0, 1])
    text = draw_svg(figure)
    window = re.search(r'<svg x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', text)
    assert float(window.group(4)) > 100
    assert " id=" not in text
    assert "<script" not in text


def test_a_strip_below_has_a_scale_and_a_place_of_its_own():
    curve = {"predicted": [0.2, 0.8], "observed": [0.25, 0.7], "low": [0.1, 0.5],
             "high": [0.4, 0.9], "n": [10, 10]}  # fmt: skip
    counts = {"edges": [0, 0.5, 1], "with": [30, 10], "without": [60, 20]}
    figure, _ = draw_calibration(curve, counts=counts)
    tree = parse(figure)
    above, below = (svg for svg in tree.iter(f"{SVG}svg") if svg is not tree)
    assert float(above.get("y")) + float(above.get("height")) < float(below.get("y"))
    assert not list(above.iter(f"{SVG}rect"))
    tall = [float(r.get("height")) for r in below.iter(f"{SVG}rect")]
    assert tall[0] == pytest.approx(2 * tall[2], rel=0.05)
    assert max(tall) < float(below.get("height"))
    assert {"Patients", "Observed share with the outcome"} <= set(words(tree))


def test_level_lines_are_drawn_with_their_words():
    figure = make_figure("t", "x", "y")
    figure.add_scatter(x=[0, 1], y=[0, 4], mode="markers", name="p")
    figure.add_hline(y=1, line={"color": "red", "width": 1}, annotation_text="bias 1")
    tree = parse(figure)
    low, high = (float(c.get("cy")) for c in marks(tree, "circle"))
    line = next(line for line in marks(tree, "line") if line.get("stroke") == "red")
    assert line.get("y1") == line.get("y2")
    assert float(line.get("y1")) == pytest.approx(low - (low - high) / 4, abs=0.2)
    assert "bias 1" in words(tree)


def test_a_band_lies_between_two_lines_that_are_not_drawn_themselves():
    figure = make_figure("t", "x", "y")
    for bound, fill in (([0, 1], None), ([2, 3], "tonexty")):
        figure.add_scatter(x=[0, 1], y=bound, mode="lines", fill=fill, line={"width": 0},
                           fillcolor="rgba(0,0,0,0.2)", showlegend=False)  # fmt: skip
    tree = parse(figure)
    assert not marks(tree, "polyline")
    corners = marks(tree, "polygon")[0].get("points").split()
    y = [float(corner.split(",")[1]) for corner in corners]
    assert len(corners) == 4
    assert y[0] - y[1] == pytest.approx(y[3] - y[2], abs=0.2)
    assert y[0] < y[3]


def test_counts_in_a_strip_are_written_and_the_shared_axis_has_its_name():
    from plotly.subplots import make_subplots

    figure = make_subplots(rows=2, cols=1, shared_xaxes=True)
    figure.add_scatter(x=[0, 5], y=[1, 0.5], mode="lines", name="all", row=1, col=1)
    figure.add_scatter(x=[0, 5], y=["all", "all"], mode="text", text=["1,200", "7"],
                       showlegend=False, row=2, col=1)  # fmt: skip
    figure.update_xaxes(title="Time, days", row=2, col=1)
    figure.add_annotation(text="Still followed", xref="paper", x=0, yref="paper", y=0.4)
    assert {"1,200", "7", "Time, days", "Still followed", "all"} <= set(words(parse(figure)))
