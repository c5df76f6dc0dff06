"""One load, or a ramp of loads, on a server that is up: what a question leaves out is the workload's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from executor.engines.engine import Engine
from executor.engines.metrics import scrape, summary
from executor.evaluate.text import prompt_text
from executor.load.client import open_client
from executor.load.ramp import Ramp, Summary, ramp
from executor.load.statistics import summarise
from executor.load.testing import Load, Target, measure
from planner.errors import BadInput, ExecutionFailed
from planner.examining import BenchQuestion, OnMessage
from planner.request import Workload

PER_SLOT = 8  # requests for each one in flight: enough for a percentile, few enough for a ramp of many points


@dataclass(frozen=True, slots=True)
class Bench:
    """A server, how to speak to it, and what is asked."""

    url: str
    engine: Engine
    model: str
    workload: Workload
    question: BenchQuestion
    on_message: OnMessage

    @property
    def load(self) -> Load:
        """The question's load; what it leaves out is the workload's."""
        asked, workload = self.question, self.workload
        concurrency = asked.concurrency or workload.concurrency
        return Load(
            input_tokens=asked.input_tokens or workload.input_tokens,
            output_tokens=asked.output_tokens or workload.output_tokens,
            requests=asked.requests or PER_SLOT * concurrency,
            warmup_requests=asked.warmup_requests,
            concurrency=concurrency,
            rate_per_s=asked.rate_per_s,
            variation=asked.variation,
            lengths_file=asked.lengths_file,
        )

    def run(self) -> dict[str, Any]:
        """The figures of the load, or every point of the ramp. ExecutionFailed when no request was answered."""
        found = asyncio.run(self._ramp() if self.question.ramp else self._once(self.load))
        published = summary(scrape(self.url, self.engine.metrics_path)) if self.engine.metrics_path else None
        return {"url": self.url, "model": self.model, **found, "engine_metrics": published}

    async def _once(self, load: Load) -> dict[str, Any]:
        measured = await self._measured(load)
        if measured["errors"] == measured["requests"]:
            reasons = "; ".join(measured["error_reasons"])
            raise ExecutionFailed(f"every request failed: {reasons}", where=self.url, fix="read the server's log")
        return dict(measured)

    async def _ramp(self) -> dict[str, Any]:
        """Doubled and then halved in between: requests in flight, or requests a second where a rate is given."""
        level = self.question.service_level
        if level.ttft_ms is None and level.tpot_ms is None:
            raise BadInput("a ramp needs a target to miss", fix="give --ttft-ms, --tpot-ms or both")
        open_loop = self.load.rate_per_s is not None
        first = self.load.rate_per_s if open_loop else 1.0

        async def at(size: float) -> Summary:
            self.on_message(f"trying {size:g} {'requests a second' if open_loop else 'requests in flight'}")
            return await self._measured(self._sized(size, open_loop))

        found = await ramp(
            at, level, at=self.question.at, first=first or 1.0, resolution=(first or 1.0) / 4 if open_loop else 1.0
        )
        return ramp_as_plain(found, "requests_per_s" if open_loop else "concurrency", self.question.at)

    def _sized(self, size: float, open_loop: bool) -> Load:
        if open_loop:
            return replace(self.load, rate_per_s=size)
        requests = self.question.requests or PER_SLOT * int(size)
        return replace(self.load, concurrency=int(size), requests=requests)

    async def _measured(self, load: Load) -> Summary:
        text = prompt_text(self.question.text).read_text(encoding="utf-8")
        async with open_client(self.url, None if load.rate_per_s is not None else load.concurrency) as client:
            return summarise(await measure(Target(client, self.engine, self.model, text), load), load.output_tokens)


def ramp_as_plain(found: Ramp, unit: str, at: str) -> dict[str, Any]:
    """The ramp as JSON: the largest load that met the level, and every load tried."""
    largest = found.largest
    return {
        "ramp": unit,
        "judged_at": at,
        "largest": largest.load if largest else None,
        "is_bounded": found.is_bounded,
        "points": [
            {
                **{unit: point.load, "missed": list(point.missed)},
                **{name: (point.summary.get(name) or {}).get(at) for name in ("ttft_ms", "tpot_ms")},
                **{name: point.summary.get(name) for name in ("output_tokens_per_s", "requests", "errors")},
            }
            for point in found.points
        ],
    }
