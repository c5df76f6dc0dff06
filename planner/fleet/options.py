"""What one copy of a model may be on each kind of node, and the requests a second it carries within its targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from planner.catalog import load_yaml
from planner.clusters.cluster import Cluster, NodeType
from planner.errors import NoFeasiblePlan
from planner.figures import figure
from planner.fits.settings import quality_tiers
from planner.fleet.fleet import Fleet, ServedModel
from planner.memory.sharding import layout_problem
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.plan import OperatingPoint
from rules.book import Book
from rules.vocabulary import EngineId, FormatId, KvFormat

if TYPE_CHECKING:
    from planner.frontier.places import Place
    from planner.frontier.sweeping import Swept


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a copy: `gpus` accelerators of one node, or of `nodes` whole nodes in as many stages.

    `requests_per_s` is what is planned for, the busy share taken off; waits are means with `batch` requests in flight.
    """

    model: str
    node_type: str
    gpus: int
    nodes: int
    tensor_parallel: int
    pipeline_parallel: int
    format: FormatId
    engine: EngineId
    kv_cache: KvFormat
    batch: int
    requests_per_s: float
    ttft_ms: float
    tpot_ms: float


@dataclass(frozen=True, slots=True)
class Ways:
    """All options of one model; where there is none, `why_not` says so for each kind of node."""

    options: tuple[Option, ...]
    why_not: tuple[tuple[str, str], ...]


def ways_to_serve(served: ServedModel, cluster: Cluster, fleet: Fleet, book: Book) -> Ways:
    """The options of one model on all kinds of nodes it may stand on. BadInput for a model nobody knows.

    Copies span nodes only where no single node serves it.
    """
    model = resolve_model(served.model)
    nodes = [node for node in cluster.nodes if served.node_types is None or node.name in served.node_types]
    found, why_not = _on_one_node(served, model, nodes, fleet.busy_share, book)
    if not found:
        found = [option for node in nodes for option in _over_nodes(served, model, node, cluster, fleet)]
    by_node = ([option for option in found if option.node_type == node.name] for node in nodes)
    return Ways(tuple(option for options in by_node for option in _worth_having(options)), tuple(why_not))


def _on_one_node(
    served: ServedModel, model: Model, nodes: Sequence[NodeType], busy_share: float, book: Book
) -> tuple[list[Option], list[tuple[str, str]]]:
    """The best batch of every split inside one node, for each kind of node; and why others have none."""
    from planner.frontier.runs import all_runs
    from planner.frontier.sweeping import swept

    places = {node.name: _place(served, model, node, book) for node in nodes}
    request = served.request(nodes[0].hardware.label) if nodes else None
    offering = [place for place in places.values() if place.offered]
    runs = all_runs(model, offering, request) if request and offering else []
    found = swept(model, runs, request) if request and runs else None
    options: list[Option] = []
    why_not = []
    for node in nodes:
        place = places[node.name]
        here = _best_batches(served, node, place, found, busy_share) if found else []
        options += here
        if not here:
            why_not.append((node.name, _why_not(served, node, place, found)))
    return options, why_not


def _place(served: ServedModel, model: Model, node: NodeType, book: Book) -> Place:
    """A node as a place of the sweep, with the formats that the model's bound on loss allows."""
    from planner.costs.hourly import HourlyPrice
    from planner.frontier.places import place_on

    unpriced = HourlyPrice("given", 0.0, "", "", "")
    request = served.request(node.hardware.label)
    place = place_on(model, node.hardware, node.accelerator, unpriced, request, book, whole=False)
    return replace(place, offered=tuple(o for o in place.offered if _is_allowed(served, model, o.format)))


def _best_batches(served: ServedModel, node: NodeType, place: Place, found: Swept, busy_share: float) -> list[Option]:
    """For every split the batch that gives most tokens a second within the targets."""
    import numpy as np

    here = np.array([run.place is place for run in found.runs])[found.which]
    sizes = np.array([run.tensor_parallel for run in found.runs])[found.which]
    usable = np.flatnonzero(found.meets & ~found.avoided & here)
    options = []
    for size in np.unique(sizes[usable]):
        these = usable[sizes[usable] == size]
        best = int(these[np.argmax(found.speeds.tokens_per_s[these])])
        offer = found.runs[int(found.which[best])].offer
        options.append(
            Option(
                model=served.label,
                node_type=node.name,
                gpus=int(size),
                nodes=1,
                tensor_parallel=int(size),
                pipeline_parallel=1,
                format=offer.format,
                engine=offer.engine,
                kv_cache=offer.kv_format,
                batch=int(found.batch[best]),
                requests_per_s=float(found.speeds.tokens_per_s[best]) / served.output_tokens * busy_share,
                ttft_ms=float(found.speeds.ttft_ms[best]),
                tpot_ms=float(found.speeds.tpot_ms[best]),
            )
        )
    return options


