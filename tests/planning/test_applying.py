"""Plans whose copy is more than one server: apply refuses them before anything is begun, and says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from executor.distributed.kubernetes.executor import KubernetesExecutor
from executor.distributed.ray_executor import RayExecutor
from executor.local import LocalExecutor
from planner.applying import require_servable
from planner.errors import BadInput
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Nodes, Pools, Request

OVER = Nodes(accelerators_per_node=8, link="infiniband", gbit_s=400)
FIX = (
    "\nTo fix: start it by its files: `quantplan render PLAN --for kubernetes`, or `--as shell`; to make only the "
    "model there, plan again with --make-only"
)


def plan_of(**layout: Any) -> Plan:
    asked = {"model": "deepseek-v3", "hardware": "16xH100-80GB-SXM", "nodes": OVER, **layout}
    return make_plan(Request.model_validate(asked))


POOLS = {"model": "llama-3.1-70b", "tensor_parallel": 4, "pools": Pools(prefill=1, decode=3)}
STAGES = {"tensor_parallel": 8, "pipeline_parallel": 2}
BEHIND_A_ROUTER = "a copy of this plan is 1 prefill and 3 decode servers behind a router, and apply starts one server"


@pytest.mark.parametrize("executor", [LocalExecutor, RayExecutor, KubernetesExecutor])
def test_pools_are_refused_everywhere_before_a_run_is_begun(executor: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        executor(tmp_path).apply(plan_of(**POOLS), on_event=lambda event: None)
    assert str(refused.value) == BEHIND_A_ROUTER + FIX
    assert list(tmp_path.iterdir()) == []


def test_a_copy_over_nodes_is_not_for_one_machine(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        LocalExecutor(tmp_path).apply(plan_of(**STAGES), on_event=lambda event: None)
    what = "a copy of this plan stands on 2 nodes, and apply starts a server on one machine"
    assert str(refused.value) == what + FIX
    assert list(tmp_path.iterdir()) == []


def test_clusters_start_a_server_over_nodes_but_no_experts_dealt_out_on_ray() -> None:
    require_servable(plan_of(**STAGES), "ray")
    require_servable(plan_of(**STAGES), "kubernetes")
    require_servable(plan_of(data_parallel=16), "kubernetes")
    with pytest.raises(BadInput, match="deals experts over 2 nodes, which apply does not start on Ray"):
        require_servable(plan_of(data_parallel=16), "ray")


def test_what_serves_nothing_may_be_applied_anywhere() -> None:
    require_servable(plan_of(**POOLS, format="int8-w8a8", make_only=True), "local")


def test_one_server_on_one_machine_is_as_ever() -> None:
    require_servable(make_plan(Request(model="llama-3.1-8b", hardware="4xL4")), "local")
