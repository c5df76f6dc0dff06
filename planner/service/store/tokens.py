"""Tokens: what lets a caller in. Only a hash of the secret is kept; it is compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sqlalchemy import Connection, Engine, insert, select, update

from planner.errors import BadInput, nearest
from planner.service.store.database import writing
from planner.service.store.tables import tokens

Scope = Literal["read", "plan", "execute", "report"]
SCOPES: tuple[str, ...] = get_args(Scope)
PREFIX = "qp"
TRUSTED_S = 1.0  # a genuine token is not looked up again for so long: a busy caller's next request needs no database
MOST_TRUSTED = 1000
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class TokenLine:
    """One token as it is listed: everything but its secret."""

    token_id: str
    name: str
    scopes: frozenset[str]
    created_at: float
    revoked_at: float | None


@dataclass(frozen=True, slots=True)
class TokenStore:
    """Tokens in the database. A token reads `qp_ID_SECRET`; its secret has 256 random bits, so a plain hash will do."""

    engine: Engine
    trusted: dict[str, tuple[float, TokenLine]] = field(default_factory=dict, compare=False)

    def create(self, name: str, scopes: Collection[str]) -> str:
        """A new token, shown this once. BadInput for a scope there is not."""
        for scope in scopes:
            if scope not in SCOPES:
                fix = f"give {', '.join(SCOPES)}"
                raise BadInput(f"there is no scope {scope!r}", nearest=nearest(scope, SCOPES), fix=fix)
        with writing(self.engine) as connection:
            return _created(connection, name, " ".join(sorted(scopes)))

    def just_verified(self, token: str) -> TokenLine | None:
        """The line of a token that was found genuine within the last second; None where it must be verified."""
        until, line = self.trusted.get(_hashed(token), (0.0, None))
        return line if time.monotonic() < until else None

    def verify(self, token: str) -> TokenLine | None:
        """The token's line when it is genuine and not revoked; None otherwise."""
        parts = token.split("_")
        token_id, secret = (parts[1], parts[2]) if len(parts) == 3 and parts[0] == PREFIX else ("", "")
        with self.engine.connect() as connection:
            row = connection.execute(select(tokens).where(tokens.c.token_id == token_id)).first()
        genuine = hmac.compare_digest(row.secret_sha256 if row else "", _hashed(secret))
        if row is None or not genuine or row.revoked_at is not None:
            return None
        if len(self.trusted) >= MOST_TRUSTED:
            self.trusted.clear()
        self.trusted[_hashed(token)] = (time.monotonic() + TRUSTED_S, _line(row))
        return _line(row)

    def revoke(self, token_id: str) -> bool:
        """Make a token worthless, here at once and to other workers within a second.

        False when there is none, or it was revoked before.
        """
        self.trusted.clear()
        with writing(self.engine) as connection:
            return _revoked(connection, token_id)

    def rotate(self, token_id: str) -> str | None:
        """A new token of the same name and scopes, and the old one revoked; None when there is no such token."""
        self.trusted.clear()
        with writing(self.engine) as connection:
            if not _revoked(connection, token_id):
                return None
            line = connection.execute(select(tokens).where(tokens.c.token_id == token_id)).one()
            return _created(connection, line.name, line.scopes)

    def all(self) -> list[TokenLine]:
        """Every token ever made, newest first."""
        with self.engine.connect() as connection:
            return [_line(row) for row in connection.execute(select(tokens).order_by(tokens.c.created_at.desc()))]


def _created(connection: Connection, name: str, scopes: str) -> str:
    token_id, secret = secrets.token_hex(6), secrets.token_hex(SECRET_BYTES)
    row = {
        "token_id": token_id,
        "name": name,
        "secret_sha256": _hashed(secret),
        "scopes": scopes,
        "created_at": time.time(),
    }
    connection.execute(insert(tokens).values(row))
    return f"{PREFIX}_{token_id}_{secret}"


def _revoked(connection: Connection, token_id: str) -> bool:
    valid = update(tokens).where(tokens.c.token_id == token_id, tokens.c.revoked_at.is_(None))
    return connection.execute(valid.values(revoked_at=time.time())).rowcount == 1


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _line(row: Any) -> TokenLine:
    return TokenLine(row.token_id, row.name, frozenset(row.scopes.split()), row.created_at, row.revoked_at)
