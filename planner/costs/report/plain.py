"""A comparison as plain values, for programs and for a table."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict

from planner.costs.case import Case, Range
from planner.costs.comparison import Comparison
from planner.costs.derivation import derivation
from planner.costs.telling import assumptions, headline, warnings
from planner.prices.line import CURRENCY
from planner.writing import csv_cell

SCHEMA_VERSION = 1


def as_json(comparison: Comparison) -> dict[str, object]:
    """Everything. Keys are only ever added; `schema_version` counts changes that break."""
    return {
        "schema_version": SCHEMA_VERSION,
        "currency": CURRENCY,
        "as_of": comparison.today.isoformat(),
        "headline": headline(comparison),
        "terms": asdict(comparison.terms),
        "plans": [_case(comparison, case) for case in comparison.cases],
        "break_even_with_api": {label: asdict(found) for label, found in comparison.break_evens.items()},
        "cheaper_plan": {
            f"{a} or {b}": [asdict(stretch) for stretch in found] for (a, b), found in comparison.stretches.items()
        },
        "warnings": list(warnings(comparison)),
        "assumptions": list(assumptions(comparison)),
    }


def as_csv(comparison: Comparison) -> str:
    """One line a plan, the figures of the terminal's tables under names with units."""
    rows = [_flat(comparison, case) for case in comparison.cases]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(rows[0])
    writer.writerows([csv_cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def _case(comparison: Comparison, case: Case) -> dict[str, object]:
    load = comparison.terms.requests_per_s
    return {
        "label": case.label,
        "name": case.name,
        "plan": case.plan.digest,
        "price": {**asdict(case.hourly), "label": case.hourly.label},
        "usd_per_hour": case.usd_per_hour,
        "accelerators": case.accelerators,
        "output_tokens_per_s": {**case.throughput.span.model_dump(), "source": case.throughput.source},
        "measured_in_run": case.throughput.run_id,
        "prompt_share_of_time": case.prompt_share,
        "usd_per_1m_tokens": asdict(case.tokens),
        "usd_per_1m_output_range": _range(case.ranged(case.tokens.all_on_output)),
        "month": {**asdict(case.at_load(load)), "range": _range(case.month_range(load))} if load else None,
        "steps": [asdict(step) for step in derivation(case)],
    }


def _range(found: Range) -> dict[str, float]:
    return {**asdict(found), "low": found.low, "high": found.high}


def _flat(comparison: Comparison, case: Case) -> dict[str, object]:
    load, tokens, hourly = comparison.terms.requests_per_s, case.tokens, case.hourly
    output = case.ranged(tokens.all_on_output)
    taken, month = (case.at_load(load), case.month_range(load)) if load else (None, None)
    api = comparison.break_evens.get(case.label)
    return {
        "plan": case.label,
        "name": case.name,
        "currency": CURRENCY,
        "as_of": comparison.today.isoformat(),
        "usd_per_hour_of_one": hourly.usd_per_hour,
        "provider": hourly.provider,
        "price_kind": hourly.kind,
        "price_as_of": hourly.as_of,
        "price_source": hourly.provenance,
        "accelerators": case.accelerators,
        "usd_per_hour": case.usd_per_hour,
        "utilisation": comparison.terms.utilisation,
        "output_tokens_per_s": case.throughput.span.value,
        "output_tokens_per_s_low": case.throughput.span.low,
        "output_tokens_per_s_high": case.throughput.span.high,
        "throughput_source": case.throughput.source,
        "usd_per_1m_output_carrying_all": output.value,
        "usd_per_1m_output_low_by_speed": output.speed_low,
        "usd_per_1m_output_high_by_speed": output.speed_high,
        "usd_per_1m_output_low_by_price": output.price_low,
        "usd_per_1m_output_high_by_price": output.price_high,
        "usd_per_1m_output_low": output.low,
        "usd_per_1m_output_high": output.high,
        "prompt_share_of_time": case.prompt_share,
        "usd_per_1m_input": tokens.input,
        "usd_per_1m_cached_input": tokens.cached_input,
        "usd_per_1m_output_apart": tokens.output,
        "usd_per_1m_blended": tokens.blended,
        "usd_per_request": tokens.usd_per_request,
        "requests_per_s": load,
        "copies": taken.copies if taken else None,
        "accelerators_at_load": taken.accelerators if taken else None,
        "busy_at_load": taken.busy if taken else None,
        "usd_per_month": taken.usd_per_month if taken else None,
        "usd_per_month_low": month.low if month else None,
        "usd_per_month_high": month.high if month else None,
        "break_even_requests_per_s": api.first if api else None,
        "always_cheaper_from_requests_per_s": api.always if api else None,
    }
