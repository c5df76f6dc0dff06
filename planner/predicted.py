"""Figures that are predicted, each with its 90 % interval or the reason why there is none."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from planner.request import Frozen

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
