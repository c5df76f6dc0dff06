"""One candidate of a frontier as people and programs read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from rules.vocabulary import EngineId, FormatId, KvFormat

Standing = Literal["in the set", "beaten", "avoided", "misses targets", "only a bound"]


@dataclass(frozen=True, slots=True)
class Point:
    """A way to run the model with `batch` requests in flight on each copy, kept full.

    Times are predicted means with 90 % intervals; USD per million output tokens carry the whole cost. Of a load in
    requests a second: USD a request and a month, and how busy the copies are (0-1), none busier than planned.
    `reason` names the rule that advises against it. `is_best`: first by the objective. `is_rule_choice`: what the rule
    book would do.
    """

    hardware: str
    accelerator: str
    accelerators: int
    format: FormatId
    engine: EngineId
    kernel: str
    kv_cache: KvFormat
    tensor_parallel: int
    replicas: int
    batch: int
    ttft_ms: float
    tpot_ms: float
    tpot_low_ms: float
    tpot_high_ms: float
    output_tokens_per_s: float
    usd_per_hour: float
    usd_per_1m_output_tokens: float
    usd_per_1m_low: float
    usd_per_1m_high: float
    quality: str
    recovery_percent: float | None
    price: str
    standing: Standing
    reason: str = ""
    is_best: bool = False
    is_rule_choice: bool = False
    usd_per_request: float | None = None
    usd_per_month: float | None = None
    busy: float | None = None

    @property
    def configuration(self) -> tuple[object, ...]:
        """Everything but the batch limit."""
        return (self.hardware, self.format, self.engine, self.kv_cache, self.tensor_parallel, self.replicas)

    def as_json(self) -> dict[str, object]:
        """Plain values, rounded to what a table needs."""
        return {
            key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in asdict(self).items()
        }
