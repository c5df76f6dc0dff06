"""Charts drawn by matplotlib, as SVG. Heavy: matplotlib is imported when a chart is drawn, not before."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any

from planner.charts.accessible import accessible
from planner.charts.chart import Axis, Chart, Line, Mark, Scatter
from planner.charts.colours import AVOIDED, CHOICE, FAINT, GRID, INK, PAPER, SOFT, colour_of, dash
from planner.errors import QuantplanError
from planner.writing import legible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis as DrawnAxis
    from matplotlib.figure import Figure

GET_MATPLOTLIB = "pip install 'quantplan[report]'"
LEFT, RIGHT, LEGEND, TOP, BOTTOM, HEADING = 74, 44, 210, 40, 46, 58
LABEL_HEIGHT = 14
STEPS = (1, 2, 5)
FONT_SIZE = 12
# matplotlib keeps its settings for the whole process: one drawing at a time.
DRAWING = Lock()
SHAPES: dict[str, dict[str, Any]] = {
    "dot": {"marker": "o", "markersize": 8, "markeredgewidth": 0},
    "speck": {"marker": "o", "markersize": 3.2, "markeredgewidth": 0},
    "hollow": {"marker": "o", "markersize": 8, "markeredgewidth": 1.3, "color": PAPER, "markeredgecolor": AVOIDED},
    "ring": {"marker": "o", "markersize": 16, "markeredgewidth": 1.8, "fillstyle": "none", "markeredgecolor": INK},
    "diamond": {"marker": "D", "markersize": 10, "markeredgewidth": 1.2, "color": CHOICE, "markeredgecolor": INK},
}


class ChartToolMissing(QuantplanError):
    """A chart needs matplotlib, which is not installed."""


def draw(charts: Sequence[Chart], title: str = "", subtitle: str = "") -> str:
    """The charts below each other as one SVG that needs nothing beside itself; with a title, on white paper.

    It says in words what it shows, and its classes `fill-ROLE` and `stroke-ROLE` let a stylesheet recolour it.
    ChartToolMissing where matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure
    except ImportError:
        raise ChartToolMissing("a chart needs matplotlib, which is not installed", fix=GET_MATPLOTLIB) from None
    title, subtitle, says = legible(title), legible(subtitle), "; ".join(legible(chart.says) for chart in charts)
    drawn, tips = io.StringIO(), dict[str, list[str]]()
    with DRAWING, rc_context(_settings(salt=f"{title}{says}")), warnings.catch_warnings():
        # The text stays text: its reader's fonts have what ours lack.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        heading = HEADING if title else 0
        width, height = charts[0].width, heading + sum(chart.height for chart in charts)
        figure = Figure(figsize=(width / 72, height / 72), dpi=72, facecolor=PAPER)
        FigureCanvasSVG(figure)
        _draw_heading(figure, title, subtitle)
        top = height - heading
        for number, chart in enumerate(charts):
            tips.update(_draw_chart(figure, chart, number, top / height))
            top -= chart.height
        figure.savefig(drawn, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    named = title or f"{charts[0].y.title} against {charts[0].x.title}"
    return accessible(drawn.getvalue(), title=named, says=f"{subtitle}; {says}" if subtitle else says, tips=tips)


def _settings(salt: str) -> dict[Any, Any]:
    """Text as text, ids that depend on nothing but what is drawn, and the ink."""
    return {
        "svg.fonttype": "none", "svg.hashsalt": salt, "text.parse_math": False,
        "text.color": INK, "axes.labelcolor": INK, "font.size": FONT_SIZE,
    }  # fmt: skip


def _draw_heading(figure: Figure, title: str, subtitle: str) -> None:
    width, height = figure.get_size_inches() * 72
    figure.patch.set_visible(bool(title))
    figure.text(14 / width, 1 - 30 / height, title, fontsize=18, fontweight="bold")
    figure.text(14 / width, 1 - 48 / height, subtitle, color=SOFT)


def _draw_chart(figure: Figure, chart: Chart, number: int, top: float) -> Iterator[tuple[str, list[str]]]:
    """Draw one chart below `top`, a part of the figure's height; what its groups of marks say, by their ids."""
    width, height = figure.get_size_inches() * 72
    right = LEGEND if chart.has_legend else RIGHT
    low = top - (chart.height - BOTTOM) / height
    plot_width, plot_height = chart.width - LEFT - right, chart.height - TOP - BOTTOM
    axes = figure.add_axes((LEFT / width, low, plot_width / width, plot_height / height))
    axes.patch.set_visible(False)
    axes.spines[["top", "left", "right"]].set_visible(False)
    axes.spines["bottom"].set_color(SOFT)
    _scale(axes.xaxis, chart.x)
    _scale(axes.yaxis, chart.y)
    axes.autoscale(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", color=GRID, clip_on=False)
    axes.set_axisbelow(True)
    axes.set_xlabel(chart.x.title, loc="right")
    axes.annotate(chart.y.title, (0, 1), (-60, 18), xycoords="axes fraction", textcoords="offset pixels")
    yield from _draw_marks(axes, chart, number)
    if chart.upright:
        _draw_upright(axes, *chart.upright)
    _label_ends(axes, chart.lines)
    if chart.has_legend:
        axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.04), frameon=False, borderaxespad=0, handletextpad=0.4)


