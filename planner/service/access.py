"""Who may ask what: scopes of a token, taken from the Authorization header only, so that no other site can act."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from anyio import to_thread
from fastapi import Depends, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from planner.service.parts import Parts, Service
from planner.service.problems import Refused
from planner.service.store.tokens import Scope, TokenLine

HOW = "send `Authorization: Bearer TOKEN`; make one with `quantplan tokens create NAME --scope {scope}`"
ANYBODY = "anybody"
bearer = HTTPBearer(auto_error=False, description="A token of `quantplan tokens create`.")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Security(bearer)]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: the id of the token, or nobody in particular."""

    token_id: str


def needs(scope: Scope) -> Callable[..., Awaitable[Caller]]:
    """A dependency that lets a caller with this scope pass. Reading and planning may be open, nothing else."""

    async def check(service: Service, credentials: Credentials) -> Caller:
        open_here = service.settings.open_planning and scope not in ("execute", "report")
        if credentials is None:
            if open_here:
                return Caller(ANYBODY)
            raise _refused(scope, 401, "token-missing", "A token is needed", f"this needs the scope {scope}")
        line = await _verified(service, credentials.credentials)
        if line is None:
            raise _refused(scope, 401, "token-invalid", "The token is not valid", "no such token, or it was revoked")
        if scope not in line.scopes and not open_here:
            detail = f"this needs the scope {scope}; the token has {', '.join(sorted(line.scopes)) or 'none'}"
            raise _refused(scope, 403, "scope-missing", "The token may not do this", detail)
        return Caller(line.token_id)

    return check


async def _verified(service: Parts, token: str) -> TokenLine | None:
    """The token's line; however many requests come with it at once, it is looked up once."""
    found = service.tokens.just_verified(token)
    if found is not None:
        return found
    if token not in service.verifying:
        looking = asyncio.ensure_future(to_thread.run_sync(service.tokens.verify, token))
        service.verifying[token] = looking
        looking.add_done_callback(lambda _: service.verifying.pop(token, None))
    return await asyncio.shield(service.verifying[token])


def _refused(scope: str, status: int, kind: str, title: str, detail: str) -> Refused:
    return Refused(status, kind, title, detail, fix=HOW.format(scope=scope))


Reader = Annotated[Caller, Depends(needs("read"))]
Planner = Annotated[Caller, Depends(needs("plan"))]
Operator = Annotated[Caller, Depends(needs("execute"))]
Reporter = Annotated[Caller, Depends(needs("report"))]
