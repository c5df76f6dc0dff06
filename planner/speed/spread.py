"""Layouts that no fitted run had: one split over nodes, experts dealt out, prompt and decode servers of their own.

Each is computed from the layers' own times and the link between the accelerators; intervals are as wide as those of
borrowed constants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.request import Nodes, Pools, Workload
from planner.schemes import Scheme
from planner.speed.anatomy import anatomy
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.estimate import Speed
from planner.speed.gpu import load_of, peaks_of, serve
from planner.speed.loads import PooledLoad, pooled_served
from planner.speed.measured import Support, support_for
from planner.speed.pipelines import Hop, computed, hop_between, hop_inside, hops_ms, with_hop
from planner.speed.serving import Served
from planner.speed.steps import Peaks, exchange_ms
from planner.speed.work import Layout, Running, decode_work, nominal_weight_bytes

MESSAGES_A_LAYER = 2
LINK_UNKNOWN = "the rate of the link between nodes is not known"
SPLIT = "a split over nodes is computed, not measured"
DEALT = "experts dealt out are computed, not measured"
POOLED = "prompt and decode servers are computed, not measured"


@dataclass(frozen=True, slots=True)
class Joined:
    """What joins the accelerators of a layout: datasheet rates with the slowest link, and latency a step pays more."""

    peaks: Peaks
    more_ms: float = 0.0


def is_spread(layout: Layout, nodes: Nodes | None) -> bool:
    """Whether experts are dealt out, or one split spans nodes."""
    return layout.attention_data_parallel > 1 or (layout.pipeline_parallel == 1 and spans(layout.accelerators, nodes))


def spans(accelerators: float, nodes: Nodes | None) -> bool:
    """Whether so many accelerators stand in several nodes."""
    return nodes is not None and accelerators > nodes.accelerators_per_node


def spread_speed(
    shape: Shape, accelerator: Accelerator, scheme: Scheme, run: Running, workload: Workload, nodes: Nodes | None
) -> Speed:
    """One copy split or dealt out over all its accelerators; abstains like `gpu_speed`."""
    known, peaks = support_for(run.engine, run.kernel, accelerator, anatomy(shape)), _peaks(accelerator, scheme, run)
    if known is None or peaks is None:
        return Speed.unknown(f"nothing is known of the speed of {run.engine} {run.kernel} there", run.kernel)
    joined = joined_by(shape, peaks, run.layout, nodes)
    if joined is None:
        return Speed.unknown(LINK_UNKNOWN, run.kernel)
    seen = serve(shape, joined.peaks, gpu_class(accelerator), as_dealt(shape, run), workload)
    dealt = run.layout.attention_data_parallel > 1
    return _told(run, computed(known, DEALT if dealt else SPLIT), _later(seen, joined.more_ms, workload))


def pooled_speed(
    shape: Shape,
    accelerator: Accelerator,
    scheme: Scheme,
    run: Running,
    workload: Workload,
    nodes: Nodes | None,
    pools: Pools,
) -> Speed:
    """Prompt and decode servers, each laid out as `run`; a prompt's cache is handed over before its second token."""
    group = gpu_class(accelerator)
    known, peaks = support_for(run.engine, run.kernel, accelerator, anatomy(shape)), _peaks(accelerator, scheme, run)
    if known is None or peaks is None:
        return Speed.unknown(f"nothing is known of the speed of {run.engine} {run.kernel} there", run.kernel)
    moving_ms = handing_over_ms(accelerator, peaks, run, workload, nodes, pools)
    if moving_ms is None:
        return Speed.unknown(LINK_UNKNOWN, run.kernel)
    load = load_of(shape, peaks, run, workload)
    both = PooledLoad(load, replace(load, concurrency=1.0), pools.prefill, pools.decode)
    named = run.engine, run.kernel, group
    seen = pooled_served(both, rates(*named), decode_rates(*named), serving_constants(*named))
    ttft_ms = seen.ttft_ms + moving_ms
    return _told(run, computed(known, POOLED), _served(ttft_ms, seen.tpot_ms, workload))


