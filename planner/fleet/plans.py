"""From a fleet plan to plan files: one for each model on each kind of node, as `quantplan apply` reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from planner.clusters.cluster import NodeType
from planner.errors import BadInput
from planner.fleet.answering import FleetPlan
from planner.fleet.fleet import ServedModel
from planner.fleet.options import Option
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Price, Request
from rules.book import Book


def plans_of(answer: FleetPlan, book: Book | None = None) -> Iterator[tuple[str, Plan]]:
    """Each plan with a name for its file: `chat-h100`, and `chat-h100-tp4` where copies there differ."""
    nodes = {node.name: node for node in answer.cluster.nodes}
    for served in answer.fleet.models:
        counts = Counter(copy.option for copy in answer.copies_of(served))
        kinds = Counter(option.node_type for option in counts)
        for option, copies in counts.items():
            apart = f"-tp{option.tensor_parallel}" if kinds[option.node_type] > 1 else ""
            request = request_of(answer, served, option, copies, nodes[option.node_type])
            yield f"{served.label}-{option.node_type}{apart}".replace("/", "-"), make_plan(request, book=book)


def request_of(answer: FleetPlan, served: ServedModel, option: Option, copies: int, node: NodeType) -> Request:
    """The question whose plan is these copies of this option."""
    asked = served.request(f"{copies * option.gpus}x{node.gpu}", copies * option.batch)
    own = node.price.usd_per_node_hour
    price = Price(
        usd_per_hour=own / node.gpus if own is not None else None, provider=node.price.provider, kind=node.price.kind
    )
    return asked.model_copy(
        update={
            "format": option.format,
            "tensor_parallel": option.tensor_parallel,
            "pipeline_parallel": option.pipeline_parallel if option.pipeline_parallel > 1 else None,
            "nodes": answer.cluster.nodes_of(node),
            "price": price,
        }
    )


def write_plans(answer: FleetPlan, folder: Path, book: Book | None = None) -> tuple[Path, ...]:
    """The plan files, written into a folder (made where it is missing). BadInput where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, plan in plans_of(answer, book):
            path = folder / f"{name}.json"
            plan.write(path)
            written.append(path)
    except OSError as error:
        raise BadInput(f"cannot write plans: {error.strerror}", where=str(folder), fix="name another folder") from None
    return tuple(written)
