"""One copy of the chosen candidate under rising load: what cost at a load and cost against latency are read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from planner.planning.assessing import Assessed, Assessor
from planner.planning.candidates import prompt_share, span
from planner.predicted import OperatingPoint

LARGEST_CONCURRENCY = 1024


def operating_points(assessor: Assessor, chosen: Assessed) -> tuple[OperatingPoint, ...]:
    """Requests in flight on one copy, doubling from 1 up to what its cache holds, with the planned number among them.

    Nothing where the speed model abstains.
    """
    if chosen.speed.output_tokens_per_s.value is None:
        return ()
    planned = assessor.share(chosen.layout).concurrency
    held = min(max(int(chosen.memory.max_concurrency * chosen.layout.caches), planned), LARGEST_CONCURRENCY)
    numbers = sorted({*(2**n for n in range(held.bit_length())), planned, held})
    one = replace(chosen, layout=replace(chosen.layout, replicas=1))
    return tuple(_points(assessor, one, numbers))


def _points(assessor: Assessor, one: Assessed, numbers: list[int]) -> Iterator[OperatingPoint]:
    for number in numbers:
        load = assessor.request.workload.model_copy(update={"concurrency": number})
        speed = assessor.speed(one.choice, one.layout, one.memory, load)
        ttft_ms, tpot_ms, rate = span(speed.ttft_ms), span(speed.tpot_ms), span(speed.output_tokens_per_s)
        if ttft_ms and tpot_ms and rate:
            share = prompt_share(assessor, one, load)
            yield OperatingPoint(
                concurrency=number, ttft_ms=ttft_ms, tpot_ms=tpot_ms, output_tokens_per_s=rate, prompt_share=share
            )
