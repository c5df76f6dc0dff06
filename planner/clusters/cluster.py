"""The nouns of a cluster: kinds of nodes with their accelerators, what joins them, where they stand, what they cost."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from planner.clusters.documents import Refused
from planner.costs.hourly import HourlyPrice, hourly_price
from planner.errors import BadInput
from planner.hardware.hardware import Accelerator, Hardware
from planner.hardware.linking import Inside, with_link
from planner.hardware.resolving import resolve_hardware
from planner.prices.line import PriceKind
from planner.request import Frozen, Nodes, Price

LinkKind = Literal["infiniband", "ethernet", "nvlink", "other"]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$")]


class Link(Frozen):
    """What joins nodes: `gbit_s` in one direction over all network cards of a node, and the latency of a message."""

    kind: LinkKind = "other"
    gbit_s: Annotated[float, Field(gt=0, le=1e6)]
    latency_us: Annotated[float, Field(ge=0, le=1e6)] | None = None

    @property
    def says(self) -> str:
        latency = f", {self.latency_us:g} us" if self.latency_us is not None else ""
        return f"{self.gbit_s:g} Gb/s {self.kind}{latency}"


class NodePrice(Frozen):
    """What a node costs: its own price an hour, or a line of the price table (`provider`, `kind`) a GPU.

    `file`: the price file it is in, or `skypilot`; None: the catalogue.
    """

    usd_per_node_hour: Annotated[float, Field(ge=0, le=1e6)] | None = None
    provider: str | None = None
    kind: PriceKind | None = None
    file: str | None = None


class NodeType(Frozen):
    """`count` nodes of one kind, each with `gpus` accelerators of one type, spread evenly over `racks` racks.

    `inside` and `inside_gb_s` (bidirectional total of one accelerator) replace the datasheet's link.
    """

    name: Name
    gpu: str
    gpus: Annotated[int, Field(gt=0, le=1024)]
    count: Annotated[int, Field(ge=0, le=100_000)]
    racks: Annotated[int, Field(gt=0, le=10_000)] = 1
    inside: Inside | None = None
    inside_gb_s: Annotated[float, Field(gt=0, le=1e5)] | None = None
    between_nodes: Link | None = None
    price: NodePrice = NodePrice()
    host_memory_gib: Annotated[float, Field(gt=0)] | None = None

    @field_validator("gpu")
    @classmethod
    def _known(cls, gpu: str) -> str:
        try:
            resolve_hardware(f"1x{gpu}")
        except BadInput as reason:
            raise Refused(reason) from None
        return gpu

    @cached_property
    def accelerator(self) -> Accelerator:
        """The accelerator of the catalogue, with this node's own link where it declares one."""
        found = resolve_hardware(f"1x{self.gpu}").accelerator
        assert found is not None
        return with_link(found, self.inside, self.inside_gb_s)

    @property
    def hardware(self) -> Hardware:
        """One node as hardware to plan for."""
        return Hardware(label=f"{self.gpus}x{self.accelerator.name}", accelerator=self.accelerator, count=self.gpus)

    @property
    def total_gpus(self) -> int:
        return self.gpus * self.count

    @cached_property
    def hourly(self) -> HourlyPrice | None:
        """The price of one accelerator for an hour; None where nothing is known."""
        own = self.price.usd_per_node_hour
        each = own / self.gpus if own is not None else None
        asked = Price(usd_per_hour=each, provider=self.price.provider, kind=self.price.kind, file=self.price.file)
        return hourly_price(asked, self.hardware)

    @property
    def usd_per_node_hour(self) -> float | None:
        return self.hourly.usd_per_hour * self.gpus if self.hourly else None

    def rack_of(self, number: int) -> int:
        """The rack, from 0, in which node `number` stands."""
        return number % self.racks


class Cluster(Frozen):
    """All nodes of one cluster. `between_nodes` joins them where a node type says nothing of its own."""

    name: Name = "cluster"
    nodes: Annotated[tuple[NodeType, ...], Field(min_length=1)]
    between_nodes: Link | None = None
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _named_apart(self) -> Cluster:
        names = [node.name for node in self.nodes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two node types are named {twice!r}")
        return self

    @property
    def gpus(self) -> int:
        return sum(node.total_gpus for node in self.nodes)

    def link_of(self, node: NodeType) -> Link | None:
        """What joins nodes of this type; None: not known, so no copy spans them."""
        return node.between_nodes or self.between_nodes

    def nodes_of(self, node: NodeType) -> Nodes:
        """The same as a request states it."""
        link = self.link_of(node)
        return Nodes(
            accelerators_per_node=node.gpus,
            link=link.kind if link else "other",
            gbit_s=link.gbit_s if link else None,
            latency_us=link.latency_us if link else None,
            inside=node.inside,
            inside_gb_s=node.inside_gb_s,
        )
