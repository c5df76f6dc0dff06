"""The batch above which weight-only quantization stops paying: its kernel multiplies slower than a 16-bit one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.constants import decode_rates, gpu_class
from planner.speed.gpu import peaks_of
from planner.speed.steps import Peaks, Rates, step_ms
from planner.speed.work import Layout, Running, Stored, decode_work, nominal_weight_bytes

LARGEST_BATCH = 4096
SIXTEEN_BIT_KERNEL = "cublas-bf16"


@dataclass(frozen=True, slots=True)
class Side:
    """One way to hold the weights: what is stored, and how fast its kernel is."""

    stored: Stored
    peaks: Peaks
    rates: Rates

    def step_ms(self, shape: Shape, layout: Layout, batch: int, context_tokens: float) -> float:
        return step_ms(decode_work(shape, self.stored, layout, batch, context_tokens), self.peaks, self.rates)


def crossover_batch(
    shape: Shape,
    accelerator: Accelerator,
    quantized: Scheme,
    run: Running,
    workload: Workload,
) -> int | None:
    """The smallest batch whose decode step is no faster than with 16-bit weights.

    None when the scheme is not weight-only, when no 16-bit kernel is known, or when it pays up to 4096.
    """
    if quantized.activation != "16-bit" or not quantized.is_quantized or run.engine == "llama.cpp":
        return None
    group = gpu_class(accelerator)
    own_peaks = peaks_of(accelerator, quantized.activation, run.kernel)
    plain_peaks = peaks_of(accelerator, "16-bit", SIXTEEN_BIT_KERNEL)
    if own_peaks is None or plain_peaks is None:
        return None
    held = nominal_weight_bytes(shape, run.layout, 16, 16)
    own = Side(run.stored, own_peaks, decode_rates(run.engine, run.kernel, group))
    whole = replace(run.stored, weight_bits=16.0, weight_bytes=held, plain_bits=16.0)
    plain = Side(whole, plain_peaks, decode_rates(run.engine, SIXTEEN_BIT_KERNEL, group))
    context = workload.input_tokens + workload.output_tokens / 2

    def pays(batch: int) -> bool:
        ours = own.step_ms(shape, run.layout, batch, context)
        return ours < plain.step_ms(shape, run.layout, batch, context)

    return first_failing(pays, LARGEST_BATCH)


def first_failing(holds: Callable[[int], bool], last: int) -> int | None:
    """The smallest number from 1 to `last` for which `holds` is false, if it stays false from there on; else None."""
    if holds(last):
        return None
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high
