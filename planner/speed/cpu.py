"""Speed of llama.cpp on a CPU, from the machine's measured bandwidth and arithmetic rate, by GGUF type.

llama-server runs all slots in one step: a step with n requests on board computes n tokens and reads the weights once.
Few-token steps and long prompts use different kernels, so each GGUF type has its own share of the rate for both.
The constants hold for clients that start together and get answers of one length, as load tests do: their prompts
meet, so the mean time to first token grows with their number, and few prompts fall between the tokens of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planner.catalog import load_yaml
from planner.hardware.hardware import Cpu
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.constants import FILE
from planner.speed.estimate import Estimate, Speed
from planner.speed.measured import Interval
from planner.speed.serving import Phases, ServingConstants, closed_loop
from planner.speed.steps import roofline
from planner.speed.work import Layout, Stored, Work, decode_work, prefill_work

KNEE = "knee"
KERNEL_CHOOSING = frozenset(
    {"avx2", "avx_vnni", "avx512f", "avx512_vnni", "amx_int8", "neon", "i8mm", "sve"}
)  # by ggml


@dataclass(frozen=True, slots=True)
class TypeRates:
    """Shares of the measured rates one GGUF type reaches: bandwidth, arithmetic of a few tokens, of a prompt."""

    bandwidth_efficiency: float
    decode_efficiency: float
    prefill_efficiency: float


@dataclass(frozen=True, slots=True)
class CpuConstants:
    """Milliseconds beside the arithmetic, and how prompts and tokens of several slots mix."""

    step_ms: float
    layer_ms: float
    sequence_ms: float
    attention_efficiency: float
    knee: float
    serving: ServingConstants
    types: Mapping[str, TypeRates]
    intervals: Mapping[str, Interval]
    measured_with: frozenset[str] = frozenset()
    other_instructions_widening: float = 1.0

    def estimate(self, figure: str, value: float, cpu: Cpu) -> Estimate:
        """The figure with its interval, wider on a CPU whose kernels are not those that were measured."""
        found = self.intervals[figure]
        same = KERNEL_CHOOSING.intersection(cpu.instruction_sets) == self.measured_with
        widening = 1.0 if same else self.other_instructions_widening
        source = f"{found.source} ({found.rows} rows)" + ("" if same else "; other instruction sets than measured")
        return Estimate(value, value * found.low**widening, value * found.high**widening, source)


@lru_cache(maxsize=1)
def cpu_constants() -> CpuConstants:
    """The constants measured with llama.cpp on CPUs, with their source."""
    found: Mapping[str, Any] = load_yaml(FILE)["cpu"]
    return CpuConstants(
        **{name: float(found[name]) for name in ("step_ms", "layer_ms", "sequence_ms", "attention_efficiency", KNEE)},
        serving=ServingConstants(**found["serving"]),
        types={name: TypeRates(**values) for name, values in found["types"].items()},
        intervals={name: Interval(**values, source=found["source"]) for name, values in found["intervals"].items()},
        measured_with=frozenset(found["measured_with"]),
        other_instructions_widening=float(found["other_instructions_widening"]),
    )


def cpu_speed(
    shape: Shape,
    cpu: Cpu | None,
    scheme: Scheme,
    *,
    engine: str,
    kernel: str,
    stored: Stored,
    workload: Workload,
) -> Speed:
    """The three figures of llama.cpp on this CPU; abstains for another engine, type or an unmeasured machine."""
    constants = cpu_constants()
    if engine != "llama.cpp":
        return Speed.unknown(f"no speed constants for {engine} on a CPU", kernel)
    if scheme.id not in constants.types:
        return Speed.unknown(f"no speed constants for {scheme.id} on a CPU", kernel)
    if cpu is None or cpu.bandwidth_gb_s is None or cpu.matmul_gflops is None:
        reason = "bandwidth and arithmetic rate of a declared CPU are unknown; plan on the machine itself (--on here)"
        return Speed.unknown(reason, kernel)
    phases = cpu_phases(shape, cpu.bandwidth_gb_s, cpu.matmul_gflops, scheme.id, constants, stored, workload)
    served = closed_loop(phases, constants.serving, workload.concurrency, workload.output_tokens)
    return Speed(
        ttft_ms=constants.estimate("ttft_ms", served.ttft_ms, cpu),
        tpot_ms=constants.estimate("tpot_ms", served.tpot_ms, cpu),
        output_tokens_per_s=constants.estimate("output_tokens_per_s", served.output_tokens_per_s, cpu),
        kernel=kernel,
    )


def cpu_phases(
    shape: Shape,
    bandwidth_gb_s: float,
    matmul_gflops: float,
    type_id: str,
    constants: CpuConstants,
    stored: Stored,
    workload: Workload,
) -> Phases:
    """One step with every slot busy, and one prompt."""
    context = workload.input_tokens + workload.output_tokens / 2
    decode = decode_work(shape, stored, Layout(), workload.concurrency, context)
    prefill = prefill_work(shape, stored, Layout(), workload.input_tokens)
    rates = constants.types[type_id]

    def step(work: Work, efficiency: float) -> float:
        return cpu_step_ms(work, bandwidth_gb_s, matmul_gflops, rates.bandwidth_efficiency, efficiency, constants)

    prompt_ms = step(prefill, rates.prefill_efficiency)
    return Phases(step(decode, rates.decode_efficiency), prompt_ms, prompt_ms)


def cpu_step_ms(
    work: Work,
    bandwidth_gb_s: float,
    matmul_gflops: float,
    bandwidth_efficiency: float,
    compute_efficiency: float,
    constants: CpuConstants,
) -> float:
    """Milliseconds of one step: the roofline of the weights, attention, and constants per step, layer and sequence."""
    weights = roofline(
        (work.dense_bytes + work.expert_bytes + work.plain_bytes) / (bandwidth_gb_s * 1e6 * bandwidth_efficiency),
        (work.dense_operations + work.expert_operations + work.plain_operations)
        / (matmul_gflops * 1e6 * compute_efficiency),
        constants.knee,
    )
    attention = roofline(
        work.cache_bytes / (bandwidth_gb_s * 1e6),
        work.attention_operations / (matmul_gflops * 1e6 * constants.attention_efficiency),
        constants.knee,
    )
    host = constants.step_ms + work.layers * constants.layer_ms + work.sequences * constants.sequence_ms
    return weights + attention + host
