"""Charts as SVG: read by a screen reader, printed, recoloured by a page, and the same every time."""

from __future__ import annotations

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

from planner.charts import Axis, Chart, ChartToolMissing, Line, Mark, Scatter, draw

SVG = "{http://www.w3.org/2000/svg}"
MARKS = (Mark(1, 10, "A: the first"), Mark(2, 20, "A: <the> second & chosen", chosen=True), Mark(4, 40, "A: the third"))
LINE = Line("A", ((1, 10), (2, 20), (4, 40)), 0, ((1, 9, 11), (2, 18, 22), (4, 36, 44)), MARKS)
CHART = Chart(
    "cost against load: A ends at 40",
    Axis("requests a second", 0, 5),
    Axis.around("USD a month", (9, 44)),
    (LINE,),
    upright=(3, "3 requests/s"),
)


def texts(svg: str, tag: str) -> list[str]:
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(SVG + tag)]


def path_of(svg: str, colour: str) -> list[tuple[float, float]]:
    line = re.search(rf'<path d="([^"z]+)"[^>]*stroke="{colour}" stroke-width="2.2"', svg)
    assert line
    return [(float(x), float(y)) for x, y in re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", line[1])]


def test_it_says_what_it_shows() -> None:
    svg = draw([CHART])
    root = ElementTree.fromstring(svg)
    assert root.attrib["role"] == "img" and root.attrib["aria-label"] == CHART.says
    assert [node.tag for node in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert texts(svg, "title")[0] == "USD a month against requests a second" and texts(svg, "desc") == [CHART.says]
    assert {"requests a second", "USD a month", "3 requests/s", "A"} <= set(texts(svg, "text"))
    assert set(texts(svg, "title")[1:]) == {mark.says for mark in MARKS}


def test_values_lie_where_their_axes_say() -> None:
    (x1, y1), (x2, y2), (x4, y4) = path_of(draw([CHART]), "#2358b0")
    assert (x4 - x2) == pytest.approx(2 * (x2 - x1), abs=0.01), "by size"
    assert (y4 - y2) == pytest.approx(y2 - y1, abs=0.01) and y4 < y1, "by logarithm: 10, 20 and 40 are level steps, up"


def test_a_page_may_carry_it_under_a_strict_policy() -> None:
    svg = draw([CHART], "<b>A title</b>", "and $what$ is below \x07it")
    assert not re.search(r"\bstyle\s*=|<style|<script|url\(|@import|\bid=\"(?:figure|axes|text)", svg)
    assert set(re.findall(r"https?://[^\s\"<]+", svg)) == {"http://www.w3.org/2000/svg"}
    assert all(reference.startswith("#") for reference in re.findall(r'href="([^"]*)"', svg))
    assert "<b>A title</b>" in texts(svg, "text") and "and $what$ is below it" in texts(svg, "text")


def test_the_colours_of_lines_words_and_grid_have_a_class() -> None:
    svg = draw([CHART])
    coloured = re.findall(r'<(?:path|text)[^>]*(?:fill|stroke)="#[0-9a-f]{6}"[^>]*>', svg)
    assert coloured and all(re.search(r'class="(?:fill|stroke)-', node) for node in coloured)
    shapes = re.findall(r'<path [^>]*id="[^>]*>', svg)
    assert shapes and not any("stroke=" in shape or "fill=" in shape for shape in shapes), "marks inherit their colour"


def test_the_same_chart_is_the_same_text() -> None:
    assert draw([CHART]) == draw([CHART])


def test_marks_of_a_shape_share_one_drawing_and_the_legend_names_it() -> None:
    marks = tuple(Mark(1 + n / 1000, 10 + n / 100) for n in range(1500))
    svg = draw([Chart("many", CHART.x, CHART.y, scatters=(Scatter(marks, "speck", None, "beaten"),))])
    assert svg.count("<use") >= 1500 and svg.count("<path") < 20 and "beaten" in texts(svg, "text")


@pytest.mark.filterwarnings("error")
def test_letters_that_the_drawing_machine_lacks_stay_text() -> None:
    assert "模型 \U0001f600" in texts(draw([CHART], "模型 \U0001f600"), "text")


def test_labels_of_lines_that_end_together_do_not_cover_each_other() -> None:
    other = Line("B", LINE.points, 1)
    svg = draw([Chart("two", CHART.x, CHART.y, (LINE, other))])
    found = {node.text: float(node.attrib["y"]) for node in ElementTree.fromstring(svg).iter(SVG + "text")}
    assert abs(found["A"] - found["B"]) >= 12


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ChartToolMissing) as missing:
        draw([CHART])
    expected = "a chart needs matplotlib, which is not installed\nTo fix: pip install 'quantplan[report]'"
    assert str(missing.value) == expected


def test_matplotlib_is_not_loaded_before_a_chart_is_drawn() -> None:
    names = "planner.costs.report.page, planner.frontier.picture, planner.serving.picture, planner.scale.picture"
    code = f"import sys, {names}; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
