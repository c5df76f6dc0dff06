"""A rule and a chapter, ready to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rules.clauses import Clause, Test
from rules.outcomes import Outcome
from rules.schema import Example, Pick
from rules.vocabulary import Facts


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: it speaks when all its clauses hold. `copies`: outcome keys whose value is a fact of the situation.

    `book` is the directory of the book that holds it, `file` its decision file there; `plain` its conclusion as JSON.
    """

    id: str
    clauses: tuple[Clause, ...]
    then: Outcome
    because: str
    sources: tuple[str, ...]
    note: str | None
    examples: tuple[Example, ...]
    book: Path
    file: str
    line: int
    copies: Mapping[str, str] = field(default_factory=dict)
    getters: tuple[tuple[str, Callable[[Facts], Any]], ...] = ()
    choices: frozenset[str] = frozenset()
    tests: tuple[Test, ...] = ()
    plain: Mapping[str, Any] = field(default_factory=dict)

    def speaks(self, facts: Facts, avoiding: frozenset[str]) -> bool:
        """Whether all its clauses hold and nothing it would choose is to be avoided. The path of every decision."""
        for holds in self.tests:
            if not holds(facts):
                return False
        return not avoiding or not self.vetoed(facts, avoiding)

    def as_plain(self) -> dict[str, Any]:
        """The rule as plain JSON values, with the file it stands in."""
        return {
            "id": self.id,
            "when": [clause.text for clause in self.clauses],
            "then": self.concludes,
            "because": self.because,
            "note": self.note,
            "source": list(self.sources),
            "examples": [example.model_dump(mode="json") for example in self.examples],
            "file": self.file,
            "line": self.line,
        }

    @property
    def concludes(self) -> dict[str, Any]:
        """What its author wrote under `then`."""
        return {**self.then.model_dump(mode="json", exclude_unset=True), **self.copies}

    def failed_clause(self, facts: Facts) -> Clause | None:
        """The first clause that does not hold; None when the rule speaks."""
        for clause in self.clauses:
            if not clause.holds(facts):
                return clause
        return None

    def outcome(self, facts: Facts) -> Outcome:
        """The conclusion in this situation."""
        if not self.getters:
            return self.then
        return self.then.model_copy(update={key: get(facts) for key, get in self.getters})

    def concluded(self, facts: Facts) -> dict[str, Any]:
        """The conclusion in this situation as plain JSON values, without what it leaves at its default."""
        return {**self.plain, **{key: get(facts) for key, get in self.getters}}

    def vetoed(self, facts: Facts, avoiding: frozenset[str]) -> bool:
        """Whether anything it would choose is to be avoided."""
        copied = (get(facts) for _, get in self.getters)
        return not avoiding.isdisjoint(self.choices) or any(value in avoiding for value in copied)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One decision of the book: its question and its rules, in the order asked."""

    decision: str
    question: str
    pick: Pick
    rules: tuple[Rule, ...]
    files: tuple[str, ...]

    def as_plain(self) -> dict[str, Any]:
        """The decision as plain JSON values."""
        rules = [rule.as_plain() for rule in self.rules]
        return {"decision": self.decision, "question": self.question, "pick": self.pick, "rules": rules}
