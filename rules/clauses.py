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

from rules.declared import Declared
from rules.errors import BadClause
from rules.operands import Operands
from rules.vocabulary import Facts

Test = Callable[[Facts], bool]
Comparison = Callable[[Any, Any], bool]

ORDERINGS: dict[type[ast.cmpop], Comparison] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
UNIT = re.compile(r"[<>=]\s*(-?\d+(?:\.\d+)?)\s*(?:[A-Za-z]+(?:/s)?|%)\s*$")
ONE_EQUALS_SIGN = re.compile(r"(?<![=!<>])=(?!=)")
EQUALITIES: dict[type[ast.cmpop], Comparison] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}


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
    compiler = _Compiler(text)
    test = compiler.sentence(_parsed(text))
    return Clause(text, tuple(compiler.reads), test, tuple(compiler.numbers))


def _parsed(text: str) -> ast.expr:
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise BadClause(
            f"cannot read the clause `{text}`",
            column=min(getattr(error, "offset", 0) or len(text), len(text)),
            fix=_likely_fix(text),
        ) from None


def _likely_fix(text: str) -> str:
    """What the author most likely meant by a clause that cannot be read."""
    with_unit = UNIT.search(text)
    if with_unit:
        return f"write the number alone, `{with_unit[1]}`: the fact's name says its unit"
    if ONE_EQUALS_SIGN.search(text):
        return f"compare with two signs: `{ONE_EQUALS_SIGN.sub('==', text)}`"
    return "write one comparison a line: `workload.context_tokens >= 32768`, `not model.is_moe`"


class _Compiler(Operands):
    """Turns the few shapes a sentence may have into a test."""

    def sentence(self, node: ast.expr) -> Test:
        if isinstance(node, ast.Compare):
            return self.comparison(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return _is(self.truth(node.operand), False)
        if isinstance(node, ast.BoolOp):
            fix = "write one clause a line; for `or` use `in [...]`, or two rules"
            raise self.error(node, "a clause says one thing", fix=fix)
        return _is(self.truth(node), True)

    def truth(self, node: ast.expr) -> Declared:
        """A fact that is true or false, standing alone."""
        fact = self.fact(node)
        if fact.kind != "true or false":
            raise self.error(node, f"{fact.name} is {fact.kind}, not true or false", fix="compare it with a value")
        return fact

    def comparison(self, node: ast.Compare) -> Test:
        """`a < b`, or a chain of them: `a <= b < c`."""
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
        """`gpu.compute_capability is None`: the only way to ask whether a fact applies."""
        fact = self.fact(left)
        if not (isinstance(right, ast.Constant) and right.value is None):
            raise self.error(right, "`is` asks only `is None` or `is not None`", fix="compare values with `==`")
        if not fact.optional:
            raise self.error(left, f"{fact.name} always has a value", fix="drop this clause")
        get, absent = attrgetter(fact.name), isinstance(op, ast.Is)
        return lambda facts: (get(facts) is None) is absent

    def membership(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        """`workload.task in [reasoning, code]`."""
        fact = self.fact(left)
        self.meaning(fact, ast.Eq(), left)
        if not isinstance(right, (ast.List, ast.Tuple)):
            raise self.error(right, "`in` needs a list", fix=f"write `{fact.name} in [one, two]`")
        values = frozenset(self.value_for(fact, item) for item in right.elts)
        get = attrgetter(fact.name)
        if isinstance(op, ast.In):
            return lambda facts: get(facts) in values
        return lambda facts: (value := get(facts)) is not None and value not in values

    def relation(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Test:
        """A fact against a value, a value against a fact, or two facts."""
        first, second = self.operand(left), self.operand(right)
        if isinstance(first, Declared):
            compare = self.meaning(first, op, left)
            if isinstance(second, Declared):
                return self.between(first, compare, second, right)
            value, get = self.value_for(first, right), attrgetter(first.name)
            return lambda facts: (seen := get(facts)) is not None and compare(seen, value)
        if isinstance(second, Declared):
            compare = self.meaning(second, op, left)
            value, get = self.value_for(second, left), attrgetter(second.name)
            return lambda facts: (seen := get(facts)) is not None and compare(value, seen)
        raise self.unknown_fact(left if isinstance(first, str) else right)

    def between(self, first: Declared, compare: Comparison, second: Declared, node: ast.expr) -> Test:
        """Two facts of one kind compared with each other."""
        if first.kind != second.kind:
            raise self.error(node, f"{first.name} is {first.kind} and {second.name} is {second.kind}")
        get_first, get_second = attrgetter(first.name), attrgetter(second.name)

        def holds(facts: Facts) -> bool:
            one, two = get_first(facts), get_second(facts)
            return one is not None and two is not None and compare(one, two)

        return holds

    def meaning(self, fact: Declared, op: ast.cmpop, node: ast.expr) -> Comparison:
        """What the sign means for this kind of fact."""
        if fact.kind == "true or false":
            fix = f"write `{fact.name}` or `not {fact.name}`"
            raise self.error(node, f"{fact.name} is true or false, not compared", fix=fix)
        if type(op) in EQUALITIES:
            return EQUALITIES[type(op)]
        if fact.kind == "a word":
            raise self.error(node, f"{fact.name} is a word and has no order", fix="use `==`, `!=`, `in` or `not in`")
        return ORDERINGS[type(op)]


def _is(fact: Declared, wanted: bool) -> Test:
    get = attrgetter(fact.name)
    return get if wanted else lambda facts: get(facts) is False
