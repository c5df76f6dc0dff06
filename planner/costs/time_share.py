"""The share of a server's time that reading prompts takes, from the phases of the speed model."""

from __future__ import annotations

from planner.hardware.hardware import Accelerator, Hardware
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.constants import gpu_class
from planner.speed.cpu import cpu_constants, cpu_phases
from planner.speed.gpu import load_of, peaks_of, phases
from planner.speed.serving import Phases
from planner.speed.work import Layout, Running, Stored
from planner.support import kernel_for
from rules.vocabulary import EngineId


def prompt_share(phases: Phases, concurrency: float, output_tokens: float) -> float:
    """Prompts' part of the time of one request on a busy server: its prompt, and its share of each decode step."""
    decode_ms = phases.decode_ms * output_tokens / concurrency
    return phases.prefill_share_ms / (phases.prefill_share_ms + decode_ms)


def predicted_prompt_share(
    shape: Shape,
    hardware: Hardware,
    scheme: Scheme,
    *,
    engine: EngineId,
    tensor_parallel: int,
    weight_bytes_per_gpu: float,
    kv_bytes_per_token: float,
    workload: Workload,
) -> float | None:
    """The same for one copy of a model under this load; None where the speed model abstains."""
    kernel = kernel_for(engine, scheme.id, hardware)
    if kernel is None:
        return None
    stored = Stored.of(scheme, weight_bytes_per_gpu, kv_bytes_per_token)
    if hardware.accelerator is None:
        phases = _on_cpu(shape, hardware, scheme, stored, workload)
    else:
        run = Running(engine, kernel.name, Layout(tensor_parallel=tensor_parallel), stored)
        phases = _on_accelerators(shape, hardware.accelerator, scheme, run, workload)
    return prompt_share(phases, workload.concurrency, workload.output_tokens) if phases else None


def _on_accelerators(
    shape: Shape, accelerator: Accelerator, scheme: Scheme, run: Running, workload: Workload
) -> Phases | None:
    peaks = peaks_of(accelerator, scheme.activation, run.kernel)
    if peaks is None:
        return None
    return phases(load_of(shape, peaks, run, workload), run.engine, run.kernel, gpu_class(accelerator))


def _on_cpu(shape: Shape, hardware: Hardware, scheme: Scheme, stored: Stored, workload: Workload) -> Phases | None:
    cpu, constants = hardware.cpu, cpu_constants()
    if cpu is None or cpu.bandwidth_gb_s is None or cpu.matmul_gflops is None or scheme.id not in constants.types:
        return None
    return cpu_phases(shape, cpu.bandwidth_gb_s, cpu.matmul_gflops, scheme.id, constants, stored, workload)
