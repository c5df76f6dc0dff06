"""Predictions replayed against the KV tokens that vLLM 0.32 printed on a CPU (benchmarks/real/vllm_cpu.csv)."""

from __future__ import annotations

import pytest
import replaying

THIRD_STATE = "Mamba-2 layers keep a third state where prefixes are cached"
STATE_TYPE = "delta-net states follow the model's type where the config names none; FP32 is predicted"
# What the memory model does not say yet. A row that becomes exact must leave this list.
KNOWN_TO_BE_OFF = {
    ("granite-4-mamba2", "True", "2048"): THIRD_STATE,
    ("granite-4-mamba2", "True", "1024"): THIRD_STATE,
    ("falcon-h1-mamba2", "True", "2048"): THIRD_STATE,
    ("nemotron-h-mamba2", "True", "2048"): THIRD_STATE,
    ("qwen3-next-delta", "True", "2048"): STATE_TYPE,
    ("qwen3-next-delta", "True", "4096"): STATE_TYPE,
    ("qwen3-next-delta", "False", "2048"): STATE_TYPE,
    ("llama4-chunked", "True", "2048"): "chunked layers take no spare block, sliding ones do",
    ("llama-gqa", "True", "3000"): "vLLM 0.32 counts whole requests, so a length that is no multiple of a block loses",
}
PRINTED = [row for row in replaying.read_rows(replaying.VLLM_TABLE) if row["printed_tokens"]]


def name(row):
    return f"{row['model']} {row['kv_format']} {row['pool_mib']} MiB {row['max_model_len']} {row['prefix_caching']}"


@pytest.mark.parametrize("row", PRINTED, ids=name)
def test_kv_tokens_are_to_the_last_one_those_that_vllm_printed(row):
    exact = replaying.predicted_vllm_tokens(row) == int(row["printed_tokens"])
    known = KNOWN_TO_BE_OFF.get((row["model"], row["prefix_caching"], row["max_model_len"]))
    assert exact == (known is None), known or "not exact"


def test_more_than_twelve_architectures_started():
    assert len({row["model"] for row in PRINTED}) >= 23
