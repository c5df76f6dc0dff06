"""What may stand on either side of a comparison: a declared fact, a number, or a word."""

from __future__ import annotations

import ast
import re

from rules.declared import Declared, declared_facts, fact_groups, likely_facts, permitted
from rules.errors import BadClause, nearest

Operand = Declared | float | str

BARE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


NUMERAL = re.compile(r"-?\d+(\.\d+)?")


class Operands:
    """Reads the parts of one sentence, remembering the facts it reads and where its numbers stand."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.reads: dict[str, None] = {}
        self.numbers: dict[tuple[int, int], None] = {}

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
            self.numbers[start, start + len(text)] = None
            return number
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        of_a_group = "." in text and text.partition(".")[0] in fact_groups()
        if of_a_group or not BARE_WORD.fullmatch(text) or isinstance(node, ast.Constant):
            raise self.unknown_fact(node)
        return text

    def fact(self, node: ast.expr) -> Declared:
        """A declared fact, and nothing else."""
        found = self.operand(node)
        if not isinstance(found, Declared):
            raise self.unknown_fact(node)
        return found

    def value_for(self, fact: Declared, node: ast.expr) -> float | str:
        """A value of the fact's own kind."""
        value = self.operand(node)
        if isinstance(value, Declared):
            raise self.error(node, f"{value.name} is a fact; a list holds values")
        if (fact.kind == "a number") is not isinstance(value, (int, float)):
            likely = likely_facts(value) if isinstance(value, str) and "." in value else []
            message = f"{fact.name} is {fact.kind}; `{value}` is not"
            raise self.error(node, message, likely, _unquoted(value) or f"give it {permitted(fact)}")
        if isinstance(value, str) and fact.values and value not in fact.values:
            likely = nearest(value, fact.values)
            raise self.error(node, f"{fact.name} is never `{value}`", likely, f"give it {permitted(fact)}")
        return value

    def segment(self, node: ast.expr) -> str:
        """The text of a part, as its author wrote it."""
        return self.text.encode()[node.col_offset : node.end_col_offset].decode()

    def unknown_fact(self, node: ast.expr) -> BadClause:
        """The error for a part that is no fact, or nothing a clause may say."""
        text = self.segment(node)
        if not BARE_WORD.fullmatch(text) or isinstance(node, ast.Constant):
            return self.error(node, f"a clause cannot say `{text}`", fix="compare a declared fact with a value")
        fix = "use a fact of rules/vocabulary.py, or declare a new one there"
        return self.error(node, f"there is no fact {text}", likely_facts(text), fix)

    def error(self, node: ast.expr, message: str, likely: list[str] | None = None, fix: str = "") -> BadClause:
        return BadClause(message, column=node.col_offset + 1, nearest=likely or (), fix=fix)


def _unquoted(value: float | str) -> str:
    """The fix where a number was written as text."""
    is_number = isinstance(value, str) and NUMERAL.fullmatch(value)
    return f"take the quotes off: `{value}`" if is_number else ""


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
        return node.value
    return None
