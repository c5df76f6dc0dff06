"""Speed on accelerators: work of the model, datasheet rates, fitted constants, closed loop."""

from __future__ import annotations

from functools import lru_cache

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.request import Nodes, Workload
from planner.schemes import Activation, Scheme
from planner.speed.anatomy import anatomy
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.estimate import Speed
from planner.speed.loads import Load, phases_of, seen_by_users
from planner.speed.measured import support_for
from planner.speed.pipelines import computed, hop_of, with_hop
from planner.speed.serving import Phases, Served
from planner.speed.steps import Peaks
from planner.speed.work import Running

PCIE_GB_S = 32.0


def gpu_speed(
    shape: Shape,
    accelerator: Accelerator,
    scheme: Scheme,
    run: Running,
    workload: Workload,
    nodes: Nodes | None = None,
) -> Speed:
    """The three figures with their intervals; abstains when the engine, a datasheet rate or a link is unknown."""
    group = gpu_class(accelerator)
    known = support_for(run.engine, run.kernel, accelerator, anatomy(shape))
    peaks = peaks_of(accelerator, scheme.activation, run.kernel)
    if known is None:
        return Speed.unknown(f"no speed constants for the engine {run.engine}", run.kernel)
    if peaks is None:
        return Speed.unknown(f"{accelerator.name} has no published rate for {scheme.activation} arithmetic", run.kernel)
    if run.layout.pipeline_parallel > 1:
        hop = hop_of(accelerator, peaks.link_bytes_per_ms, run.layout, nodes)
        if hop is None:
            return Speed.unknown("the rate of the link between nodes is not known", run.kernel)
        peaks, known = with_hop(peaks, hop), computed(known)
    seen = serve(shape, peaks, group, run, workload)
    return Speed(
        ttft_ms=known.estimate("ttft_ms", seen.ttft_ms),
        tpot_ms=known.estimate("tpot_ms", seen.tpot_ms),
        output_tokens_per_s=known.estimate("output_tokens_per_s", seen.output_tokens_per_s),
        kernel=run.kernel,
    )


def serve(shape: Shape, peaks: Peaks, gpu_class: str, run: Running, workload: Workload) -> Served:
    """The closed loop of this run on this class of GPUs."""
    load, named = load_of(shape, peaks, run, workload), (run.engine, run.kernel, gpu_class)
    return seen_by_users(load, phases(load, *named), serving_constants(*named))


@lru_cache(maxsize=4096)
def phases(load: Load, engine: str, kernel: str, gpu_class: str) -> Phases:
    """A plan weighs the same run more than once, for its speed and its cost, and a service the same plan."""
    named = engine, kernel, gpu_class
    return phases_of(load, rates(*named), decode_rates(*named))


def load_of(shape: Shape, peaks: Peaks, run: Running, workload: Workload) -> Load:
    """The load that a workload is on this run."""
    return Load(
        model=anatomy(shape),
        peaks=peaks,
        stored=run.stored,
        layout=run.layout,
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        concurrency=workload.concurrency,
    )


def peaks_of(accelerator: Accelerator, activation: Activation, kernel: str) -> Peaks | None:
    """Datasheet rates for the arithmetic the kernel really does; None where the card has no such unit."""
    weight_only = activation == "16-bit" or kernel.startswith(("marlin", "mxfp4-w4a16"))
    rate = {
        "16-bit": accelerator.fp16_tflops,
        "fp8": accelerator.fp8_tflops,
        "int8": accelerator.int8_tops,
        "fp4": accelerator.fp4_tflops,
    }["16-bit" if weight_only else activation]
    if rate is None:
        return None
    if kernel == "mxfp4-w4a16" and accelerator.fp8_tflops:  # multiplies with FP8 activations where it can
        rate = accelerator.fp8_tflops
    link = accelerator.link_gb_s or PCIE_GB_S
    return Peaks(
        memory_bytes_per_ms=accelerator.bandwidth_gb_s * 1e6,
        scheme_operations_per_ms=rate * 1e9,
        plain_operations_per_ms=accelerator.fp16_tflops * 1e9,
        link_bytes_per_ms=link / 2 * 1e6,
    )
