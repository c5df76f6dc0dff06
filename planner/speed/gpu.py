"""Speed on accelerators: work of the model, datasheet rates, fitted constants, closed loop."""

from __future__ import annotations

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.constants import gpu_class, rates, serving_constants, support
from planner.speed.estimate import Estimate, Speed
from planner.speed.serving import Phases, Served, closed_loop
from planner.speed.steps import Peaks, Rates, hostless, step_ms
from planner.speed.work import Layout, Stored, decode_work, prefill_work

CHUNK_TOKENS = 8192
FIGURES = ("ttft_ms", "tpot_ms", "output_tokens_per_s")


def gpu_speed(
    shape: Shape,
    accelerator: Accelerator,
    scheme: Scheme,
    *,
    engine: str,
    kernel: str,
    layout: Layout,
    stored: Stored,
    workload: Workload,
) -> Speed:
    """The three figures with their intervals; abstains when the engine or a datasheet rate is unknown."""
    known = support(engine, kernel, gpu_class(accelerator))
    peaks = peaks_of(accelerator, scheme, kernel)
    if known is None:
        return Speed.unknown(f"no speed constants for the engine {engine}", kernel)
    if peaks is None:
        return Speed.unknown(f"{accelerator.name} has no published rate for {scheme.activation} arithmetic", kernel)
    served = serve(shape, peaks, engine, kernel, gpu_class(accelerator), layout, stored, workload)
    estimates: dict[str, Estimate] = {}
    for figure in FIGURES:
        interval = known.intervals[figure]
        value = getattr(served, figure)
        source = f"{interval.source} ({interval.rows} rows)" + (f"; {known.note}" if known.note else "")
        estimates[figure] = Estimate(value, value * interval.low, value * interval.high, source)
    return Speed(
        ttft_ms=estimates["ttft_ms"],
        tpot_ms=estimates["tpot_ms"],
        output_tokens_per_s=estimates["output_tokens_per_s"],
        kernel=kernel,
    )


def serve(
    shape: Shape,
    peaks: Peaks,
    engine: str,
    kernel: str,
    gpu_class: str,
    layout: Layout,
    stored: Stored,
    workload: Workload,
) -> Served:
    """The closed loop for one engine, kernel and GPU class."""
    step = rates(engine, kernel, gpu_class)
    phases = phases_of(shape, peaks, step, layout, stored, workload)
    constants = serving_constants(engine, kernel, gpu_class)
    return closed_loop(phases, constants, workload.concurrency, workload.output_tokens)


def phases_of(shape: Shape, peaks: Peaks, step: Rates, layout: Layout, stored: Stored, workload: Workload) -> Phases:
    """One decode step at the mean context, one prompt alone, and its share of a chunk full of prompts."""
    context = workload.input_tokens + workload.output_tokens / 2
    chunk = max(workload.input_tokens, CHUNK_TOKENS)
    full_ms = step_ms(prefill_work(shape, stored, layout, chunk), peaks, hostless(step))
    return Phases(
        decode_ms=step_ms(decode_work(shape, stored, layout, workload.concurrency, context), peaks, step),
        prefill_alone_ms=step_ms(prefill_work(shape, stored, layout, workload.input_tokens), peaks, step),
        prefill_share_ms=full_ms * workload.input_tokens / chunk / layout.attention_data_parallel,
    )


def peaks_of(accelerator: Accelerator, scheme: Scheme, kernel: str) -> Peaks | None:
    """Datasheet rates for the arithmetic the kernel really does; None where the card has no such unit."""
    weight_only = scheme.activation == "16-bit" or kernel.startswith(("marlin", "mxfp4-w4a16"))
    rate = {
        "16-bit": accelerator.fp16_tflops,
        "fp8": accelerator.fp8_tflops,
        "int8": accelerator.int8_tops,
        "fp4": accelerator.fp4_tflops,
    }["16-bit" if weight_only else scheme.activation]
    if rate is None:
        return None
    link = accelerator.link_gb_s or 32.0
    return Peaks(
        memory_bytes_per_ms=accelerator.bandwidth_gb_s * 1e6,
        scheme_operations_per_ms=rate * 1e9,
        plain_operations_per_ms=accelerator.fp16_tflops * 1e9,
        link_bytes_per_ms=link / 2 * 1e6,
    )
