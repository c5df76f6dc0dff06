"""Prints what the speed benchmark says beside errors: crossover batches, and how long the planner itself takes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from speed_kernels import speedups

from planner.hardware.resolving import resolve_hardware
from planner.memory.kv_cache import kv_cache
from planner.memory.weights import weight_bytes
from planner.models.resolving import resolve_model
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.crossover import crossover_batch
from planner.speed.sweeping import Candidate, speed_many
from planner.speed.work import Layout, Running, Stored

KERNEL_RUNS = {
    "marlin-int4": ("vllm", "awq-int4"),
    "gptq-exllama": ("transformers", "gptq-int4"),
    "awq-gemm": ("transformers", "awq-int4"),
    "bitsandbytes-4bit": ("transformers", "nf4"),
}
MODEL, GPU = "llama-3.1-8b", "A10"
SWEPT = 100_000


def print_crossovers(folder: Path) -> None:
    """The batch at which 4-bit weights stop paying: plotted for one product, predicted for a whole step."""
    shape, gpu = resolve_model(MODEL).shape, resolve_hardware(GPU).accelerator
    assert gpu is not None
    print(f"\ncrossover batch on an {GPU} (plotted for one product; predicted for a step of {MODEL}, 128 tokens in)")
    for kernel, speedup in speedups(folder).items():
        engine, format_id = KERNEL_RUNS[kernel]
        first = next((batch for batch, value in sorted(speedup.items()) if value <= 1), None)
        run = Running(engine, kernel, Layout(), stored(format_id))
        load = Workload(input_tokens=128, output_tokens=128, concurrency=1)
        predicted = crossover_batch(shape, gpu, scheme(format_id), run, load)
        plotted = f"by {first}" if first else f"beyond {max(speedup)}"
        print(f"  {kernel:18s} plotted {plotted:12s} predicted {predicted or 'never up to 4096'}")


def print_times() -> None:
    """One plan in a running process, `plan` cold, and a sweep of 100,000 candidates; of one core."""
    print(f"\nCPU time: one plan in a running process {plan_ms():.1f} ms   plan cold {cold_s():.2f} s   ", end="")
    print(f"{SWEPT:,} candidates {sweep_s():.2f} s")


def plan_ms() -> float:
    from planner.planning import make_plan
    from planner.request import Request

    request = Request(model="llama-3.1-70b", hardware="1xA100-80GB")
    make_plan(request)
    started = time.process_time()
    for _ in range(10):
        make_plan(request)
    return (time.process_time() - started) * 100


def cold_s() -> float:
    command = [sys.executable, "-m", "planner.cli.main", "plan", "llama-3.1-70b", "--on", "1xA100-80GB", "--json"]
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def sweep_s() -> float:
    gpus = [resolve_hardware(name).accelerator for name in ("H100", "A100", "L40S", "B200")]
    ways = [("cublas-bf16", "bf16"), ("marlin-int4", "awq-int4")]
    shape = resolve_model(MODEL).shape
    runs = [
        Candidate("vllm", kernel, gpu, scheme(f).activation, stored(f, ranks), Layout(ranks))
        for gpu in gpus
        if gpu is not None
        for kernel, f in ways
        for ranks in (1, 2, 4, 8)
    ]
    which = np.arange(SWEPT) % len(runs)
    started = time.process_time()
    speed_many(shape, runs, input_tokens=1000, output_tokens=300, concurrency=1 + which, which=which)
    return time.process_time() - started


def stored(format_id: str, ranks: int = 1) -> Stored:
    shape, found = resolve_model(MODEL).shape, scheme(format_id)
    held = weight_bytes(shape, found, None, ranks).total
    return Stored.of(found, held, kv_cache(shape, "16-bit", ranks).bytes_per_token)
