"""Charts as SVG, drawn by matplotlib (the optional extras `report` and `service`): say what is drawn, then draw it."""

from planner.charts.chart import Axis, Chart, Line, Mark, Point, Scatter, short_usd
from planner.charts.drawing import ChartToolMissing, draw
from planner.charts.picture import Picture

__all__ = ["Axis", "Chart", "ChartToolMissing", "Line", "Mark", "Picture", "Point", "Scatter", "draw", "short_usd"]
