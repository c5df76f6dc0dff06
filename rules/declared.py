"""The facts a clause may read, by dotted name, with the values each may take; and facts made from an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from rules.errors import BadShape, nearest
from rules.vocabulary import Facts

Kind = Literal["true or false", "a number", "a word"]


@dataclass(frozen=True, slots=True)
class Declared:
    """One fact: `workload.context_tokens`, its kind, its meaning; `values` lists the words it may be (none: any)."""

    name: str
    kind: Kind
    says: str
    default: Any
    values: tuple[str, ...]
    optional: bool
    whole: bool

    def accepts(self, value: Any) -> bool:
        """Whether an example may give it this value."""
        if value is None:
            return self.optional
        if self.kind == "true or false":
            return isinstance(value, bool)
        if self.kind == "a number":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and not (self.whole and value % 1)
        return isinstance(value, str) and (not self.values or value in self.values)


@cache
def declared_facts() -> Mapping[str, Declared]:
    """Every fact of the vocabulary by dotted name."""
    groups = get_type_hints(Facts)
    found = (_declared(group, field, cls) for group, cls in groups.items() for field in fields(cls))
    return {fact.name: fact for fact in found}


@cache
def fact_groups() -> tuple[str, ...]:
    """`model`, `hardware`, `gpu` ...: what may stand before the dot."""
    return tuple(field.name for field in fields(Facts))


def _declared(group: str, field: Any, cls: type) -> Declared:
    hint, optional = _without_none(get_type_hints(cls)[field.name])
    words = get_args(hint) if get_origin(hint) is Literal else field.metadata.get("values", ())
    kind: Kind = "true or false" if hint is bool else "a number" if hint in (int, float) else "a word"
    name = f"{group}.{field.name}"
    return Declared(name, kind, field.metadata["says"], field.default, tuple(words), optional, hint is int)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, UnionType):
        kept = [part for part in get_args(hint) if part is not type(None)]
        return kept[0], True
    return hint, False


def facts_from(given: Mapping[str, Mapping[str, Any]]) -> Facts:
    """Facts as an example gives them; what it leaves out keeps the vocabulary's default. BadShape for a wrong word."""
    return Facts(**{group: getattr(Facts(), group).__class__(**values) for group, values in given.items()})


def check_given(group: str, name: str, value: Any) -> None:
    """BadShape unless `group.name` is a fact and may have this value."""
    fact = declared_facts().get(f"{group}.{name}")
    if fact is None:
        raise unknown_fact(f"{group}.{name}")
    if not fact.accepts(value):
        likely = nearest(str(value), fact.values) if fact.values else []
        raise BadShape(f"{fact.name} cannot be {shown(value)}", nearest=likely, fix=f"give it {permitted(fact)}")


def unknown_fact(name: str) -> BadShape:
    return BadShape(
        f"there is no fact {name}",
        nearest=likely_facts(name),
        fix="use a fact of rules/vocabulary.py, or declare a new one there",
    )


def likely_facts(name: str) -> list[str]:
    """The declared facts most like a misspelt one: by the whole name, else by what follows the dot."""
    known = declared_facts()
    tail = name.rpartition(".")[2].lower()
    return [fact for fact in known if fact.rpartition(".")[2] == tail] or nearest(name, known)


def permitted(fact: Declared) -> str:
    """`one of a, b` or `a whole number`, as an error says it."""
    if fact.values:
        return f"one of {', '.join(fact.values)}"
    return "a whole number" if fact.whole else fact.kind


def shown(value: Any) -> str:
    """A YAML value as its author wrote it."""
    if value is None or isinstance(value, bool):
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
