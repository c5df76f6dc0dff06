"""Speed on accelerators: work of the model, datasheet rates, fitted constants, closed loop."""

from __future__ import annotations

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants, support
from planner.speed.estimate import Speed
from planner.speed.serving import Phases, Served, closed_loop
from planner.speed.steps import Peaks, hostless, prompt_step_ms, step_ms
from planner.speed.work import Running, decode_work, prefill_work

CHUNK_TOKENS = 8192


def gpu_speed(shape: Shape, accelerator: Accelerator, scheme: Scheme, run: Running, workload: Workload) -> Speed:
    """The three figures with their intervals; abstains when the engine or a datasheet rate is unknown."""
    group = gpu_class(accelerator)
    known = support(run.engine, run.kernel, group)
    peaks = peaks_of(accelerator, scheme, run.kernel)
    if known is None:
        return Speed.unknown(f"no speed constants for the engine {run.engine}", run.kernel)
    if peaks is None:
        return Speed.unknown(f"{accelerator.name} has no published rate for {scheme.activation} arithmetic", run.kernel)
    served = serve(shape, peaks, group, run, workload)
    return Speed(
        ttft_ms=known.estimate("ttft_ms", served.ttft_ms),
        tpot_ms=known.estimate("tpot_ms", served.tpot_ms),
        output_tokens_per_s=known.estimate("output_tokens_per_s", served.output_tokens_per_s),
        kernel=run.kernel,
    )


def serve(shape: Shape, peaks: Peaks, gpu_class: str, run: Running, workload: Workload) -> Served:
    """The closed loop of this run on this class of GPUs."""
    constants = serving_constants(run.engine, run.kernel, gpu_class)
    phases = phases_of(shape, peaks, gpu_class, run, workload)
    return closed_loop(phases, constants, workload.concurrency, workload.output_tokens)


def phases_of(shape: Shape, peaks: Peaks, gpu_class: str, run: Running, workload: Workload) -> Phases:
    """One decode step at the mean context, one prompt alone, and its share of a chunk full of prompts."""
    prompt = rates(run.engine, run.kernel, gpu_class)
    decode = decode_rates(run.engine, run.kernel, gpu_class)
    context = workload.input_tokens + workload.output_tokens / 2
    chunk = max(workload.input_tokens, CHUNK_TOKENS)
    alone = prefill_work(shape, run.stored, run.layout, workload.input_tokens)
    full_ms = prompt_step_ms(prefill_work(shape, run.stored, run.layout, chunk), peaks, hostless(prompt))
    return Phases(
        decode_ms=step_ms(decode_work(shape, run.stored, run.layout, workload.concurrency, context), peaks, decode),
        prefill_alone_ms=prompt_step_ms(alone, peaks, prompt),
        prefill_share_ms=full_ms * workload.input_tokens / chunk / run.layout.attention_data_parallel,
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
