"""The time of one step: rooflines and fitted constants, summed. Plain arithmetic, so arrays work as floats do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf

from planner.speed.work import Work

SHARPNESS = 6


@dataclass(frozen=True, slots=True)
class Peaks:
    """Datasheet rates of one accelerator per millisecond: bytes of memory and of links, operations dense.

    `hop_bytes_per_ms`, `hop_latency_ms`: what joins the stages of a pipeline, mostly nodes.
    """

    memory_bytes_per_ms: float
    scheme_operations_per_ms: float
    plain_operations_per_ms: float
    link_bytes_per_ms: float
    hop_bytes_per_ms: float = inf
    hop_latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Rates:
    """Fitted constants of one engine, kernel and GPU class: shares of the datasheet rates (0-1), and milliseconds.

    A decode step is replayed from a recorded graph; a prompt is launched kernel by kernel, `launch_*_ms` a layer, while
    the accelerator works. `knee` joins the two sides of a roofline: the larger it is, the sharper the corner.
    """

    bandwidth_efficiency: float
    compute_efficiency: float
    expert_bandwidth_efficiency: float
    expert_compute_efficiency: float
    cache_efficiency: float
    attention_efficiency: float
    link_efficiency: float
    step_ms: float
    layer_ms: float
    expert_layer_ms: float
    recurrent_layer_ms: float
    sequence_ms: float
    exchange_ms: float
    launch_layer_ms: float
    launch_expert_layer_ms: float
    knee: float


def within_datasheet(share: float) -> float:
    """A product of factors as a share of a datasheet rate: itself while small, and never above 1."""
    limited: float = share / (1 + share**SHARPNESS) ** (1 / SHARPNESS)
    return limited


def prompt_step_ms(work: Work, peaks: Peaks, rates: Rates) -> float:
    """Milliseconds of a step that reads prompts: the accelerator's work or the launching of it, whichever is longer."""
    launching = work.layers * rates.launch_layer_ms + work.expert_layers * rates.launch_expert_layer_ms
    return roofline(step_ms(work, peaks, rates), launching, rates.knee)


def hostless(rates: Rates) -> Rates:
    """The same without what is paid once a step: for one prompt's share of a chunk that others pay for, too."""
    return replace(rates, step_ms=0.0, sequence_ms=0.0)


def roofline(bytes_ms: float, operations_ms: float, knee: float) -> float:
    """The longer of moving and multiplying (B.memory_bound), with a rounded corner where both cost alike."""
    longer: float = (bytes_ms**knee + operations_ms**knee) ** (1 / knee)
    return longer


def step_ms(work: Work, peaks: Peaks, rates: Rates) -> float:
    """Milliseconds of one step: weights + experts + 16-bit parts + attention + exchange between ranks + host."""
    return (
        weights_ms(work, peaks, rates)
        + attention_ms(work, peaks, rates)
        + exchange_ms(work, peaks, rates)
        + host_ms(work, rates)
    )


def weights_ms(work: Work, peaks: Peaks, rates: Rates) -> float:
    memory, scheme, plain = peaks.memory_bytes_per_ms, peaks.scheme_operations_per_ms, peaks.plain_operations_per_ms
    dense = roofline(
        work.dense_bytes / (memory * rates.bandwidth_efficiency),
        work.dense_operations / (scheme * rates.compute_efficiency),
        rates.knee,
    )
    experts = roofline(
        work.expert_bytes / (memory * rates.expert_bandwidth_efficiency),
        work.expert_operations / (scheme * rates.expert_compute_efficiency),
        rates.knee,
    )
    sixteen_bit = roofline(
        work.plain_bytes / (memory * rates.bandwidth_efficiency),
        work.plain_operations / (plain * rates.compute_efficiency),
        rates.knee,
    )
    return dense + experts + sixteen_bit


def attention_ms(work: Work, peaks: Peaks, rates: Rates) -> float:
    return roofline(
        work.cache_bytes / (peaks.memory_bytes_per_ms * rates.cache_efficiency),
        work.attention_operations / (peaks.plain_operations_per_ms * rates.attention_efficiency),
        rates.knee,
    )


def exchange_ms(work: Work, peaks: Peaks, rates: Rates) -> float:
    """Two all-reduces a layer: a latency each, and 2 (n-1)/n of the message over the link."""
    others = (work.accelerators - 1) / work.accelerators
    carried = 2 * others * work.message_bytes / (peaks.link_bytes_per_ms * rates.link_efficiency)
    return 2 * work.layers * (one_if_any(work.accelerators - 1) * rates.exchange_ms + carried)


def one_if_any(count: float) -> float:
    """0 for 0, else 1; for arrays too."""
    return (count > 0) * 1.0


def host_ms(work: Work, rates: Rates) -> float:
    """What does not shrink with faster memory: launches per step and layer, and sampling per sequence."""
    return (
        rates.step_ms
        + work.layers * rates.layer_ms
        + work.expert_layers * rates.expert_layer_ms
        + work.recurrent_layers * rates.recurrent_layer_ms
        + work.sequences * rates.sequence_ms
    )
