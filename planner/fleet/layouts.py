"""Ways to lay one model on several nodes of a kind, side by side: what each gives, and what the links cost it.

Split inside a node with copies beside each other, stages across nodes, one split over nodes, experts dealt over nodes,
and prompts and tokens on servers of their own. All use the same accelerators under the same load; figures are point
predictions of the speed model, for comparison (a plan has intervals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from planner.clusters.cluster import Cluster, NodeType
from planner.errors import BadInput
from planner.fleet.layout_bench import Bench
from planner.memory.sharding import layout_problem
from planner.models.resolving import resolve_model
from planner.plan import Candidate
from planner.planning.assessing import Assessor
from planner.planning.assessing import Layout as Copies
from planner.planning.deciding import Choice
from planner.planning.pipeline import make_plan
from planner.request import Request
from planner.schemes import scheme
from planner.speed.constants import decode_rates, rates, serving_constants
from planner.speed.loads import PooledLoad, pooled_served
from planner.speed.pipelines import hop_between
from planner.speed.steps import Peaks
from planner.speed.work import Layout, Stored, nominal_weight_bytes
from planner.units import GIB


@dataclass(frozen=True, slots=True)
class LaidOut:
    """One layout on all accelerators of the comparison. `link_ms`: of a token's time, what exchange between them takes.

    Tokens a second are output tokens of all. `weights_gib`: on one accelerator. `why_not`: where it cannot be.
    """

    name: str
    copies: int
    weights_gib: float
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    tokens_per_s: float | None = None
    link_ms: float | None = None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All layouts of one model on `nodes` nodes of a kind, in the format the rules chose."""

    model: str
    node: NodeType
    nodes: int
    chosen: Candidate
    concurrency: int
    rows: tuple[LaidOut, ...]


def compare_layouts(request: Request, cluster: Cluster, node: NodeType, nodes: int) -> Comparison:
    """The layouts of `request.model` on so many nodes.

    BadInput where there are not as many, NoFeasiblePlan where nothing holds the model.
    """
    if nodes > node.count:
        raise BadInput(f"{nodes} nodes of {node.name}: {cluster.name} has {node.count}", fix="name fewer with --nodes")
    asked = request.model_copy(
        update={"hardware": f"{nodes * node.gpus}x{node.gpu}", "nodes": cluster.nodes_of(node), "objective": "tree"}
    )
    plan = make_plan(asked)
    chosen = plan.chosen
    choice = Choice(chosen.format, chosen.engine, chosen.kv_cache, group_size=chosen.group_size, tool=chosen.tool)
    hardware = replace(node.hardware, label=asked.hardware, count=nodes * node.gpus)
    link = cluster.link_of(node)
    bench = Bench(
        assessor=Assessor(resolve_model(request.model), hardware, asked),
        choice=choice,
        kernel=chosen.kernel,
        node=node,
        nodes=nodes,
        hop=hop_between(cluster.nodes_of(node)) if link else None,
    )
    return Comparison(plan.model.name, node, nodes, chosen, asked.workload.concurrency, tuple(_rows(bench)))


def _rows(bench: Bench) -> Iterator[LaidOut]:
    shape = bench.assessor.model.shape
    sizes = [2**n for n in range(bench.node.gpus.bit_length()) if 2**n <= bench.node.gpus]
    sizes = [size for size in sizes if layout_problem(shape, size) is None]
    for size in sizes:
        yield _copies(bench, size, 1)
    if bench.nodes > 1 and bench.hop is not None and sizes:
        yield _copies(bench, sizes[-1], bench.nodes)
        yield _split_over_nodes(bench)
        if shape.is_moe:
            yield _experts_dealt(bench)
    yield from _pools(bench, sizes)


def _copies(bench: Bench, size: int, stages: int) -> LaidOut:
    """Copies of `size` accelerators a stage beside each other, the load shared."""
    copies = bench.gpus // (size * stages)
    name = f"TP {size}" + (f" x {stages} stages" if stages > 1 else "") + (f", {copies} copies" if copies > 1 else "")
    stored, held, room = bench.stored(size, stages)
    return _told(bench, name, copies, held, room, Layout(size, pipeline_parallel=stages), stored)


def _split_over_nodes(bench: Bench) -> LaidOut:
    """One split over all nodes: every all-reduce crosses the link between them, a latency each way more."""
    size = bench.gpus
    name = f"TP {size} over {bench.nodes} nodes"
    problem = layout_problem(bench.assessor.model.shape, size)
    if problem is not None:
        return LaidOut(name, 1, 0.0, why_not=problem)
    assert bench.hop is not None
    stored, held, room = bench.stored(size, 1)
    peaks = bench.peaks()
    slower = replace(peaks, link_bytes_per_ms=min(peaks.link_bytes_per_ms, bench.hop.bytes_per_ms))
    more_ms = 2 * bench.assessor.model.shape.layer_count * bench.hop.latency_ms
    return _told(bench, name, 1, held, room, Layout(size), stored, slower, more_ms)


