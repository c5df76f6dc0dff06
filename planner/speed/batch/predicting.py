"""Predicts published speed in bulk: one answer for each row of a table, for anyone who wants to check us.

A row is answered or abstains with one of `ABSTENTIONS`; nothing in a cell makes it fail. Measured columns are not read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

from planner.bulk import Summary, read_rows, write_lines
from planner.speed.batch.answering import estimates
from planner.speed.batch.architectures import Architectures
from planner.speed.batch.question import Question, cell
from planner.speed.batch.serving_rows import serving_question
from planner.speed.batch.stream_rows import stream_question
from planner.speed.batch.throughput_rows import throughput_question
from planner.speed.estimate import Estimate

ABSTENTIONS = {
    "unknown-model": "no configuration and no catalogue entry for this name, and no size in it",
    "unknown-accelerator": "no catalogue entry for this GPU",
    "unknown-engine": "no constants for this engine, nor for its family",
    "unknown-format": "this format, or a kernel for it under that engine on that GPU, is not known",
    "unknown-metric": "the metric is no time or rate of tokens, but a ratio of two runs",
    "no-arithmetic": "the GPU has no published rate for the arithmetic of this format",
    "does-not-fit": "the weights alone are larger than the memory of the GPUs the row names",
    "no-concurrency": "neither a batch nor a number of clients is stated",
    "cpu": "a CPU whose bandwidth was not measured by quantplan",
    "partial-offload": "layers split between host and GPU: their number on each side is not a column",
    "out-of-range": "the row's numbers lead to no finite prediction",
}
Row = Mapping[str, str | None]
Ask = Callable[[Row, Architectures], Question | str]


def predict_serving(row: Row, architectures: Architectures) -> dict[str, object]:
    """`ttft_ms` and `tpot_ms` with low and high."""
    found = _answers(row, architectures, serving_question)
    if isinstance(found, str):
        names = [f"{figure}{end}_ms" for figure in ("ttft", "tpot") for end in ("", "_low", "_high")]
        return {"id": cell(row, "id"), **dict.fromkeys(names), "abstained": found}
    ttft, tpot = found
    return {"id": cell(row, "id"), **_bounded("ttft", ttft), **_bounded("tpot", tpot), "abstained": None}


def predict_throughput(row: Row, architectures: Architectures) -> dict[str, object]:
    """`tokens_per_s` with low and high, in the metric and unit of the row (of the whole system, or per GPU)."""
    return _one(row, architectures, throughput_question, "tokens_per_s")


def predict_single_stream(row: Row, architectures: Architectures) -> dict[str, object]:
    """`value` with low and high, in the metric and unit of the row."""
    return _one(row, architectures, stream_question, "value")


TABLES: Mapping[str, tuple[Callable[[Row, Architectures], dict[str, object]], tuple[str, ...]]] = {
    "serving": (predict_serving, ("id", "backend", "model_path", "system")),
    "throughput": (predict_throughput, ("id", "engine", "model", "gpu")),
    "single-stream": (predict_single_stream, ("id", "engine", "model", "gpu")),
}


def predict_file(table: str, cases: Path, configs: Path | None, out: Path) -> Summary:
    """Predict every row of a CSV file and write one JSON object a line, atomically. BadInput for unreadable files."""
    predict, needed = TABLES[table]
    architectures = Architectures.of(configs)
    answers = [predict(row, architectures) for row in read_rows(cases, needed)]
    write_lines(out, answers)
    return Summary.of([str(answer["abstained"] or "") for answer in answers], ABSTENTIONS)


def _one(row: Row, architectures: Architectures, ask: Ask, name: str) -> dict[str, object]:
    found = _answers(row, architectures, ask)
    if isinstance(found, str):
        return {"id": cell(row, "id"), name: None, "low": None, "high": None, "abstained": found}
    (only,) = found
    values = {name: only.value, "low": only.low, "high": only.high}
    return {"id": cell(row, "id"), **{key: _rounded(value) for key, value in values.items()}, "abstained": None}


def _answers(row: Row, architectures: Architectures, ask: Ask) -> tuple[Estimate, ...] | str:
    """The estimates of a row, or why there are none."""
    asked = ask(row, architectures)
    if isinstance(asked, str):
        return asked
    try:
        found = estimates(asked)
    except (OverflowError, ZeroDivisionError, ValueError):
        return "out-of-range"
    finite = all(e.value is not None and math.isfinite(e.value) and e.value > 0 for e in found)
    return found if finite else "out-of-range"


def _bounded(name: str, estimate: Estimate) -> dict[str, object]:
    return {
        f"{name}_ms": _rounded(estimate.value),
        f"{name}_low_ms": _rounded(estimate.low),
        f"{name}_high_ms": _rounded(estimate.high),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
