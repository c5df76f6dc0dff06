"""Turns pydantic's complaints about a file into the place, the nearest valid name and the fix."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError

from rules.documents import Document, Steps
from rules.errors import BadShape, nearest

PLAINLY = {
    "Input should be": "it should be",
    "valid dictionary": "mapping of `key: value`",
    "a valid tuple": "a list: each on a line of its own that begins with `- `",
}
WHAT_TO_SAY = {
    "because": " the reason, in one sentence",
    "source": " an id of sources.yaml",
    "examples": " situations it speaks in, and with `picked: false` one in which it stays silent",
    "then": " what it concludes, such as `then: {width: 8-bit}`",
    "when": " the clauses that must hold, each on a line that begins with `- `; `[]` for always",
    "decision": " the decision that these rules are about, such as `decision: width`",
}


def shape_error(document: Document, error: ValidationError, model: type[BaseModel], at: Steps = ()) -> BadShape:
    """The first complaint, misspelt keys before missing ones. `at`: where the validated part stands."""
    first = min(error.errors(), key=lambda complaint: complaint["type"] != "extra_forbidden")
    within = tuple(first["loc"])
    known = _keys_of(model, within[:-1])
    key = str(within[-1]) if within else ""
    if first["type"] == "extra_forbidden":
        line, column = document.place((*at, *within), of_key=True)
        message, likely = f"there is no key `{key}` here", nearest(key, known)
        fix = "put quotes around text that holds a comma" if " " in key else f"use {', '.join(known)}"
    elif first["type"] == "missing":
        line, column = document.place((*at, *within[:-1]))
        message, likely, fix = f"the key `{key}` is missing", [], f"add `{key}:`{WHAT_TO_SAY.get(key, '')}"
    else:
        line, column = document.place((*at, *within))
        allowed = _expected(first)
        likely = nearest(str(first["input"]), allowed)
        place = next((str(step) for step in reversed(within) if isinstance(step, str)), "the file")
        message = f"`{place}` cannot be {_written(first['input'])}"
        fix = f"use {', '.join(allowed)}" if allowed else _plainly(first)
    return BadShape(message, file=document.file, line=line, column=column, nearest=likely, fix=fix)


def _expected(complaint: Any) -> list[str]:
    """The words a Literal would have accepted."""
    if complaint["type"] != "literal_error":
        return []
    text = complaint["ctx"]["expected"].replace(" or ", ", ")
    return [word.strip().strip("'") for word in text.split(",")]


def _written(value: Any) -> str:
    if isinstance(value, (dict, list, tuple)):
        return "a mapping" if isinstance(value, dict) else "a list"
    return {None: "empty", True: "`true`", False: "`false`"}.get(value, f"`{value}`")


def _plainly(complaint: Any) -> str:
    message: str = complaint["msg"]
    for said, plainly in PLAINLY.items():
        message = message.replace(said, plainly)
    return message


def _keys_of(model: type[BaseModel], steps: Steps) -> list[str]:
    """The keys valid at a place within the model."""
    for step in steps:
        inner = _model_in(model.model_fields[step].annotation) if step in model.model_fields else None
        model = inner or model
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Literal:
        return None
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
