"""The tables, as SQLAlchemy sees them; the migrations make them."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, MetaData, String, Table, Text, UniqueConstraint

metadata = MetaData()

plans = Table(
    "plans",
    metadata,
    Column("digest", String(71), primary_key=True),
    Column("asked", String(64), nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("choice", Text, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
    Column("body", Text, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("plan_digest", String(71), ForeignKey("plans.digest"), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("created_at", Float, nullable=False, index=True),
    Column("started_at", Float),
    Column("ended_at", Float),
    Column("owner", String(64)),
    Column("heartbeat_at", Float),
    Column("stop_requested", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("requested_by", String(64), nullable=False),
    Column("idempotency_key", String(128)),
    UniqueConstraint("requested_by", "idempotency_key", name="runs_once"),
)

run_events = Table(
    "run_events",
    metadata,
    Column("run_id", String(32), ForeignKey("runs.run_id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Float, nullable=False),
    Column("step", Text, nullable=False),
    Column("state", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("fraction", Float),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_sha256", String(64), nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("revoked_at", Float),
)
