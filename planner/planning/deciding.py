"""Asks the rule book, one decision after another, and keeps the trace of why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from planner.plan import Decision, Evidence
from planner.request import Request
from planner.schemes import scheme
from rules.book import BUILT_IN, Answer, Book, Spoken
from rules.vocabulary import DecidedFacts, EngineId, Facts, FormatId, KvFormat, Trouble, Width

DEFAULT_ENGINE: EngineId = "vllm"
DEFAULT_KV_CACHE: KvFormat = "16-bit"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the rules conclude for one width, before anything is computed. Why they do makes no other choice of it."""

    format: FormatId
    engine: EngineId
    kv_cache: KvFormat
    width: Width | None = None
    group_size: int | None = None
    tool: str | None = None
    rule: str = field(default="", compare=False)
    because: str = field(default="", compare=False)
    source: str = field(default="", compare=False)


@dataclass
class Deliberation:
    """One question put to the book. `answers` holds the latest answer to each decision."""

    book: Book
    facts: Facts
    request: Request
    answers: dict[str, Answer] = field(default_factory=dict)
    _choices: dict[FormatId, Choice] = field(default_factory=dict, init=False, repr=False)
    _choices_in: dict[Width, Choice | None] = field(default_factory=dict, init=False, repr=False)

    @property
    def trace(self) -> tuple[Decision, ...]:
        """Every decision with every rule that was asked."""
        return tuple(as_decision(answer, answer.passed_over) for answer in self.answers.values())

    @property
    def told(self) -> tuple[Decision, ...]:
        """The same as a plan keeps it: where every rule may speak, those that did not are left out."""
        picks_first = {name for name, chapter in self.book.chapters.items() if chapter.pick == "first"}
        return tuple(
            as_decision(answer, answer.passed_over if name in picks_first else ())
            for name, answer in self.answers.items()
        )

    def ask(self, decision: str, *, avoiding: Collection[str] = (), record: bool = True, **decided: Any) -> Answer:
        """Put one decision to the book, with what was decided so far."""
        known = self.facts
        facts = Facts(
            known.model, known.hardware, known.gpu, known.workload, known.tools, decided=DecidedFacts(**decided)
        )
        answer = self.book.decide(decision, facts, avoiding=avoiding)
        if record:
            self.answers[decision] = answer
        return answer

    @cached_property
    def vetoes(self) -> Answer:
        return self.ask("vetoes")

    @cached_property
    def avoided(self) -> frozenset[str]:
        """Every vetoed format. What the user insists on is not avoided; the plan warns of it instead."""
        return self._vetoed("avoid") - {self.request.format}

    @cached_property
    def avoided_kv(self) -> frozenset[str]:
        """Every vetoed KV-cache format."""
        return self._vetoed("avoid_kv")

    @cached_property
    def avoided_engines(self) -> frozenset[str]:
        """Every vetoed engine."""
        return self._vetoed("avoid_engines")

    def _vetoed(self, kind: str) -> frozenset[str]:
        return frozenset(value for spoken in self.vetoes.spoke for value in getattr(spoken.outcome, kind))

    def insisted_against(self) -> Iterator[tuple[str, Spoken]]:
        """Each choice the user insists on although a rule vetoes it, with the rule."""
        wishes = {"avoid": self.request.format, "avoid_kv": self.request.kv_cache, "avoid_engines": self.request.engine}
        for spoken in self.vetoes.spoke:
            for kind, wish in wishes.items():
                if wish in getattr(spoken.outcome, kind):
                    yield str(wish), spoken

    def width(self) -> Width | None:
        outcome = self.ask("width").outcome
        return outcome.width if outcome else None

    def after(self, choice: Choice, trouble: Trouble) -> Iterator[Choice]:
        """Where the book says to go when a choice fails for this reason, best first."""
        return self._fallback(width=choice.width, format=choice.format, engine=choice.engine, trouble=trouble)

    def record_way(self, choice: Choice, came_from: tuple[Choice, Trouble] | None) -> None:
        """Keep why the book went on to this choice from one that failed, with its engine and cache."""
        if came_from is None or choice.width is None:
            return
        failed, trouble = came_from
        self.ask("fallback", width=failed.width, format=failed.format, engine=failed.engine, trouble=trouble)
        engine = self.engine_for(choice.format, choice.width, record=True)
        self.kv_cache_for(choice.format, engine, choice.width, record=True)

    def after_width(self, width: Width) -> Iterator[Choice]:
        """Where the book says to go when every format of a width is vetoed."""
        return self._fallback(width=width, trouble="kernel")

    def _fallback(self, **decided: Any) -> Iterator[Choice]:
        answer = self.ask("fallback", record=False, **decided)
        if answer.outcome is not None:
            formats = (self.choice_of(format) for format in answer.outcome.try_formats if format not in self.avoided)
            widths = (choice for width in answer.outcome.try_widths if (choice := self.choice_in(width)))
            for choice in (*formats, *widths):
                spoken = answer.spoke[0]
                yield replace(choice, rule=spoken.rule, because=spoken.because, source=spoken.source)

    def choice_in(self, width: Width, *, record: bool = False) -> Choice | None:
        """The book's format, engine and KV cache inside one width; None when every format there is vetoed."""
        if record or width not in self._choices_in:
            self._choices_in[width] = self._choice_in(width, record=record)
        return self._choices_in[width]

    def _choice_in(self, width: Width, *, record: bool) -> Choice | None:
        answer = self.ask("format", avoiding=self.avoided, record=record, width=width)
        if answer.outcome is None:
            return None
        spoken, outcome = answer.spoke[0], answer.outcome
        choice = self.choice_of(outcome.format, record=record)
        asked = {"width": width, "group_size": outcome.group_size, "tool": outcome.tool}
        return replace(choice, **asked, rule=spoken.rule, because=spoken.because)

    def choice_of(self, format: FormatId, *, record: bool = False) -> Choice:
        """Any format as a choice, with the book's engine and KV cache for it and the scheme's own group size."""
        if record or format not in self._choices:
            self._choices[format] = self._choice_of(format, record=record)
        return self._choices[format]

    def _choice_of(self, format: FormatId, *, record: bool) -> Choice:
        entry = scheme(format)
        engine = self.engine_for(format, entry.width, record=record)
        kv_cache = self.kv_cache_for(format, engine, entry.width, record=record)
        return Choice(format, engine, kv_cache, entry.width, entry.group_size, entry.tool)

    def engine_for(self, format: FormatId, width: Width, *, record: bool) -> EngineId:
        """The engine the user insists on, else the book's for this format."""
        answer = self.ask("engine", avoiding=self.avoided_engines, record=record, width=width, format=format)
        return self.request.engine or (answer.outcome.engine if answer.outcome else DEFAULT_ENGINE)

    def kv_cache_for(self, format: FormatId, engine: EngineId, width: Width, *, record: bool) -> KvFormat:
        """The KV-cache format the user insists on, else the book's."""
        decided: dict[str, Any] = {"width": width, "format": format, "engine": engine}
        answer = self.ask("kv_cache", avoiding=self.avoided_kv, record=record, **decided)
        return self.request.kv_cache or (answer.outcome.kv_cache if answer.outcome else DEFAULT_KV_CACHE)

    def conclude(self, choice: Choice, *, offloaded: bool) -> None:
        """Ask what depends on the final choice: what else to evaluate, how to calibrate, what to tell."""
        decided: dict[str, Any] = {"width": choice.width, "format": choice.format, "engine": choice.engine}
        decided |= {"tool": choice.tool, "offloaded": offloaded}
        for decision in ("evaluate_also", "calibration", "advice"):
            self.ask(decision, **decided)

    def advice(self) -> tuple[Spoken, ...]:
        return self.answers["advice"].spoke if "advice" in self.answers else ()

    def source_notes(self) -> tuple[str, ...]:
        """Where a rule that spoke follows a source that is contradicted or overtaken: its note, said once."""
        spoken = [s for answer in self.answers.values() for s in answer.spoke if s.note]
        return tuple(f"{note} [{source}]" for note, source in {s.note: s.source for s in spoken}.items())

    def facts_as_plain(self) -> dict[str, dict[str, Any]]:
        return {group: values for group, values in asdict(self.facts).items() if group != "decided"}


def as_decision(answer: Answer, passed_over: Iterable[Spoken]) -> Decision:
    """The book's answer in the words of a plan."""
    return Decision(
        decision=answer.decision,
        question=answer.question,
        answered_by=tuple(as_evidence(s) for s in answer.spoke),
        passed_over=tuple(as_evidence(s) for s in passed_over),
    )


def as_evidence(spoken: Spoken) -> Evidence:
    return Evidence(
        rule=spoken.rule,
        house_rules=None if spoken.book == BUILT_IN else str(spoken.book),
        source=spoken.source,
        because=spoken.because,
        saw=spoken.saw,
        outcome=spoken.concluded,
        failed_clause=spoken.failed_clause,
        vetoed=spoken.vetoed,
    )
