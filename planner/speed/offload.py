"""Speed of llama.cpp with part of a model in the host's memory.

Layers run one after the other, each where it lies: a step takes the GPU's part of it at the GPU's rates, and the host's
part at the bandwidth of its memory. What the hidden states take to cross is not seen in published runs. From 32 tokens
at once (`GGML_OP_OFFLOAD_MIN_BATCH`) the GPU computes the host's layers, too, and copies their weights for each
micro-batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from math import ceil
from typing import Any

from planner.catalog import load_yaml
from planner.hardware.hardware import Accelerator, Cpu
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.cpu import cpu_constants
from planner.speed.estimate import Estimate, Speed
from planner.speed.gpu import load_of, peaks_of
from planner.speed.loads import Load, prompt_alone_ms
from planner.speed.measured import support
from planner.speed.serving import Phases, closed_loop
from planner.speed.steps import Rates, roofline, step_ms
from planner.speed.work import Running, Work, decode_work

FILE = "offload_constants.yaml"
STAYS = frozenset({"tokens", "sequences", "message_bytes", "accelerators"})
HEAD = frozenset({"plain_bytes", "plain_operations"})
EXPERTS = frozenset({"expert_bytes", "expert_operations"})


@dataclass(frozen=True, slots=True)
class HostShare:
    """The part (0 to 1) of the layers on the host, and of the mixture layers whose experts alone are there."""

    layers: float
    experts: float = 0.0


@dataclass(frozen=True, slots=True)
class HostMemory:
    """Bandwidth of the host's memory, and multipliers of a time for what is not known of it."""

    bandwidth_gb_s: float
    fastest: float
    slowest: float
    says: str


@dataclass(frozen=True, slots=True)
class MultiplyingRate:
    """How fast the host multiplies few tokens, and how sharp the corner of its roofline is."""

    operations_per_ms: float
    knee: float


@dataclass(frozen=True, slots=True)
class Sides:
    """One step's work on the GPU and on the host."""

    gpu: Work
    host: Work


@lru_cache(maxsize=1)
def offload_constants() -> Mapping[str, Any]:
    """Constants fitted on published runs, with their rows, residuals and sources."""
    content: Mapping[str, Any] = load_yaml(FILE)
    return content


def offloaded_speed(
    shape: Shape, accelerator: Accelerator, cpu: Cpu | None, scheme: Scheme, run: Running, share: HostShare,
    workload: Workload,
) -> Speed:  # fmt: skip
    """The three figures of a model split so; `run.stored` holds the weights of the whole model.

    Abstains where the GPU's part is unknown. An undeclared bandwidth of the host is taken from a range, and widens.
    """
    named = run.engine, run.kernel, gpu_class(accelerator)
    peaks = peaks_of(accelerator, scheme.activation, run.kernel)
    if support(*named) is None or peaks is None:
        return Speed.unknown(f"nothing is known of {run.engine} on {accelerator.name}", run.kernel)
    load, memory = load_of(shape, peaks, run, workload), host_memory(cpu)
    decode_ms = step_of(load, decode_rates(*named), share, memory, multiplying_rate(cpu, scheme))
    prompt_ms = prompt_of(load, rates(*named), share)
    phases = Phases(decode_ms, prompt_ms, prompt_ms)
    seen = closed_loop(phases, serving_constants(*named), workload.concurrency, workload.output_tokens)
    return Speed(
        ttft_ms=_estimate("ttft_ms", seen.ttft_ms, memory, workload),
        tpot_ms=_estimate("tpot_ms", seen.tpot_ms, memory, workload),
        output_tokens_per_s=_estimate("output_tokens_per_s", seen.output_tokens_per_s, memory, workload),
        kernel=run.kernel,
    )


def host_memory(cpu: Cpu | None) -> HostMemory:
    """The measured or declared bandwidth, else the middle of what such machines have."""
    if cpu is not None and cpu.bandwidth_gb_s:
        return HostMemory(cpu.bandwidth_gb_s, 1.0, 1.0, f"host memory {cpu.bandwidth_gb_s:g} GB/s")
    usual = offload_constants()["undeclared_host"]
    typical, least, most = (float(usual[name]) for name in ("bandwidth_gb_s", "least_gb_s", "most_gb_s"))
    says = f"host bandwidth not declared: {least:g} to {most:g} GB/s"
    return HostMemory(typical, typical / most, typical / least, says)


