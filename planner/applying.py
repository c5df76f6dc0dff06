"""What `quantplan apply` can serve where: one server on this machine, one over nodes on a cluster, no pools yet."""

from __future__ import annotations

from typing import Literal

from planner.errors import BadInput
from planner.plan import Plan

Place = Literal["local", "ray", "kubernetes"]
MAKE_ONLY = "to make only the model there, plan again with --make-only"


def require_servable(plan: Plan, where: Place) -> None:
    """BadInput, before anything is begun, for a plan whose copy this place cannot start; one that serves nothing may.

    Its files say how to start it: `quantplan render`.
    """
    if all(stage.kind != "launch" for stage in plan.stages):
        return
    if problem := _problem(plan, where):
        files = "start it by its files: `quantplan render PLAN --for kubernetes`, or `--as shell`"
        raise BadInput(problem, fix=f"{files}; {MAKE_ONLY}")


def _problem(plan: Plan, where: Place) -> str | None:
    chosen = plan.chosen
    if chosen.pools:
        servers = " and ".join(f"{pool.servers} {pool.role}" for pool in chosen.pools)
        return f"a copy of this plan is {servers} servers behind a router, and apply starts one server"
    if where == "local" and chosen.nodes > 1:
        return f"a copy of this plan stands on {chosen.nodes} nodes, and apply starts a server on one machine"
    if where == "ray" and chosen.nodes > 1 and chosen.data_parallel > 1:
        return f"a copy of this plan deals experts over {chosen.nodes} nodes, which apply does not start on Ray"
    return None
