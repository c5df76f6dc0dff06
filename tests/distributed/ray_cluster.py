"""A real Ray cluster of several nodes on this machine: a head without cores, and nodes that can be killed."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor.distributed.jobs import Unreachable
from executor.distributed.ray_jobs import RayJobs

UP_WITHIN_S = 120.0


@dataclass
class RayCluster:
    """The cluster's nodes by the id that Ray gives them, and where its dashboard answers."""

    address: str
    cluster: Any
    nodes: dict[str, Any] = field(default_factory=dict)

    def add_node(self, **resources: Any) -> None:
        """With an address of its own: 127.0.0.2, 127.0.0.3 ... are this machine, too."""
        address = f"127.0.0.{len(self.cluster.list_all_nodes()) + 1}"
        node = self.cluster.add_node(node_ip_address=address, **resources)
        self.nodes[node.node_id] = node

    def kill_node(self, node_id: str) -> None:
        """As when its machine loses power: its raylet and everything below it at once, without farewell."""
        import psutil

        node = self.nodes.pop(node_id)
        raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
        for process in (raylet, *raylet.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.cluster.remove_node(node, allow_graceful=False)

    def kill_head(self) -> None:
        self.cluster.head_node.kill_all_processes(check_alive=False, allow_graceful=False)

    def jobs(self) -> list[dict[str, Any]]:
        """All jobs as Ray tells of them."""
        import httpx

        listed: list[dict[str, Any]] = httpx.get(f"{self.address}/api/jobs/", timeout=30.0, trust_env=False).json()
        return listed


@contextmanager
def ray_cluster(nodes: int, **resources: Any) -> Iterator[RayCluster]:
    """The cluster for the block. Its nodes run the Python that runs this."""
    from ray.cluster_utils import Cluster

    before = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    head = {"num_cpus": 0, "include_dashboard": True, "dashboard_port": free_port()}
    try:
        cluster = Cluster(initialize_head=True, head_node_args=head)
        made = RayCluster(f"http://127.0.0.1:{head['dashboard_port']}", cluster)
        try:
            for _ in range(nodes):
                made.add_node(**resources)
            wait_until_up(made.address, nodes + 1)
            yield made
        finally:
            cluster.shutdown()
    finally:
        os.environ["PATH"] = before


def wait_until_up(address: str, nodes: int) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        try:
            if len(RayJobs(address).nodes()) >= nodes:
                return
        except Unreachable:
            pass
        time.sleep(0.5)
    raise TimeoutError(f"no Ray cluster of {nodes} nodes at {address} within {UP_WITHIN_S:.0f} s")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
