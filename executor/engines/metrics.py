"""What a server publishes about itself: Prometheus text, read into labelled samples, and vLLM's figures in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
CACHE_CONFIG = "vllm:cache_config_info"
HISTOGRAMS = {
    "ttft_ms": "vllm:time_to_first_token_seconds",
    "tpot_ms": "vllm:request_time_per_output_token_seconds",
    "latency_ms": "vllm:e2e_request_latency_seconds",
}
GAUGES = {
    "running": "vllm:num_requests_running",
    "waiting": "vllm:num_requests_waiting",
    "kv_cache_usage": "vllm:kv_cache_usage_perc",
}
COUNTERS = {
    "prompt_tokens": "vllm:prompt_tokens_total",
    "generation_tokens": "vllm:generation_tokens_total",
    "preemptions": "vllm:num_preemptions_total",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the exposition: a name, its labels, its value."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse_metrics(text: str) -> list[Sample]:
    """The samples of a Prometheus exposition; comments and what is no sample are passed over."""
    return list(_samples(text.splitlines()))


def summary(samples: Iterable[Sample]) -> dict[str, Any]:
    """vLLM's own account: KV tokens and blocks, counters, and the mean of each latency histogram in milliseconds."""
    found = list(samples)
    cache = next((sample.labels for sample in found if sample.name == CACHE_CONFIG), {})
    return {
        "kv_tokens": _number(cache.get("kv_cache_size_tokens")),
        "kv_blocks": _number(cache.get("num_gpu_blocks")),
        "kv_block_tokens": _number(cache.get("block_size")),
        "kv_cache_dtype": cache.get("cache_dtype"),
        **{name: _total(found, metric) for name, metric in {**GAUGES, **COUNTERS}.items()},
        **{f"mean_{name}": _mean_ms(found, metric) for name, metric in HISTOGRAMS.items()},
    }


def scrape(url: str, path: str | None) -> list[Sample]:
    """The server's samples now; none where it publishes none or does not answer."""
    import httpx

    if path is None:
        return []
    try:
        response = httpx.get(f"{url}{path}", timeout=10.0, trust_env=False)
        response.raise_for_status()
        return parse_metrics(response.text)
    except httpx.HTTPError:
        return []


def _samples(lines: Iterable[str]) -> Iterator[Sample]:
    for line in lines:
        if not line.startswith("#") and (found := SAMPLE.match(line)):
            try:
                value = float(found["value"])
            except ValueError:
                continue
            labels = {name: _unescaped(value) for name, value in LABEL.findall(found["labels"] or "")}
            yield Sample(found["name"], labels, value)


def _unescaped(value: str) -> str:
    return value.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def _total(samples: Iterable[Sample], name: str) -> float | None:
    values = [sample.value for sample in samples if sample.name == name]
    return sum(values) if values else None


def _mean_ms(samples: list[Sample], name: str) -> float | None:
    total, count = _total(samples, f"{name}_sum"), _total(samples, f"{name}_count")
    return total / count * 1000 if total is not None and count else None


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None
