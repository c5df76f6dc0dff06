"""Maximum throughput against max_throughput.csv: the closed loop at the batch that the KV cache can hold."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from speed_cases import accelerator, kv_bytes_per_token, rows, shape_of
from speed_streams import KERNELS, STREAM_GPUS

from planner.hardware.hardware import Accelerator
from planner.memory.weights import weight_bytes
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.constants import gpu_class
from planner.speed.gpu import peaks_of, serve
from planner.speed.work import Layout, Running, Stored
from planner.units import GIB

FORMATS = {"fp8": "fp8", "FP8": "fp8", "bf16": "bf16", "fp16": "bf16", "FP16": "bf16", "fp4": "nvfp4"}
OLD_NAMES = {
    "LLaMA 7B": "Llama-2-7B",
    "LLaMA 70B": "Llama-2-70B",
    "Mistral 7B": "Mistral-7B",
    "Falcon 180B": "Falcon-180B",
}
USABLE_MEMORY, LARGEST_BATCH, LEFT_FOR_ACTIVATIONS_GIB = 0.9, 2048, 4.0


def throughput_errors(folder: Path, skipped: Counter[str]) -> np.ndarray:
    """log(measured / predicted) of every row whose model, GPU, format and lengths are known."""
    errors = []
    for row in rows(folder / "max_throughput.csv"):
        if "output tokens/s" not in row["metric"] or "per user" in row["metric"] or not row["input_len"].isdigit():
            skipped["another metric or unknown lengths"] += 1
            continue
        predicted = maximum_tokens_per_s(row)
        if predicted is None:
            skipped[f"{row['model']} {row['precision']} on {row['gpu']}"] += 1
            continue
        errors.append(np.log(float(row["value"]) / predicted))
    return np.array(errors)


def maximum_tokens_per_s(row: dict[str, str]) -> float | None:
    """Of one row, per GPU where the row is; None when something of it is unknown or it does not fit."""
    shape, gpu = (
        shape_of(OLD_NAMES.get(row["model"], row["model"])),
        accelerator(STREAM_GPUS.get(row["gpu"], row["gpu"])),
    )
    format_id, output_tokens = FORMATS.get(row["precision"]), int(row["output_len"] or 0)
    if shape is None or gpu is None or format_id is None or output_tokens < 2:
        return None
    ranks = int(row["tp"] or row["n_gpu"] or 1)
    peaks = peaks_of(gpu, scheme(format_id), KERNELS[format_id])
    held = weight_bytes(shape, scheme(format_id), None, ranks).total
    stored = Stored(
        scheme(format_id).bits_per_weight(), held, kv_bytes_per_token(shape, Layout(ranks), kv_element(format_id))
    )
    input_tokens = int(row["input_len"])
    batch = int(row["batch"]) if row["batch"].isdigit() else largest_batch(gpu, stored, input_tokens + output_tokens)
    if peaks is None or batch < 1:
        return None
    run = Running("tensorrt-llm", KERNELS[format_id], Layout(ranks), stored)
    load = Workload(input_tokens=input_tokens, output_tokens=output_tokens, concurrency=batch)
    served = serve(shape, peaks, gpu_class(gpu), run, load)
    rate = min(served.output_tokens_per_s, offered_tokens_per_s(row["batch"], output_tokens))
    return rate / (ranks if "per GPU" in row["metric"] else 1)


def offered_tokens_per_s(batch: str, output_tokens: int) -> float:
    """What clients ask for where the row names requests per second (`QPS=8`); without limit elsewhere."""
    queries = batch.removeprefix("QPS=")
    return float(queries) * output_tokens if batch.startswith("QPS=") else float("inf")


def kv_element(format_id: str) -> int:
    """TensorRT-LLM's overviews cache in 8 bits where the weights are 8 bits or less."""
    return 2 if format_id == "bf16" else 1


def largest_batch(gpu: Accelerator, stored: Stored, tokens: int) -> int:
    free = (gpu.memory_gib * USABLE_MEMORY - LEFT_FOR_ACTIVATIONS_GIB) * GIB - stored.weight_bytes
    return min(int(free / (stored.kv_bytes_per_token * tokens)), LARGEST_BATCH)
