"""Every format that can be made on a CPU, in one run: planned, quantized, read back, checked and evaluated.

    python -m benchmarks.formats [--only fp8/llm-compressor/static,nf4 ...] [--model DIRECTORY]

Each row is a run of the executor on the demonstration model (`quantplan plan --make-only`, then `apply`), with a user's
own steps and checks; the original is evaluated (and converted to GGUF) once, in the first of them. A format that fails
has a row too, with its reason. Bytes are those of all tensors;
`file_bytes` has the headers besides. Perplexity is transformers' for checkpoints and llama-perplexity's for GGUF files.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.tables import Table, cpu_name
from executor.local import DEMO_MODEL, LocalExecutor
from executor.toolchains import Toolchains
from planner.errors import QuantplanError
from planner.layouts import layout_of
from planner.planning import make_plan
from planner.ports import Event, RunRecord
from planner.request import Request

# Where it would be served; it is made here.
HARDWARE = {"checkpoint": "1xH100-80GB", "gguf": "cpu:64GB", "fp8-weight-only": "1xA100-80GB"}
FORMATS = (
    ("int8-bnb", "bitsandbytes", ""),
    ("nf4", "bitsandbytes", ""),
    ("nf4", "bitsandbytes", "single"),
    ("fp4-bnb", "bitsandbytes", ""),
    ("fp8", "llm-compressor", ""),
    ("fp8", "llm-compressor", "static"),
    ("fp8", "llm-compressor", "block"),
    ("fp8-weight-only", "llm-compressor", ""),
    ("int8-w8a8", "llm-compressor", ""),
    ("int8-w8a8", "llm-compressor", "static"),
    ("int8-w8a8", "llm-compressor", "weight-only"),
    ("awq-int4", "llm-compressor", ""),
    ("awq-int4", "gptqmodel", ""),
    ("awq-int4", "autoawq", ""),
    ("gptq-int4", "gptqmodel", ""),
    ("gptq-int4", "llm-compressor", ""),
    ("rtn-int4", "llm-compressor", ""),
    ("nvfp4", "llm-compressor", ""),
    ("mxfp4", "llm-compressor", ""),
    *(("gguf-" + level, "llama.cpp", "") for level in ("q8_0", "q6_k", "q5_k_m", "q4_k_m", "q3_k_m", "q2_k")),
    *(("gguf-q5_k_m", "llama.cpp", variant) for variant in ("q5_k_s", "q5_0")),
    *(("gguf-q4_k_m", "llama.cpp", variant) for variant in ("q4_k_s", "q4_0", "iq4_xs", "iq4_nl")),
    *(("gguf-q3_k_m", "llama.cpp", variant) for variant in ("q3_k_l", "q3_k_s", "iq3_m", "iq3_s", "iq3_xs", "iq3_xxs")),
    *(("gguf-q2_k", "llama.cpp", variant) for variant in ("iq2_m", "iq2_s", "iq2_xs", "iq2_xxs", "iq1_m", "iq1_s")),
)
COLUMNS = (
    "format", "variant", "tool", "tool_version", "checkpoint", "bytes", "predicted_bytes", "file_bytes",
    "perplexity_before", "perplexity_after", "applied", "seconds", "peak_gib", "outcome",
    "model", "cpu", "date",
)  # fmt: skip
TABLE = Table("formats.csv", COLUMNS, key=("format", "tool", "variant"))


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--only", default="", help="format, format/tool or format/tool/variant, separated by commas")
    arguments.add_argument("--model", default=str(DEMO_MODEL))
    asked = arguments.parse_args()
    wanted = set(filter(None, asked.only.split(",")))
    before: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home:
        for format, tool, variant in FORMATS:
            if not wanted or wanted & {format, f"{format}/{tool}", f"{format}/{tool}/{variant}"}:
                row = made(Path(home), asked.model, (format, tool, variant), before)
                TABLE.put(row)
                print(f"{format} {variant} by {tool}: {row['outcome']}", flush=True)


def made(home: Path, model: str, what: tuple[str, str, str], before: dict[str, float]) -> dict[str, Any]:
    """One row: the plan beside what was made, checked and measured. `before` keeps the original's perplexity."""
    format, tool, variant = what
    about = {"format": format, "tool": tool, "variant": variant, "model": Path(model).name}
    about |= {"cpu": cpu_name(), "date": date.today()}
    kind = "gguf" if format.startswith("gguf-") else "checkpoint"
    asked = {"format": format, "variant": variant or None, "make_only": True}
    asked["tool"] = tool if kind == "checkpoint" else None
    try:
        plan = make_plan(
            Request.model_validate({"model": model, "hardware": HARDWARE.get(format, HARDWARE[kind]), **asked})
        )
        left_out = {"findings", "report", *({"evaluate-before"} if kind in before else ())}
        stages = tuple(stage for stage in plan.stages if stage.name not in left_out)
        record = LocalExecutor(home).apply(plan.with_stages(stages), on_event=tell)
    except QuantplanError as error:
        return {**about, "outcome": error.what.splitlines()[0], "applied": "no"}
    row = {**about, **dict(figures(record, format, tool, variant)), "outcome": outcome(record)}
    before.setdefault(kind, row.get("perplexity_before"))
    return {**row, "perplexity_before": before[kind]}


def outcome(record: RunRecord) -> str:
    """How the run ended, and what it had fallen back to before it held."""
    taken = ", then ".join(rung.change for rung in record.rungs)
    return f"{record.state}, after falling back to {taken}" if taken else record.state


def figures(record: RunRecord, format: str, tool: str, variant: str) -> Iterator[tuple[str, Any]]:
    results = {step.name: step.result for step in record.steps}
    quantized, checked, after = (results[name] for name in ("quantize", "check-artifact", "evaluate-after"))
    yield "bytes", round(checked["tensor_bytes"])
    yield "predicted_bytes", round(checked["expected_bytes"])
    yield "file_bytes", checked["bytes"]
    if "perplexity_before" in after:
        yield "perplexity_before", round(after["perplexity_before"], 3)
    yield "perplexity_after", round(after["perplexity"], 3)
    stored = checked.get("schemes") or checked["types"]
    yield "applied", "; ".join(f"{count} x {name}" for name, count in sorted(stored.items()))
    made_by = next(step for step in record.steps if step.name == "quantize")
    yield "seconds", round(made_by.seconds or 0.0, 1)
    yield "peak_gib", round(made_by.resources["peak_memory_gib"], 3)
    if tool == "llama.cpp":
        yield "checkpoint", "gguf"
        yield "tool_version", Toolchains().llama_cpp().version
    else:
        yield "checkpoint", layout_of(format, tool, variant).checkpoint
        yield "tool_version", quantized["tool_version"]


def tell(event: Event) -> None:
    if event.state in ("done", "failed"):
        print(f"  {event.step}: {event.state} {event.message.splitlines()[0] if event.message else ''}", flush=True)


if __name__ == "__main__":
    main()
