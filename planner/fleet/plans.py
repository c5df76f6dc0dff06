"""From a fleet plan to plan files: one for each model on each kind of node, as `quantplan apply` reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planner.clusters.cluster import NodeType
from planner.errors import BadInput
from planner.fleet.answering import FleetPlan
from planner.fleet.fleet import ServedModel
from planner.fleet.option import Option
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Price
from rules.book import Book


@dataclass(frozen=True, slots=True)
class Part:
    """The copies of one model that are alike on one kind of node; `name` is that of their plan file."""

    name: str
    served: ServedModel
    option: Option
    copies: int
    node: NodeType


def parts_of(answer: FleetPlan) -> Iterator[Part]:
    """Each with its name: `chat-h100`, and `chat-h100-tp4` where copies on that kind of node differ."""
    nodes = {node.name: node for node in answer.cluster.nodes}
    for served in answer.fleet.models:
        counts = Counter(copy.option for copy in answer.copies_of(served))
        kinds = Counter(option.node_type for option in counts)
        for option, copies in counts.items():
            apart = f"-tp{option.tensor_parallel}" if kinds[option.node_type] > 1 else ""
            name = f"{served.label}-{option.node_type}{apart}".replace("/", "-")
            yield Part(name, served, option, copies, nodes[option.node_type])


def plan_of(answer: FleetPlan, part: Part, book: Book | None = None) -> Plan:
    """The plan of these copies, made as any other plan is."""
    option, node = part.option, part.node
    asked = part.served.request(f"{part.copies * option.gpus}x{node.gpu}", part.copies * option.batch)
    own = node.price.usd_per_node_hour
    price = Price(
        usd_per_hour=own / node.gpus if own is not None else None,
        provider=node.price.provider,
        kind=node.price.kind,
        file=node.price.file,
    )
    request = asked.model_copy(
        update={
            "format": option.format,
            "tensor_parallel": option.tensor_parallel,
            "pipeline_parallel": option.pipeline_parallel if option.pipeline_parallel > 1 else None,
            "nodes": answer.cluster.nodes_of(node),
            "price": price,
        }
    )
    return make_plan(request, book=book)


def write_plans(answer: FleetPlan, folder: Path, book: Book | None = None) -> tuple[Path, ...]:
    """The plan files, written into a folder (made where it is missing). BadInput where it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for part in parts_of(answer):
            path = folder / f"{part.name}.json"
            plan_of(answer, part, book).write(path)
            written.append(path)
    except OSError as error:
        raise BadInput(f"cannot write plans: {error.strerror}", where=str(folder), fix="name another folder") from None
    return tuple(written)
