"""One copy of the chosen candidate under rising load: what cost at a load and cost against latency are read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from planner.plan import Candidate, OperatingPoint, Span
from planner.planning.candidates import Assessor, Layout
from planner.planning.deciding import Choice
from planner.speed.estimate import Estimate

LARGEST_CONCURRENCY = 1024


def operating_points(assessor: Assessor, choice: Choice, chosen: Candidate) -> tuple[OperatingPoint, ...]:
    """Requests in flight on one copy, doubling from 1 up to what its cache holds, with the planned number among them.

    Nothing where the speed model abstains.
    """
    if chosen.predicted("output_tokens_per_s").value is None:
        return ()
    planned = assessor.share(Layout.of(chosen)).concurrency
    one = replace(Layout.of(chosen), replicas=1)
    held = min(max(int(chosen.memory.max_concurrency), planned), LARGEST_CONCURRENCY)
    numbers = sorted({*(2**n for n in range(held.bit_length())), planned, held})
    return tuple(_points(assessor, choice, chosen, one, numbers))


def _points(
    assessor: Assessor, choice: Choice, chosen: Candidate, one: Layout, numbers: list[int]
) -> Iterator[OperatingPoint]:
    for number in numbers:
        asked = assessor.request.workload.model_copy(update={"concurrency": number})
        under = replace(assessor, request=assessor.request.model_copy(update={"workload": asked}))
        speed = under.speed(choice, one, chosen.memory)
        spans = [_span(estimate) for estimate in (speed.ttft_ms, speed.tpot_ms, speed.output_tokens_per_s)]
        if None not in spans:
            ttft_ms, tpot_ms, rate = (span for span in spans if span)
            share = under.prompt_share(choice, one, chosen.memory)
            yield OperatingPoint(
                concurrency=number, ttft_ms=ttft_ms, tpot_ms=tpot_ms, output_tokens_per_s=rate, prompt_share=share
            )


def _span(estimate: Estimate) -> Span | None:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    return Span(value=estimate.value, low=estimate.low, high=estimate.high)
