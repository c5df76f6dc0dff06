"""The fleet file: models with their loads, service levels and priorities."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from planner.catalog import load_yaml
from planner.clusters.documents import read_document
from planner.request import Frozen, Request, ServiceLevel, Tokens, Workload
from rules.vocabulary import EngineId, FormatId, KvFormat

Loss = Literal["none", "almost-none", "some"]
Objective = Literal["cost", "gpus"]


class ServedModel(Frozen):
    """One model and its load: `requests_per_s` at the peak, all users together.

    `loss` bounds what quantizing may cost in quality; `format`, `engine` and `kv_cache` insist. Of two models the one
    of higher `priority` is served first where not all fit. `node_types`: those it may stand on (None: all).
    `percentile` holds the targets to what so many of 100 requests wait for when they arrive at random (None: to means).
    """

    model: str
    name: str | None = None
    requests_per_s: Annotated[float, Field(ge=1e-6, le=1e6)]
    input_tokens: Tokens = 1000
    output_tokens: Tokens = 300
    context_tokens: Tokens | None = None
    ttft_ms: Annotated[float, Field(gt=0, le=1e9)] | None = None
    tpot_ms: Annotated[float, Field(gt=0, le=1e9)] | None = None
    percentile: Literal[50, 95, 99] | None = None
    min_replicas: Annotated[int, Field(ge=1, le=10_000)] = 1
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    loss: Loss = "almost-none"
    format: FormatId | None = None
    engine: EngineId = "vllm"
    kv_cache: KvFormat = "16-bit"
    node_types: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        return self.name or self.model

    @property
    def _held_to(self) -> Literal["mean", "p50", "p95", "p99"]:
        names: dict[int | None, Literal["mean", "p50", "p95", "p99"]] = {None: "mean", 50: "p50", 95: "p95", 99: "p99"}
        return names[self.percentile]

    def request(self, hardware: str, concurrency: int = 1) -> Request:
        """The question about one copy, or some, on this hardware."""
        return Request(
            model=self.model,
            hardware=hardware,
            workload=Workload(
                input_tokens=self.input_tokens,
                output_tokens=self.output_tokens,
                context_tokens=self.context_tokens,
                concurrency=concurrency,
            ),
            service_level=ServiceLevel(ttft_ms=self.ttft_ms, tpot_ms=self.tpot_ms, percentile=self._held_to),
            format=self.format,
            engine=self.engine,
            kv_cache=self.kv_cache,
        )


class Fleet(Frozen):
    """All models of one cluster. `busy_share`: part of what a copy can carry that is planned for.

    `spare_nodes`: nodes of each kind in use that are kept free, so that as many may fail. `objective`: USD an hour of
    the nodes in use, or accelerators.
    """

    models: Annotated[tuple[ServedModel, ...], Field(min_length=1)]
    spare_nodes: Annotated[int, Field(ge=0, le=100)] = Field(
        default_factory=lambda: int(load_yaml("clusters.yaml")["fleet"]["spare_nodes"]["value"])
    )
    busy_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default_factory=lambda: float(load_yaml("clusters.yaml")["fleet"]["busy_share"]["value"])
    )
    objective: Objective = "cost"

    @model_validator(mode="after")
    def _named_apart(self) -> Fleet:
        labels = [model.label for model in self.models]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"two models are named {twice!r}: give each a `name`")
        return self


def read_fleet(path: Path) -> Fleet:
    """The fleet a YAML file declares. BadInput with the line of an unknown key or bad value."""
    return read_document(path, Fleet, "a fleet file")
