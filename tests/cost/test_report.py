"""The report's files: self-contained, readable, safe, and a spreadsheet that calculates what the model does."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from planner.costs.comparison import Comparison
from planner.costs.derivation import derivation
from planner.costs.pricing import Owning, Pricing
from planner.costs.report.charts import latency_chart, load_chart
from planner.costs.report.page import markdown, page
from planner.costs.report.pdf import ReportToolMissing, pdf
from planner.costs.report.plain import as_csv, as_json
from planner.costs.report.workbook import workbook
from planner.costs.report.writing import check_outputs, write_report
from planner.costs.telling import assumptions, headline, warnings
from planner.errors import BadInput
from planner.figures import usd
from planner.plan import Plan
from tests.cost.conftest import compared

INJECTED = '=HYPERLINK("http://x","y")'


@pytest.fixture(scope="module")
def comparison(a100: Plan, four_a100: Plan, h100: Plan) -> Comparison:
    return compared(
        a100, four_a100, h100, requests_per_s=3.0, api_price="0.6,2.4,0.1", cached_share=0.3, utilisation=0.7
    )


def test_the_page_needs_nothing_beside_itself(comparison: Comparison) -> None:
    html = page(comparison)
    assert not re.search(r"""src\s*=|href\s*=\s*"(?!#)|url\(|@import|<script|<link""", html)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) == {"http://www.w3.org/2000/svg"}


def test_the_page_says_every_step_of_every_plan(comparison: Comparison) -> None:
    import html as entities

    said = entities.unescape(page(comparison))
    for case in comparison.cases:
        for step in derivation(case):
            assert step.arithmetic in said and step.result in said
        assert case.hourly.label in said
    for text in (*assumptions(comparison), *warnings(comparison), headline(comparison)):
        assert text in said


def test_markdown_says_the_same(comparison: Comparison) -> None:
    said = markdown(comparison)
    assert "&#" not in said and headline(comparison) in said
    assert all(usd(case.at_load(3.0).usd_per_month) in said for case in comparison.cases)
    assert not re.search(r"\n\|[^\n]*\n\n\|", said), "a blank line tears a table apart"


def test_names_are_escaped_on_the_page(a100: Plan) -> None:
    model = a100.model.model_copy(update={"name": "<b>bold</b>"})
    assert "<b>bold</b>" not in page(compared(a100.model_copy(update={"model": model})))


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    bright, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1])
def test_text_and_lines_have_enough_contrast_in_both_themes(comparison: Comparison, theme: int) -> None:
    """WCAG AA: 4.5 for text."""
    found = re.findall(r":root \{(.*?)\}", page(comparison), flags=re.S)[theme]
    colours = {name: value + "0" * 0 for name, value in re.findall(r"--([\w-]+): (#[0-9a-f]{6});", found)}
    for text in ("ink", "soft", "good", "warn", "s0", "s1", "s2", "s3", "s4", "s5"):
        for ground in ("paper", "card"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert contrast(colours["ink"], colours["good-bg"]) >= 4.5
    assert contrast(colours["soft"], colours["good-bg"]) >= 4.5


def test_the_load_chart_passes_through_the_costs(comparison: Comparison) -> None:
    chart = load_chart(comparison)
    assert [line.label for line in chart.lines] == ["A", "B", "C", "API"]
    for case, line in zip(comparison.cases, chart.lines, strict=False):
        costs = [cost for _, cost in line.points]
        assert costs == sorted(costs), "cost never falls as load rises"
        assert costs[-1] == pytest.approx(case.at_load(comparison.largest_load).usd_per_month)
    assert all(0 <= x <= chart.x.high and 0 <= y <= chart.y.high for line in chart.lines for x, y in line.points)


def test_more_in_flight_is_cheaper_and_slower(comparison: Comparison) -> None:
    chart = latency_chart(comparison)
    assert chart is not None
    for line in chart.lines:
        latencies, costs = zip(*line.points, strict=True)
        assert list(latencies) == sorted(latencies) and list(costs) == sorted(costs, reverse=True)
        assert [mark.chosen for mark in line.marks].count(True) == 1
        assert all(low <= cost <= high for cost, (_, low, high) in zip(costs, line.band, strict=True))


def test_the_page_colours_its_charts_by_role(comparison: Comparison) -> None:
    html = page(comparison)
    assert html.count('<svg class="chart"') + html.count(' class="chart" role="img"') == 2
    roles = set(re.findall(r"\b(?:fill|stroke)-(?:\d|ink|soft|grid)\b", html.partition("</style>")[2]))
    assert roles >= {"stroke-0", "stroke-3", "fill-soft", "stroke-grid"}
    assert all(f".chart .{role} {{" in html for role in roles)


def test_csv_is_safe_and_complete(a100: Plan) -> None:
    model = a100.model.model_copy(update={"name": INJECTED})
    text = as_csv(compared(a100.model_copy(update={"model": model}), requests_per_s=1.0))
    header, line = text.splitlines()
    assert "usd_per_1m_output_high_by_price" in header and "currency" in header
    assert "\"'=HYPERLINK" in line


def test_json_carries_everything(comparison: Comparison) -> None:
    found = as_json(comparison)
    assert found["currency"] == "USD"
    plans: Any = found["plans"]
    assert plans[0]["price"]["provider"] == "Spheron"
    assert plans[0]["month"]["range"]["speed_low"] <= plans[0]["month"]["usd_per_month"]


def formulas_in(content: bytes) -> dict[tuple[str, str], str]:
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(content))
    return {
        (sheet.title, cell.coordinate): cell.value
        for sheet in book
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    }


