"""Answers questions as the command line does, and remembers the answers."""

from __future__ import annotations

import gzip
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from threading import Lock

from anyio import CapacityLimiter

from planner.plan import Plan
from planner.planning.pipeline import make_plan
from planner.request import Request
from planner.service.allowing import check_request
from planner.service.knowledge import digest_of, knowledge_digest
from planner.service.settings import Settings
from planner.service.store.plans import PlanStore
from planner.unfeasible import NoFeasiblePlan
from rules.book import Book, load_book

FASTEST = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan as JSON, compressed once (gzip) for everybody who asks again; `fresh` when it was made just now."""

    digest: str
    packed: bytes
    fresh: bool

    @property
    def body(self) -> bytes:
        """The JSON."""
        return gzip.decompress(self.packed)


@dataclass
class Answering:
    """Plans for questions. The same question, asked of the same rules and data, gets the same plan.

    `one_at_a_time`: planning fills a core, so questions queue for it and those whose answers are known pass by.
    """

    settings: Settings
    store: PlanStore
    book: Book = field(init=False)
    one_at_a_time: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(1), init=False)
    _knowledge: str = field(init=False)
    _latest: OrderedDict[str, Answer | NoFeasiblePlan] = field(default_factory=OrderedDict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        rules = self.settings.rules
        self.book = load_book(rules)
        self._knowledge = f"{knowledge_digest()}\n{'' if rules is None else digest_of(rules)}"

    def remembered(self, request: Request) -> Answer | None:
        """The plan if this process knows it already: no waiting. Raises the refusal if that is what it knows."""
        return _plan_of(self._recall(self.fingerprint(request)))

    def plan(self, request: Request) -> Answer:
        """The plan for a question: remembered, kept in the database, or made now. Raises what `make_plan` raises."""
        asked = self.fingerprint(request)
        known = self._recall(asked) or self._kept(asked) or self._made(request, asked)
        self._remember(asked, known)
        answer = _plan_of(known)
        assert answer is not None
        return answer

    def made(self, request: Request) -> Plan:
        """A plan made now, of a model and hardware that this service may read; with its outlook under an open load."""
        check_request(request, self.settings)
        if request.workload.requests_per_s is None:
            return make_plan(request, book=self.book)
        from planner.planning.under_load import plan_under_load

        return plan_under_load(request, book=self.book)

    def fingerprint(self, request: Request) -> str:
        """What decides the answer: the question, the rules, the data and the program."""
        return hashlib.sha256(f"{request.model_dump_json()}\n{self._knowledge}".encode()).hexdigest()

    def _kept(self, asked: str) -> Answer | None:
        found = self.store.answer_to(asked)
        return None if found is None else Answer(found[0], _packed(found[1]), fresh=False)

    def _made(self, request: Request, asked: str) -> Answer | NoFeasiblePlan:
        """Made now, and kept; a refusal is an answer, too, and is remembered."""
        try:
            plan = self.made(request)
        except NoFeasiblePlan as refusal:
            return refusal.with_traceback(None)
        body = plan.as_json()
        self.store.keep(plan, body, asked)
        return Answer(plan.digest, _packed(body), fresh=True)

    def _recall(self, asked: str) -> Answer | NoFeasiblePlan | None:
        with self._lock:
            known = self._latest.get(asked)
            if known is not None:
                self._latest.move_to_end(asked)
            return known

    def _remember(self, asked: str, answer: Answer | NoFeasiblePlan) -> None:
        known = replace(answer, fresh=False) if isinstance(answer, Answer) else answer
        with self._lock:
            self._latest[asked] = known
            while len(self._latest) > self.settings.plans_in_memory:
                self._latest.popitem(last=False)


def _plan_of(known: Answer | NoFeasiblePlan | None) -> Answer | None:
    if isinstance(known, NoFeasiblePlan):
        raise NoFeasiblePlan(known.what, fix=known.fix)  # a new one: each raise lengthens an exception's traceback
    return known


def _packed(body: str) -> bytes:
    return gzip.compress(body.encode(), FASTEST)
