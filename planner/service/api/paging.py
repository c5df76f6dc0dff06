"""Lists in pages, and answers that a client may keep until what we believe changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Query, Request, Response
from pydantic import BaseModel

from planner.service.knowledge import knowledge_digest

T = TypeVar("T")
MOST = 500
KEEP_S = 300

Limit = Annotated[int, Query(ge=1, le=MOST, description="how many at most")]
Offset = Annotated[int, Query(ge=0, le=10_000_000, description="how many to skip")]


class Page(BaseModel, Generic[T]):
    """Part of a list; `next` is the address of the following part, null on the last."""

    items: list[T]
    total: int | None = None
    next: str | None = None


def page(request: Request, items: Sequence[Any], limit: int, offset: int) -> dict[str, Any]:
    """One page of a list that is at hand as a whole."""
    shown = list(items[offset : offset + limit])
    more = offset + limit < len(items)
    return {"items": shown, "total": len(items), "next": following(request, limit, offset) if more else None}


def following(request: Request, limit: int, offset: int) -> str:
    """The address of the next page."""
    url = request.url.include_query_params(limit=limit, offset=offset + limit)
    return f"{url.path}?{url.query}"


def not_changed(request: Request, response: Response) -> bool:
    """Puts the ETag of the catalogue on the answer; True when the client has this very state already."""
    tag = f'"{knowledge_digest()}"'
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = f"private, max-age={KEEP_S}"
    return has_already(request, tag)


def has_already(request: Request, tag: str) -> bool:
    """Whether the client says that it has what this ETag stands for."""
    return tag in [given.strip().removeprefix("W/") for given in request.headers.get("if-none-match", "").split(",")]
