"""A problem as RFC 9457 has it, and the service's own refusals."""

from __future__ import annotations

from pydantic import BaseModel

from planner.errors import QuantplanError

MEDIA_TYPE = "application/problem+json"


class Problem(BaseModel):
    """One problem: `detail` says what is wrong, `nearest` the nearest valid values, `fix` what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    where: str = ""
    nearest: list[str] = []
    fix: str = ""


class Refused(QuantplanError):
    """The service will not answer: `status` and `kind` say why."""

    def __init__(self, status: int, kind: str, title: str, detail: str, *, fix: str = "") -> None:
        super().__init__(detail, fix=fix)
        self.status, self.kind, self.title = status, kind, title


def not_found(what: str, *, fix: str = "") -> Refused:
    """A 404 in the service's words."""
    return Refused(404, "not-found", "There is no such thing", what, fix=fix)
