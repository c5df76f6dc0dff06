"""Predictions replayed against the KV tokens that vLLM 0.32 printed on a CPU (benchmarks/real/vllm_cpu.csv)."""

from __future__ import annotations

import pytest
import replaying

PRINTED = [row for row in replaying.read_rows(replaying.VLLM_TABLE) if row["printed_tokens"]]


def name(row):
    return f"{row['model']} {row['kv_format']} {row['pool_mib']} MiB {row['max_model_len']} {row['prefix_caching']}"


@pytest.mark.parametrize("row", PRINTED, ids=name)
def test_kv_tokens_are_to_the_last_one_those_that_vllm_printed(row):
    assert replaying.predicted_vllm_tokens(row) == int(row["printed_tokens"])


def test_more_than_twelve_architectures_started():
    assert len({row["model"] for row in PRINTED}) >= 23
