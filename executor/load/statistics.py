"""What many exchanges come to: means, percentiles and throughput."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import ceil, floor
from typing import Any

from executor.load.closed_loop import LoopResult
from executor.load.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and percentiles of one figure; percentiles interpolate linearly between neighbours, as numpy's do."""

    mean: float
    p50: float
    p95: float
    p99: float
    minimum: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None where there is nothing to sum up."""
        if not values:
            return None
        ordered = sorted(values)
        return cls(
            mean=sum(ordered) / len(ordered),
            p50=percentile(ordered, 50),
            p95=percentile(ordered, 95),
            p99=percentile(ordered, 99),
            minimum=ordered[0],
            maximum=ordered[-1],
        )


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` percent of the ordered values lie."""
    place = (len(ordered) - 1) * share / 100
    below, above = ordered[floor(place)], ordered[ceil(place)]
    return below + (above - below) * (place - floor(place))


def summarise(loop: LoopResult, output_tokens: int) -> dict[str, Any]:
    """The figures of a load test, of successful exchanges alone; failed ones are counted, with their commonest reasons.

    output_tokens_per_s is the whole server's: all output tokens / wall time from the first send to the last end.
    `short_requests` ended before the planned number of output tokens; `errors_by_kind` counts failures by their kind.
    """
    good = [exchange for exchange in loop.exchanges if exchange.error is None]
    reasons = Counter(exchange.error for exchange in loop.exchanges if exchange.error is not None)
    return {
        "requests": len(loop.exchanges),
        "errors": len(loop.exchanges) - len(good),
        "errors_by_kind": dict(Counter(e.error_kind for e in loop.exchanges if e.error_kind is not None)),
        "error_reasons": dict(reasons.most_common(3)),
        "wall_s": loop.wall_s,
        "output_tokens_per_s": _rate(sum(e.output_tokens for e in good), loop.wall_s),
        "input_tokens_per_s": _rate(sum(e.input_tokens for e in good), loop.wall_s),
        "requests_per_s": _rate(len(good), loop.wall_s),
        "ttft_ms": _spread([e.ttft_ms for e in good]),
        "tpot_ms": _spread([e.tpot_ms for e in good]),
        "latency_ms": _spread([e.latency_ms for e in good]),
        "mean_input_tokens": _mean([e.input_tokens for e in good]),
        "mean_output_tokens": _mean([e.output_tokens for e in good]),
        "cached_tokens": sum(e.cached_tokens for e in good),
        "short_requests": sum(e.output_tokens < (e.planned_output_tokens or output_tokens) for e in good),
    }


def as_rows(exchanges: Sequence[Exchange]) -> list[dict[str, Any]]:
    """The exchanges as plain values, for a file."""
    return [{**asdict(e), "ttft_ms": e.ttft_ms, "tpot_ms": e.tpot_ms, "latency_ms": e.latency_ms} for e in exchanges]


def _spread(values: Sequence[float | None]) -> dict[str, float] | None:
    spread = Spread.of([value for value in values if value is not None])
    return asdict(spread) if spread else None


def _rate(count: int, wall_s: float) -> float | None:
    return count / wall_s if wall_s > 0 and count else None


def _mean(values: Sequence[int]) -> float | None:
    return sum(values) / len(values) if values else None
