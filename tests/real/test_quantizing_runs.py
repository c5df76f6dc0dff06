"""Predictions replayed against runs of the quantizing tools on a CPU (benchmarks/real/quantizing.csv)."""

from __future__ import annotations

import pytest
import replaying

from planner.units import GIB

RUNS = replaying.read_rows(replaying.QUANTIZING_TABLE)
MIB_A_GIB = 1024


def name(row):
    return f"{row['tool']} {row['format']} {row['model']} {row['samples']}"


@pytest.mark.parametrize("row", replaying.whole_paths(RUNS), ids=name)
def test_resident_memory_is_inside_the_interval(row):
    host = replaying.predicted_quantizing(row).host_gib
    assert host.low <= float(row["resident_mib"]) / MIB_A_GIB <= host.high


@pytest.mark.parametrize("row", [row for row in RUNS if row["format"] != "convert"], ids=name)
def test_what_is_written_and_how_long_it_takes(row):
    needs = replaying.predicted_quantizing(row)
    checkpoint = next(term for term in needs.disk_terms if term.label == "checkpoint")
    assert int(row["output_bytes"]) / GIB == pytest.approx(checkpoint.predicted_gib, rel=0.06, abs=0.011)
    if needs.minutes.value is not None:
        assert float(row["seconds"]) / 60 <= needs.minutes.high
