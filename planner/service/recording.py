"""Reports that come at once are written at once: while one transaction is written, the next ones gather.

With many executors that takes as few transactions as the disk can sync, and one alone waits for nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from anyio import to_thread
from sqlalchemy import Engine

from planner.ledger.report import Receipt, Report
from planner.service.store.keeping import Told, keep_together

MOST_TOGETHER = 100
Answer = asyncio.Future[Receipt]


@dataclass(slots=True)
class Recorder:
    """The one writer of a worker's reports. Of its event loop only."""

    engine: Engine
    waiting: list[tuple[Told, Answer]] = field(default_factory=list)
    writer: asyncio.Task[None] | None = None

    async def record(self, report: Report, reported_by: str) -> Receipt:
        """The receipt, once the report is in the database. Conflict as `keep_together` has it."""
        answer: Answer = asyncio.get_running_loop().create_future()
        self.waiting.append((Told(report, reported_by, time.time()), answer))
        if self.writer is None:
            self.writer = asyncio.create_task(self._write())
        return await answer

    async def _write(self) -> None:
        while self.waiting:
            batch, self.waiting = self.waiting[:MOST_TOGETHER], self.waiting[MOST_TOGETHER:]
            became: Sequence[Receipt | Exception]
            try:
                became = await to_thread.run_sync(keep_together, self.engine, [told for told, _ in batch])
            except Exception as error:
                became = [error] * len(batch)  # a database that is gone: each caller is told
            for (_, answer), result in zip(batch, became, strict=True):
                if answer.done():
                    continue  # whoever asked has gone away
                if isinstance(result, Receipt):
                    answer.set_result(result)
                else:
                    answer.set_exception(result)
        self.writer = None
