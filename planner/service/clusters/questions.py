"""What may be asked about a cluster, and how much of it: the messages of the command line, bounded."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from planner.clusters.cluster import Cluster, NodeType
from planner.clusters.survey import Wanted
from planner.clusters.ways import way_written
from planner.errors import BadInput, nearest
from planner.fleet.fleet import Fleet
from planner.request import Frozen, Request, Tokens, Workload
from planner.service.allowing import check_hardware, check_model, check_request
from planner.service.settings import Settings
from rules.vocabulary import FormatId

SMALLER = "ask about less, or use the command line, which takes as much as you like"


class AskedCluster(Cluster):
    """A cluster as a caller tells it: its accelerators are those of the catalogue, never files of this machine."""

    @model_validator(mode="before")
    @classmethod
    def _names_no_file(cls, given: Any) -> Any:
        """BadInput for an accelerator that would be looked for on disk."""
        nodes = given.get("nodes") if isinstance(given, dict) else None
        for node in nodes if isinstance(nodes, list | tuple) else ():
            gpu = node.get("gpu") if isinstance(node, dict) else None
            if isinstance(gpu, str):
                check_hardware(gpu)
        return given


class FleetQuestion(Frozen):
    """Models to place on a cluster; one program of the solver takes `time_limit_s` at most."""

    cluster: AskedCluster
    fleet: Fleet
    time_limit_s: Annotated[float, Field(gt=0, le=10)] = 5.0

    def check(self, settings: Settings) -> None:
        """BadInput for more than one question may hold, and for a model this service may not read."""
        check_size(self.cluster, settings)
        if len(self.fleet.models) > settings.max_fleet_models:
            what = f"{len(self.fleet.models)} models: one question takes at most {settings.max_fleet_models}"
            raise BadInput(what, where="fleet.models", fix=SMALLER)
        for model in self.fleet.models:
            check_model(model.model, settings)


class LayoutsQuestion(Frozen):
    """One model on `nodes` nodes of a kind (`node_type`: its name; None: the first), laid out in every way."""

    cluster: AskedCluster
    model: Annotated[str, Field(min_length=1, max_length=200)]
    node_type: Annotated[str, Field(max_length=80)] | None = None
    nodes: Annotated[int, Field(ge=1, le=64)] = 2
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    input_tokens: Tokens = 1000
    output_tokens: Tokens = 300
    format: FormatId | None = None

    def check(self, settings: Settings) -> None:
        """BadInput for more than one question may hold, a node type that is not there, and a model not to be read."""
        check_size(self.cluster, settings)
        check_model(self.model, settings)
        self.node()

    def node(self) -> NodeType:
        """The kind of node that is meant. BadInput where the cluster has none of that name."""
        if self.node_type is None:
            return self.cluster.nodes[0]
        known = {node.name: node for node in self.cluster.nodes}
        if self.node_type not in known:
            what = f"{self.cluster.name} has no node type {self.node_type!r}"
            raise BadInput(what, nearest=nearest(self.node_type, known), fix=f"name one of: {', '.join(known)}")
        return known[self.node_type]

    def request(self) -> Request:
        """The question about the model itself."""
        load = Workload(input_tokens=self.input_tokens, output_tokens=self.output_tokens, concurrency=self.concurrency)
        return Request(model=self.model, hardware="", workload=load, format=self.format)


class AskedOfCluster(Request):
    """A question to the planner whose hardware the cluster is to give."""

    hardware: Literal[""] = ""


class PlacementQuestion(Frozen):
    """A plan asked of a cluster: `ask` as for `/v1/plans` without hardware; the rest as `quantplan plan --cluster`."""

    cluster: AskedCluster
    ask: AskedOfCluster
    nodes: Annotated[int, Field(ge=1, le=64)] | None = None
    node_type: Annotated[str, Field(max_length=80)] | None = None
    layout: Annotated[str, Field(max_length=80)] | None = None

    def check(self, settings: Settings) -> None:
        """BadInput for more than one question may hold, a layout nobody writes so, and what is not to be read."""
        check_size(self.cluster, settings)
        check_request(self.ask, settings)
        self.wanted()

    def wanted(self) -> Wanted:
        return Wanted(self.nodes, self.node_type, way_written(self.layout) if self.layout else None)


ClusterQuestion = FleetQuestion | LayoutsQuestion | PlacementQuestion


def check_size(cluster: Cluster, settings: Settings) -> None:
    """BadInput for a cluster that would keep the solver busy for too long."""
    for name, found, most in (
        ("kinds of nodes", len(cluster.nodes), settings.max_node_types),
        ("accelerators", cluster.gpus, settings.max_cluster_accelerators),
        ("accelerators in a node", max(node.gpus for node in cluster.nodes), settings.max_accelerators_per_node),
    ):
        if found > most:
            raise BadInput(f"{found:,} {name}: one question takes at most {most:,}", where="cluster.nodes", fix=SMALLER)
