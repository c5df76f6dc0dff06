"""Runs: start one, follow it, stop it, and see how right the plan was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field

from planner.ports import find_executor
from planner.request import Frozen
from planner.service.access import Operator, Reader
from planner.service.api.paging import Limit, Offset, Page, following, page
from planner.service.parts import Service
from planner.service.problems import Problem, not_found
from planner.service.store.runs import OPEN, EventLine, RunLine, RunStore

router = APIRouter(tags=["runs"])
RunId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Key = Annotated[str | None, Header(max_length=128, description="the same key never starts a second run")]
LastSeen = Annotated[int, Header(ge=0, alias="Last-Event-ID")]
LOOK_EVERY_S = 0.5
KEEP_ALIVE_EVERY = 20


class RunRequest(Frozen):
    """Which plan to carry out."""

    plan: Annotated[str, Field(pattern=r"^(sha256:)?[0-9a-f]{64}$", description="the digest of a plan made here")]


@router.post(
    "/runs", status_code=202, response_model=RunLine, responses={404: {"model": Problem}, 501: {"model": Problem}}
)
def start(
    request: Request, response: Response, service: Service, by: Operator, asked: RunRequest, idempotency_key: Key = None
) -> RunLine:
    """Carry out a plan on this host: quantize, launch, measure, compare. Needs a token with the scope execute."""
    find_executor()
    digest = "sha256:" + asked.plan.removeprefix("sha256:")
    if service.plans.body(digest) is None:
        raise not_found(f"no plan {digest}", fix="make it first: POST /v1/plans")
    run, fresh = service.runs.ask(digest, by.token_id, idempotency_key)
    if fresh:
        service.supervisor.wake()
    response.headers["Location"] = f"{request.url.path}/{run.run_id}"
    return run


@router.get("/runs", response_model=Page[RunLine])
def newest(request: Request, service: Service, asks: Reader, limit: Limit = 50, offset: Offset = 0) -> dict[str, Any]:
    """Runs, newest first."""
    found = service.runs.newest(limit + 1, offset)
    return {"items": found[:limit], "next": following(request, limit, offset) if len(found) > limit else None}


@router.get("/runs/{run_id}", response_model=RunLine, responses={404: {"model": Problem}})
def one(service: Service, asks: Reader, run_id: RunId) -> RunLine:
    """One run."""
    return _known(service.runs, run_id)


@router.post("/runs/{run_id}/stop", status_code=202, response_model=RunLine, responses={404: {"model": Problem}})
def stop(service: Service, by: Operator, run_id: RunId) -> RunLine:
    """Ask a run to stop. What it has finished is kept; starting the same plan again goes on from there."""
    _known(service.runs, run_id)
    service.runs.request_stop(run_id)
    return _known(service.runs, run_id)


@router.get("/runs/{run_id}/events", responses={404: {"model": Problem}, 200: {"content": {"text/event-stream": {}}}})
def follow(
    request: Request, service: Service, asks: Reader, run_id: RunId, last_seen: LastSeen = 0
) -> StreamingResponse:
    """The events of a run as they happen (server-sent events); `Last-Event-ID` goes on where a client broke off."""
    _known(service.runs, run_id)
    stream = _events(request, service.runs, run_id, last_seen)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})


@router.get("/findings", response_model=Page[dict[str, Any]], responses={501: {"model": Problem}})
def findings(request: Request, asks: Reader, limit: Limit = 100, offset: Offset = 0) -> dict[str, Any]:
    """Each prediction of the runs on this host against its measurement, newest run first."""
    records = find_executor().runs()
    lines = [{"run_id": r.run_id, "model": r.plan.model.name, **asdict(f)} for r in records for f in r.findings]
    return page(request, lines, limit, offset)


def _known(runs: RunStore, run_id: str) -> RunLine:
    found = runs.run(run_id)
    if found is None:
        raise not_found(f"no run {run_id}", fix="GET /v1/runs lists them")
    return found


async def _events(request: Request, runs: RunStore, run_id: str, seen: int) -> AsyncIterator[str]:
    """Every event after `seen`, until the run has ended and all is told."""
    quiet = 0
    while not await request.is_disconnected():
        state = (await asyncio.to_thread(_known, runs, run_id)).state
        fresh = await asyncio.to_thread(runs.events, run_id, seen)
        for event in fresh:
            seen = event.seq
            yield _told(event)
        if state not in OPEN and not fresh:
            yield f"event: end\ndata: {json.dumps({'state': state})}\n\n"
            return
        quiet = 0 if fresh else quiet + 1
        if quiet and quiet % KEEP_ALIVE_EVERY == 0:
            yield ": still here\n\n"
        await asyncio.sleep(LOOK_EVERY_S)


def _told(event: EventLine) -> str:
    return f"id: {event.seq}\nevent: progress\ndata: {json.dumps(asdict(event))}\n\n"
