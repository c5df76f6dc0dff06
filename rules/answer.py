"""What the book answers, and why: the rules that spoke; for the others, the clause that failed or the veto."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

from rules.rule import Rule
from rules.vocabulary import Facts


@dataclass(frozen=True, slots=True)
class Spoken:
    """One rule's part in an answer. `saw`: the facts its clauses read, by dotted name; `outcome`: what it concludes,
    `concluded` the same as JSON.

    `failed_clause` is empty when the rule held; `vetoed` when it held and its outcome was to be avoided. `book` is the
    directory of the book that holds the rule.
    """

    rule: str
    source: str
    because: str
    note: str | None
    saw: dict[str, Any]
    outcome: Any
    concluded: dict[str, Any]
    book: Path
    vetoed: bool = False
    failed_clause: str = ""


@dataclass(frozen=True)
class Answer:
    """A decision for one situation. The trace is worked out when somebody reads it."""

    decision: str
    question: str
    rules_spoke: tuple[Rule, ...] = field(repr=False)
    rules_passed_over: tuple[Rule, ...] = field(repr=False)
    facts: Facts = field(repr=False)

    @cached_property
    def outcome(self) -> Any:
        """What the first rule that spoke concludes; None when none did."""
        return self.rules_spoke[0].outcome(self.facts) if self.rules_spoke else None

    @cached_property
    def spoke(self) -> tuple[Spoken, ...]:
        return tuple(_spoken(rule, self.facts) for rule in self.rules_spoke)

    @cached_property
    def passed_over(self) -> tuple[Spoken, ...]:
        """Rules asked before (of `pick: every`, all others) that stayed silent or were vetoed."""
        return tuple(_silent(rule, self.facts) for rule in self.rules_passed_over)


def _spoken(rule: Rule, facts: Facts, *, vetoed: bool = False, failed_clause: str = "") -> Spoken:
    names = dict.fromkeys(name for clause in rule.clauses for name in clause.reads)
    names.update(dict.fromkeys(rule.copies.values()))
    return Spoken(
        rule=rule.id,
        source=", ".join(rule.sources),
        because=rule.because,
        note=rule.note,
        saw={name: attrgetter(name)(facts) for name in names},
        outcome=rule.outcome(facts),
        concluded=rule.concluded(facts),
        book=rule.book,
        vetoed=vetoed,
        failed_clause=failed_clause,
    )


def _silent(rule: Rule, facts: Facts) -> Spoken:
    failed = rule.failed_clause(facts)
    if failed is None:
        return _spoken(rule, facts, vetoed=True)
    return _spoken(rule, facts, failed_clause=failed.text)
