"""Predictions replayed against what llama-server printed with part of a model on other devices (llama_split.csv)."""

from __future__ import annotations

import pytest
import replaying

ROWS = replaying.read_rows(replaying.SPLIT_TABLE)
ROUNDING_MIB = 0.06
COMPUTE_OFF = 0.11
WRITTEN_BY_US = (
    "gguf-bf16"  # these files have the head before the first layer, which a mapping of the host's part spans
)


def name(row):
    return f"{row['model']} {row['format']} {row['slots']}x{row['context_tokens']} -ngl {row['gpu_layers']}"


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_weights_and_cache_lie_where_they_lay(row):
    predicted = replaying.predicted_split(row)
    for buffer in ("gpu0_model_mib", "gpu1_model_mib", "gpu0_kv_mib", "gpu1_kv_mib", "host_kv_mib"):
        assert predicted[buffer] == pytest.approx(float(row[buffer]), abs=ROUNDING_MIB)
    if row["format"] != WRITTEN_BY_US:
        assert predicted["host_model_mib"] == pytest.approx(float(row["host_model_mib"]), abs=ROUNDING_MIB)


@pytest.mark.parametrize("row", ROWS, ids=name)
def test_scratch_buffers_are_near(row):
    predicted = replaying.predicted_split(row)
    assert predicted["host_compute_mib"] == pytest.approx(float(row["host_compute_mib"]), abs=ROUNDING_MIB)
    for buffer in ("gpu0_compute_mib", "gpu1_compute_mib"):
        assert predicted[buffer] == pytest.approx(float(row[buffer]), rel=COMPUTE_OFF)


def test_pipelined_scratch_buffers_are_all_but_exact():
    pipelined = [row for row in ROWS if row["gpus"] == "2" and row["gpu_layers"] == "13" and row["gpu_shares"] == "1,1"]
    assert len(pipelined) == 2
    for row in pipelined:
        predicted = replaying.predicted_split(row)["gpu1_compute_mib"]
        assert predicted == pytest.approx(float(row["gpu1_compute_mib"]), abs=ROUNDING_MIB)
