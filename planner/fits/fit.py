"""One candidate of the sweep as people and programs read it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from rules.vocabulary import EngineId, FormatId, KvFormat


@dataclass(frozen=True, slots=True)
class Fit:
    """A model in one format, engine and layout on one kind of hardware.

    GiB are per accelerator (or of the CPU host); `users` counts requests of `context_tokens` over all copies, and is
    None where the model keeps no cache. `reason` says why it does not fit or is advised against. `usd_per_hour` is
    for all its accelerators, None where no price is known. `offload`: how llama.cpp leaves part of the model in the
    host's memory, where the accelerators cannot hold it whole.
    """

    model: str
    family: str
    params_b: float
    active_params_b: float
    hardware: str
    accelerators: int
    format: FormatId
    engine: EngineId
    kernel: str
    kv_cache: KvFormat
    tensor_parallel: int
    replicas: int
    fits: bool
    reason: str
    weights_gib: float
    kv_room_gib: float
    free_gib: float
    context_tokens: int
    longest_context_tokens: int
    users: float | None
    quality: str
    recovery_percent: float | None
    usd_per_hour: float | None = None
    price_source: str | None = None
    offload: str | None = None

    def as_json(self) -> dict[str, object]:
        """Plain values, rounded to what a table needs."""
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in asdict(self).items()}
