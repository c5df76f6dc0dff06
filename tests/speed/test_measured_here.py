"""What llama.cpp did under load on the authors' CPU, replayed: the constants in the catalogue still say so."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from statistics import median

import pytest

from planner.memory.weights import weight_bytes
from planner.models.families import shape_from_config
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.cpu import cpu_constants, cpu_phases
from planner.speed.serving import Served, closed_loop
from planner.speed.work import Stored

MEASURED = Path(__file__).parents[2] / "benchmarks" / "measured"
SHAPES = {
    name: shape_from_config(config, name)
    for name, config in json.loads((MEASURED / "random_models.json").read_text()).items()
}


def table(name: str) -> list[dict[str, str]]:
    with (MEASURED / name).open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def predicted(row: dict[str, str]) -> Served:
    """The run of this row by the catalogue's constants, with the bandwidth and arithmetic measured beside it."""
    shape, type_id, constants = SHAPES[row["model"]], f"gguf-{row['type'].lower()}", cpu_constants()
    load = Workload(**{name: int(row[name]) for name in ("concurrency", "input_tokens", "output_tokens")})
    cached = sum(2 * 2 * group.count * group.kv_heads * group.head_dim for group in shape.attention)
    stored = Stored.of(scheme(type_id), weight_bytes(shape, scheme(type_id)).total, cached)
    rates = float(row["bandwidth_gb_s"]), float(row["matmul_gflops"])
    phases = cpu_phases(shape, *rates, type_id, constants, stored, load)
    return closed_loop(phases, constants.serving, load.concurrency, load.output_tokens)


@pytest.mark.parametrize(
    ("figure", "median_error"), [("ttft_ms", 0.10), ("tpot_ms", 0.14), ("output_tokens_per_s", 0.10)]
)
def test_intervals_hold_what_llama_server_did(figure: str, median_error: float) -> None:
    """114 loads: six random models, seven types, 1 to 8 clients."""
    interval, rows = cpu_constants().intervals[figure], table("llama_cpp_cpu.csv")
    ratios = [float(row[figure]) / getattr(predicted(row), figure) for row in rows]
    assert len(rows) == 114
    assert sum(interval.low <= ratio <= interval.high for ratio in ratios) >= 0.85 * len(ratios)
    assert median(abs(ratio - 1) for ratio in ratios) <= median_error


def test_what_was_predicted_before_each_format_was_served_lay_inside() -> None:
    """llama-server under load by `benchmarks/serving_formats.py`: the plan's figure was written down first."""
    interval = cpu_constants().intervals["tpot_ms"]
    served = [row for row in table("served.csv") if row["engine"] == "llama.cpp" and row["predicted_tpot_ms"]]
    ratios = [float(row["measured_tpot_ms"]) / float(row["predicted_tpot_ms"]) for row in served]
    assert len(ratios) >= 5
    assert all(interval.low <= ratio <= interval.high for ratio in ratios)


def test_vllm_on_a_cpu_was_measured_but_is_not_predicted() -> None:
    """Its steps there are not those that any constants were fitted on: a plan abstains rather than guess."""
    rows = [row for row in table("served.csv") if row["engine"] == "vllm" and row["outcome"] == "done"]
    assert len(rows) >= 4
    assert all(row["measured_tpot_ms"] and not row["predicted_tpot_ms"] for row in rows)
