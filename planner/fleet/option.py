"""One way to run a copy of a model on a kind of node, and all such ways of one model."""

from __future__ import annotations

from dataclasses import dataclass

from rules.vocabulary import EngineId, FormatId, KvFormat


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a copy: `gpus` accelerators of one node, or of `nodes` whole nodes in as many stages.

    `requests_per_s` is what is planned for, the busy share taken off. Waits are means with `batch` requests in flight;
    with a `percentile` they are that of an open load of `requests_per_s`.
    """

    model: str
    node_type: str
    gpus: int
    nodes: int
    tensor_parallel: int
    pipeline_parallel: int
    format: FormatId
    engine: EngineId
    kv_cache: KvFormat
    batch: int
    requests_per_s: float
    ttft_ms: float
    tpot_ms: float
    percentile: int | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """All options of one model; where there is none, `why_not` says so for each kind of node."""

    options: tuple[Option, ...]
    why_not: tuple[tuple[str, str], ...]
