"""The rule book: load it, ask it a decision, and hear why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rules.answer import Answer, Spoken
from rules.errors import BadShape, RuleError, UnknownDecision, nearest
from rules.outcomes import OUTCOMES
from rules.reading import read_chapter
from rules.rule import Chapter, Rule
from rules.sources import Source, read_sources
from rules.vocabulary import Facts

__all__ = ["BUILT_IN", "Answer", "Book", "Spoken", "load_book", "read_book"]

BUILT_IN = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Book:
    """Every decision by name, in the order of the book, and the sources its rules cite."""

    chapters: Mapping[str, Chapter]
    sources: Mapping[str, Source]

    def decide(self, decision: str, facts: Facts, *, avoiding: Collection[str] = ()) -> Answer:
        """Ask one decision. Rules whose outcome is in `avoiding` are skipped and shown as vetoed.

        `first`: the first rule that holds speaks; `every`: all that hold do. UnknownDecision when the book has it not.
        """
        chapter = self.chapter(decision)
        unwanted = frozenset(avoiding)
        if chapter.pick == "first":
            return _first(chapter, facts, unwanted)
        return _every(chapter, facts, unwanted)

    def chapter(self, decision: str) -> Chapter:
        """One decision's rules. UnknownDecision names the nearest."""
        if decision not in self.chapters:
            raise UnknownDecision(
                f"the book has no decision `{decision}`",
                nearest=nearest(decision, self.chapters),
                fix=f"ask one of {', '.join(self.chapters)}",
            )
        return self.chapters[decision]


def _first(chapter: Chapter, facts: Facts, avoiding: frozenset[str]) -> Answer:
    for index, rule in enumerate(chapter.rules):
        if rule.speaks(facts, avoiding):
            return Answer(chapter.decision, chapter.question, (rule,), chapter.rules[:index], facts)
    return Answer(chapter.decision, chapter.question, (), chapter.rules, facts)


def _every(chapter: Chapter, facts: Facts, avoiding: frozenset[str]) -> Answer:
    spoke: list[Rule] = []
    silent: list[Rule] = []
    for rule in chapter.rules:
        (spoke if rule.speaks(facts, avoiding) else silent).append(rule)
    return Answer(chapter.decision, chapter.question, tuple(spoke), tuple(silent), facts)


def load_book(directory: Path | None = None) -> Book:
    """The rule book of a directory (None: the built-in one). RuleError: its first problem, with its place."""
    return _built_in() if directory is None else _sound(directory)


@lru_cache(maxsize=1)
def _built_in() -> Book:
    return _sound(BUILT_IN)


def _sound(directory: Path) -> Book:
    book, problems = read_book(directory)
    if problems:
        raise problems[0]
    return book


def read_book(directory: Path) -> tuple[Book, list[RuleError]]:
    """The book as far as it can be read, and everything that is wrong with it.

    The directory holds `decisions/*.yaml`, and `sources.yaml` unless it cites only the built-in sources.
    """
    problems: list[RuleError] = []
    try:
        sources = _sources(directory)
    except RuleError as error:
        return Book({}, {}), [error]
    files = sorted((directory / "decisions").glob("*.yaml"))
    if not files:
        fix = "put decision files into its `decisions` folder, as the built-in book does"
        problems.append(RuleError("no decision files", file=str(directory), fix=fix))
    by_name: dict[str, Chapter] = {}
    for file in files:
        chapter = read_chapter(file, sources, problems)
        if chapter:
            by_name[chapter.decision] = _joined(by_name.get(chapter.decision), chapter, problems)
    return Book({name: by_name[name] for name in OUTCOMES if name in by_name}, sources), problems


def _joined(earlier: Chapter | None, chapter: Chapter, problems: list[RuleError]) -> Chapter:
    """A decision that lets every rule speak may be spread over several files; one asked in order may not."""
    if earlier is None:
        return chapter
    if "first" in (earlier.pick, chapter.pick):
        fix = "keep the rules of a `pick: first` decision in one file, in the order they are asked"
        message = f"the decision `{chapter.decision}` is made in {earlier.files[0]} already"
        problems.append(BadShape(message, file=chapter.files[0], line=1, column=1, fix=fix))
    taken = {rule.id for rule in earlier.rules}
    for rule in (rule for rule in chapter.rules if rule.id in taken):
        message, fix = f"another rule is called `{rule.id}`", "give it an id of its own, saying the outcome"
        problems.append(BadShape(message, file=rule.file, line=rule.line, column=5, fix=fix))
    rules, files = (*earlier.rules, *chapter.rules), (*earlier.files, *chapter.files)
    return replace(earlier, rules=rules, files=files)


def _sources(directory: Path) -> Mapping[str, Source]:
    own = directory / "sources.yaml"
    built_in = read_sources(BUILT_IN / "sources.yaml")
    return {**built_in, **read_sources(own)} if own.exists() and directory != BUILT_IN else built_in
