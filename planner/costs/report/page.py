"""The comparison as one self-contained HTML page, and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from planner.charts import Chart, draw
from planner.costs.case import Case, Range
from planner.costs.comparison import Comparison
from planner.costs.derivation import derivation, money
from planner.costs.report.charts import latency_chart, load_chart
from planner.costs.telling import assumptions, cheaper_sentences, headline, warnings
from planner.costs.tokens import METHOD
from planner.figures import figure, usd
from planner.prices.ages import age_days, stale_after_days
from planner.templates import template_directory

if TYPE_CHECKING:
    from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One price line of the report, and which plans use it."""

    plans: str
    name: str
    usd_per_hour: float
    provider: str
    kind: str
    as_of: str
    source: str
    used: bool
    old: bool


def page(comparison: Comparison) -> str:
    """A page that needs nothing beside itself: light and dark, for phones, and for print.

    ChartToolMissing where matplotlib is not installed.
    """
    return _render("cost/page.html.j2", comparison)


def markdown(comparison: Comparison) -> str:
    """The same tables and sentences as Markdown, without the pictures."""
    return _render("cost/report.md.j2", comparison, escape=False)


def ranges(case: Case) -> Iterator[tuple[str, Range]]:
    """The figures whose ranges the report tells apart."""
    yield "1M output tokens, carrying all", case.ranged(case.tokens.all_on_output)
    yield "1M tokens in and out, blended", case.ranged(case.tokens.blended)
    if case.terms.requests_per_s:
        yield f"a month at {figure(case.terms.requests_per_s)} requests/s", case.month_range(case.terms.requests_per_s)


def price_rows(comparison: Comparison) -> list[PriceRow]:
    """Every price line behind the figures, each once, with the plans it prices."""
    users: dict[tuple[str, str, str, float, str], list[str]] = {}
    rows: dict[tuple[str, str, str, float, str], PriceRow] = {}
    for case in comparison.cases:
        for row in _rows_of(case, comparison):
            key = (row.name, row.provider, row.kind, row.usd_per_hour, row.as_of)
            rows.setdefault(key, row)
            users.setdefault(key, []).extend([case.label] if row.used else [])
    return [_with_plans(row, users[key]) for key, row in rows.items()]


def _rows_of(case: Case, comparison: Comparison) -> Iterator[PriceRow]:
    hourly, name = case.hourly, case.plan.hardware.name
    if not hourly.others:
        yield PriceRow(
            "", name, hourly.usd_per_hour, hourly.provider, hourly.kind, hourly.as_of, hourly.source, True, False
        )
    for line in hourly.others:
        used = (line.provider, line.usd_per_hour, line.as_of) == (hourly.provider, hourly.usd_per_hour, hourly.as_of)
        old = age_days(line.as_of, comparison.today)[1] > stale_after_days()
        said = f"{line.provenance}; {line.note}" if line.note else line.provenance
        yield PriceRow("", name, line.usd_per_hour, line.provider, line.price_type, line.as_of, said, used, old)


def _with_plans(row: PriceRow, labels: list[str]) -> PriceRow:
    values = {name: getattr(row, name) for name in PriceRow.__slots__}
    return PriceRow(**{**values, "plans": ", ".join(labels), "used": bool(labels)})


def title_of(comparison: Comparison) -> str:
    return ", ".join(dict.fromkeys(case.plan.model.name for case in comparison.cases))


def planned_concurrency(case: Case) -> int:
    """Requests in flight on one copy, as planned."""
    return -(-case.workload.concurrency // case.copies)


def span(low: float, high: float) -> str:
    return "no range" if low == high else f"{usd(low)} to {usd(high)}"


def _render(template: str, comparison: Comparison, *, escape: bool = True) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(template_directory()),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[[float | None], str]] = {"usd": usd, "money": money, "figure": figure}
    environment.filters.update(filters)
    terms = comparison.terms
    workload = comparison.cases[0].workload
    tokens = workload.input_tokens + workload.output_tokens
    blended = terms.api.usd_per_request(workload, terms.cached_share) / tokens * 1e6 if terms.api else None
    return environment.get_template(template).render(
        it=comparison,
        title=title_of(comparison),
        headline=headline(comparison),
        sentences=cheaper_sentences(comparison),
        warnings=warnings(comparison),
        assumptions=assumptions(comparison),
        method=METHOD,
        derivation=derivation,
        load_chart=load_chart(comparison),
        latency_chart=latency_chart(comparison),
        ranges=ranges,
        span=span,
        planned=planned_concurrency,
        price_rows=price_rows(comparison),
        api_blended=blended,
        stale_days=stale_after_days(),
        draw=_drawn,
    )


def _drawn(chart: Chart) -> Markup:
    from markupsafe import Markup

    return Markup(draw([chart]))