def _scale(drawn: DrawnAxis, axis: Axis) -> None:
    from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, MultipleLocator, NullLocator

    drawn._set_axes_scale("log" if axis.logarithmic else "linear")  # type: ignore[attr-defined]
    if axis.logarithmic:
        locator: Locator = LogLocator(subs=STEPS, numticks=99)
    elif axis.tick_every is not None:
        locator = MultipleLocator(axis.tick_every)
    else:
        locator = MaxNLocator(6, steps=[1, 2, 5, 10] if axis.whole else [1, 2, 2.5, 5, 10], integer=axis.whole)
    drawn.set_major_locator(locator)
    drawn.set_minor_locator(NullLocator())
    drawn.set_major_formatter(FuncFormatter(lambda value, _: axis.label(round(value, 12))))
    drawn.set_view_interval(axis.low, axis.high, ignore=True)
    drawn.set_tick_params(labelcolor=SOFT, color=SOFT, length=5)


def _draw_marks(axes: Axes, chart: Chart, number: int) -> Iterator[tuple[str, list[str]]]:
    for index, line in enumerate(chart.lines):
        colour, width = colour_of(line.colour, SOFT), 1.2 if line.colour is None else 2.2
        if line.band:
            at, low, high = zip(*line.band, strict=True)
            axes.fill_between(at, low, high, color=colour, alpha=0.16, linewidth=0, clip_on=False)
        xs, ys = zip(*line.points, strict=True)
        dashes = dash(line.colour)
        axes.plot(xs, ys, color=colour, linewidth=width, linestyle=dashes, clip_on=False, gid=f"line-{number}-{index}")
        for chosen, size in ((False, 6), (True, 11)):
            marks = [mark for mark in line.marks if mark.chosen is chosen]
            style = {"marker": "o", "markersize": size, "markeredgecolor": INK, "markeredgewidth": 1.5 * chosen}
            yield _plot(axes, marks, f"marks-{number}-{index}-{chosen}", {**style, "color": colour})
    for index, scatter in enumerate(chart.scatters):
        for chosen in (False, True):
            marks = [mark for mark in scatter.marks if mark.chosen is chosen]
            yield _plot(axes, marks, f"scatter-{number}-{index}-{chosen}", _style(scatter, chosen), scatter.label)


def _style(scatter: Scatter, chosen: bool) -> dict[str, Any]:
    style = dict(SHAPES[scatter.shape])
    style.setdefault("color", colour_of(scatter.colour, FAINT))
    style["markersize"] *= 1.75 if chosen else 1
    return style


def _plot(axes: Axes, marks: Sequence[Mark], gid: str, style: dict[str, Any], label: str = "") -> tuple[str, list[str]]:
    if marks:
        xs, ys = [mark.x for mark in marks], [mark.y for mark in marks]
        axes.plot(xs, ys, linestyle="none", clip_on=False, gid=gid, label=label or "_", **style)
    for mark in marks:
        if mark.label:
            axes.annotate(mark.label, (mark.x, mark.y), (10, -4), textcoords="offset pixels", fontsize=11)
    return gid, [legible(mark.says) for mark in marks]


def _draw_upright(axes: Axes, at: float, label: str) -> None:
    axes.axvline(at, color=INK, linewidth=1, linestyle=(0, (3, 3)), clip_on=False)
    axes.annotate(label, (at, 1), (4, 1), xycoords=("data", "axes fraction"), textcoords="offset pixels")


def _label_ends(axes: Axes, lines: Sequence[Line]) -> None:
    """The label of each line at its end, those that would cover each other moved apart."""
    placed: list[tuple[float, float]] = []
    ends = [(axes.transData.transform(line.points[-1]), line) for line in lines]
    for (x, y), line in sorted(ends, key=lambda end: -end[0][1]):
        near = [other for at, other in placed if abs(at - x) < 3 * LABEL_HEIGHT]
        free = min([y, *(other - LABEL_HEIGHT for other in near)])
        placed.append((x, free))
        axes.annotate(
            line.label, line.points[-1], (7, free - y - 4), textcoords="offset pixels",
            color=colour_of(line.colour, SOFT), fontweight="bold",
        )  # fmt: skip
