"""The OpenAPI document, saying what the service really answers: problems are `application/problem+json`."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from planner.service.problems import MEDIA_TYPE

PROBLEM = {"$ref": "#/components/schemas/Problem"}
OF_THE_FRAMEWORK = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI) -> None:
    """Give the application its document, made once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _corrected(
                get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _corrected(document: dict[str, Any]) -> dict[str, Any]:
    """Every error answers with a problem, in its own media type; the framework's own error shapes go."""
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            for status in [status for status in answers if status == "default" or int(status) >= FIRST_ERROR]:
                description = answers[status].get("description") or "A problem"
                answers[status] = {"description": description, "content": {MEDIA_TYPE: {"schema": PROBLEM}}}
    for name in OF_THE_FRAMEWORK:
        document["components"]["schemas"].pop(name, None)
    return document


FIRST_ERROR = 400
