"""Numbers as people read them: three significant figures, thousands apart, unknown said as a dash."""

from __future__ import annotations

from typing import Protocol

from planner.units import GIB, MIB

UNKNOWN = "-"
SMALLEST_GIB = 0.1
SECONDS_A_MINUTE = 60


class Ranged(Protocol):
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...


class Room(Protocol):
    @property
    def kv_tokens(self) -> int: ...
    @property
    def max_context_tokens(self) -> int: ...
    @property
    def max_concurrency(self) -> float: ...
    @property
    def context_limit_tokens(self) -> int | None: ...


def figure(value: float | None) -> str:
    """Three significant figures; whole numbers from a hundred on."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cache_room(cache: Room, served_tokens: int) -> str:
    """What the KV cache holds, and how long a request the server admits."""
    holds = (
        f"The KV cache can hold {cache.kv_tokens:,} tokens: one request of up to {cache.max_context_tokens:,}, "
        f"or {cache.max_concurrency:,.1f} requests like yours at once."
    )
    limit = cache.context_limit_tokens or served_tokens
    if limit > served_tokens:
        return f"{holds} Requests of up to {limit:,} tokens are admitted; such a one takes the room of many of yours."
    if cache.max_context_tokens < 2 * limit:
        return holds
    return f"{holds} Requests of more than {limit:,} tokens are refused; --context-tokens lets longer ones in."


NAMES = {
    "weights_gib": "weights in memory",
    "kv_cache_gib": "KV cache",
    "kv_tokens": "tokens of the KV cache",
    "host_weights_gib": "weights in host memory",
    "host_kv_cache_gib": "KV cache in host memory",
    "host_compute_buffer_gib": "compute buffers of the host",
    "host_memory_gib": "memory of the server",
    "compute_buffer_gib": "compute buffers",
    "artifact_bytes": "tensors of the file",
    "largest_concurrency": "requests at once within targets",
    "quantizing_host_gib": "host memory to quantize",
    "quantizing_gpu_gib": "GPU memory to quantize",
    "quantizing_disk_gib": "written by quantizing",
    "quantizing_minutes": "time to quantize",
    "ttft_ms": "time to first token",
    "tpot_ms": "time per output token",
    "output_tokens_per_s": "output, all requests",
    "perplexity_increase_percent": "perplexity increase",
    "usd_per_1m_output_tokens": "1M output tokens",
    "watts_per_accelerator": "power of an accelerator",
    "joules_per_output_token": "energy per output token",
}


def memory(gib: float | None) -> str:
    """GiB, or MiB where that reads better."""
    if gib is None:
        return UNKNOWN
    return f"{figure(gib)} GiB" if abs(gib) >= SMALLEST_GIB or gib == 0 else f"{figure(gib * GIB / MIB)} MiB"


def usd(value: float | None) -> str:
    """US dollars: cents from ten dollars on, three significant figures below."""
    if value is None:
        return UNKNOWN
    return f"${value:,.0f}" if value >= 1000 else f"${value:,.2f}" if value >= 1 else f"${value:.3g}"


def with_unit(value: float | None, unit: str) -> str:
    """A figure with its unit, in the form that reads best: MiB for small memory, seconds for parts of a minute."""
    if value is None:
        return UNKNOWN
    if unit == "GiB":
        return memory(value)
    if unit == "USD":
        return usd(value)
    if unit == "min" and value < 1:
        return f"{figure(value * SECONDS_A_MINUTE)} s"
    return f"{value:,.0f} bytes" if unit == "bytes" else f"{figure(value)} {unit}"


def interval(prediction: Ranged) -> str:
    """The 90 % interval, in brackets."""
    if prediction.low is None or prediction.high is None:
        return ""
    return f"({figure(prediction.low)} to {figure(prediction.high)})"
