"""Charts below each other under a title, as a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from planner.charts.chart import Chart
from planner.charts.drawing import draw
from planner.writing import write_aside


@dataclass(frozen=True, slots=True)
class Picture:
    """Charts and what stands above them."""

    title: str
    subtitle: str
    charts: tuple[Chart, ...]

    def svg(self) -> str:
        """The picture on white paper. ChartToolMissing where matplotlib is not installed."""
        return draw(self.charts, self.title, self.subtitle)

    def write(self, path: Path) -> None:
        """Write it as SVG. BadInput when the file cannot be written, ChartToolMissing without matplotlib."""
        write_aside(path, self.svg())