def recalculated(path: Path) -> Any:
    """The workbook as another program calculates it: by the `formulas` library, from the formulas alone."""
    import formulas

    model = formulas.ExcelModel().loads(str(path)).finish()
    model.calculate()
    model.write(dirpath=str(path.parent / "calculated"))
    import openpyxl

    found = openpyxl.load_workbook(next((path.parent / "calculated").glob("*")), data_only=True)
    return {sheet.title.upper(): sheet for sheet in found}


def test_the_spreadsheet_calculates_what_it_shows(comparison: Comparison, tmp_path: Path) -> None:
    import openpyxl

    content = workbook(comparison)
    path = tmp_path / "report.xlsx"
    path.write_bytes(content)
    shown = openpyxl.load_workbook(io.BytesIO(content), data_only=True)
    found = recalculated(path)
    checked = 0
    for sheet, cell in formulas_in(content):
        was, now = shown[sheet][cell].value, found[sheet.upper()][cell].value
        assert now == (pytest.approx(was, rel=1e-9) if isinstance(was, float | int) else was), (sheet, cell)
        checked += 1
    assert checked > 150


def test_changing_price_load_and_utilisation_in_the_sheet_gives_what_the_model_gives(
    a100: Plan, h100: Plan, tmp_path: Path
) -> None:
    """What a finance person does: other inputs typed in, then compared with the model asked the same."""
    import openpyxl

    book = openpyxl.load_workbook(io.BytesIO(workbook(compared(a100, h100, requests_per_s=1.0))))
    inputs = {book["Inputs"].cell(row, 1).value: row for row in range(1, 20)}
    changed = {"requests a second": 7.0, "no copy is planned busier than": 0.5, "API: USD per 1M input tokens": 1.0,
               "API: USD per 1M output tokens": 4.0, "API: USD per 1M cached input tokens": 0.5,
               "share of the prompt found in the prefix cache": 0.4}  # fmt: skip
    for label, value in changed.items():
        book["Inputs"].cell(inputs[label], 2).value = value
    for row in (4, 5):
        book["Plans"].cell(row, 5).value = 2.5
    path = tmp_path / "changed.xlsx"
    book.save(path)
    found = recalculated(path)["COSTS"]
    asked = compared(
        a100, h100, pricing=Pricing(usd_per_hour=2.5), requests_per_s=7.0, utilisation=0.5, cached_share=0.4,
        api_price="1,4,0.5",
    )  # fmt: skip
    titles = {found.cell(4, column).value: column for column in range(1, 23)}
    for row, case in enumerate(asked.cases, 5):
        expected = {
            "USD per 1M output, carrying all": case.tokens.all_on_output,
            "USD per 1M input, apart": case.tokens.input,
            "USD per 1M output, apart": case.tokens.output,
            "USD per 1M in and out": case.tokens.blended,
            "copies for the load": case.at_load(7.0).copies,
            "USD a month": case.at_load(7.0).usd_per_month,
            "breaks even with the API at, requests/s": asked.break_evens[case.label].first,
            "cheaper at every load from, requests/s": asked.break_evens[case.label].always,
        }
        for title, value in expected.items():
            assert found.cell(row, titles[title]).value == pytest.approx(value), title


def test_an_owned_price_is_a_formula(a100: Plan) -> None:
    owning = Owning({"": 15000.0}, years=4)
    formulas = formulas_in(workbook(compared(a100, pricing=Pricing(owning=owning))))
    assert formulas["Plans", "E4"] == "=(R4-S4)/(T4*8760)+U4*V4*W4+X4/HoursPerMonth"


def test_text_that_looks_like_a_formula_stays_text(a100: Plan) -> None:
    model = a100.model.model_copy(update={"name": INJECTED})
    content = workbook(compared(a100.model_copy(update={"model": model})))
    assert not [formula for formula in formulas_in(content).values() if "HYPERLINK" in str(formula)]


def test_a_pdf_of_several_pages(comparison: Comparison, pango: None) -> None:
    written = pdf(comparison)
    assert written.startswith(b"%PDF-")
    assert len(written) > 20_000


@pytest.mark.parametrize(
    ("module", "write", "says"),
    [
        ("weasyprint", pdf, "a PDF needs WeasyPrint, which is not installed\n"
         "To fix: pip install 'quantplan[report]'; or write .html and print it from a browser"),
        ("xlsxwriter", workbook, "a spreadsheet needs XlsxWriter, which is not installed\n"
         "To fix: pip install 'quantplan[report]'; or write .csv"),
    ],
)  # fmt: skip
def test_a_missing_library_says_how_to_get_it(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch, module: str, write: Any, says: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ReportToolMissing) as refused:
        write(comparison)
    assert str(refused.value) == says


def test_an_unknown_kind_of_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        check_outputs([tmp_path / "report.docx"])
    assert str(refused.value) == (
        "--out report.docx: .docx is no kind of report\nTo fix: end the name in one of: .html, .pdf, .xlsx, .csv, .md"
    )


def test_a_report_is_written_whole(comparison: Comparison, tmp_path: Path) -> None:
    write_report(comparison, tmp_path / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
