"""One way to serve a model, in figures: what it needs, how fast it is, what it costs, each with its interval."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator

from planner.request import Frozen
from rules.vocabulary import EngineId, FormatId, KvFormat

MEASURED = {
    "weights_gib": ("GiB", "the engine's own report of its model buffers"),
    "kv_cache_gib": ("GiB", "the engine's own report of its KV buffers"),
    "kv_tokens": ("tokens", "the engine's own count of the tokens its KV cache holds"),
    "host_weights_gib": ("GiB", "the engine's own report of its model buffers on the host"),
    "host_kv_cache_gib": ("GiB", "the engine's own report of its KV buffers on the host"),
    "host_compute_buffer_gib": ("GiB", "the engine's own report of its compute buffers on the host"),
    "host_memory_gib": ("GiB", "resident memory of the server's processes under load"),
    "compute_buffer_gib": ("GiB", "the engine's own report of its compute buffers"),
    "artifact_bytes": ("bytes", "the bytes of all tensors in the written file's header"),
    "ttft_ms": ("ms", "load test: mean time to first streamed token"),
    "tpot_ms": ("ms", "load test: mean time per output token after the first"),
    "output_tokens_per_s": ("tokens/s", "load test: output tokens of all requests / wall time"),
    "largest_concurrency": ("requests at once", "a ramp: the last load that meets the targets"),
    "perplexity_increase_percent": ("%", "perplexity on held-out text, before and after"),
    "usd_per_1m_output_tokens": ("USD", "price of an hour / measured output tokens a second"),
    "watts_per_accelerator": ("W", "mean draw the driver reports for one accelerator during the load test"),
    "joules_per_output_token": ("J", "draw of all accelerators / measured output tokens a second"),
    "quantizing_host_gib": ("GiB", "peak resident memory of the tool's processes"),
    "quantizing_gpu_gib": ("GiB", "peak memory of the busiest GPU"),
    "quantizing_disk_gib": ("GiB", "bytes written by converting and quantizing"),
    "quantizing_minutes": ("min", "wall time of converting, calibrating and quantizing"),
}

Verdict = Literal["chosen", "feasible", "does-not-fit", "misses-service-level", "avoided", "no-kernel"]


class Term(Frozen):
    """One line of a labelled sum, in GiB per accelerator (or per CPU host)."""

    label: str
    predicted_gib: float
    how: str = ""


class Offload(Frozen):
    """The part of a model that llama.cpp keeps in the host's memory where the accelerators cannot hold it whole.

    `gpu_layers` of `layers` are on accelerators (`-ngl`, the output layer counted); the experts of the first
    `cpu_expert_layers` are on the host (`--n-cpu-moe`). `terms`, `available_gib` and `free_gib` are the host's own sum;
    `weights_gib` is what one accelerator large enough would hold.
    """

    gpu_layers: int
    layers: int
    cpu_expert_layers: int = 0
    weights_gib: float
    available_gib: float
    terms: tuple[Term, ...]
    free_gib: float

    @property
    def says(self) -> str:
        """What lies where, in words."""
        if self.cpu_expert_layers:
            return f"experts of {self.cpu_expert_layers} layers in host memory"
        return f"{self.gpu_layers} of {self.layers} layers on the GPU, the others in host memory"

    def gib(self, *labels: str) -> float:
        """The terms of these labels together."""
        return sum(t.predicted_gib for t in self.terms if t.label in labels)


class Memory(Frozen):
    """Memory of one accelerator (or of the CPU host): what is there, what takes it, and what the KV pool can hold.

    With an `offload`, the terms are those of the fullest accelerator, and what can be held is what both sides can.
    `kv_tokens` are held in requests like the load's. The server is started to admit requests of `context_limit_tokens`,
    and then reports `reported_kv_tokens`; None: the load's own, and `kv_tokens`. `arguments` are options of the engine
    without which the sum does not hold.
    """

    available_gib: float
    terms: tuple[Term, ...]
    free_gib: float
    fits: bool
    kv_bytes_per_token: float
    kv_tokens: int
    max_context_tokens: int
    max_concurrency: float
    offload: Offload | None = None
    context_limit_tokens: int | None = None
    reported_kv_tokens: int | None = None
    arguments: tuple[str, ...] = ()

    @property
    def used_gib(self) -> float:
        return sum(t.predicted_gib for t in self.terms)

    def gib(self, *labels: str) -> float:
        """The terms of these labels together."""
        return sum(t.predicted_gib for t in self.terms if t.label in labels)


class Lever(Frozen):
    """A setting that gives memory back on each accelerator, and what it costs in exchange."""

    setting: str
    in_exchange: str
    gain_gib: float


def _known_figure(name: str) -> str:
    if name not in MEASURED:
        raise ValueError(f"no figure is called {name!r}")
    return name


class Prediction(Frozen):
    """One figure that can be checked: `value` with its 90 % interval, or None and the reason in `abstained`.

    Its name says in what unit it is, and so how it is measured.

    `before_learning` is what it would be without what runs on this machine have taught (`quantplan learned`).
    """

    name: Annotated[str, AfterValidator(_known_figure)]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    source: str
    abstained: str | None = None
    before_learning: float | None = None

    @property
    def unit(self) -> str:
        return MEASURED[self.name][0]

    @property
    def measured_by(self) -> str:
        return MEASURED[self.name][1]


class TokenCost(Frozen):
    """USD per million tokens of each kind; `prompt_share` of the time goes to prompts, `allocated` says how."""

    usd_per_1m_input: float
    usd_per_1m_cached_input: float
    usd_per_1m_output: float
    usd_per_1m_blended: float
    prompt_share: float
    allocated: str


class Cost(Frozen):
    """USD for one million output tokens at the predicted throughput, with the price line it rests on.

    `usd_per_1m_output_tokens` puts the whole cost on output tokens; `apart` tells the kinds of token apart.
    """

    usd_per_hour: float
    usd_per_1m_output_tokens: float | None = None
    low: float | None = None
    high: float | None = None
    usd_per_month: float
    utilisation: float
    provider: str
    price_as_of: str
    price_source: str
    price_kind: str = "on-demand"
    apart: TokenCost | None = None


class Span(Frozen):
    """A predicted figure with its 90 % interval."""

    value: float
    low: float
    high: float


class OperatingPoint(Frozen):
    """One copy of the model with so many requests in flight; `prompt_share` of its time goes to reading prompts."""

    concurrency: int
    ttft_ms: Span
    tpot_ms: Span
    output_tokens_per_s: Span
    prompt_share: float | None = None


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


class Percentiles(Frozen):
    """Milliseconds over requests: their mean, and what 50, 95 and 99 of 100 stay within."""

    mean: float
    p50: float
    p95: float
    p99: float


class Outlook(Frozen):
    """An open load on what was chosen, simulated. Rates are of all copies together; waits are None above the capacity.

    `largest_requests_per_s` meets the targets at their percentile; None where one request alone misses them, and then
    no number of copies meets them either. `abstained`: why nothing can be simulated.
    """

    requests_per_s: float
    ttft_ms: Percentiles | None = None
    tpot_ms: Percentiles | None = None
    end_to_end_ms: Percentiles | None = None
    capacity_requests_per_s: float | None = None
    largest_requests_per_s: float | None = None
    replicas_needed: int | None = None
    hint: str | None = None
    abstained: str | None = None


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
