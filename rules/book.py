"""The rule book: load it, ask it a decision, and hear why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from rules.answer import Answer, Spoken
from rules.errors import BadShape, RuleError, UnknownDecision, nearest
from rules.layering import Additions, layered
from rules.outcomes import OUTCOMES
from rules.reading import Around, read_chapter
from rules.rule import Chapter, Rule
from rules.sources import Source, read_sources
from rules.vocabulary import Facts

__all__ = ["BUILT_IN", "NOTHING", "Answer", "Book", "Spoken", "load_book", "read_book"]

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


NOTHING = Book({}, {})


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
    """The built-in book, or the one of a directory over it. RuleError: its first problem, with its place.

    The directory holds decision files, in a folder `decisions` or side by side. A file that leaves out `question` and
    `pick` adds its rules to the built-in decision; one that states them makes the decision anew.
    """
    return _built_in() if directory is None else _sound(directory, _built_in())


@lru_cache(maxsize=1)
def _built_in() -> Book:
    return _sound(BUILT_IN, NOTHING)


def _sound(directory: Path, beneath: Book) -> Book:
    book, problems = read_book(directory, beneath)
    if problems:
        raise problems[0]
    return book


def read_book(directory: Path, beneath: Book = NOTHING) -> tuple[Book, list[RuleError]]:
    """The book as far as it can be read, over the one beneath, and everything that is wrong with it.

    The directory holds `sources.yaml` unless it cites only sources of the built-in book.
    """
    problems: list[RuleError] = []
    try:
        sources = _sources(directory)
    except RuleError as error:
        return beneath, [error]
    files = decision_files(directory)
    if not files:
        problems.append(_nothing_there(directory))
    around, read, made = Around(directory, sources, beneath.chapters), dict(beneath.chapters), dict[str, Chapter]()
    for file in files:
        page = read_chapter(file, around, problems)
        if page is None:
            continue
        name, earlier = page.decision, made.get(page.decision)
        if earlier:
            _check_joined(earlier, page, problems)
        whole = _joined(earlier, page) if isinstance(page, Chapter) else layered(read[name], page)
        read[name] = made[name] = whole
    return Book({name: read[name] for name in OUTCOMES if name in read}, sources), problems


def _nothing_there(directory: Path) -> RuleError:
    """What is said of a folder without decision files; a file by another ending is named."""
    misnamed = sorted(file.name for file in directory.glob("*.yml"))
    if misnamed:
        fix = f"rename {misnamed[0]} to {Path(misnamed[0]).stem}.yaml"
    else:
        fix = "put a file such as width.yaml there, which begins with `decision: width`"
    return RuleError("no decision files", file=str(directory), fix=fix)


def decision_files(directory: Path) -> list[Path]:
    """The YAML files of a book: those of its folder `decisions`, or all of the directory but its sources."""
    folder = directory / "decisions"
    files = (folder if folder.is_dir() else directory).glob("*.yaml")
    return sorted(file for file in files if file.name != "sources.yaml")


def _joined(earlier: Chapter | None, page: Chapter) -> Chapter:
    """A decision that lets every rule speak may be spread over several files."""
    if earlier is None:
        return page
    return replace(earlier, rules=(*earlier.rules, *page.rules), files=(*earlier.files, *page.files))


def _check_joined(earlier: Chapter, page: Chapter | Additions, problems: list[RuleError]) -> None:
    """A decision asked in order is made in one file of a book, and no rule is there twice."""
    if earlier.pick == "first" or (isinstance(page, Chapter) and page.pick == "first"):
        fix = "keep the rules of a `pick: first` decision in one file, in the order they are asked"
        message = f"the decision `{page.decision}` is made in {earlier.files[-1]} already"
        problems.append(BadShape(message, file=page.files[0], line=1, column=1, fix=fix))
    taken = {(rule.book, rule.id) for rule in earlier.rules}
    for rule in (rule for rule in page.rules if (rule.book, rule.id) in taken):
        message, fix = f"another rule is called `{rule.id}`", "give it an id of its own, saying the outcome"
        problems.append(BadShape(message, file=rule.file, line=rule.line, column=5, fix=fix))


def _sources(directory: Path) -> Mapping[str, Source]:
    own = directory / "sources.yaml"
    built_in = read_sources(BUILT_IN / "sources.yaml")
    return {**built_in, **read_sources(own)} if own.exists() and directory != BUILT_IN else built_in
