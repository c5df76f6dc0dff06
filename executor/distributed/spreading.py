"""A llama.cpp server whose layers lie on several nodes, by llama.cpp's RPC: how many, and what each job asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from executor.distributed.jobs import Needs, Node
from executor.distributed.placing import holds, in_words, needs_of
from executor.engines import runs_on_cpu
from executor.step import Result
from planner.plan import Plan, Stage, StageKind
from planner.units import GIB

WEIGHTS = ("weights", "scales and zeros", "16-bit remainder")  # labels of the plan's memory
KV_CACHE, COMPUTE = "KV cache", "compute buffer"


@dataclass(frozen=True, slots=True)
class Spread:
    """One copy over several nodes: their addresses, what the job of each worker asks for, and the server's beside the
    first; `whole`: what one node would need.
    """

    nodes: tuple[str, ...]
    worker: Needs
    server: Needs
    whole: Needs

    @property
    def says(self) -> str:
        return (
            f"no node has {in_words(self.whole)}: spread over {len(self.nodes)} by llama.cpp's RPC;"
            " the plan's speeds are those of one machine"
        )


def spread_of(plan: Plan, stage: Stage, cores: Mapping[StageKind, float], nodes: Sequence[Node]) -> Spread | None:
    """The fewest nodes that hold the copy together. None where one holds it, where not even all do, and for a plan
    that llama.cpp's RPC does not serve here: another engine, or GPUs.
    """
    whole = needs_of(plan, stage, cores)
    if plan.chosen.engine != "llama.cpp" or not runs_on_cpu(plan) or any(holds(node, whole) for node in nodes):
        return None
    for count in range(2, min(len(nodes), plan.model.layer_count) + 1):
        worker = replace(whole, memory_bytes=worker_bytes(plan, count))
        server = replace(whole, cores=0.0, memory_bytes=server_bytes(plan))
        first = replace(worker, memory_bytes=worker.memory_bytes + server.memory_bytes)
        able = sorted((node for node in nodes if holds(node, worker)), key=lambda node: -node.memory_bytes)
        if len(able) >= count and holds(able[0], first):
            return Spread(tuple(node.address for node in able[:count]), worker, server, whole)
    return None


def worker_bytes(plan: Plan, nodes: int) -> int:
    """What a worker holds: its layers with their KV cache, at most one more than its part, and a compute buffer.

    llama.cpp divides the layers and the output head as `--tensor-split` says, whole ones each. What this machine's
    kernels would repack is not repacked: the buffers of its RPC backend are plain ones (ggml-rpc.cpp).
    """
    parts = plan.model.layer_count + 1
    share, memory = -(-parts // nodes) / parts, plan.chosen.memory
    return round((memory.gib(*WEIGHTS, KV_CACHE) * share + memory.gib(COMPUTE)) * GIB)


def server_bytes(plan: Plan) -> int:
    """What stays with the server: the embeddings, which it looks up itself, and a compute buffer."""
    embedding = plan.model.parameters_by_component.get("embedding", 0) / plan.model.parameters
    return round((plan.chosen.memory.gib(*WEIGHTS) * embedding + plan.chosen.memory.gib(COMPUTE)) * GIB)


def rpc_arguments(workers: Sequence[Result]) -> list[str]:
    """The server's arguments for its workers: all layers on them, in equal parts."""
    servers = ",".join(f"{worker['host']}:{worker['port']}" for worker in workers)
    return ["--rpc", servers, "--n-gpu-layers", "all", "--tensor-split", ",".join("1" for _ in workers)]
