"""Where questions about clusters are handed in: one is solved at a time, and stopped when it takes too long.

It is stopped as well when whoever asked has gone. Answers are remembered: a page that is loaded again solves nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from anyio import CapacityLimiter

from planner.errors import BadInput
from planner.service.clusters.questions import ClusterQuestion, FleetQuestion, LayoutsQuestion, PlacementQuestion
from planner.service.problems import Refused
from planner.service.settings import Settings
from planner.unfeasible import NoFeasiblePlan

SOLVER = (sys.executable, "-m", "planner.service.clusters.solving")
LOOK_EVERY_S = 0.25
MOST_WAITING = 8
ANSWERS_KEPT = 64
LONGER = "ask about fewer models or kinds of nodes, or use the command line, which waits as long as you like"
KINDS: dict[type[ClusterQuestion], str] = {
    FleetQuestion: "fleet",
    LayoutsQuestion: "layouts",
    PlacementQuestion: "placement",
}
Gone = Callable[[], Awaitable[bool]]
Plain = dict[str, Any]


@dataclass
class Desk:
    """Answers questions about clusters. Raises what the command line raises, and `Refused` when it is too much."""

    settings: Settings
    command: tuple[str, ...] = SOLVER
    one_at_a_time: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1), init=False)
    _waiting: int = field(default=0, init=False)
    _known: OrderedDict[str, Plain] = field(default_factory=OrderedDict, init=False)

    async def answer(self, question: ClusterQuestion, gone: Gone) -> Plain:
        """The answer as plain values; `gone` tells whether whoever asked still waits."""
        question.check(self.settings)
        kind = KINDS[type(question)]
        asked = f"{kind} {question.model_dump_json()}"
        if asked not in self._known:
            self._remember(asked, await self._in_turn(kind, question, gone))
        self._known.move_to_end(asked)
        return _answer_of(self._known[asked])

    async def _in_turn(self, kind: str, question: ClusterQuestion, gone: Gone) -> Plain:
        if self._waiting >= MOST_WAITING:
            detail = f"{self._waiting} questions about clusters wait already"
            raise Refused(503, "busy", "Too many ask at once", detail, fix="ask again in a minute")
        self._waiting += 1
        try:
            async with self.one_at_a_time:
                return await self._solved(kind, question, gone)
        finally:
            self._waiting -= 1

    async def _solved(self, kind: str, question: ClusterQuestion, gone: Gone) -> Plain:
        """What the process answers. Whatever happens, it has ended when this returns."""
        rules, within_s = self.settings.rules, self.settings.solver_seconds
        content = {"kind": kind, "question": question.model_dump(mode="json"), "within_s": within_s}
        body = json.dumps({**content, "rules": str(rules) if rules else None}).encode()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*self.command, stdin=pipe, stdout=pipe)
        talk = asyncio.ensure_future(process.communicate(body))
        try:
            told = await _told(talk, within_s, gone)
        finally:
            talk.cancel()
            if process.returncode is None:
                process.kill()
                await process.wait()
        return _read(told)

    def _remember(self, asked: str, answer: Plain) -> None:
        self._known[asked] = answer
        while len(self._known) > ANSWERS_KEPT:
            self._known.popitem(last=False)


async def _told(talk: asyncio.Future[tuple[bytes, bytes]], within_s: float, gone: Gone) -> bytes:
    """What the process says. Refused when it takes too long, or nobody waits for it any more."""
    end = time.monotonic() + within_s
    while not (await asyncio.wait({talk}, timeout=LOOK_EVERY_S))[0]:
        if time.monotonic() > end:
            raise Refused(503, "too-long", "The solver was stopped", f"no answer within {within_s:g} s", fix=LONGER)
        if await gone():
            raise Refused(503, "gone", "The solver was stopped", "whoever asked has gone")
    return talk.result()[0]


def _read(told: bytes) -> Plain:
    try:
        answer: Plain = json.loads(told)
    except ValueError:
        detail = "the solver's process ended without an answer"
        raise Refused(503, "solver-failed", "The solver failed", detail, fix="see the service's log") from None
    return answer


def _answer_of(told: Plain) -> Plain:
    if "answer" in told:
        answer: Plain = told["answer"]
        return answer
    problem = dict(told["problem"])
    if problem.pop("kind") == "NoFeasiblePlan":
        raise NoFeasiblePlan(problem["what"], fix=problem["fix"])
    raise BadInput(problem.pop("what"), **problem)
