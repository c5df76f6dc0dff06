"""The question: which model, on what hardware, for which workload, at which price."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.prices.line import PriceKind
from rules.vocabulary import EngineId, FormatId, KvFormat, Objective, Task, Tool


class Frozen(BaseModel):
    """Base of every message: immutable, unknown keys refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    def __eq__(self, other: object) -> bool:
        """By the fields; a message is itself without looking at them."""
        return self is other or super().__eq__(other)


Tokens = Annotated[int, Field(gt=0, le=100_000_000)]


class Workload(Frozen):
    """What will be asked of the model. `context_tokens` is the longest request served (None: input + output).

    `concurrency` requests are in flight at most; `requests_per_s` arrive at random (None: always a next one at once).
    `prefix_hit_rate` is the part of a prompt found in the prefix cache.
    """

    input_tokens: Tokens = 1000
    output_tokens: Tokens = 300
    context_tokens: Tokens | None = None
    concurrency: Annotated[int, Field(gt=0, le=1_000_000)] = 8
    requests_per_s: Annotated[float, Field(ge=1e-6, le=1_000_000)] | None = None
    prefix_hit_rate: Annotated[float, Field(ge=0, lt=1)] = 0.0
    task: Task = "general"
    precision_critical: bool = False
    multi_turn: bool = False
    may_calibrate: bool = True
    quality_validated: bool = False
    fine_tunes: bool = False

    @property
    def served_context_tokens(self) -> int:
        return self.context_tokens or self.input_tokens + self.output_tokens


class ServiceLevel(Frozen):
    """Targets a plan must meet; None means: no target.

    A way to serve is chosen by mean waits; `percentile` is what an open load is held to (`Outlook`).
    """

    ttft_ms: Annotated[float, Field(gt=0, le=1e9)] | None = None
    tpot_ms: Annotated[float, Field(gt=0, le=1e9)] | None = None
    percentile: Literal["mean", "p50", "p95", "p99"] = "mean"


class Price(Frozen):
    """What an hour of one accelerator (or CPU host) costs; None asks the price table.

    `file` is a price file of the user's own, whose lines come before the catalogue's.
    """

    usd_per_hour: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    provider: str | None = None
    utilisation: Annotated[float, Field(ge=0.001, le=1)] = 1.0
    kind: PriceKind | None = None
    file: str | None = None


class Nodes(Frozen):
    """How the accelerators stand in machines of one kind, and what joins those; None means: not known.

    `gbit_s` is one direction, all network cards of a node together; `inside_gb_s` the bidirectional total of one
    accelerator inside its node, where it is not the datasheet's.
    """

    accelerators_per_node: Annotated[int, Field(gt=0, le=1024)]
    link: Literal["infiniband", "ethernet", "nvlink", "other"] = "other"
    gbit_s: Annotated[float, Field(ge=0.001, le=1e6)] | None = None
    latency_us: Annotated[float, Field(ge=0, le=1e6)] | None = None
    inside: Literal["nvlink", "infinity-fabric", "pcie"] | None = None
    inside_gb_s: Annotated[float, Field(ge=0.001, le=1e5)] | None = None


class Pools(Frozen):
    """Servers that read prompts and hand the caches over to servers that generate, together one copy of the model."""

    prefill: Annotated[int, Field(gt=0, le=1024)]
    decode: Annotated[int, Field(gt=0, le=1024)]

    @property
    def servers(self) -> int:
        return self.prefill + self.decode


class Extras(Frozen):
    """What vLLM serves beside the plain model: a draft that speculates, LoRA adapters, experts dealt out whole.

    `mtp` are the model's own multi-token-prediction heads; an EAGLE head is a checkpoint of its own, `draft_model`.
    """

    draft: Literal["mtp", "eagle"] | None = None
    draft_model: str | None = None
    draft_tokens: Annotated[int, Field(gt=0, le=32)] = 3
    max_loras: Annotated[int, Field(ge=0, le=1024)] = 0
    max_lora_rank: Literal[8, 16, 32, 64, 128, 256, 320, 512] = 16
    expert_parallel: bool = False

    @property
    def is_asked_for(self) -> bool:
        return self.draft is not None or self.max_loras > 0 or self.expert_parallel


class Request(Frozen):
    """One question to the planner.

    `format`, `engine`, `tensor_parallel`, `kv_cache`, `tool` and `variant` insist on a choice. `calibration` names
    text to calibrate with: a file, a folder, or a data set of the hub. `make_only`: the checkpoint is made and
    evaluated where the plan is applied, and served elsewhere. `nodes`: the accelerators stand in several machines, of
    which one copy may take `pipeline_parallel` stages. `extras` is what is served beside the plain model.

    `data_parallel` copies of a mixture's attention, its experts dealt out over the accelerators of all; `pools` of
    prompt and decode servers; `replicas` copies that share the hardware evenly, so that the rules are asked about one.
    """

    model: str
    hardware: str
    workload: Workload = Workload()
    service_level: ServiceLevel = ServiceLevel()
    price: Price = Price()
    objective: Objective = "tree"
    format: FormatId | None = None
    engine: EngineId | None = None
    tensor_parallel: Annotated[int, Field(gt=0, le=1024)] | None = None
    kv_cache: KvFormat | None = None
    tool: Tool | None = None
    variant: str | None = None
    calibration: str | None = None
    make_only: bool = False
    nodes: Nodes | None = None
    extras: Extras = Extras()
    pipeline_parallel: Annotated[int, Field(gt=0, le=64)] | None = None
    data_parallel: Annotated[int, Field(gt=0, le=1024)] | None = None
    pools: Pools | None = None
    replicas: Annotated[int, Field(gt=0, le=100_000)] | None = None
