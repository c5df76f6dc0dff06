"""Every format this machine can serve, planned and applied: quantized, launched, put under load, held against its plan.

    python -m benchmarks.serving_formats [--only vllm/bf16,vllm/fp8/block,vllm/bf16//fp8 ...] [--model DIRECTORY]

Writes one row a format to benchmarks/measured/served.csv, and keeps the rows of formats that are not run again. A
format that fails has a row too, with its reason. Speeds say nothing about another machine, and a busy one is slower.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from benchmarks.tables import Table, cpu_name
from executor.local import DEMO_MODEL, LocalExecutor
from planner.errors import QuantplanError
from planner.planning import make_plan
from planner.ports import Event, RunRecord
from planner.request import Request, Workload


class Served(NamedTuple):
    """One way to serve the model."""

    engine: str
    format: str
    variant: str = ""
    kv_cache: str = "16-bit"

    @property
    def name(self) -> str:
        return "/".join(self)


WORKLOAD = Workload(input_tokens=128, output_tokens=32, concurrency=4)
FORMATS = tuple(
    Served(*row.split("/"))
    for row in (
        *("vllm/bf16", "vllm/fp16", "vllm/fp8", "vllm/fp8/block", "vllm/int8-w8a8", "vllm/int8-w8a8/static"),
        *("vllm/awq-int4", "vllm/gptq-int4", "vllm/bf16//fp8", "transformers/int8-bnb", "transformers/nf4"),
        *("llama.cpp/gguf-bf16", "llama.cpp/gguf-q8_0", "llama.cpp/gguf-q6_k", "llama.cpp/gguf-q5_k_m"),
        *("llama.cpp/gguf-q4_k_m", "llama.cpp/gguf-q4_k_m//int8"),
    )
)
FIGURES = ("kv_tokens", "kv_cache_gib", "weights_gib", "host_memory_gib", "artifact_bytes",
           "perplexity_increase_percent", "ttft_ms", "tpot_ms", "output_tokens_per_s")  # fmt: skip
KEY = Served._fields
COLUMNS = (*KEY, "engine_version", "outcome", "requests", "errors", "inside", "outside",
           *(f"{kind}_{name}" for name in FIGURES for kind in ("predicted", "measured")),
           "cpu", "date")  # fmt: skip
TABLE = Table("served.csv", COLUMNS, key=KEY)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--only", default="", help="engine/format[/variant[/KV cache]], separated by commas")
    arguments.add_argument("--model", default=str(DEMO_MODEL))
    asked = arguments.parse_args()
    wanted = {Served(*name.split("/")) for name in asked.only.split(",") if name}
    for served in FORMATS:
        if not wanted or served in wanted:
            row = serve(asked.model, served)
            TABLE.put(row)
            print(
                f"{served.name}: {row['outcome']}; {row.get('inside')} inside, {row.get('outside')} outside", flush=True
            )


def serve(model: str, served: Served) -> dict[str, Any]:
    """One row: the plan's figures beside the run's."""
    about = {**served._asdict(), "cpu": cpu_name(), "date": date.today()}
    asked = {"model": model, "hardware": "here", "workload": WORKLOAD, **served._asdict()}
    try:
        plan = make_plan(Request.model_validate({**asked, "variant": served.variant or None}))
        record = LocalExecutor().apply(plan, on_event=tell)
    except QuantplanError as error:
        return {**about, "outcome": error.what.splitlines()[0]}
    return {**about, "engine_version": plan.chosen.engine_version, "outcome": record.state, **dict(figures(record))}


def figures(record: RunRecord) -> Iterator[tuple[str, Any]]:
    load = next(step.result for step in record.steps if step.name == "load-test")
    yield from ((name, load[name]) for name in ("requests", "errors"))
    yield "inside", sum(finding.inside is True for finding in record.findings)
    yield "outside", sum(finding.inside is False for finding in record.findings)
    for finding in record.findings:
        if finding.name in FIGURES:
            yield f"predicted_{finding.name}", rounded(finding.predicted)
            yield f"measured_{finding.name}", rounded(finding.measured)


def tell(event: Event) -> None:
    if event.state == "failed":
        print(f"  {event.step}: {event.message.splitlines()[0]}")


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


if __name__ == "__main__":
    main()
