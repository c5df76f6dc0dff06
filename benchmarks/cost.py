"""Article B's cost table (7 April 2026): its own figures through our formula, and what the speed model predicts.

B.cost.table and the author's throughput estimates in it, B.throughput_table.

    python benchmarks/cost.py

The article does not state the load of its throughputs. Predicted: the cheapest batch limit vLLM has room for, at a
short-prompt and at a long-prompt load, with the 90 % interval of the speed.
"""

from __future__ import annotations

from dataclasses import dataclass

from planner.costs.formula import usd_per_1m_tokens
from planner.errors import QuantplanError
from planner.frontier.frontier import make_frontier
from planner.hardware.resolving import resolve_hardware
from planner.prices import price_of
from planner.request import Request, Workload
from rules.vocabulary import FormatId

LOADS = ((128, 512), (1000, 300))


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the article: what it printed."""

    model: str
    hardware: str
    format: FormatId
    tokens_per_s: float
    printed_usd: float


ARTICLE_B = (
    Row("llama-3.1-70b", "2xA100-80GB-SXM", "bf16", 1200, 0.757),
    Row("llama-3.1-70b", "1xA100-80GB-SXM", "awq-int4", 1800, 0.253),
    Row("llama-3.1-70b", "1xH100-80GB-SXM", "bf16", 1600, 0.517),
    Row("llama-3.1-70b", "1xH100-80GB-SXM", "awq-int4", 2400, 0.345),
    Row("llama-2-7b", "1xA100-80GB-PCIe", "awq-int4", 3800, 0.076),
)


def main() -> None:
    """Print the table."""
    loads = "".join(f"{f'predicted, {i} in {o} out':>30}" for i, o in LOADS)
    print(f"{'row':44} {'$/h':>6} {'article':>8} {'formula':>8}{loads}")
    for row in ARTICLE_B:
        hardware = resolve_hardware(row.hardware)
        line = price_of(hardware)
        usd_per_hour = line.usd_per_hour * hardware.count if line else float("nan")
        formula = usd_per_1m_tokens(usd_per_hour, row.tokens_per_s)
        predicted = "".join(f"{predicted_cost(row, *load):>30}" for load in LOADS)
        name = f"{row.model} {row.format} on {row.hardware}"
        print(f"{name:44} {usd_per_hour:6.2f} {row.printed_usd:8.3f} {formula:8.3f}{predicted}")


def predicted_cost(row: Row, input_tokens: int, output_tokens: int) -> str:
    """USD per 1M output tokens of the cheapest batch limit, with its interval; or why there is none."""
    workload = Workload(input_tokens=input_tokens, output_tokens=output_tokens, concurrency=1)
    request = Request(
        model=row.model, hardware=row.hardware, format=row.format, engine="vllm", workload=workload, objective="cost"
    )
    try:
        best = make_frontier(request, [row.hardware]).points[0]
    except QuantplanError:
        return "does not fit"
    low, high = best.usd_per_1m_low, best.usd_per_1m_high
    return f"{best.usd_per_1m_output_tokens:.3f} ({low:.3f} to {high:.3f})"


if __name__ == "__main__":
    main()
