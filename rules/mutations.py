"""Which parts of a rule no example pins: drop each clause, nudge each number, and see whether any example notices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rules.clauses import Clause, compile_clause
from rules.declared import declared_facts, facts_from
from rules.rule import Rule
from rules.vocabulary import Facts

NUDGE = 0.1


@dataclass(frozen=True, slots=True)
class Unpinned:
    """A change to one clause that no example of the rule would notice; `fix` says which example is missing."""

    clause: str
    fix: str


def unpinned(rule: Rule) -> Iterator[Unpinned]:
    """Every change to the rule's clauses that leaves all its examples as they are."""
    situations = [facts_from(example.given) for example in rule.examples]
    for clause in rule.clauses:
        others = [other for other in rule.clauses if other is not clause]
        relevant = [facts for facts in situations if all(other.holds(facts) for other in others)]
        if all(clause.holds(facts) for facts in relevant):
            yield Unpinned(clause.text, "add an example that fails this clause alone, with `picked: false`")
        for nudged in _nudged(clause):
            if not _noticed(clause, nudged, relevant):
                yield Unpinned(clause.text, f"add an example between this and `{nudged.text}`")


def _noticed(clause: Clause, changed: Clause, situations: list[Facts]) -> bool:
    return any(clause.holds(facts) is not changed.holds(facts) for facts in situations)


def _nudged(clause: Clause) -> Iterator[Clause]:
    """The clause with each of its numbers a tenth lower and a tenth higher (at least 1 for a fact that is counted)."""
    whole = any(declared_facts()[name].whole for name in clause.reads)
    for start, end in clause.numbers:
        number = float(clause.text[start:end])
        step = max(abs(number) * NUDGE, 1.0) if whole else abs(number) * NUDGE or NUDGE
        for value in (number - step, number + step):
            written = str(round(value)) if whole else f"{value:.4g}"
            yield compile_clause(clause.text[:start] + written + clause.text[end:])
