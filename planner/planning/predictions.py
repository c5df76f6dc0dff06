"""The figures a plan commits to: each with its unit, its 90 % interval, and how it will be measured."""

from __future__ import annotations

from planner.catalog import load_yaml
from planner.energy.predicting import Energy
from planner.hardware.hardware import Hardware
from planner.memory.vllm_cpu import NULL_BLOCK
from planner.plan import Cost, Memory, Prediction
from planner.planning.offloading import WEIGHT_LABELS
from planner.quality import Quality
from planner.speed.estimate import Estimate
from planner.support import engines
from rules.vocabulary import EngineId


def memory_predictions(engine: EngineId, memory: Memory, artifact_bytes: int | None) -> list[Prediction]:
    """Weights, KV cache and compute buffers with the error such predictions have had for this engine."""
    errors = load_yaml("checks.yaml")["memory_error"]
    error = errors.get(engine, errors["default"])
    weights = memory.gib(*WEIGHT_LABELS)
    found = [
        _within("weights_gib", weights, error["weights_gib"], error["source"]),
        _within("kv_cache_gib", pool_gib(engine, memory), error["kv_cache_gib"], error["source"]),
    ]
    compute = memory.gib("compute buffer")
    if compute:
        found.append(_within("compute_buffer_gib", compute, error["compute_buffer_gib"], error["source"]))
    if artifact_bytes is not None:
        found.append(_within("artifact_bytes", artifact_bytes, error["weights_gib"], error["source"]))
    return found


def offload_predictions(engine: EngineId, memory: Memory) -> list[Prediction]:
    """The same three buffers on the host, where part of the model lies there. The file is mapped in whole pages."""
    offload = memory.offload
    if offload is None:
        return []
    error = load_yaml("checks.yaml")["memory_error"][engine]
    held = {
        "host_weights_gib": offload.gib(*WEIGHT_LABELS),
        "host_kv_cache_gib": offload.gib("KV cache"),
        "host_compute_buffer_gib": offload.gib("compute buffer"),
    }
    return [
        _within(name, value, error[name.removeprefix("host_")], error["source"])
        for name, value in held.items()
        if value
    ]


def pool_gib(engine: EngineId, memory: Memory) -> float:
    """What the engine will report for its cache: what it is told to take, or for some all that the rest leaves."""
    told = memory.gib("KV cache") + memory.gib(NULL_BLOCK)
    return told + max(memory.free_gib, 0.0) if engines()[engine].claims_rest and not memory.gib(NULL_BLOCK) else told


def cache_predictions(engine: EngineId, memory: Memory, hardware: Hardware) -> list[Prediction]:
    """The tokens vLLM reports for its KV pool: exact on a CPU, where its bytes are given. There also all its memory."""
    if engine != "vllm":
        return []
    errors = load_yaml("checks.yaml")["memory_error"]
    tokens = memory.kv_tokens if memory.reported_kv_tokens is None else memory.reported_kv_tokens
    if hardware.accelerator is not None:
        error = errors["default"]
        return [_within("kv_tokens", tokens, error["kv_cache_gib"], error["source"])]
    error = errors["vllm_on_cpu"]
    return [
        _within("kv_tokens", tokens, error["kv_tokens"], error["source"]),
        _within("host_memory_gib", memory.used_gib, error["host_memory_gib"], error["source"]),
    ]


def energy_predictions(energy: Energy) -> list[Prediction]:
    """Draw of one accelerator and energy of a token; where nothing was measured no value, but the TDP's `high`."""
    return [
        estimate_prediction("watts_per_accelerator", energy.watts_per_accelerator),
        estimate_prediction("joules_per_output_token", energy.joules_per_output_token),
    ]


def estimate_prediction(name: str, estimate: Estimate) -> Prediction:
    """An estimate as a prediction; an abstention keeps its reason."""
    return Prediction(
        name=name,
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        source=estimate.source,
        abstained=estimate.abstained,
        before_learning=estimate.before_learning,
    )


def quality_prediction(quality: Quality) -> Prediction:
    """Perplexity change is published for few sizes and texts: abstain, and let the run measure it."""
    return Prediction(
        name="perplexity_increase_percent",
        value=None,
        source=quality.source,
        abstained="perplexity depends on the text; the run measures it on held-out text",
    )


def cost_prediction(cost: Cost | None) -> Prediction:
    name = "usd_per_1m_output_tokens"
    if cost is None or cost.usd_per_1m_output_tokens is None:
        reason = "no price is known for this hardware" if cost is None else "no throughput was predicted"
        source = cost.price_source if cost else "planner/catalog/prices.csv"
        return Prediction(name=name, value=None, source=source, abstained=reason)
    return Prediction(
        name=name,
        value=cost.usd_per_1m_output_tokens,
        low=cost.low,
        high=cost.high,
        source=cost.price_source,
    )


def _within(name: str, value: float, error: float, source: str) -> Prediction:
    return Prediction(
        name=name,
        value=value,
        low=value * (1 - error),
        high=value * (1 + error),
        source=source,
    )
