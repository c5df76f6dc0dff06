"""Asks the examples of a book one by one, so that an author sees what the book answers to each."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from rules.book import Book
from rules.declared import facts_from
from rules.errors import RuleError, nearest
from rules.rule import Chapter, Rule
from rules.schema import Example


@dataclass(frozen=True, slots=True)
class AskedExample:
    """One example, asked: what it expects of its rule, and the rules that spoke."""

    decision: str
    rule: str
    it: str
    should_speak: bool
    spoke: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return (self.rule in self.spoke) is self.should_speak

    def as_plain(self) -> dict[str, Any]:
        """The example as plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def asked_examples(book: Book, names: Collection[str] = ()) -> Iterator[AskedExample]:
    """Every example of the rules and decisions named (none: of all), in the order of the book.

    RuleError for a name that is neither a rule nor a decision.
    """
    _check_names(book, names)
    for chapter in book.chapters.values():
        for rule in chapter.rules:
            if not names or rule.id in names or chapter.decision in names:
                yield from (_asked(book, chapter, rule, example) for example in rule.examples)


def _asked(book: Book, chapter: Chapter, rule: Rule, example: Example) -> AskedExample:
    answer = book.decide(chapter.decision, facts_from(example.given), avoiding=example.avoiding)
    spoke = tuple(speaker.id for speaker in answer.rules_spoke)
    return AskedExample(chapter.decision, rule.id, example.it, example.picked, spoke)


def _check_names(book: Book, names: Collection[str]) -> None:
    known = [name for chapter in book.chapters.values() for name in (chapter.decision, *(r.id for r in chapter.rules))]
    for name in names:
        if name not in known:
            fix = "`quantplan rules show` lists them"
            raise RuleError(f"there is no rule or decision `{name}`", nearest=nearest(name, known), fix=fix)