def _experts_dealt(bench: Bench) -> LaidOut:
    """A copy of the attention on every accelerator, whole experts dealt over all of them (weights by their count)."""
    count = bench.gpus
    layout = Layout(1, count, count)
    bits = scheme(bench.choice.format).bits_per_weight()
    assert bench.hop is not None
    one, _, _ = bench.stored(1, 1)
    stored = replace(one, weight_bytes=nominal_weight_bytes(bench.assessor.model.shape, layout, bits, bits))
    free_bytes = bench.assessor.memory(bench.choice, Copies(1, count)).available_gib * GIB - stored.weight_bytes
    each = stored.kv_bytes_per_token * bench.assessor.request.workload.served_context_tokens
    peaks = bench.peaks()
    slower = replace(peaks, link_bytes_per_ms=min(peaks.link_bytes_per_ms, bench.hop.bytes_per_ms))
    room = max(free_bytes / each * count, 0.0) if each else float(count)
    more_ms = 2 * bench.assessor.model.shape.layer_count * bench.hop.latency_ms
    name = f"EP {count} over {bench.nodes} nodes, attention on each"
    return _told(bench, name, 1, stored.weight_bytes / GIB, room, layout, stored, slower, more_ms)


def _told(
    bench: Bench,
    name: str,
    copies: int,
    held_gib: float,
    room: float,
    layout: Layout,
    stored: Stored,
    peaks: Peaks | None = None,
    more_ms: float = 0.0,
) -> LaidOut:
    """The row of copies that share the load; `more_ms`: latency that every step pays besides."""
    if room < 1:
        return LaidOut(name, copies, held_gib, why_not="does not fit")
    load = bench.load(layout, stored, max(bench.assessor.request.workload.concurrency / copies, 1), room, peaks)
    found = bench.seen(load)
    tpot_ms = found.tpot_ms + more_ms
    request_ms = found.ttft_ms + more_ms + tpot_ms * (load.output_tokens - 1)
    tokens_per_s = 1000 * min(load.concurrency, room) * load.output_tokens / request_ms * copies
    link_ms = bench.link_ms(load) + more_ms
    return LaidOut(name, copies, held_gib, found.ttft_ms + more_ms, tpot_ms, tokens_per_s, link_ms)


def _pools(bench: Bench, sizes: list[int]) -> Iterator[LaidOut]:
    """The best ratio of prompt to decode servers, of the smallest split whose caches hold the load.

    A prompt's cache moves from one to the other over the link between nodes.
    """
    for size in sizes:
        stored, held, room = bench.stored(size, 1)
        servers = bench.gpus // size
        if room < 1 or servers < 2:
            continue
        enough = int(min(room * servers - bench.assessor.request.workload.concurrency, room * (servers - 1)) // room)
        rows = [_pooled(bench, size, stored, held, room, prompts, servers) for prompts in range(1, enough + 1)]
        if rows:
            yield max(rows, key=lambda row: row.tokens_per_s or 0.0)
            return


def _pooled(bench: Bench, size: int, stored: Stored, held: float, room: float, prompts: int, servers: int) -> LaidOut:
    decode, asked = servers - prompts, bench.assessor.request.workload
    load = bench.load(Layout(size), stored, asked.concurrency, room * decode)
    levels = bench.levels
    pools = PooledLoad(load, replace(load, concurrency=1.0), prompts, decode)
    found = pooled_served(pools, rates(*levels), decode_rates(*levels), serving_constants(*levels))
    moved = asked.input_tokens * stored.kv_bytes_per_token * size
    moving_ms = moved / bench.hop.bytes_per_ms + bench.hop.latency_ms if bench.hop else 0.0
    request_ms = found.ttft_ms + moving_ms + found.tpot_ms * (asked.output_tokens - 1)
    return LaidOut(
        name=f"{prompts} prompt + {decode} decode servers of TP {size}",
        copies=servers,
        weights_gib=held,
        ttft_ms=found.ttft_ms + moving_ms,
        tpot_ms=found.tpot_ms,
        tokens_per_s=1000 * asked.concurrency * asked.output_tokens / request_ms,
        link_ms=bench.link_ms(replace(load, concurrency=max(asked.concurrency / decode, 1.0))),
    )
