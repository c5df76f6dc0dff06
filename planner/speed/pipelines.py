"""Layers over several nodes (pipeline parallelism): what passing a step on costs, and how far to trust the sum.

A stage is a part of the layers on the accelerators of one node. A request passes all stages for each of its tokens, so
one token takes what all layers take on one stage's accelerators, and the hops between them; meanwhile the other stages
work for other requests. In the steady state the stages together are as many servers as there are stages, each with its
share of the requests (no bubbles: there are at least as many requests as stages).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.catalog import load_yaml
from planner.hardware.hardware import Accelerator
from planner.request import Nodes
from planner.speed.constants import FILE
from planner.speed.measured import Support
from planner.speed.steps import Peaks
from planner.speed.work import Layout, Work

BITS_PER_BYTE = 8
COMPUTED = "a pipeline is computed, not measured"


@dataclass(frozen=True, slots=True)
class Hop:
    """What a stage sends its tokens over: bytes per millisecond in one direction, and the latency of a message."""

    bytes_per_ms: float
    latency_ms: float


def hop_between(nodes: Nodes) -> Hop | None:
    """The link between nodes as a hop; None where its rate is not known."""
    if nodes.gbit_s is None:
        return None
    assumed_us: float = load_yaml("clusters.yaml")["latency_us"][nodes.link]["value"]
    latency_us = assumed_us if nodes.latency_us is None else nodes.latency_us
    return Hop(nodes.gbit_s * 1e6 / BITS_PER_BYTE, latency_us / 1000)


def hop_inside(accelerator: Accelerator, link_bytes_per_ms: float) -> Hop:
    """The link inside a node, where several stages stand in one."""
    fast = accelerator.interconnect in ("nvlink", "infinity-fabric")
    latency_us: float = load_yaml("clusters.yaml")["latency_us"]["nvlink" if fast else "other"]["value"]
    return Hop(link_bytes_per_ms, latency_us / 1000)


def hop_of(accelerator: Accelerator, link_bytes_per_ms: float, layout: Layout, nodes: Nodes | None) -> Hop | None:
    """What joins the stages of this layout: the link between nodes, or inside the one node that holds them all."""
    accelerators = layout.accelerators * layout.pipeline_parallel
    if nodes is None or accelerators <= nodes.accelerators_per_node:
        return hop_inside(accelerator, link_bytes_per_ms)
    return hop_between(nodes)


def with_hop(peaks: Peaks, hop: Hop) -> Peaks:
    return replace(peaks, hop_bytes_per_ms=hop.bytes_per_ms, hop_latency_ms=hop.latency_ms)


def hops_ms(layout: Layout, peaks: Peaks, work: Work) -> float:
    """Milliseconds of handing one step on from stage to stage, all hops together."""
    if isinstance(layout.pipeline_parallel, int) and layout.pipeline_parallel == 1:
        return 0.0  # most plans: nothing to look up
    tensors: float = load_yaml("clusters.yaml")["pipeline"]["tensors_a_hop"]
    carried_ms = tensors * work.message_bytes / peaks.hop_bytes_per_ms
    return (layout.pipeline_parallel - 1) * (peaks.hop_latency_ms + carried_ms)


def computed(known: Support, what: str = COMPUTED) -> Support:
    """The same support with intervals as wide as those of borrowed constants: no run of a pipeline was fitted.

    `what` says so of another layout that is as little measured.
    """
    widening = float(load_yaml(FILE)["borrowed_widening"])
    wider = {figure: interval.widened(widening) for figure, interval in known.intervals.items()}
    return Support(wider, False, f"{what}; {known.note}" if known.note else what)
