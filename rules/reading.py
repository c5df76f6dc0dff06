"""From YAML to rules that can be asked, with every problem placed in its file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from rules.clauses import Clause, compile_clause
from rules.declared import Declared, check_given, declared_facts, fact_groups
from rules.documents import Document, Steps, read_document
from rules.errors import BadClause, BadShape, RuleError, UnknownSource, nearest
from rules.layering import Additions
from rules.outcomes import OUTCOMES, Outcome
from rules.rule import Chapter, Rule
from rules.schema import DecisionText, Example, RuleText
from rules.shaping import shape_error


@dataclass(frozen=True, slots=True)
class Around:
    """Where the rules of a file stand: their book's directory, the sources known, the decisions of the book beneath."""

    directory: Path
    sources: Collection[str]
    beneath: Mapping[str, Chapter]


def read_chapter(file: Path, around: Around, problems: list[RuleError]) -> Chapter | Additions | None:
    """The decision in one file, or what it adds to one of the book beneath.

    What is wrong with it goes to `problems`; a rule with a problem is left out.
    """
    try:
        document = read_document(file)
        text = _decision_text(document)
        _check_whole(document, text, around.beneath)
    except RuleError as error:
        problems.append(error)
        return None
    reader = _RuleReader(document, OUTCOMES[text.decision], around, problems)
    rules = tuple(filter(None, (reader.rule(index, rule) for index, rule in enumerate(text.rules))))
    if text.question is None or text.pick is None:
        return Additions(text.decision, rules, frozenset(text.without), (document.file,))
    return Chapter(text.decision, text.question, text.pick, rules, (document.file,))


def _decision_text(document: Document) -> DecisionText:
    try:
        text = DecisionText.model_validate(document.content)
    except ValidationError as error:
        raise shape_error(document, error, DecisionText) from None
    if text.decision not in OUTCOMES:
        raise _at(
            document,
            ("decision",),
            BadShape(
                f"there is no decision `{text.decision}`",
                nearest=nearest(text.decision, OUTCOMES),
                fix="use a decision of rules/outcomes.py, or declare what a new one may conclude there",
            ),
        )
    return text


def _check_whole(document: Document, text: DecisionText, beneath: Mapping[str, Chapter]) -> None:
    """BadShape unless the file makes a decision, or adds rules to (or takes rules out of) one of the book beneath."""
    if not text.joins or text.decision not in beneath:
        missing = next((key for key in ("question", "pick") if getattr(text, key) is None), None)
        if missing:
            fix = f"add `{missing}:`" if not text.joins else f"add `{missing}:`; no book beneath makes this decision"
            raise _at(document, (), BadShape(f"the key `{missing}` is missing", fix=fix))
        if text.without:
            fix = "drop `without`, or drop `question` and `pick` to add to the book beneath"
            raise _at(document, ("without",), BadShape("a whole decision has nothing to leave out", fix=fix))
    if not text.rules and not text.without:
        raise _at(document, ("rules",), BadShape("there are no rules", fix="add a rule, or take one out by `without`"))
    known = [rule.id for rule in beneath[text.decision].rules] if text.without else []
    for index, name in enumerate(text.without):
        if name not in known:
            likely, fix = nearest(name, known), f"name a rule that `quantplan rules show {text.decision}` lists"
            error = BadShape(f"the book beneath has no rule `{name}` here", nearest=likely, fix=fix)
            raise _at(document, ("without", index), error)


class _RuleReader:
    """Reads the rules of one file, remembering the ids met, each with its line."""

    def __init__(self, document: Document, outcome: type[Outcome], around: Around, problems: list[RuleError]) -> None:
        self.document, self.model, self.problems = document, outcome, problems
        self.sources, self.directory = around.sources, around.directory
        self.ids: dict[str, int] = {}

    def rule(self, index: int, text: RuleText) -> Rule | None:
        """The rule, or None when something is wrong with it."""
        before, at = len(self.problems), ("rules", index)
        self.problems.extend(self.problems_of(text, at))
        clauses = self.clauses(text, at)
        then, copies = self.outcome(text, at)
        if len(self.problems) > before or then is None:
            return None
        return Rule(
            id=text.id,
            clauses=clauses,
            then=then,
            because=text.because,
            sources=text.source,
            note=text.note,
            examples=text.examples,
            book=self.directory,
            file=self.document.file,
            line=self.document.place(at)[0],
            copies=copies,
            getters=tuple((key, attrgetter(fact)) for key, fact in copies.items()),
            tests=tuple(clause.holds for clause in clauses),
            plain=then.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
            choices=frozenset(v for k, v in then.model_dump().items() if isinstance(v, str) and k not in copies),
        )

    def problems_of(self, text: RuleText, at: Steps) -> Iterator[RuleError]:
        if text.id in self.ids:
            fix = f"give it an id of its own, saying the outcome; the other stands in line {self.ids[text.id]}"
            yield _at(self.document, (*at, "id"), BadShape(f"another rule is called `{text.id}`", fix=fix))
        self.ids.setdefault(text.id, self.document.place(at)[0])
        for source in text.source:
            if source not in self.sources:
                yield self.unknown_source(source, at)
        for index, example in enumerate(text.examples):
            yield from self.wrong_words(example, (*at, "examples", index, "given"))

    def unknown_source(self, source: str, at: Steps) -> RuleError:
        fix = "cite a source of sources.yaml, or add it there with its date"
        error = UnknownSource(f"there is no source {source}", nearest=nearest(source, self.sources), fix=fix)
        return _at(self.document, (*at, "source"), error)

    def wrong_words(self, example: Example, at: Steps) -> Iterator[RuleError]:
        for group, values in example.given.items():
            if group not in fact_groups():
                fix = f"use {', '.join(fact_groups())}"
                error = BadShape(f"there are no facts `{group}`", nearest=nearest(group, fact_groups()), fix=fix)
                yield _at(self.document, (*at, group), error, of_key=True)
                continue
            for name, value in values.items():
                try:
                    check_given(group, name, value)
                except BadShape as error:
                    misspelt = f"{group}.{name}" not in declared_facts()
                    yield _at(self.document, (*at, group, name), error, of_key=misspelt)

    def clauses(self, text: RuleText, at: Steps) -> tuple[Clause, ...]:
        compiled = []
        for index, sentence in enumerate(text.when):
            steps = (*at, "when", index)
            try:
                compiled.append(compile_clause(sentence))
            except BadClause as error:
                error.file, (error.line, _) = self.document.file, self.document.place(steps)
                error.column += self.document.column_in_text(steps) - 1
                self.problems.append(error)
        return tuple(compiled)

    def outcome(self, text: RuleText, at: Steps) -> tuple[Outcome | None, Mapping[str, str]]:
        """The typed conclusion, and which of its values are facts of the situation."""
        known = declared_facts()
        copies = {key: value for key, value in text.then.items() if isinstance(value, str) and value in known}
        stand_ins = {key: _stand_in(known[fact]) for key, fact in copies.items()}
        try:
            return self.model.model_validate({**text.then, **stand_ins}), copies
        except ValidationError as error:
            self.problems.append(shape_error(self.document, error, self.model, (*at, "then")))
            return None, copies


def _stand_in(fact: Declared) -> Any:
    """A value of the fact, to check that the outcome would take it."""
    return fact.values[0] if fact.values else fact.default


def _at(document: Document, steps: Steps, error: RuleError, *, of_key: bool = False) -> RuleError:
    """The same problem, placed in the document: at the value the steps lead to, or at its key."""
    error.file, (error.line, error.column) = document.file, document.place(steps, of_key=of_key)
    return error
