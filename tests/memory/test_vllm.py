"""vLLM's start-up sums, against what its logs print."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from planner.memory import vllm
from planner.memory.kv_cache import kv_cache
from planner.memory.loading import loading_extra
from planner.memory.situation import Account, Situation
from planner.memory.weights import weight_bytes
from planner.schemes import scheme
from planner.units import GIB


@dataclass(frozen=True)
class Log:
    """One published start-up on one GPU: its limits, and the GiB it printed."""

    model: str
    version: str
    total_gib: float
    utilisation: float
    weights: float
    activation: float
    pool: float
    context: int = 8192
    format_id: str = "bf16"


LOGS = [
    Log("llama-3.1-8b", "0.10", 79.18, 0.90, 14.99, 4.76, 51.38, context=16000),
    Log("qwen3-32b", "0.10", 79.18, 0.90, 61.03, 5.64, 4.45, context=16000),
    Log("llama-3.1-70b", "0.10", 79.18, 0.90, 67.72, 4.84, -1.44, context=16000, format_id="fp8"),
    Log("qwen2-7b", "0.19.0", 79.19, 0.95, 14.25, 2.21, 58.53),
    Log("qwen2-7b", "0.19.0", 79.19, 0.95, 8.14, 2.21, 64.64, format_id="fp8"),
    Log("llama-3.1-8b", "0.19.0", 79.19, 0.95, 14.99, 1.89, 58.11, context=4096),
    Log("qwen2.5-math-1.5b", "0.7.2", 22.06, 0.90, 2.88, 1.40, 15.52, context=4096),
    Log("qwen2-7b", "0.7.3", 31.74, 0.90, 14.25, 4.35, 9.88, context=32768),
    Log("llama-3.1-8b", "0.7", 22.07, 0.90, 14.99, 0.22, 4.60, context=131072),
]


@pytest.mark.parametrize("log", LOGS, ids=lambda log: f"{log.model}-{log.version}-{log.format_id}")
def test_weights_activation_and_pool_are_those_of_the_log(shape_of, log):
    situation = _situation(shape_of(log.model), log)
    account = vllm.account(situation)
    assert situation.weights.total / GIB == pytest.approx(log.weights, abs=0.02)
    assert _gib(account, "activation peak") == pytest.approx(log.activation, rel=0.03, abs=0.01)
    pool = account.available_gib - sum(term.predicted_gib for term in account.terms)
    assert pool == pytest.approx(log.pool, abs=0.07)


def test_loaded_weights_match_the_log_to_four_digits(shape_of):
    """Qwen2.5-32B at tensor parallelism 2 printed 30.7098 GiB, Llama-3.1-8B 14.9888 GiB."""
    for model, ranks, printed in (("qwen2.5-32b", 2, 30.7098), ("llama-3.1-8b", 1, 14.9888)):
        shape, bf16 = shape_of(model), scheme("bf16")
        loaded = weight_bytes(shape, bf16, None, ranks) + loading_extra(shape, bf16, None, ranks)
        assert loaded.total / GIB == pytest.approx(printed, abs=0.0002)


def test_graphs_are_inside_the_budget_from_0_21_on_and_never_with_eager(shape_of):
    log = LOGS[0]
    labels = {
        version: {t.label for t in vllm.account(_situation(shape_of(log.model), log, version=version)).terms}
        for version in ("0.20", "0.21")
    }
    assert "CUDA graphs" not in labels["0.20"] and "CUDA graphs" in labels["0.21"]
    eager = vllm.account(_situation(shape_of(log.model), log, version="0.21", eager=True))
    assert "CUDA graphs" not in {t.label for t in eager.terms}


def test_fewer_sequences_give_back_the_samplers_logits(shape_of):
    """The sampler holds logits of `max_num_seqs` sequences: the lever most guides forget."""
    many, few = (
        vllm.account(_situation(shape_of("llama-3.1-8b"), LOGS[0], max_sequences=sequences))
        for sequences in (1024, 256)
    )
    assert _gib(many, "activation peak") - _gib(few, "activation peak") == pytest.approx(3.5, abs=0.1)


def _situation(shape, log: Log, *, version: str | None = None, **changes) -> Situation:
    chosen = scheme(log.format_id)
    return Situation(
        shape=shape,
        scheme=chosen,
        weights=weight_bytes(shape, chosen) + loading_extra(shape, chosen),
        kv=kv_cache(shape, "16-bit"),
        physical_gib=log.total_gib,
        context_tokens=log.context,
        concurrency=1,
        engine_version=version or log.version,
        utilisation=log.utilisation,
        **changes,
    )


def _gib(account: Account, label: str) -> float:
    return sum(term.predicted_gib for term in account.terms if term.label == label)
