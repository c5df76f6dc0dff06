"""One copy over several nodes: what each node's server is told beside the plan's arguments, to find the others.

vLLM: docs/serving/parallelism_scaling.md (stages and splits), docs/serving/data_parallel_deployment.md (experts dealt
out); SGLang: docs/references/multi_node_deployment (--nnodes, --node-rank, --dist-init-addr).
"""

from __future__ import annotations

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.plan import Plan

RANK, HEAD = "NODE_RANK", "HEAD_ADDRESS"


def own_words(plan: Plan, rank: str, head: str) -> list[str]:
    """The words of one node, with `rank` and `head` (a number and an address, or what stands for them) in place.

    BadInput for an engine that is not rendered so. Nodes but the first answer nobody: see `followers_words`.
    """
    chosen, port = plan.chosen, load_yaml("launch.yaml")["joining_port"]
    if chosen.engine == "vllm" and chosen.data_parallel > 1:
        here = chosen.data_parallel // chosen.nodes
        address = [f"--data-parallel-address={head}", f"--data-parallel-rpc-port={port}"]
        return [f"--data-parallel-size-local={here}", f"--data-parallel-start-rank={start_rank(plan, rank)}", *address]
    if chosen.engine == "vllm":
        return [f"--nnodes={chosen.nodes}", f"--node-rank={rank}", f"--master-addr={head}"]
    if chosen.engine == "sglang":
        return [f"--nnodes={chosen.nodes}", f"--node-rank={rank}", f"--dist-init-addr={head}:{port}"]
    raise BadInput(
        f"over several nodes only vLLM and SGLang are rendered; the plan is for {chosen.engine}",
        fix="plan with --engine vllm, or for one node",
    )


def start_rank(plan: Plan, rank: str) -> str:
    """The first of the attention copies on a node, as a shell works it out."""
    return f"$(({rank.strip('$')} * {plan.chosen.data_parallel // plan.chosen.nodes}))"


def followers_words(plan: Plan) -> list[str]:
    """What nodes but the first are told besides."""
    return ["--headless"] if plan.chosen.engine == "vllm" else []
