"""What vLLM on a CPU really held and said, recorded: the silent no-op is caught, and a scheme that works is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from executor.applied.fingerprint import distance, fingerprint, limits
from executor.applied.in_engine import Evidence, applied_in_engine, require_applied
from planner.errors import ExecutionFailed

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "evidence" / "vllm_cpu.json").read_text())
ORIGINAL, SERVED, LAYERS = RECORDED["original"], RECORDED["served"], RECORDED["layers"]
NO_OP = "int8_per_channel_weight_only"


def test_the_no_op_answers_exactly_as_the_unquantized_model_does() -> None:
    assert SERVED[NO_OP] == SERVED["bf16"], "so it launches, and its perplexity is fine"


def test_int8_per_channel_is_caught_by_the_layers_the_worker_holds() -> None:
    found = applied_in_engine("int8-w8a8", Evidence(layers=LAYERS[NO_OP]), None)
    assert found.layers == {"UnquantizedLinearMethod, bfloat16": 4}
    with pytest.raises(
        ExecutionFailed, match="int8-w8a8 is not applied in the engine, although it started and answers"
    ):
        require_applied("int8-w8a8", found, "http://127.0.0.1:8000")


def test_unquantized_weights_are_caught_by_what_they_say_too() -> None:
    """As when an engine drops the scheme of a checkpoint whose own log-probabilities are known."""
    found = fingerprint(SERVED["bf16"], RECORDED["fp8_checkpoint"], ORIGINAL)
    assert found is not None and found.verdict == "not-applied"


def test_fp8_that_is_applied_passes() -> None:
    found = fingerprint(SERVED["fp8"], RECORDED["fp8_checkpoint"], ORIGINAL)
    assert found is not None and found.verdict != "not-applied" and found.verdict != "wrong"
    assert applied_in_engine("fp8", Evidence(layers=LAYERS["fp8"], fingerprint=found), 3_428_864).verdict == "applied"


def test_w8a8_is_kept_where_no_tensor_shows_and_is_not_taken_for_a_no_op() -> None:
    assert applied_in_engine("int8-w8a8", Evidence(layers=LAYERS["int8-w8a8"]), 3_428_864).verdict == "unknown"


def test_the_noise_between_engines_is_below_the_limit() -> None:
    assert distance(SERVED["bf16"], ORIGINAL) < limits()["noise"]


def test_a_kv_cache_that_is_silently_wrong_is_caught() -> None:
    """`int8_per_token_head` is 24 times as far from the truth as FP8 (seen with AVX-512; made up from that)."""
    fp8_cache = distance(SERVED["bf16"], ORIGINAL)
    wrong = [value + 24 * fp8_cache * (-1) ** place for place, value in enumerate(ORIGINAL)]
    found = fingerprint(wrong, RECORDED["fp8_checkpoint"], ORIGINAL)
    assert found is not None and found.verdict == "wrong"
    with pytest.raises(ExecutionFailed, match="fp8 is wrongly applied in the engine"):
        require_applied("fp8", applied_in_engine("fp8", Evidence(LAYERS["fp8"], fingerprint=found), 1.0), "here")
