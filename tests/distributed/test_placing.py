"""What a step asks of a cluster, by the plan, and what is said where nothing has it."""

from __future__ import annotations

import pytest

from executor.distributed.jobs import Needs, Node
from executor.distributed.placing import needs_of, placed, require_spanned
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage
from planner.planning import make_plan
from planner.request import Request
from planner.units import GIB

CORES = {"quantize": 1, "launch": 1}
L4 = Node("10.0.0.5", 8, 2, 64 * GIB, ("L4",))
A100 = Node("10.0.0.6", 32, 8, 512 * GIB, ("A100",))


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(Request(model="llama-3.1-8b", hardware="1xA100-80GB", format="awq-int4"))


def stage(plan: Plan, kind: str) -> Stage:
    return next(s for s in plan.stages if s.kind == kind)


def over(plan: Plan, nodes: int, engine: str = "vllm") -> Plan:
    spread = {"nodes": nodes, "tensor_parallel": 2, "pipeline_parallel": nodes, "engine": engine}
    return plan.model_copy(update={"chosen": plan.chosen.model_copy(update=spread)})


def test_quantizing_asks_for_a_gpu_and_the_memory_it_is_predicted_to_take_at_most(plan: Plan) -> None:
    needs = needs_of(plan, stage(plan, "quantize"), CORES)
    assert plan.quantizing is not None
    assert (needs.gpus, needs.cores) == (1, 1)
    assert needs.memory_bytes == round((plan.quantizing.host_gib.high or 0) * GIB) > 0


def test_a_server_asks_for_the_gpus_of_its_copy(plan: Plan) -> None:
    assert needs_of(plan, stage(plan, "launch"), CORES).gpus == plan.chosen.tensor_parallel == 1
    assert needs_of(over(plan, 2), stage(plan, "launch"), CORES).gpus == 2


def test_on_a_cpu_a_server_asks_for_the_memory_of_the_model() -> None:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="cpu:64GB"))
    needs = needs_of(plan, stage(plan, "launch"), CORES)
    assert (needs.gpus, needs.memory_bytes) == (0, round(plan.chosen.memory.used_gib * GIB))


def test_the_gpu_is_named_as_the_cluster_names_it() -> None:
    needs = Needs(gpus=1, gpu="A100-80GB-SXM")
    assert placed(needs, (L4, A100), "here").gpu == "A100"


def test_no_gpu_of_the_type_is_said_with_what_there_is() -> None:
    with pytest.raises(ExecutionFailed) as refused:
        placed(Needs(cores=1, gpus=1, gpu="H100-80GB-SXM", memory_bytes=4 * GIB), (L4, L4, A100), "plan for llama")
    assert str(refused.value) == (
        "plan for llama: no node of the cluster has 1 x H100-80GB-SXM, 1 core, 4 GiB of memory; its nodes: "
        "2 with 2 x L4, 8 cores, 64 GiB; 1 with 8 x A100, 32 cores, 512 GiB\n"
        "To fix: plan for what the cluster has (quantplan plan MODEL --on COUNTxGPU), or add such a node to it"
    )


def test_l40s_is_no_l4() -> None:
    with pytest.raises(ExecutionFailed, match="no node of the cluster has 1 x L40S"):
        placed(Needs(gpus=1, gpu="L40S"), (L4,), "here")


def test_a_copy_over_nodes_needs_as_many_of_them(plan: Plan) -> None:
    needs = needs_of(over(plan, 2), stage(plan, "launch"), CORES)
    assert require_spanned(over(plan, 2), needs, (A100, L4, A100), "here") == [A100, A100]
    with pytest.raises(ExecutionFailed) as refused:
        require_spanned(over(plan, 2), needs, (A100, L4), "plan for llama")
    assert str(refused.value) == (
        "plan for llama: the plan spreads a copy over 2 nodes with 2 x A100-80GB-SXM, 1 core each; 1 have that"
        " (nodes: 1 with 8 x A100, 32 cores, 512 GiB; 1 with 2 x L4, 8 cores, 64 GiB)\n"
        "To fix: add nodes to the cluster, or plan for fewer (quantplan plan MODEL --on COUNTxGPU)"
    )
