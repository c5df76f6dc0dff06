"""Answers questions as the command line does, remembers the answers, and reads only what it may."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from threading import Lock

from planner import __version__
from planner.catalog import DIRECTORY as CATALOGUE
from planner.errors import BadInput, NoFeasiblePlan
from planner.plan import Plan
from planner.planning.pipeline import make_plan
from planner.request import Request
from planner.service.settings import Settings
from planner.service.store.plans import PlanStore
from rules.book import BUILT_IN, Book, load_book

PATH_MARKS = ("/", "\\", "~", ".")
HUB_MARK = "/"


@dataclass(frozen=True, slots=True)
class Answer:
    """A plan as JSON; `fresh` when it was made for this very question."""

    digest: str
    body: str
    fresh: bool


@dataclass
class Answering:
    """Plans for questions. The same question, asked of the same rules and data, gets the same plan."""

    settings: Settings
    store: PlanStore
    book: Book = field(init=False)
    _latest: OrderedDict[str, Answer | NoFeasiblePlan] = field(default_factory=OrderedDict, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self.book = load_book(self.settings.rules)

    def plan(self, request: Request) -> Answer:
        """The plan for a question: remembered, kept in the database, or made now. Raises what `make_plan` raises."""
        asked = self.fingerprint(request)
        known = self._remembered(asked) or self._kept(asked)
        if known is None:
            known = self._answered(request, asked)
        self._remember(asked, known if isinstance(known, NoFeasiblePlan) else replace(known, fresh=False))
        if isinstance(known, NoFeasiblePlan):
            raise known
        return known

    def _kept(self, asked: str) -> Answer | None:
        found = self.store.answer_to(asked)
        return Answer(*found, fresh=False) if found else None

    def _answered(self, request: Request, asked: str) -> Answer | NoFeasiblePlan:
        """Made now, and kept; a refusal is an answer, too, and is remembered."""
        try:
            plan = self.made(request)
        except NoFeasiblePlan as refusal:
            return NoFeasiblePlan(refusal.what, fix=refusal.fix)
        body = plan.model_dump_json()
        self.store.keep(plan, body, asked)
        return Answer(plan.digest, body, fresh=True)

    def made(self, request: Request) -> Plan:
        """A plan made now, of a model and hardware that this service may read."""
        check_request(request, self.settings)
        return make_plan(request, book=self.book)

    def fingerprint(self, request: Request) -> str:
        """What decides the answer: the question, the rules, the data and the program."""
        rules = "" if self.settings.rules is None else digest_of(self.settings.rules)
        text = "\n".join((request.model_dump_json(), knowledge_digest(), rules))
        return hashlib.sha256(text.encode()).hexdigest()

    def _remembered(self, asked: str) -> Answer | NoFeasiblePlan | None:
        with self._lock:
            known = self._latest.get(asked)
            if known is not None:
                self._latest.move_to_end(asked)
            return known

    def _remember(self, asked: str, answer: Answer | NoFeasiblePlan) -> None:
        with self._lock:
            self._latest[asked] = answer
            while len(self._latest) > self.settings.plans_in_memory:
                self._latest.popitem(last=False)


@cache
def knowledge_digest() -> str:
    """One digest over the program's version, its data files and its rules: the ETag of everything it believes."""
    return hashlib.sha256(f"{__version__} {digest_of(CATALOGUE)} {digest_of(BUILT_IN)}".encode()).hexdigest()[:32]


def digest_of(directory: Path) -> str:
    """A digest over the names and bytes of the data files of a directory."""
    found = hashlib.sha256()
    for path in sorted(p for p in directory.rglob("*") if p.suffix in (".yaml", ".csv", ".jsonl", ".json")):
        found.update(str(path.relative_to(directory)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def check_request(request: Request, settings: Settings) -> None:
    """BadInput for anything in a question that would have the service read a file it may not, or ask the hub."""
    check_model(request.model, settings)
    check_hardware(request.hardware, settings)
    for name, value in (("price.file", request.price.file), ("calibration", request.calibration)):
        if value is not None:
            fix = f"leave out {name}; the command line takes it"
            raise BadInput("this service reads no files of its callers", where=name, fix=fix)


def check_model(name: str, settings: Settings) -> None:
    """BadInput for a path outside the allowed folders, and for a hub id where the hub is not asked."""
    if looks_like_a_path(name):
        _check_below_roots(name, settings.model_roots)
    elif HUB_MARK in name and not settings.allow_hub:
        fix = "name a model of the catalogue (GET /v1/models), or start the service with --allow-hub"
        raise BadInput(f"this service looks up no hub ids: {name[:100]}", fix=fix)


def check_hardware(text: str, settings: Settings) -> None:
    """BadInput for hardware described in a file: the service reads none."""
    name = text.strip().lower()
    if "/" in name or "\\" in name or name.endswith((".yaml", ".yml")):
        raise BadInput(
            "this service reads no hardware files", fix="name an accelerator of the catalogue (GET /v1/gpus)"
        )


def looks_like_a_path(name: str) -> bool:
    """Whether the resolver could take this for something on disk."""
    return name.startswith(PATH_MARKS) or name.lower().endswith(".gguf") or "\\" in name or _exists(name)


def _exists(name: str) -> bool:
    try:
        return Path(name).expanduser().exists()
    except (OSError, RuntimeError, ValueError):
        return False


def _check_below_roots(name: str, roots: tuple[Path, ...]) -> None:
    try:
        real = Path(name).expanduser().resolve()
    except (OSError, RuntimeError, ValueError):
        real = Path("/")
    if not any(real.is_relative_to(root.resolve()) for root in roots):
        fix = "start the service with --model-root FOLDER for the folder that holds it"
        raise BadInput("this service may not read models from there", where=name[:100], fix=fix)
