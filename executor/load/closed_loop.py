"""A closed loop: so many clients, each sending its next request when its last one ended."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from executor.load.exchange import Exchange

Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class LoopResult:
    """The exchanges in the order they ended, and the seconds from the first request sent to the last one ended."""

    exchanges: tuple[Exchange, ...]
    wall_s: float


async def closed_loop(
    send: Callable[[Asked], Awaitable[Exchange]],
    requests: Sequence[Asked],
    concurrency: int,
    on_done: Callable[[int], None] = lambda done: None,
) -> LoopResult:
    """Send every request once, `concurrency` at a time. `on_done` hears how many have ended."""
    waiting, ended = iter(requests), []

    async def client(queue: Iterator[Asked]) -> None:
        for request in queue:
            ended.append(await send(request))
            on_done(len(ended))

    started_s = time.perf_counter()
    await asyncio.gather(*(client(waiting) for _ in range(min(concurrency, len(requests)))))
    return LoopResult(tuple(ended), time.perf_counter() - started_s)