def step_of(load: Load, decode: Rates, share: HostShare, memory: HostMemory, rate: MultiplyingRate | None) -> float:
    """Milliseconds of a decode step with everyone on board."""
    context, constants = load.input_tokens + load.output_tokens / 2, offload_constants()
    whole = decode_work(load.model, load.stored, load.layout, load.concurrency, context)
    if load.concurrency >= float(constants["batch_threshold"]):
        return step_ms(whole, load.peaks, decode) + copying_ms(whole, share)
    sides = sides_of(whole, share)
    return step_ms(sides.gpu, load.peaks, decode) + host_step_ms(sides.host, memory, rate)


def prompt_of(load: Load, prompt: Rates, share: HostShare) -> float:
    """Milliseconds of one prompt: computed on the GPU, with the host's weights copied for each of its micro-batches."""
    together = float(offload_constants()["micro_batch_tokens"])
    whole = decode_work(load.model, load.stored, load.layout, together, load.input_tokens)
    return prompt_alone_ms(load, prompt) + ceil(load.input_tokens / together) * copying_ms(whole, share)


def copying_ms(whole: Work, share: HostShare) -> float:
    """Milliseconds to copy the host's part of the weights that a step reads to the GPU."""
    host = sides_of(whole, share).host
    copied: float = host.dense_bytes + host.expert_bytes + host.plain_bytes
    return copied / (float(offload_constants()["copy_gb_s"]) * 1e6)


def sides_of(whole: Work, share: HostShare) -> Sides:
    """A step's work by side. The head is the GPU's."""
    host = replace(whole, **{f.name: _host_part(f.name, whole, share) for f in fields(Work) if f.name not in STAYS})
    gpu = replace(whole, **{
        f.name: getattr(whole, f.name) - getattr(host, f.name) for f in fields(Work) if f.name not in STAYS
    })  # fmt: skip
    return Sides(gpu, host)


def _host_part(name: str, whole: Work, share: HostShare) -> float:
    value: float = getattr(whole, name)
    if name in HEAD:
        return 0.0
    return value * (share.layers + (share.experts if name in EXPERTS else 0.0))


def host_efficiency() -> float:
    """The share of its memory's bandwidth that the host reaches when it computes layers."""
    return float(offload_constants()["host_bandwidth_efficiency"])


def host_step_ms(work: Work, memory: HostMemory, rate: MultiplyingRate | None = None) -> float:
    """The host's part: reading weights and cache, or multiplying, where its rate is known and is the slower."""
    read = work.dense_bytes + work.expert_bytes + work.plain_bytes + work.cache_bytes
    reading_ms = read / (memory.bandwidth_gb_s * 1e6 * host_efficiency())
    if rate is None:
        return reading_ms
    operations = work.dense_operations + work.expert_operations + work.plain_operations
    return roofline(reading_ms, operations / rate.operations_per_ms, rate.knee)


def multiplying_rate(cpu: Cpu | None, scheme: Scheme) -> MultiplyingRate | None:
    """The arithmetic of a CPU that was measured, in a type that was; None for others."""
    constants = cpu_constants()
    known = constants.types.get(scheme.id)
    if cpu is None or not cpu.matmul_gflops or known is None:
        return None
    return MultiplyingRate(cpu.matmul_gflops * 1e6 * known.decode_efficiency, constants.knee)


def _estimate(figure: str, value: float, memory: HostMemory, workload: Workload) -> Estimate:
    """The figure with its interval: of published runs for one request at a time, else wider."""
    constants = offload_constants()
    found = constants["intervals"][figure]
    widening = 1.0 if workload.concurrency == 1 else float(constants["several_requests_widening"])
    low, high = float(found["low"]) ** widening, float(found["high"]) ** widening
    faster, slower = memory.fastest, memory.slowest
    if figure == "output_tokens_per_s":
        faster, slower = 1 / slower, 1 / faster
    source = f"{constants['source']} ({found['rows']} rows); {memory.says}"
    return Estimate(value, value * low * faster, value * high * slower, source)
