"""Checks a rule book: can it be read, do its examples come out, is every rule reachable, pinned, of one mind?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rules.book import BUILT_IN, NOTHING, Book, decision_files, load_book, read_book
from rules.declared import facts_from
from rules.documents import Document, read_document
from rules.errors import RuleError
from rules.mutations import unpinned
from rules.rule import Chapter, Rule
from rules.schema import Example

Kind = Literal["broken", "example", "shadowed", "contradiction", "unpinned", "changed"]
REMARKS = ("unpinned", "changed")

MEANT = "nothing, if the house rules mean it; else give them one more clause"
ONE_MIND = "give one of them a clause that the other does not fulfil"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at. `unpinned` and `changed` are warnings, all others errors.

    `changed`: with the house rules an example of the built-in book comes out differently, as its author may intend.
    """

    kind: Kind
    error: RuleError

    @property
    def is_error(self) -> bool:
        return self.kind not in REMARKS


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
    """Reads the book of a directory, asks every example, and tries a change to every clause of its own rules."""
    beneath = NOTHING if directory == BUILT_IN else load_book()
    book, problems = read_book(directory, beneath)
    findings = [Finding("broken", problem) for problem in problems]
    for chapter in book.chapters.values():
        findings.extend(_ChapterCheck(book, chapter, directory).findings())
    rules = [rule for chapter in book.chapters.values() for rule in chapter.rules if rule.book == directory]
    own = [name for name, chapter in book.chapters.items() if chapter is not beneath.chapters.get(name)]
    return Check(len(own), len(rules), sum(len(rule.examples) for rule in rules), tuple(findings))


class _ChapterCheck:
    """One decision under examination; its files are read again only to place what is found."""

    def __init__(self, book: Book, chapter: Chapter, directory: Path) -> None:
        self.book, self.chapter, self.directory = book, chapter, directory
        self.documents: dict[tuple[Path, str], Document] = {}

    def findings(self) -> Iterator[Finding]:
        for rule in self.chapter.rules:
            if rule.book != self.directory:
                yield from self.changed(rule)
                continue
            failures = [failure for index in range(len(rule.examples)) if (failure := self.failure(rule, index))]
            shadow = self.shadow(rule)
            if shadow:
                yield Finding("shadowed", shadow)
            else:
                yield from (Finding("example", failure) for failure in failures)
            yield from self.contradictions(rule)
            yield from self.unpinned(rule)

    def changed(self, rule: Rule) -> Iterator[Finding]:
        """Examples of a rule beneath that no longer come out as they say; of one decision the house has touched."""
        for index, example in enumerate(rule.examples):
            speakers = self.speakers(example)
            if (rule.id in speakers) is not example.picked:
                message = f"`{example.it}`: {', '.join(speakers) or 'no rule'} speaks instead of {rule.id}"
                yield Finding("changed", self.at(RuleError(message, fix=MEANT), rule, "examples", index))

    def contradictions(self, rule: Rule) -> Iterator[Finding]:
        """Where every rule speaks: another that says otherwise in a situation of this rule's own."""
        settled = {key: value for key, value in rule.concludes.items() if key in rule.then.of_one_mind}
        for index, example in enumerate(rule.examples if settled else ()):
            said = self.said(example) if example.picked else {}
            for key, value in settled.items():
                other = next((by for by, words in said.items() if words.get(key, value) != value), None)
                if other:
                    message = f"`{example.it}`: {rule.id} and {other} disagree on `{key}`"
                    yield Finding("contradiction", self.at(RuleError(message, fix=ONE_MIND), rule, "examples", index))

    def said(self, example: Example) -> dict[str, dict[str, Any]]:
        """What each rule that speaks in this situation concludes."""
        speakers = self.speakers(example)
        return {rule.id: rule.concludes for rule in self.chapter.rules if rule.id in speakers}

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
        key = rule.book, rule.file
        if key not in self.documents:
            file = next(file for file in decision_files(rule.book) if file.name == rule.file)
            self.documents[key] = read_document(file)
        document = self.documents[key]
        index = next(i for i, text in enumerate(document.content["rules"]) if text["id"] == rule.id)
        error.file, (error.line, error.column) = rule.file, document.place(("rules", index, *steps))
        return error
