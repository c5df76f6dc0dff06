"""How well decoding with part of a model in host memory is predicted: `python benchmarks/offload.py`.

Each line of measured/offload.csv is a published run of llama.cpp; the second error is that of constants refitted
without the line's machine. The last lines say what a refit on all rows gives.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import mean, median

from planner.hardware.hardware import Accelerator
from planner.memory.gguf_mix import gguf_file
from planner.memory.kv_cache import kv_cache
from planner.memory.llama_split import is_looked_up
from planner.models.catalogue import find
from planner.models.shape import Shape
from planner.request import Workload
from planner.speed.constants import decode_rates, gpu_class
from planner.speed.gpu import load_of, peaks_of
from planner.speed.offload import HostMemory, HostShare, host_efficiency, host_step_ms, sides_of
from planner.speed.steps import step_ms
from planner.speed.work import Layout, Running, Stored, Work, decode_work

TABLE = Path(__file__).parent / "measured" / "offload.csv"
ENGINE, KERNEL = "llama.cpp", "ggml-cuda"


@dataclass(frozen=True)
class Run:
    """One published run: milliseconds a token as measured, on the GPU as predicted, and what the host has to read."""

    row: dict[str, str]
    measured_ms: float
    gpu_ms: float
    host: Work

    @property
    def name(self) -> str:
        experts = self.row["cpu_expert_layers"]
        split = f"--n-cpu-moe {experts}" if experts != "0" else f"-ngl {self.row['gpu_layers']} of {self.row['layers']}"
        return f"{self.row['gpu']} {self.row['model']} {split}"

    def predicted_ms(self, efficiency: float) -> float:
        memory = HostMemory(float(self.row["host_bandwidth_gb_s"]), 1, 1, "")
        return self.gpu_ms + host_step_ms(self.host, memory) * host_efficiency() / efficiency

    def error(self, efficiency: float) -> float:
        return log(self.predicted_ms(efficiency) / self.measured_ms)


def read_runs() -> list[Run]:
    with TABLE.open(newline="") as stream:
        return [run_of(row) for row in csv.DictReader(stream)]


def run_of(row: dict[str, str]) -> Run:
    entry = find(row["model"])
    assert entry is not None
    shape, gpu = entry.shape, accelerator_of(row)
    tokens_per_s = float(row["tokens_per_s"]) / (1 - float(row["prompt_in_rate"]))
    running = Running(ENGINE, KERNEL, Layout(), stored(shape, row["ggml_type"]))
    peaks = peaks_of(gpu, "16-bit", KERNEL)
    assert peaks is not None
    load = load_of(shape, peaks, running, Workload(input_tokens=1, output_tokens=1, concurrency=1))
    whole = decode_work(load.model, load.stored, load.layout, 1, float(row["context_tokens"]))
    sides = sides_of(whole, share_of(shape, row))
    gpu_ms = step_ms(sides.gpu, peaks, decode_rates(ENGINE, KERNEL, gpu_class(gpu)))
    return Run(row, 1000 / tokens_per_s, gpu_ms, sides.host)


def accelerator_of(row: dict[str, str]) -> Accelerator:
    return Accelerator(
        name=row["gpu"],
        vendor="nvidia",
        architecture=row["gpu_architecture"],
        memory_gb=8,
        memory_gib=8,
        bandwidth_gb_s=float(row["gpu_bandwidth_gb_s"]),
        fp16_tflops=float(row["gpu_fp16_tflops"]),
        source=row["source"],
        compute_capability=float(row["gpu_compute_capability"]),
    )


def stored(shape: Shape, ggml_type: str) -> Stored:
    """The whole model as a GPU would hold it: without embeddings that are only looked up."""
    tensors = gguf_file(shape, ggml_type)
    held = sum(t.bytes for t in tensors if shape.tied_embeddings or not is_looked_up(t))
    bits = 8 * sum(t.bytes for t in tensors) / shape.parameters
    return Stored(bits, held, kv_cache(shape, "16-bit", 1, ENGINE).bytes_per_token)


def share_of(shape: Shape, row: dict[str, str]) -> HostShare:
    mixtures, behind = sum(group.count for group in shape.experts), int(row["cpu_expert_layers"])
    experts = max(0, behind - (shape.layer_count - mixtures)) / mixtures if mixtures and behind else 0.0
    return HostShare((int(row["layers"]) - int(row["gpu_layers"])) / shape.layer_count, experts)


def fitted(runs: Sequence[Run]) -> float:
    """The share of the host's bandwidth that makes the mean absolute error least, to 0.01."""
    return min((n / 100 for n in range(20, 100)), key=lambda share: mean(abs(run.error(share)) for run in runs))


def without_machine(runs: Sequence[Run]) -> Iterator[tuple[Run, float]]:
    for run in runs:
        yield run, fitted([other for other in runs if other.row["host"] != run.row["host"]])


def main() -> None:
    runs, now = read_runs(), host_efficiency()
    print(f"{'run':48}{'measured':>10}{'predicted':>11}{'error':>8}{'machine left out':>18}")
    left_out = []
    for run, blind in without_machine(runs):
        left_out.append(abs(run.error(blind)))
        errors = f"{exp(run.error(now)) - 1:+8.1%}{exp(run.error(blind)) - 1:+18.1%}"
        print(f"{run.name:48}{run.measured_ms:7.1f} ms{run.predicted_ms(now):8.1f} ms{errors}")
    sizes = [abs(run.error(now)) for run in runs]
    print(f"\n{len(runs)} runs: mean {mean(sizes):.1%}, median {median(sizes):.1%}, largest {max(sizes):.1%}")
    print(f"machine left out: mean {mean(left_out):.1%}, median {median(left_out):.1%}, largest {max(left_out):.1%}")
    print(f"a refit on all gives host_bandwidth_efficiency {fitted(runs):.2f} (now {now:.2f})")


if __name__ == "__main__":
    main()
