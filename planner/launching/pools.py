"""Prompt and decode servers: each pool as a server of its own, and the router in front that leads a request from one
kind to the other.

vLLM: docs/features/nixl_connector_usage.md and vllm-project/router README.md; SGLang:
docs/advanced_features/pd_disaggregation.md and router.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from planner.catalog import load_yaml
from planner.plan import Plan, Pool
from planner.planning.apart import BOOTSTRAP_PORT

if TYPE_CHECKING:
    from planner.launching.launching import Launching


def as_server(plan: Plan, pool: Pool) -> Plan:
    """The plan with one pool in place of the copy: its servers are replicas of it, with its arguments and memory."""
    chosen = plan.chosen.model_copy(
        update={
            "pools": (),
            "replicas": pool.servers * plan.chosen.replicas,
            "tensor_parallel": pool.tensor_parallel,
            "nodes": 1,
            "memory": pool.memory,
            "engine_arguments": pool.engine_arguments,
        }
    )
    return plan.model_copy(update={"chosen": chosen})


def servers_of(launching: Launching) -> dict[str, Launching]:
    """The plan's servers by the name of their pool; one without a name where it has no pools."""
    plan = launching.plan
    if not plan.chosen.pools:
        return {"": launching}
    return {pool.role: replace(launching, plan=as_server(plan, pool)) for pool in plan.chosen.pools}


@dataclass(frozen=True, slots=True)
class Router:
    """What stands in front of the pools of an engine: its package and program, as `launch.yaml` has them."""

    engine: str

    @property
    def entry(self) -> dict[str, Any]:
        found: dict[str, Any] = load_yaml("launch.yaml")["routers"][self.engine]
        return found

    @property
    def package(self) -> str:
        return str(self.entry["package"])

    @property
    def image(self) -> str:
        """An image with Python, in which the package is installed as the container starts."""
        return str(load_yaml("launch.yaml")["router_image"])

    @property
    def program(self) -> list[str]:
        """The program, told that prompts and tokens have servers of their own."""
        return [*self.entry["program"], *self.entry["arguments"]]

    @property
    def bootstrap(self) -> list[str]:
        """What follows a prompt server's address: SGLang's servers find each other through a port of their own."""
        return [str(BOOTSTRAP_PORT)] if self.engine == "sglang" else []

    def command(self, prompts: Sequence[str], tokens: Sequence[str], port: int) -> list[str]:
        """The whole command line, answering everywhere on this port."""
        words = [*self.program, "--host", "0.0.0.0", "--port", str(port)]
        for url in prompts:
            words += ["--prefill", url, *self.bootstrap]
        for url in tokens:
            words += ["--decode", url]
        return words


def router_of(plan: Plan) -> Router:
    return Router(plan.chosen.engine)
