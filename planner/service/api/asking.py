"""A question as the addresses take it: a request whose text can be written down again."""

from __future__ import annotations

from typing import Annotated, TypeVar

from fastapi import Body
from pydantic import AfterValidator
from pydantic_core import PydanticSerializationError

from planner.request import Frozen, Request

M = TypeVar("M", bound=Frozen)
EXAMPLES = {
    "70B on one A100": {"value": {"model": "llama-3.1-70b", "hardware": "1xA100-80GB"}},
    "8B for code on an L4": {
        "value": {
            "model": "llama-3.1-8b",
            "hardware": "1xL4",
            "workload": {"task": "code", "input_tokens": 4000, "output_tokens": 500, "concurrency": 4},
            "service_level": {"ttft_ms": 2000, "tpot_ms": 80},
        }
    },
}


def writable(question: M) -> M:
    """The question itself. ValueError for half of a surrogate pair, which JSON can carry and UTF-8 cannot."""
    try:
        question.model_dump_json()
    except PydanticSerializationError:
        raise ValueError("text holds half of a surrogate pair") from None
    return question


Question = Annotated[Request, Body(openapi_examples=EXAMPLES), AfterValidator(writable)]