def cache_bytes(run: Running, workload: Workload) -> float:
    """What one prompt's cache takes on all accelerators of its server."""
    return workload.input_tokens * run.stored.kv_bytes_per_token * run.layout.tensor_parallel


def handing_over_ms(
    accelerator: Accelerator, peaks: Peaks, run: Running, workload: Workload, nodes: Nodes | None, pools: Pools
) -> float | None:
    """Milliseconds one prompt's cache takes over the link between the servers; None where that is not known."""
    between = spans(run.layout.accelerators * pools.servers, nodes)
    assert nodes is not None or not between
    hop = hop_between(nodes) if nodes and between else hop_inside(accelerator, peaks.link_bytes_per_ms)
    return hop.latency_ms + cache_bytes(run, workload) / hop.bytes_per_ms if hop else None


def joined_by(shape: Shape, peaks: Peaks, layout: Layout, nodes: Nodes | None) -> Joined | None:
    """The layout's link: over nodes every exchange waits for the slower one. None where that is not known."""
    if not spans(layout.accelerators, nodes) or layout.pipeline_parallel > 1:
        return Joined(peaks)
    assert nodes is not None
    hop = hop_between(nodes)
    if hop is None:
        return None
    slower = replace(peaks, link_bytes_per_ms=min(peaks.link_bytes_per_ms, hop.bytes_per_ms))
    return Joined(slower, MESSAGES_A_LAYER * shape.layer_count * hop.latency_ms)


def link_ms(
    shape: Shape, accelerator: Accelerator, scheme: Scheme, run: Running, workload: Workload, nodes: Nodes | None
) -> float | None:
    """Of one decode step with the workload's requests on board, what exchange between accelerators takes."""
    peaks = _peaks(accelerator, scheme, run)
    joined = joined_by(shape, peaks, run.layout, nodes) if peaks else None
    if peaks is None or joined is None:
        return None
    stages = run.layout.pipeline_parallel
    hop = hop_between(nodes) if nodes and stages > 1 else Hop(peaks.link_bytes_per_ms, 0.0)
    if hop is None:
        return None
    context, run = workload.input_tokens + workload.output_tokens / 2, as_dealt(shape, run)
    work = decode_work(shape, run.stored, run.layout, max(workload.concurrency / stages, 1), context)
    fast = decode_rates(run.engine, run.kernel, gpu_class(accelerator))
    exchanged = exchange_ms(work, joined.peaks, fast) + hops_ms(run.layout, with_hop(peaks, hop), work)
    return exchanged + joined.more_ms


def as_dealt(shape: Shape, run: Running) -> Running:
    """With weights by their count where experts are dealt out, as the constants were fitted."""
    if run.layout.attention_data_parallel == 1:
        return run
    bits = run.stored.weight_bits
    held = nominal_weight_bytes(shape, run.layout, bits, bits)
    return replace(run, stored=replace(run.stored, weight_bytes=held))


def _peaks(accelerator: Accelerator, scheme: Scheme, run: Running) -> Peaks | None:
    return peaks_of(accelerator, scheme.activation, run.kernel)


def _later(seen: Served, more_ms: float, workload: Workload) -> Served:
    """The same with latency that every step pays besides."""
    return _served(seen.ttft_ms + more_ms, seen.tpot_ms + more_ms, workload) if more_ms else seen


def _served(ttft_ms: float, tpot_ms: float, workload: Workload) -> Served:
    tokens = workload.output_tokens
    request_ms = ttft_ms + tpot_ms * (tokens - 1)
    return Served(ttft_ms, tpot_ms, 1000 * workload.concurrency * tokens / request_ms)


def _told(run: Running, known: Support, seen: Served) -> Speed:
    return Speed(
        ttft_ms=known.estimate("ttft_ms", seen.ttft_ms),
        tpot_ms=known.estimate("tpot_ms", seen.tpot_ms),
        output_tokens_per_s=known.estimate("output_tokens_per_s", seen.output_tokens_per_s),
        kernel=run.kernel,
    )
