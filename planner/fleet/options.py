"""What one copy of a model may be on each kind of node, and the requests a second it carries within its targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from planner.catalog import load_yaml
from planner.clusters.cluster import Cluster, NodeType
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.on_one_node import is_allowed, options_on_one_node
from planner.fleet.option import Option, Ways
from planner.memory.sharding import layout_problem
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.plan import OperatingPoint, Plan
from planner.unfeasible import NoFeasiblePlan
from rules.book import Book
from rules.vocabulary import FormatId

UNQUANTIZED: FormatId = "bf16"


def ways_to_serve(served: ServedModel, cluster: Cluster, fleet: Fleet, book: Book) -> Ways:
    """The options of one model on all kinds of nodes it may stand on. BadInput for a model nobody knows.

    Copies span nodes only where no single node serves it.
    """
    model = resolve_model(served.model)
    nodes = [node for node in cluster.nodes if served.node_types is None or node.name in served.node_types]
    found, why_not = options_on_one_node(served, model, nodes, fleet.busy_share, book)
    if not found:
        found = [option for node in nodes for option in _over_nodes(served, model, node, cluster, fleet)]
    by_node = ([option for option in found if option.node_type == node.name] for node in nodes)
    return Ways(tuple(option for options in by_node for option in _worth_having(options)), tuple(why_not))


def _over_nodes(served: ServedModel, model: Model, node: NodeType, cluster: Cluster, fleet: Fleet) -> Iterator[Option]:
    """Copies in stages over whole nodes, a stage a node."""
    if cluster.link_of(node) is None:
        return
    most: int = load_yaml("clusters.yaml")["fleet"]["most_nodes_a_copy"]["value"]
    for nodes in range(2, min(node.count, most) + 1):
        plan = _plan_over(nodes, served, model, node, cluster)
        point = _best_point(served, plan.operating_points) if plan else None
        if plan is None or point is None:
            continue
        chosen = plan.chosen
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


def _plan_over(nodes: int, served: ServedModel, model: Model, node: NodeType, cluster: Cluster) -> Plan | None:
    """One copy over so many nodes in the rules' format; where it loses more than is allowed, in 16 bits."""
    from planner.planning import make_plan

    widest = max(size for size in range(1, node.gpus + 1) if layout_problem(model.shape, size) is None)
    layout = {"nodes": cluster.nodes_of(node), "tensor_parallel": widest, "pipeline_parallel": nodes}
    asked = served.request(f"{nodes * node.gpus}x{node.gpu}").model_copy(update=layout)
    for format in (served.format,) if served.format else (None, UNQUANTIZED):
        try:
            plan = make_plan(asked.model_copy(update={"format": format}))
        except NoFeasiblePlan:
            continue
        if is_allowed(served, model, plan.chosen.format):
            return plan
    return None


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
