"""The JSON Schema of a decision file: an editor completes facts' groups, outcomes and values, and marks mistakes."""

from __future__ import annotations

from typing import Any

from rules.declared import Declared, declared_facts, fact_groups
from rules.outcomes import OUTCOMES, Outcome
from rules.schema import DecisionText, Example, RuleText

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MARKS = "[=<>!]|^not |^[a-z0-9_.]+$| in | is "


def decision_schema() -> dict[str, Any]:
    """One schema for every decision file, of a whole book or of house rules; `then` depends on the decision."""
    decisions = [
        {"if": _is(name), "then": {"properties": {"rules": {"items": _concluding(model)}}}}
        for name, model in OUTCOMES.items()
    ]
    return {
        "$schema": DIALECT,
        "title": "quantplan decision file",
        "description": _said(DecisionText),
        "type": "object",
        "additionalProperties": False,
        "required": ["decision"],
        "properties": {
            "decision": {"enum": list(OUTCOMES), "description": "which decision the rules answer"},
            "question": {"type": "string", "minLength": 1},
            "pick": {"enum": ["first", "every"]},
            "without": _one_or_more({"type": "string"}),
            "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
        },
        "allOf": decisions,
        "$defs": {"rule": _rule(), "example": _example(), "facts": _facts(), "fact": _fact()},
    }


def _is(decision: str) -> dict[str, Any]:
    return {"properties": {"decision": {"const": decision}}}


def _concluding(model: type[Outcome]) -> dict[str, Any]:
    """What `then` may hold; any value may also be the name of a fact, which is then copied."""
    own = model.model_json_schema()
    properties = {name: {"anyOf": [value, {"$ref": "#/$defs/fact"}]} for name, value in own["properties"].items()}
    then = {"type": "object", "additionalProperties": False, "properties": properties}
    required = {"required": own["required"]} if "required" in own else {}
    return {"properties": {"then": {**then, **required, "description": _said(model)}}}


def _rule() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "type": "object",
        "description": _said(RuleText),
        "additionalProperties": False,
        "required": ["id", "when", "then", "because", "source", "examples"],
        "properties": {
            "id": {"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
            "when": {"anyOf": [{"const": "always"}, {"type": "array", "items": _clause()}]},
            "then": {"type": "object"},
            "because": text,
            "source": _one_or_more(text),
            "note": text,
            "examples": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/example"}},
        },
    }


def _clause() -> dict[str, Any]:
    facts = [f"{fact.name} >= 1" if fact.kind == "a number" else fact.name for fact in declared_facts().values()]
    return {"type": "string", "minLength": 1, "pattern": MARKS, "examples": facts}


def _example() -> dict[str, Any]:
    return {
        "type": "object",
        "description": _said(Example),
        "additionalProperties": False,
        "required": ["it"],
        "properties": {
            "it": {"type": "string", "minLength": 1},
            "given": {"$ref": "#/$defs/facts"},
            "picked": {"type": "boolean", "default": True},
            "avoiding": {"type": "array", "items": {"type": "string"}},
        },
    }


def _fact() -> dict[str, Any]:
    return {"enum": list(declared_facts()), "description": "the value is copied from this fact"}


def _facts() -> dict[str, Any]:
    groups = {group: {"type": "object", "additionalProperties": False, "properties": {}} for group in fact_groups()}
    for name, fact in declared_facts().items():
        group, _, short = name.partition(".")
        groups[group]["properties"][short] = _value(fact)  # type: ignore[index]
    return {"type": "object", "additionalProperties": False, "properties": groups}


def _value(fact: Declared) -> dict[str, Any]:
    if fact.values:
        return {"enum": [*fact.values, *([None] if fact.optional else [])], "description": fact.says}
    kind = {"true or false": "boolean", "a word": "string"}.get(fact.kind, "integer" if fact.whole else "number")
    return {"type": [kind, "null"] if fact.optional else kind, "description": fact.says}


def _one_or_more(item: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [item, {"type": "array", "items": item, "minItems": 1}]}


def _said(model: type) -> str:
    return " ".join((model.__doc__ or "").split())
