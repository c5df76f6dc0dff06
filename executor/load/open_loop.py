"""An open loop: requests arrive when they arrive, whether or not the server has answered the ones before.

Arrivals are Poisson: independent users, so gaps are exponential. A closed loop cannot show what overload does, because
its clients wait politely; an open one can, since the queue grows when the server is too slow.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import accumulate

from executor.load.closed_loop import Asked, LoopResult
from executor.load.exchange import Exchange


def arrival_times_s(rate_per_s: float, count: int, seed: int) -> list[float]:
    """When each of `count` requests arrives, in seconds from the start; the first one at once."""
    gaps = random.Random(seed)
    return [0.0, *accumulate(gaps.expovariate(rate_per_s) for _ in range(count - 1))]


async def open_loop(
    send: Callable[[Asked], Awaitable[Exchange]],
    requests: Sequence[Asked],
    arrivals_s: Sequence[float],
    on_done: Callable[[int], None] = lambda done: None,
) -> LoopResult:
    """Send each request at its time. `on_done` hears how many have ended."""
    ended: list[Exchange] = []
    started_s = time.perf_counter()

    async def arrive(request: Asked, at_s: float) -> None:
        await asyncio.sleep(max(0.0, started_s + at_s - time.perf_counter()))
        ended.append(await send(request))
        on_done(len(ended))

    await asyncio.gather(*(arrive(request, at_s) for request, at_s in zip(requests, arrivals_s, strict=True)))
    return LoopResult(tuple(ended), time.perf_counter() - started_s)
