"""One typed true/false sentence of a rule: `workload.context_tokens >= 32768`, `not model.is_moe`, `gpu.vendor == amd`.

A clause reads declared facts and compares them with values; there is nothing else it can do. Python's own parser reads
the sentence, the compiler below admits the few shapes it knows, checks types, builds a closure. Nothing is evaluated.
A fact that is None ("does not apply here") makes every sentence about it false, except `... is None`.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter
from typing import Any

from rules.declared import Declared, declared_facts, fact_groups, likely_facts, permitted
from rules.errors import BadClause, nearest
from rules.vocabulary import Facts

Test = Callable[[Facts], bool]
Operand = Declared | float | str

ORDERINGS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
EQUALITIES: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
BARE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence, ready to ask: the facts it reads, the test, and where its numbers stand in the text."""

    text: str
    reads: tuple[str, ...]
    holds: Test
    numbers: tuple[tuple[int, int], ...]


@lru_cache(maxsize=1024)
def compile_clause(text: str) -> Clause:
    """The clause of a sentence. BadClause says what is wrong at which column of it, and the nearest valid word."""
    return _Compiler(text).clause()


class _Compiler:
    """Walks one parsed sentence, remembering the facts read and the numbers met."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.reads: dict[str, None] = {}
        self.numbers: list[tuple[int, int]] = []

    def clause(self) -> Clause:
        test = self.sentence(self.parsed())
        return Clause(self.text, tuple(self.reads), test, tuple(self.numbers))

    def parsed(self) -> ast.expr:
        try:
            return ast.parse(self.text, mode="eval").body
        except SyntaxError as error:
            raise BadClause(
                f"cannot read the clause `{self.text}`",
                column=min(error.offset or len(self.text), len(self.text)),
                fix="write one comparison a line: `workload.context_tokens >= 32768`, `not model.is_moe`",
            ) from None

    def sentence(self, node: ast.expr) -> Test:
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return _equals(self.truth(node.operand), False)
        if isinstance(node, ast.BoolOp):
            fix = "write one clause a line; for `or` use `in [...]`, or two rules"
            raise self.error(node, "a clause says one thing", fix=fix)
        return _equals(self.truth(node), True)

    def truth(self, node: ast.expr) -> Declared:
        """A fact that is true or false, standing alone."""
        fact = self.operand(node)
        if not isinstance(fact, Declared):
            raise self.unknown_fact(node)
        if fact.kind != "true or false":
            raise self.error(node, f"{fact.name} is {fact.kind}, not true or false", fix="compare it with a value")
        return fact

    def comparison(self, node: ast.Compare) -> Test:
        sides = [node.left, *node.comparators]
        tests = [self.pair(left, op, right) for left, op, right in zip(sides, node.ops, sides[1:], strict=False)]
        if len(tests) == 1:
            return tests[0]
        return lambda facts: all(test(facts) for test in tests)

    def pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        if isinstance(op, (ast.Is, ast.IsNot)):
            return self.presence(left, op, right)
        if isinstance(op, (ast.In, ast.NotIn)):
            return self.membership(left, op, right)
        return self.relation(left, op, right)

    def presence(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        fact = self.fact(left)
        if not (isinstance(right, ast.Constant) and right.value is None):
            raise self.error(right, "`is` asks only `is None` or `is not None`", fix="compare values with `==`")
        if not fact.optional:
            raise self.error(left, f"{fact.name} always has a value", fix="drop this clause")
        get, absent = attrgetter(fact.name), isinstance(op, ast.Is)
        return lambda facts: (get(facts) is None) is absent

    def membership(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        fact = self.fact(left)
        self.comparing(fact, ast.Eq(), left)
        if not isinstance(right, (ast.List, ast.Tuple)):
            raise self.error(right, "`in` needs a list", fix=f"write `{fact.name} in [one, two]`")
        values = frozenset(self.value_for(fact, item) for item in right.elts)
        get = attrgetter(fact.name)
        if isinstance(op, ast.In):
            return lambda facts: get(facts) in values
        return lambda facts: (value := get(facts)) is not None and value not in values

    def relation(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        first, second = self.operand(left), self.operand(right)
        if not isinstance(first, Declared) and not isinstance(second, Declared):
            raise self.unknown_fact(left if isinstance(first, str) else right)
        fact, other = (first, right) if isinstance(first, Declared) else (second, left)
        assert isinstance(fact, Declared)
        compare = self.comparing(fact, op, left)
        if isinstance(first, Declared) and isinstance(second, Declared):
            return self.between(first, compare, second, right)
        value, get = self.value_for(fact, other), attrgetter(fact.name)
        if fact is first:
            return lambda facts: (seen := get(facts)) is not None and compare(seen, value)
        return lambda facts: (seen := get(facts)) is not None and compare(value, seen)

    def between(self, first: Declared, compare: Callable[[Any, Any], bool], second: Declared, node: ast.expr) -> Test:
        """Two facts compared with each other."""
        if first.kind != second.kind:
            raise self.error(node, f"{first.name} is {first.kind} and {second.name} is {second.kind}")
        get_first, get_second = attrgetter(first.name), attrgetter(second.name)

        def holds(facts: Facts) -> bool:
            one, two = get_first(facts), get_second(facts)
            return one is not None and two is not None and compare(one, two)

        return holds

    def comparing(self, fact: Declared, op: ast.cmpop, node: ast.expr) -> Callable[[Any, Any], bool]:
        if fact.kind == "true or false":
            raise self.error(
                node, f"{fact.name} is true or false, not compared", fix=f"write `{fact.name}` or `not {fact.name}`"
            )
        if type(op) in EQUALITIES:
            return EQUALITIES[type(op)]
        if fact.kind == "a word":
            raise self.error(node, f"{fact.name} is a word and has no order", fix="use `==`, `!=`, `in` or `not in`")
        return ORDERINGS[type(op)]

    def value_for(self, fact: Declared, node: ast.expr) -> float | str:
        """A value of the fact's own kind."""
        value = self.operand(node)
        if isinstance(value, Declared):
            raise self.error(node, f"{value.name} is a fact; a list holds values")
        if (fact.kind == "a number") is not isinstance(value, (int, float)):
            likely = likely_facts(value) if isinstance(value, str) and "." in value else []
            message = f"{fact.name} is {fact.kind}; `{value}` is not"
            raise self.error(node, message, likely, f"give it {permitted(fact)}")
        if isinstance(value, str) and fact.values and value not in fact.values:
            likely = nearest(value, fact.values)
            raise self.error(node, f"{fact.name} is never `{value}`", likely, f"give it {permitted(fact)}")
        return value

    def fact(self, node: ast.expr) -> Declared:
        found = self.operand(node)
        if not isinstance(found, Declared):
            raise self.unknown_fact(node)
        return found

    def operand(self, node: ast.expr) -> Operand:
        """A fact, a number, or a word (quoted, or bare like awq-int4, 4-bit and llama.cpp)."""
        text = self.segment(node)
        known = declared_facts().get(text)
        if known:
            self.reads[text] = None
            return known
        number = _number(node)
        if number is not None:
            start = self.text.index(text, node.col_offset)
            self.numbers.append((start, start + len(text)))
            return number
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        of_a_group = "." in text and text.partition(".")[0] in fact_groups()
        if of_a_group or not BARE_WORD.fullmatch(text) or isinstance(node, ast.Constant):
            raise self.unknown_fact(node)
        return text

    def segment(self, node: ast.expr) -> str:
        return self.text.encode()[node.col_offset : node.end_col_offset].decode()

    def unknown_fact(self, node: ast.expr) -> BadClause:
        text = self.segment(node)
        if not BARE_WORD.fullmatch(text) or isinstance(node, ast.Constant):
            return self.error(node, f"a clause cannot say `{text}`", fix="compare a declared fact with a value")
        return self.error(
            node,
            f"there is no fact {text}",
            likely_facts(text),
            "use a fact of rules/vocabulary.py, or declare a new one there",
        )

    def error(self, node: ast.expr, message: str, likely: list[str] | None = None, fix: str = "") -> BadClause:
        return BadClause(message, column=node.col_offset + 1, nearest=likely or (), fix=fix)


def _equals(fact: Declared, wanted: bool) -> Test:
    get = attrgetter(fact.name)
    return get if wanted else lambda facts: get(facts) is False


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    return None
