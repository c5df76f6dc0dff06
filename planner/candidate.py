"""One way to serve a model, assessed, and what else was weighed beside it."""

from __future__ import annotations

from typing import Literal

from planner.needs import Memory
from planner.predicted import Cost, Prediction, Span
from planner.request import Frozen
from rules.vocabulary import EngineId, FormatId, KvFormat

Verdict = Literal["chosen", "feasible", "does-not-fit", "misses-service-level", "avoided", "no-kernel"]


class Pool(Frozen):
    """The servers of one copy that read prompts (`prefill`) or generate (`decode`), all alike.

    `memory` is of one accelerator; one server takes in at most `concurrency` requests at once.
    """

    role: Literal["prefill", "decode"]
    servers: int
    tensor_parallel: int
    concurrency: int
    memory: Memory
    engine_arguments: tuple[str, ...]


class CacheTransfer(Frozen):
    """What handing a prompt's cache over costs each request: it lies within the predicted time to first token."""

    gib_per_prompt: float
    ms_per_prompt: float
    over: str


class Candidate(Frozen):
    """One way to serve the model, assessed: what the rules chose, what it needs, does and costs.

    One copy takes `tensor_parallel` x `pipeline_parallel` x `data_parallel` accelerators, or those of its `pools`, on
    `nodes` machines; memory is of one of them (of a decode server's), and what its cache holds is of one server: with
    `data_parallel` copies of the attention each has a cache of its own. Experts lie dealt out over `expert_parallel`.
    """

    format: FormatId
    engine: EngineId
    engine_version: str
    tensor_parallel: int
    pipeline_parallel: int = 1
    data_parallel: int = 1
    expert_parallel: int = 1
    nodes: int = 1
    replicas: int = 1
    pools: tuple[Pool, ...] = ()
    cache_transfer: CacheTransfer | None = None
    kv_cache: KvFormat
    group_size: int | None = None
    tool: str | None = None
    kernel: str
    memory: Memory
    predictions: tuple[Prediction, ...] = ()
    cost: Cost | None = None
    quality: str
    engine_arguments: tuple[str, ...]
    engine_environment: dict[str, str] = {}
    verdict: Verdict
    reasons: tuple[str, ...] = ()

    @property
    def accelerators(self) -> int:
        """Those of one copy."""
        if self.pools:
            return sum(pool.servers * pool.tensor_parallel for pool in self.pools)
        return self.tensor_parallel * self.pipeline_parallel * self.data_parallel

    def predicted(self, name: str) -> Prediction:
        return next(p for p in self.predictions if p.name == name)


class Alternative(Frozen):
    """Another way to serve the model, in few figures; planning again with its settings gives the whole.

    `used_gib`, `free_gib` and `kv_tokens` are of one accelerator (or the CPU host). A figure is None where unknown.
    `offloaded` says what lies in host memory.
    """

    format: FormatId
    engine: EngineId
    tensor_parallel: int
    replicas: int = 1
    kv_cache: KvFormat
    weights_gib: float
    used_gib: float
    free_gib: float
    kv_tokens: int
    ttft_ms: Span | None = None
    tpot_ms: Span | None = None
    output_tokens_per_s: Span | None = None
    usd_per_1m_output_tokens: Span | None = None
    quality: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    offloaded: str = ""


class Weighed(Frozen):
    """One layout on one kind of node of a cluster, in few figures; planning with its settings gives the whole.

    `accelerators` and `nodes` are of one copy; tokens, requests and USD of all `copies`.
    `link_ms`: of the time per output token, what exchange between accelerators takes.
    """

    node_type: str
    layout: str
    accelerators: int
    nodes: int
    copies: int = 1
    format: FormatId
    ttft_ms: float | None = None
    tpot_ms: float | None = None
    output_tokens_per_s: float | None = None
    requests_per_s: float | None = None
    usd_per_hour: float | None = None
    link_ms: float | None = None
    verdict: Verdict
    reasons: tuple[str, ...] = ()


class Placement(Frozen):
    """Where on a cluster a plan stands: the kind of node, why this layout, what joins the nodes, what else was weighed.

    `link` is None where what joins the nodes is not known.
    """

    cluster: str
    node_type: str
    layout: str
    because: str
    link: str | None = None
    weighed: tuple[Weighed, ...] = ()
