"""How one copy of a model may lie on accelerators that stand in several machines: split inside, stages across."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from planner.hardware.hardware import Hardware
from planner.hardware.linking import with_link
from planner.memory.sharding import layout_problem
from planner.models.shape import Shape
from planner.request import Nodes, Request


def splits(shape: Shape, count: int, request: Request) -> Iterator[tuple[int, int]]:
    """(accelerators of a stage, stages) of one copy on `count` accelerators, fewest accelerators first.

    Inside a machine every split that the model allows; across machines the widest of those, a stage a machine. What the
    request insists on is the only one.
    """
    nodes, wanted = request.nodes, request.tensor_parallel
    inside = min(count, nodes.accelerators_per_node) if nodes else count
    sizes = [size for size in ((wanted,) if wanted else range(1, inside + 1)) if _is_split(shape, size, count)]
    if request.pipeline_parallel:
        yield from ((size, request.pipeline_parallel) for size in sizes if size * request.pipeline_parallel <= count)
        return
    yield from ((size, 1) for size in sizes)
    if request.data_parallel or request.pools:
        return
    if nodes and sizes and nodes.gbit_s is not None:
        widest = max(sizes)
        yield from ((widest, stages) for stages in range(2, min(count // inside, shape.layer_count) + 1))


def _is_split(shape: Shape, size: int, count: int) -> bool:
    return size <= count and layout_problem(shape, size) is None


def nodes_of_copy(server: int, servers: int, nodes: Nodes | None) -> int:
    """Machines that one copy stands on: `servers` of so many accelerators each, or stages, or copies of the attention.

    A server that fits a machine is not cut in two.
    """
    if nodes is None:
        return 1
    room = nodes.accelerators_per_node // server
    return -(-servers // room) if room else -(-server * servers // nodes.accelerators_per_node)


def as_it_stands(hardware: Hardware, nodes: Nodes | None) -> Hardware:
    """The hardware with the link inside its machines that the request states, where it states one."""
    if nodes is None or hardware.accelerator is None:
        return hardware
    return replace(hardware, accelerator=with_link(hardware.accelerator, nodes.inside, nodes.inside_gb_s))


def of_one_copy(hardware: Hardware, request: Request) -> Hardware:
    """The accelerators that one copy has, where the request says how many share the hardware: the rules look at it."""
    return replace(hardware, count=hardware.count // request.replicas) if request.replicas else hardware
