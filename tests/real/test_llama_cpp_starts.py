"""Predictions replayed against the buffers that llama-server printed (benchmarks/real/llama_cpp.csv)."""

from __future__ import annotations

import pytest
import replaying

ROWS = replaying.read_rows(replaying.LLAMA_TABLE)
ROUNDING_MIB = 0.02
# With a quantized cache, and where an MLP is no wider than the hidden states, the scratch buffer is up to this far off.
COMPUTE_OFF_MIB = 0.6


def name(row):
    return f"{row['model']} {row['format']} {row['slots']}x{row['context_tokens']} {row['kv_format']}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_every_buffer_is_that_printed(row):
    predicted = replaying.predicted_buffers(row)
    for buffer in ("mapped_mib", "repacked_mib", "kv_mib"):
        assert predicted[buffer] == pytest.approx(float(row[buffer]), abs=ROUNDING_MIB)
    assert predicted["compute_mib"] == pytest.approx(float(row["compute_mib"]), abs=COMPUTE_OFF_MIB)


def test_most_scratch_buffers_are_exact():
    exact = [
        row
        for row in ROWS
        if abs(replaying.predicted_buffers(row)["compute_mib"] - float(row["compute_mib"])) <= ROUNDING_MIB
    ]
    assert len(exact) >= 41
    assert len({row["model"] for row in ROWS}) >= 10
