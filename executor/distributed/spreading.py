"""One copy over several nodes by the engine's own means: how many, what each job asks for, and what each is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from executor.distributed.jobs import Needs, Node
from executor.distributed.placing import holds, in_words, needs_of, placed, require_spanned
from executor.engines import runs_on_cpu
from executor.step import Result
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage, StageKind
from planner.units import GIB

WEIGHTS = ("weights", "scales and zeros", "16-bit remainder")  # labels of the plan's memory
KV_CACHE, COMPUTE = "KV cache", "compute buffer"
FIRST_PORT, PORTS = 20_000, 10_000


class Spread(Protocol):
    """A server and its workers, each on a node of its own; the first worker may share the server's."""

    @property
    def says(self) -> str:
        """What a person is told of it."""

    @property
    def server(self) -> Needs: ...

    @property
    def workers(self) -> tuple[Needs, ...]: ...

    def worker(self, stage: Stage, number: int) -> dict[str, Any]:
        """The parameters of a worker's stage."""

    def launch(self, stage: Stage, workers: Sequence[Result]) -> dict[str, Any]:
        """Those of the server's, once the workers run."""


@dataclass(frozen=True, slots=True)
class RpcSpread:
    """llama.cpp: all layers on workers of its RPC backend, in equal parts; `whole`: what one node would need."""

    server: Needs
    workers: tuple[Needs, ...]
    whole: Needs

    @property
    def says(self) -> str:
        return (
            f"no node has {in_words(self.whole)}: spread over {len(self.workers)} by llama.cpp's RPC;"
            " the plan's speeds are those of one machine"
        )

    def worker(self, stage: Stage, number: int) -> dict[str, Any]:
        return {"cores": self.workers[number].cores}

    def launch(self, stage: Stage, workers: Sequence[Result]) -> dict[str, Any]:
        servers = ",".join(f"{worker['host']}:{worker['port']}" for worker in workers)
        parts = ",".join("1" for _ in workers)
        return with_arguments(stage, "--rpc", servers, "--n-gpu-layers", "all", "--tensor-split", parts)


@dataclass(frozen=True, slots=True)
class RankSpread:
    """vLLM: one rank of its processes a node, which find each other at the server's address and `port`."""

    server: Needs
    workers: tuple[Needs, ...]
    port: int

    @property
    def says(self) -> str:
        return f"a copy over {1 + len(self.workers)} nodes: a rank of vLLM on each"

    def worker(self, stage: Stage, number: int) -> dict[str, Any]:
        return self._rank(stage, number + 1, self.workers[number].beside, "--headless")

    def launch(self, stage: Stage, workers: Sequence[Result]) -> dict[str, Any]:
        return self._rank(stage, 0, self.server.beside)

    def _rank(self, stage: Stage, rank: int, address: str, *more: str) -> dict[str, Any]:
        among = ("--nnodes", str(1 + len(self.workers)), "--node-rank", str(rank))
        meeting = ("--master-addr", self.server.beside, "--master-port", str(self.port))
        environment = {**stage.parameters.get("environment", {}), "VLLM_HOST_IP": address}
        told = with_arguments(stage, *among, *meeting, *more)
        return {**told, "environment": environment, "nodes": 1 + len(self.workers)}


def spread_of(
    plan: Plan, stage: Stage, cores: Mapping[StageKind, float], nodes: Sequence[Node], where: str
) -> Spread | None:
    """How the launch is spread: as the plan says; or, of llama.cpp on CPUs, where no node holds it and several do.

    The first of the nodes that can gets the server. None where one node is to hold it all. ExecutionFailed where the
    plan's nodes are not there, or its engine cannot.
    """
    if plan.chosen.pools:
        raise ExecutionFailed(
            "prompt and decode pools are several servers behind a router, which are not launched on Ray yet",
            where=f"plan for {plan.model.name}",
            fix="deploy what `quantplan render PLAN --for kubernetes` writes, or plan without pools",
        )
    needs = needs_of(plan, stage, cores)
    if plan.chosen.nodes > 1:
        return ranks(plan, needs, nodes, where)
    if plan.chosen.engine == "llama.cpp" and runs_on_cpu(plan) and not any(holds(node, needs) for node in nodes):
        return by_rpc(plan, needs, nodes)
    return None


def ranks(plan: Plan, needs: Needs, nodes: Sequence[Node], where: str) -> RankSpread:
    """ExecutionFailed for an engine other than vLLM, and where fewer nodes have what each rank needs."""
    if plan.chosen.engine != "vllm":
        raise ExecutionFailed(
            f"over several nodes this executor serves such a plan with vLLM; the plan is for {plan.chosen.engine}",
            where=f"plan for {plan.model.name}",
            fix="plan with --engine vllm, or for one machine",
        )
    if plan.chosen.data_parallel > 1:
        raise ExecutionFailed(
            "copies of the attention over several nodes (--data-parallel-size) are not launched on Ray yet",
            where=f"plan for {plan.model.name}",
            fix="deploy what `quantplan render PLAN --for kubernetes` writes, or plan without --data-parallel",
        )
    able = require_spanned(plan, needs, nodes, where)
    first, *others = (replace(placed(needs, able, where), beside=node.address) for node in able[: plan.chosen.nodes])
    return RankSpread(first, tuple(others), FIRST_PORT + int(plan.digest.removeprefix("sha256:")[:8], 16) % PORTS)


def by_rpc(plan: Plan, whole: Needs, nodes: Sequence[Node]) -> RpcSpread | None:
    """Over the fewest nodes that hold the copy together; None where not even all do."""
    server = replace(whole, cores=0.0, memory_bytes=server_bytes(plan))
    for count in range(2, min(len(nodes), plan.model.layer_count) + 1):
        worker = replace(whole, memory_bytes=worker_bytes(plan, count))
        first = replace(worker, memory_bytes=worker.memory_bytes + server.memory_bytes)
        able = [node for node in nodes if holds(node, worker)]
        if len(able) >= count and holds(able[0], first):
            workers = tuple(replace(worker, beside=node.address) for node in able[:count])
            return RpcSpread(replace(server, beside=able[0].address), workers, whole)
    return None


def worker_bytes(plan: Plan, nodes: int) -> int:
    """What a worker holds: its layers with their KV cache, at most one more than its part, and a compute buffer.

    llama.cpp divides the layers and the output head as `--tensor-split` says, whole ones each. What a CPU's kernels
    would repack is not repacked: the buffers of its RPC backend are plain ones (ggml-rpc.cpp).
    """
    parts = plan.model.layer_count + 1
    share, memory = -(-parts // nodes) / parts, plan.chosen.memory
    return round((memory.gib(*WEIGHTS, KV_CACHE) * share + memory.gib(COMPUTE)) * GIB)


def server_bytes(plan: Plan) -> int:
    """What stays with the server: the embeddings, which it looks up itself, and a compute buffer."""
    embedding = plan.model.parameters_by_component.get("embedding", 0) / plan.model.parameters
    return round((plan.chosen.memory.gib(*WEIGHTS) * embedding + plan.chosen.memory.gib(COMPUTE)) * GIB)


def with_arguments(stage: Stage, *more: str) -> dict[str, Any]:
    return {**stage.parameters, "arguments": [*map(str, stage.parameters.get("arguments", ())), *more]}
