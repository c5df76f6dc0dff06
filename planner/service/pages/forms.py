"""Forms, whose whole state is in the address: every field is text, and an empty one was left out."""

from __future__ import annotations

import math
from typing import Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ValidationError

from planner.errors import BadInput
from planner.request import Frozen

M = TypeVar("M", bound=BaseModel)


class Form(Frozen):
    """The fields of a form, as text."""

    @property
    def given(self) -> dict[str, Any]:
        """What was filled in."""
        return {name: value for name, value in self.model_dump().items() if value}

    def query(self, **changed: str) -> str:
        """The part of an address after `?`, with some fields changed."""
        given = {name: value for name, value in {**self.given, **changed}.items() if value}
        return urlencode(given, doseq=True)


def read_as(kind: type[M], given: dict[str, Any]) -> M:
    """What the fields say, read as this kind. BadInput names the first that cannot be read."""
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(f"{first['loc'][0]} {first['input']}: {first['msg'].lower()}", fix="correct the field") from None


def number(name: str, text: str) -> float:
    """A field that holds a number above 0. BadInput when it does not."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise BadInput(f"{name} {text}: give a number above 0", fix="correct the field")
    return value
