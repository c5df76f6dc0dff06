"""What plans cost: as JSON, and as the report in every form finance opens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from planner.costs.comparison import Comparison
from planner.service.access import Reader
from planner.service.costing import CostQuestion, comparison_for
from planner.service.parts import Service
from planner.service.problems import Problem

router = APIRouter(tags=["costs"])
PROBLEMS: dict[int | str, dict[str, Any]] = {404: {"model": Problem}, 422: {"model": Problem}}
Form = Literal["html", "pdf", "xlsx", "csv", "md"]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES: dict[Form, str] = {
    "html": "text/html; charset=utf-8",
    "pdf": "application/pdf",
    "xlsx": XLSX,
    "csv": "text/csv; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
}
# The report is one self-contained file: its style lies within it, and it needs nothing else.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


@router.get("/costs", responses=PROBLEMS)
def costs(service: Service, asks: Reader, question: Annotated[CostQuestion, Query()]) -> dict[str, Any]:
    """Compare what plans cost: per million tokens, per month at a load, against an API and against each other."""
    from planner.costs.report.plain import as_json

    return as_json(comparison_for(question, service.plans))


@router.get("/costs/report.{form}", responses={**PROBLEMS, 200: {"content": {m: {} for m in MEDIA_TYPES.values()}}})
def report(service: Service, asks: Reader, form: Form, question: Annotated[CostQuestion, Query()]) -> Response:
    """The cost report as a page, a PDF, a spreadsheet with live formulas, a table or Markdown."""
    content = WRITERS[form](comparison_for(question, service.plans))
    headers = {"Content-Security-Policy": POLICY}
    if form != "html":
        headers["Content-Disposition"] = f'attachment; filename="quantplan-cost.{form}"'
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)


def _page(comparison: Comparison) -> str:
    from planner.costs.report.page import page

    return page(comparison)


def _pdf(comparison: Comparison) -> bytes:
    from planner.costs.report.pdf import pdf

    return pdf(comparison)


def _workbook(comparison: Comparison) -> bytes:
    from planner.costs.report.workbook import workbook

    return workbook(comparison)


def _csv(comparison: Comparison) -> str:
    from planner.costs.report.plain import as_csv

    return as_csv(comparison)


def _markdown(comparison: Comparison) -> str:
    from planner.costs.report.page import markdown

    return markdown(comparison)


WRITERS: dict[Form, Callable[[Comparison], str | bytes]] = {
    "html": _page,
    "pdf": _pdf,
    "xlsx": _workbook,
    "csv": _csv,
    "md": _markdown,
}
