"""Checks a rule book: can it be read, does every example come out as it says, is every rule reachable and pinned?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rules.book import Book, read_book
from rules.declared import facts_from
from rules.documents import Document, read_document
from rules.errors import RuleError
from rules.mutations import unpinned
from rules.rule import Chapter, Rule
from rules.schema import Example

Kind = Literal["broken", "example", "shadowed", "unpinned"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. `broken`, `example` and `shadowed` are errors; `unpinned` is a warning."""

    kind: Kind
    error: RuleError

    @property
    def is_error(self) -> bool:
        return self.kind != "unpinned"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, and what was found."""

    decisions: int
    rules: int
    examples: int
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        return not any(finding.is_error for finding in self.findings)


def check_book(directory: Path) -> Check:
    """Reads the book of a directory, asks every example, and tries a change to every clause."""
    book, problems = read_book(directory)
    findings = [Finding("broken", problem) for problem in problems]
    for chapter in book.chapters.values():
        findings.extend(_ChapterCheck(book, chapter, directory).findings())
    rules = [rule for chapter in book.chapters.values() for rule in chapter.rules]
    return Check(len(book.chapters), len(rules), sum(len(rule.examples) for rule in rules), tuple(findings))


class _ChapterCheck:
    """One decision under examination; its files are read again only to place what is found."""

    def __init__(self, book: Book, chapter: Chapter, directory: Path) -> None:
        self.book, self.chapter = book, chapter
        self.files = directory / "decisions"
        self.documents: dict[str, Document] = {}

    def findings(self) -> Iterator[Finding]:
        for rule in self.chapter.rules:
            failures = [failure for index in range(len(rule.examples)) if (failure := self.failure(rule, index))]
            shadow = self.shadow(rule)
            if shadow:
                yield Finding("shadowed", shadow)
            else:
                yield from (Finding("example", failure) for failure in failures)
            yield from self.unpinned(rule)

    def failure(self, rule: Rule, index: int) -> RuleError | None:
        """Why an example does not come out as it says; None when it does."""
        example = rule.examples[index]
        speakers = self.speakers(example)
        if (rule.id in speakers) is example.picked:
            return None
        instead = f"; {speakers[0]} speaks" if self.chapter.pick == "first" and speakers else ""
        expected = "should speak and does not" if example.picked else "should stay silent and speaks"
        message = f"example `{example.it}`: {rule.id} {expected}{instead if example.picked else ''}"
        fix = self.reason(rule, example) or "change the rule, or what the example expects"
        return self.at(RuleError(message, fix=fix), rule, "examples", index)

    def speakers(self, example: Example) -> list[str]:
        answer = self.book.decide(self.chapter.decision, facts_from(example.given), avoiding=example.avoiding)
        return [spoken.rule for spoken in answer.spoke]

    def reason(self, rule: Rule, example: Example) -> str:
        failed = rule.failed_clause(facts_from(example.given))
        return f"`{failed.text}` does not hold there; change it or the example" if failed else ""

    def shadow(self, rule: Rule) -> RuleError | None:
        """A rule that holds in its own examples and never speaks, because an earlier one always does."""
        held = [e for e in rule.examples if e.picked and rule.failed_clause(facts_from(e.given)) is None]
        earlier = [next(iter(self.speakers(example)), "") for example in held]
        if self.chapter.pick != "first" or not held or rule.id in earlier:
            return None
        names = ", ".join(dict.fromkeys(name for name in earlier if name))
        message = f"{rule.id} never speaks: {names or 'a veto'} comes first in all its examples"
        return self.at(RuleError(message, fix="move it up, or give the earlier rule one more clause"), rule, "id")

    def unpinned(self, rule: Rule) -> Iterator[Finding]:
        for loose in unpinned(rule):
            clause = next(i for i, clause in enumerate(rule.clauses) if clause.text == loose.clause)
            error = RuleError(f"no example of {rule.id} pins `{loose.clause}`", fix=loose.fix)
            yield Finding("unpinned", self.at(error, rule, "when", clause))

    def at(self, error: RuleError, rule: Rule, *steps: str | int) -> RuleError:
        """The same error, placed where the steps lead within the rule."""
        if rule.file not in self.documents:
            self.documents[rule.file] = read_document(self.files / rule.file)
        document = self.documents[rule.file]
        index = next(i for i, text in enumerate(document.content["rules"]) if text["id"] == rule.id)
        error.file, (error.line, error.column) = rule.file, document.place(("rules", index, *steps))
        return error
