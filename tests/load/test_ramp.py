"""The ramp finds the largest load that meets a level, with few tests, and says when it did not find its end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from executor.load.bench import ramp_as_plain
from executor.load.ramp import Ramp, missed_targets, ramp
from planner.request import ServiceLevel

LEVEL = ServiceLevel(ttft_ms=500, tpot_ms=50)


def measured(tpot_ms: float, errors: int = 0) -> dict[str, Any]:
    spread = dict.fromkeys(("mean", "p50", "p95", "p99"), 100.0)
    return {"requests": 10, "errors": errors, "ttft_ms": spread, "tpot_ms": {**spread, "p95": tpot_ms, "mean": 1.0}}


def find(bears: float, **options: Any) -> Ramp:
    async def at(load: float) -> dict[str, Any]:
        return measured(40 if load <= bears else 60)

    return asyncio.run(ramp(at, LEVEL, **options))


@pytest.mark.parametrize("bears", [1, 2, 3, 13, 16, 31, 100, 255])
def test_the_largest_load_is_found_exactly(bears: int) -> None:
    found = find(bears)
    assert found.largest is not None and found.largest.load == bears
    assert found.is_bounded
    assert len(found.points) <= 2 * bears.bit_length() + 2


def test_nothing_meets_a_level_that_is_out_of_reach() -> None:
    found = find(0)
    assert found.largest is None and [point.load for point in found.points] == [1]


def test_a_server_that_bears_everything_is_not_said_to_end_there() -> None:
    found = find(10_000, most=64)
    assert found.largest is not None and found.largest.load == 64
    assert not found.is_bounded


def test_rates_are_found_to_a_quarter_of_the_first() -> None:
    found = find(3.1, first=1.0, resolution=0.25)
    assert found.largest is not None and found.largest.load == 3.0


def test_misses_are_said_in_words() -> None:
    assert missed_targets(measured(60, errors=2), LEVEL, "p95") == [
        "2 of 10 requests failed",
        "p95 tpot_ms 60 is above 50",
    ]
    assert missed_targets(measured(60), LEVEL, "mean") == []
    assert missed_targets({**measured(1), "ttft_ms": None}, LEVEL, "p95") == ["p95 ttft_ms was not measured"]


def test_the_answer_as_json_names_its_unit() -> None:
    plain = ramp_as_plain(find(3), "concurrency", "p95")
    assert (plain["largest"], plain["is_bounded"]) == (3, True)
    assert plain["points"][0] == {
        **{"concurrency": 1.0, "missed": [], "ttft_ms": 100.0, "tpot_ms": 40},
        **{"output_tokens_per_s": None, "requests": 10, "errors": 0},
    }
