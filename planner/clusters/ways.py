"""Ways to lay one copy of a model on accelerators of one kind of node, and how people write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from planner.clusters.cluster import NodeType
from planner.errors import BadInput, nearest
from planner.memory.sharding import layout_problem
from planner.models.shape import Shape
from planner.request import Pools

WRITTEN = {
    "tp": "tensor_parallel",
    "pp": "pipeline_parallel",
    "dp": "data_parallel",
    "prefill": "prefill",
    "decode": "decode",
}  # fmt: skip
AS_WRITTEN = "write tp=8, or tp=8,pp=2, or dp=16 (experts dealt out), or tp=4,prefill=1,decode=3"


@dataclass(frozen=True)
class Way:
    """One copy: `tensor_parallel` accelerators a server, in stages, attention copies or pools; and the whole of it."""

    tensor_parallel: int
    pipeline_parallel: int = 1
    data_parallel: int = 1
    pools: Pools | None = None

    @cached_property
    def accelerators(self) -> int:
        servers = self.pools.servers if self.pools else 1
        return self.tensor_parallel * self.pipeline_parallel * self.data_parallel * servers

    @cached_property
    def settings(self) -> dict[str, Any]:
        """The same as a request insists on it."""
        return {
            "tensor_parallel": self.tensor_parallel,
            "pipeline_parallel": self.pipeline_parallel if self.pipeline_parallel > 1 else None,
            "data_parallel": self.data_parallel if self.data_parallel > 1 else None,
            "pools": self.pools,
        }

    @cached_property
    def kind(self) -> str:
        """What sort of layout it is: ways of one sort differ in their numbers only."""
        if self.pools:
            return "pools"
        sort = "stages" if self.pipeline_parallel > 1 else "dealt" if self.data_parallel > 1 else "split"
        return f"{sort} {self.accelerators}"

    @cached_property
    def rank(self) -> int:
        """How hard it is to run: a split, stages, experts dealt out, prompt and decode servers."""
        return 3 if self.pools else 2 if self.data_parallel > 1 else 1 if self.pipeline_parallel > 1 else 0

    @cached_property
    def says(self) -> str:
        """As tables show it: `TP 8 x 2 stages`."""
        if self.pools:
            return f"{self.pools.prefill} prompt + {self.pools.decode} decode servers of TP {self.tensor_parallel}"
        if self.data_parallel > 1:
            return f"DP {self.data_parallel} attention, EP {self.tensor_parallel * self.data_parallel}"
        stages = f" x {self.pipeline_parallel} stages" if self.pipeline_parallel > 1 else ""
        return f"TP {self.tensor_parallel}{stages}"

    @cached_property
    def written(self) -> str:
        """As `--layout` takes it."""
        parts = {"tp": self.tensor_parallel, "pp": self.pipeline_parallel, "dp": self.data_parallel}
        pools = {"prefill": self.pools.prefill, "decode": self.pools.decode} if self.pools else {}
        kept = {key: value for key, value in parts.items() if value > 1 or key == "tp"}
        return ",".join(f"{key}={value}" for key, value in (kept | pools).items())


def way_written(text: str) -> Way:
    """The way that `tp=4,prefill=1,decode=3` names. BadInput names the part that is wrong."""
    found: dict[str, int] = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if key not in WRITTEN:
            raise BadInput(f"--layout {text}: no part is called {key!r}", nearest=nearest(key, WRITTEN), fix=AS_WRITTEN)
        if not value.isdigit() or not 0 < int(value) <= 1024:
            raise BadInput(f"--layout {text}: {key} is {value or 'missing'}, not 1 to 1024", fix=AS_WRITTEN)
        found[WRITTEN[key]] = int(value)
    prefill, decode = found.pop("prefill", None), found.pop("decode", None)
    if (prefill is None) != (decode is None):
        raise BadInput(f"--layout {text}: prompt servers and decode servers go together", fix=AS_WRITTEN)
    pools = Pools(prefill=prefill, decode=decode) if prefill and decode else None
    return Way(**{"tensor_parallel": 1, **found}, pools=pools)


def ways_of(shape: Shape, node: NodeType, accelerators: int, *, joined: bool) -> Iterator[Way]:
    """Every way that takes just so many accelerators of a kind of node: part of one, or several whole ones.

    `joined`: what joins the nodes is known. Across nodes a stage or a server never straddles two of them; one split
    over all is there so that its price is seen.
    """
    sizes = [size for size in range(1, min(node.gpus, accelerators) + 1) if layout_problem(shape, size) is None]
    nodes = -(-accelerators // node.gpus)
    if not sizes or (nodes > 1 and (not joined or accelerators % node.gpus)):
        return
    if layout_problem(shape, accelerators) is None:
        yield Way(accelerators)
    if nodes > 1 and nodes <= shape.layer_count:
        yield Way(max(sizes), pipeline_parallel=nodes)
    if shape.is_moe and accelerators > 1:
        yield Way(1, data_parallel=accelerators)
    for size in sizes:
        yield from _pools(size, node, accelerators)


def _pools(size: int, node: NodeType, accelerators: int) -> Iterator[Way]:
    """Every ratio of prompt to decode servers of this size; none where such servers leave accelerators over."""
    if accelerators % size or (accelerators > node.gpus and node.gpus % size):
        return
    servers = accelerators // size
    for prompts in range(1, servers):
        yield Way(size, pools=Pools(prefill=prompts, decode=servers - prompts))
