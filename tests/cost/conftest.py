"""Plans to price: made once, since every test here only reads them."""

from __future__ import annotations

from datetime import date

import pytest

from planner.costs.comparison import Comparison, compare
from planner.costs.pricing import Pricing
from planner.costs.terms import terms_from
from planner.plan import Plan
from planner.planning import make_plan
from planner.ports import FindingRecord, RunRecord
from planner.request import Request, Workload

TODAY = date(2026, 11, 21)


def plan_of(
    hardware: str, format: str, concurrency: int = 32, model: str = "llama-3.1-70b", tensor_parallel: int | None = None
) -> Plan:
    workload = Workload(input_tokens=1000, output_tokens=300, concurrency=concurrency)
    return make_plan(
        Request(
            model=model,
            hardware=hardware,
            format=format,
            workload=workload,
            tensor_parallel=tensor_parallel,  # type: ignore[arg-type]
        )
    )


def run_of(plan: Plan, output_tokens_per_s: float | None, run_id: str = "r1") -> RunRecord:
    """A finished run of this plan that measured this throughput."""
    finding = FindingRecord(
        name="output_tokens_per_s", unit="tokens/s", predicted=None, low=None, high=None,
        measured=output_tokens_per_s, inside=None, note="",
    )  # fmt: skip
    return RunRecord(
        run_id=run_id,
        plan=plan,
        state="done",
        started_at=0.0,
        ended_at=1.0,
        steps=(),
        findings=(finding,),
        report_path=None,
    )


def compared(
    *plans: Plan, pricing: Pricing | None = None, runs: tuple[RunRecord, ...] = (), **terms: object
) -> Comparison:
    asked = terms_from(plans[0].request.workload if plans else runs[0].plan.request.workload, **terms)  # type: ignore[arg-type]
    return compare(plans, runs, pricing or Pricing(), asked, today=TODAY)


@pytest.fixture(scope="session")
def a100() -> Plan:
    return plan_of("1xA100-80GB-SXM", "awq-int4")


@pytest.fixture(scope="session")
def four_a100() -> Plan:
    return plan_of("4xA100-80GB-SXM", "bf16", tensor_parallel=4)


@pytest.fixture(scope="session")
def h100() -> Plan:
    return plan_of("1xH100-80GB-SXM", "awq-int4")


@pytest.fixture(autouse=True)
def no_price_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUANTPLAN_PRICES", raising=False)


@pytest.fixture
def pango() -> None:
    """WeasyPrint's system library; a machine without it cannot write PDFs, and says so in words (tested beside)."""
    try:
        import weasyprint  # noqa: F401
    except OSError:
        pytest.skip("no Pango library on this machine (Debian: apt install libpango-1.0-0 libpangoft2-1.0-0)")