def _is_allowed(served: ServedModel, model: Model, format: FormatId) -> bool:
    """A format insisted on, the model's own, or one of the tiers its bound on loss allows."""
    if served.format is not None or format == model.stored_format:
        return True
    allowed: int = load_yaml("clusters.yaml")["loss_tiers"][served.loss]
    return quality_tiers()[format][0] < allowed


def _why_not(served: ServedModel, node: NodeType, place: Place, found: Swept | None) -> str:
    """No kernel, no room, or which target nothing meets, with the least there is."""
    import numpy as np

    if not place.offered:
        return f"{served.engine} has no kernel there for {served.format or 'a format of so little loss'}"
    here = np.array([run.place is place for run in found.runs])[found.which] if found else np.zeros(0, dtype=bool)
    if found is None or not here.any():
        return f"no split over up to {node.gpus} accelerators holds it"
    allowed = np.flatnonzero(found.known & ~found.avoided & here)
    if not allowed.size:
        return "the rules allow no format there, or its speed is not known"
    said = []
    for name, target, values in (
        ("time to first token", served.ttft_ms, found.speeds.ttft_ms),
        ("time per output token", served.tpot_ms, found.speeds.tpot_ms),
    ):
        if target is not None:
            said.append(f"{name} {target:g} ms (the least there is {figure(float(np.min(values[allowed])))})")
    return f"misses {' and '.join(said)}"


def _over_nodes(served: ServedModel, model: Model, node: NodeType, cluster: Cluster, fleet: Fleet) -> Iterator[Option]:
    """Copies in stages over whole nodes, a stage a node."""
    from planner.planning import make_plan

    if cluster.link_of(node) is None:
        return
    widest = max(size for size in range(1, node.gpus + 1) if layout_problem(model.shape, size) is None)
    most: int = load_yaml("clusters.yaml")["fleet"]["most_nodes_a_copy"]["value"]
    for nodes in range(2, min(node.count, most) + 1):
        asked = served.request(f"{nodes * node.gpus}x{node.gpu}").model_copy(
            update={"nodes": cluster.nodes_of(node), "tensor_parallel": widest, "pipeline_parallel": nodes}
        )
        try:
            plan = make_plan(asked)
        except NoFeasiblePlan:
            continue
        point = _best_point(served, plan.operating_points)
        chosen = plan.chosen
        if point is None or not _is_allowed(served, model, chosen.format):
            continue
        yield Option(
            model=served.label,
            node_type=node.name,
            gpus=node.gpus * nodes,
            nodes=nodes,
            tensor_parallel=chosen.tensor_parallel,
            pipeline_parallel=nodes,
            format=chosen.format,
            engine=chosen.engine,
            kv_cache=chosen.kv_cache,
            batch=point.concurrency,
            requests_per_s=point.output_tokens_per_s.value / served.output_tokens * fleet.busy_share,
            ttft_ms=point.ttft_ms.value,
            tpot_ms=point.tpot_ms.value,
        )


def _best_point(served: ServedModel, points: tuple[OperatingPoint, ...]) -> OperatingPoint | None:
    within = [
        point
        for point in points
        if (served.ttft_ms is None or point.ttft_ms.value <= served.ttft_ms)
        and (served.tpot_ms is None or point.tpot_ms.value <= served.tpot_ms)
    ]
    return max(within, key=lambda point: point.output_tokens_per_s.value, default=None)


def _worth_having(options: Sequence[Option]) -> list[Option]:
    """Without those in whose place smaller copies carry as much: as easily placed, and more of them survive."""
    kept: list[Option] = []
    for option in sorted(options, key=lambda each: each.gpus):
        in_its_place = (option.gpus // smaller.gpus * smaller.requests_per_s for smaller in kept)
        if option.requests_per_s > max(in_its_place, default=0.0):
            kept.append(option)
    return kept
