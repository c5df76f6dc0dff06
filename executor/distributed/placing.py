"""Where a step goes: what its job asks for, by the plan, and whether any node of the cluster has it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from executor.distributed.jobs import Needs, Node
from executor.engines import runs_on_cpu
from planner.errors import ExecutionFailed
from planner.figures import memory
from planner.plan import Plan, Prediction, Stage, StageKind
from planner.units import GIB


def needs_of(plan: Plan, stage: Stage, cores: Mapping[StageKind, float]) -> Needs:
    """What the stage's job asks for on one node.

    Memory: what quantizing is predicted to take at most, and on a CPU what serving takes. GPUs: one for a tool that
    needs one, for a server those of a copy that stand in one machine.
    """
    asked = Needs(cores=cores.get(stage.kind, 0), gpu="" if runs_on_cpu(plan) else plan.hardware.name)
    if stage.kind in ("convert", "quantize") and plan.quantizing is not None:
        gpus = 1 if stage.kind == "quantize" and (plan.quantizing.gpu_gib.value or 0) > 0 else 0
        return replace(asked, gpus=gpus, memory_bytes=_at_most(plan.quantizing.host_gib))
    if stage.kind in ("evaluate", "launch"):
        if runs_on_cpu(plan):
            return replace(asked, memory_bytes=round(plan.chosen.memory.used_gib * GIB))
        return replace(asked, gpus=plan.chosen.accelerators // plan.chosen.nodes)
    return asked


def placed(needs: Needs, nodes: Sequence[Node], where: str) -> Needs:
    """The same, with the GPU named as the nodes that have it name it. ExecutionFailed when no node can ever hold it."""
    able = [node for node in nodes if holds(node, needs)]
    if not able:
        raise ExecutionFailed(
            f"no node of the cluster has {in_words(needs)}; its nodes: {listed(nodes)}",
            where=where,
            fix="plan for what the cluster has (quantplan plan MODEL --on COUNTxGPU), or add such a node to it",
        )
    kinds = {kind for node in able for kind in node.gpu_types if is_type(needs.gpu, kind)}
    return replace(needs, gpu=min(kinds) if needs.gpus and kinds else "")


def require_spanned(plan: Plan, needs: Needs, nodes: Sequence[Node], where: str) -> list[Node]:
    """The nodes that hold a part of a copy. ExecutionFailed where they are fewer than the plan spreads it over."""
    able = [node for node in nodes if holds(node, needs)]
    if len(able) < plan.chosen.nodes:
        raise ExecutionFailed(
            f"the plan spreads a copy over {plan.chosen.nodes} nodes with {in_words(needs)} each; {len(able)} have that"
            f" (nodes: {listed(nodes)})",
            where=where,
            fix="add nodes to the cluster, or plan for fewer (quantplan plan MODEL --on COUNTxGPU)",
        )
    return able


def holds(node: Node, needs: Needs) -> bool:
    """Whether the empty node could hold the job."""
    kinds = not needs.gpus or not needs.gpu or any(is_type(needs.gpu, kind) for kind in node.gpu_types)
    there = not needs.beside or node.address == needs.beside
    enough = node.cores >= needs.cores and node.gpus >= needs.gpus and node.memory_bytes >= needs.memory_bytes
    return kinds and there and enough


def is_type(gpu: str, ray_type: str) -> bool:
    """Whether Ray's short name (A100) is that of a GPU of the catalogue (A100-80GB-SXM)."""
    return gpu == ray_type or gpu.startswith(ray_type + "-")


def in_words(needs: Needs) -> str:
    """What is asked for: `1 x L4, 1 core, 2.0 GiB of memory`."""
    gpus = [f"{needs.gpus} x {needs.gpu or 'GPU'}"] if needs.gpus else []
    cores = [count_of(needs.cores)] if needs.cores else []
    room = [f"{memory(needs.memory_bytes / GIB)} of memory"] if needs.memory_bytes else []
    return ", ".join([*gpus, *cores, *room, *([f"the address {needs.beside}"] if needs.beside else [])])


def listed(nodes: Sequence[Node]) -> str:
    """The kinds of node there are, with how many: `3 with 1 x L4, 8 cores, 32.0 GiB`."""
    kinds = Counter(has_in_words(node) for node in nodes)
    return "; ".join(f"{count} with {kind}" for kind, count in kinds.most_common()) or "none"


def has_in_words(node: Node) -> str:
    gpus = f"{node.gpus:g} x {'/'.join(node.gpu_types) or 'GPU'}, " if node.gpus else ""
    return f"{gpus}{count_of(node.cores)}, {memory(node.memory_bytes / GIB)}"


def count_of(cores: float) -> str:
    return f"{cores:g} core{'s' if cores != 1 else ''}"


def _at_most(predicted: Prediction) -> int:
    return round((predicted.high or predicted.value or 0.0) * GIB)
