"""What a rule book decides for a set of requests, and which decisions another book would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from planner.errors import BadInput, nearest
from planner.plan import Decision
from planner.planning.pipeline import asked_about, settle
from planner.request import Request
from planner.unfeasible import NoFeasiblePlan
from rules.book import Book


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one book makes of one request: the decisions, and the choice in one line, or why there is none."""

    decisions: tuple[Decision, ...]
    choice: str
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class DecisionChange:
    """One decision that two books answer differently: the rules that spoke, with what each concluded."""

    decision: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RequestChange:
    """One request that two books answer differently. The choice may stay the same while a reason changes."""

    request: Request
    choice_before: str
    choice_after: str
    decisions: tuple[DecisionChange, ...]

    @property
    def changes_the_choice(self) -> bool:
        return self.choice_before != self.choice_after


def verdict(request: Request, book: Book) -> Verdict:
    """Every decision and the choice; of a request that nothing answers, the decisions made before it was refused."""
    try:
        settled = settle(*asked_about(request), request, book)
    except NoFeasiblePlan as refusal:
        return Verdict(refusal.decisions, "no feasible plan", str(refusal))
    choice, copies = settled.chosen.choice, settled.chosen.layout.tensor_parallel
    split = f", split over {copies}" if copies > 1 else ""
    said = f"{choice.format} on {choice.engine}{split}, {choice.kv_cache} KV cache"
    return Verdict(settled.deliberation.trace, said)


def changes(requests: Iterable[Request], old: Book, new: Book) -> Iterator[RequestChange]:
    """Every request whose decisions or choice differ between two books, in order."""
    for request in requests:
        before, after = verdict(request, old), verdict(request, new)
        decisions = tuple(_changed_decisions(before.decisions, after.decisions))
        if decisions or before.choice != after.choice:
            yield RequestChange(request, before.choice, after.choice, decisions)


def _changed_decisions(before: Iterable[Decision], after: Iterable[Decision]) -> Iterator[DecisionChange]:
    old, new = _spoken(before), _spoken(after)
    for name in dict.fromkeys((*old, *new)):
        was, now = old.get(name, ()), new.get(name, ())
        if was != now:
            yield DecisionChange(name, was, now)


def _spoken(decisions: Iterable[Decision]) -> dict[str, tuple[str, ...]]:
    return {
        decision.decision: tuple(f"{evidence.rule} {_concluded(evidence.outcome)}" for evidence in decision.answered_by)
        for decision in decisions
    }


def _concluded(outcome: dict[str, object]) -> str:
    return "(" + ", ".join(f"{key}: {value}" for key, value in outcome.items()) + ")"


def about_rule(decisions: Iterable[Decision], rule: str, book: Book) -> tuple[Decision, ...]:
    """The decision a rule belongs to, with what it said or why it was silent; neither where one before it answered.

    BadInput for a rule the book does not have.
    """
    home = next((c.decision for c in book.chapters.values() if any(known.id == rule for known in c.rules)), None)
    if home is None:
        known = [r.id for chapter in book.chapters.values() for r in chapter.rules]
        fix = "`quantplan rules show` lists them"
        raise BadInput(f"the book has no rule {rule!r}", nearest=nearest(rule, known), fix=fix)
    return tuple(_only(decision, rule) for decision in decisions if decision.decision == home)


def _only(decision: Decision, rule: str) -> Decision:
    silent = tuple(evidence for evidence in decision.passed_over if evidence.rule == rule)
    spoke = tuple(evidence for evidence in decision.answered_by if evidence.rule == rule)
    return decision.model_copy(update={"passed_over": silent, "answered_by": spoke or decision.answered_by})
