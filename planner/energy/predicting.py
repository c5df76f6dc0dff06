"""The door to the power model: one plan's load and throughput -> watts an accelerator and joules a token."""

from __future__ import annotations

from dataclasses import dataclass

from planner.energy.electricity import joules_per_token
from planner.energy.power import Support, power_constants, power_support
from planner.energy.utilisation import utilisation
from planner.hardware.hardware import Accelerator, Hardware
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme
from planner.speed.estimate import Estimate
from planner.speed.gpu import load_of, peaks_of
from planner.speed.loads import Load
from planner.speed.work import Layout, Running, Stored
from planner.support import kernel_for
from rules.vocabulary import EngineId

TDP_BOUND = "datasheet TDP, an upper bound: no measurement is near"


@dataclass(frozen=True, slots=True)
class Energy:
    """Mean draw of one accelerator while it serves, and energy of all of them for one generated token.

    Accelerators only: neither host, nor network, nor cooling. An estimate without a value may still have a `high`: the
    TDP bounds it.
    """

    watts_per_accelerator: Estimate
    joules_per_output_token: Estimate

    @classmethod
    def unknown(cls, reason: str) -> Energy:
        return cls(Estimate.unknown(reason), Estimate.unknown(reason))


def predict_energy(
    shape: Shape,
    hardware: Hardware,
    scheme: Scheme,
    *,
    engine: EngineId,
    tensor_parallel: int,
    weight_bytes_per_gpu: float,
    kv_bytes_per_token: float,
    workload: Workload,
    output_tokens_per_s: Estimate,
) -> Energy:
    """Energy of one copy of the model on `tensor_parallel` accelerators that makes `output_tokens_per_s`.

    The other arguments as for `predict_speed`. Never raises for what it does not know: it abstains with the reason,
    and with the bound that the TDP sets where that is known.
    """
    accelerator = hardware.accelerator
    if accelerator is None:
        return Energy.unknown("no power measurements of CPU hosts are known")
    if accelerator.tdp_watts is None:
        return Energy.unknown(f"the TDP of {accelerator.name} is unknown")
    support = power_support(accelerator)
    if support is None:
        reason = f"no power measurements of {accelerator.architecture} accelerators are known"
        return _bounded(reason, accelerator.tdp_watts, tensor_parallel, output_tokens_per_s)
    kernel = kernel_for(engine, scheme.id, hardware)
    peaks = peaks_of(accelerator, scheme.activation, kernel.name) if kernel else None
    if output_tokens_per_s.value is None or kernel is None or peaks is None:
        reason = output_tokens_per_s.abstained or "no throughput was predicted"
        return _bounded(reason, accelerator.tdp_watts, tensor_parallel, output_tokens_per_s)
    stored = Stored.of(scheme, weight_bytes_per_gpu, kv_bytes_per_token)
    run = Running(engine, kernel.name, Layout(tensor_parallel=tensor_parallel), stored)
    watts = estimated_watts(load_of(shape, peaks, run, workload), accelerator, support, output_tokens_per_s.value)
    return Energy(watts, joules_of(watts, tensor_parallel, output_tokens_per_s, support))


def estimated_watts(load: Load, accelerator: Accelerator, support: Support, output_tokens_per_s: float) -> Estimate:
    """Watts of one accelerator under this load; the interval ends at its TDP."""
    tdp = accelerator.tdp_watts or 0.0
    watts = tdp * power_constants().share_of_tdp(utilisation(load, output_tokens_per_s))
    return Estimate(watts, watts * support.watts[0], min(tdp, watts * support.watts[1]), support.source)


def joules_of(watts: Estimate, accelerators: int, rate: Estimate, support: Support) -> Estimate:
    """Joules a token = watts of all accelerators / tokens a second.

    The interval is the one published runs had, or that of the throughput where that is wider.
    """
    if watts.value is None or not rate.value or not rate.low or not rate.high:
        return Estimate.unknown(rate.abstained or "no throughput was predicted")
    joules = joules_per_token(watts.value * accelerators, rate.value)
    low, high = min(support.joules[0], rate.value / rate.high), max(support.joules[1], rate.value / rate.low)
    return Estimate(joules, joules * low, joules * high, watts.source)


def _bounded(reason: str, tdp_watts: float, accelerators: int, rate: Estimate) -> Energy:
    """No value, but what the TDP bounds."""
    joules = joules_per_token(tdp_watts * accelerators, rate.low) if rate.low else None
    return Energy(
        Estimate(None, None, tdp_watts, TDP_BOUND, abstained=reason),
        Estimate(None, None, joules, TDP_BOUND if joules else "", abstained=reason),
    )
