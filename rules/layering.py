"""House rules over a book: a decision's rules, with those of the house asked first."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rules.rule import Chapter, Rule


@dataclass(frozen=True, slots=True)
class Additions:
    """One file of house rules: what it adds to a decision of the book beneath, and which of its rules it takes out."""

    decision: str
    rules: tuple[Rule, ...]
    without: frozenset[str]
    files: tuple[str, ...]


def layered(beneath: Chapter, house: Additions) -> Chapter:
    """The decision as the house has it: a rule with the id of one beneath takes its place, new ones are asked first."""
    by_id = {rule.id: rule for rule in house.rules}
    known = {rule.id for rule in beneath.rules}
    first = tuple(rule for rule in house.rules if rule.id not in known)
    kept = tuple(by_id.get(rule.id, rule) for rule in beneath.rules if rule.id not in house.without)
    return replace(beneath, rules=(*first, *kept), files=(*beneath.files, *house.files))
