"""Plans: ask for one, and find those that were made."""

from __future__ import annotations

from typing import Annotated, Any

from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from planner.plan import Plan
from planner.service.access import Planner, Reader
from planner.service.api.asking import Question
from planner.service.api.compressed import compressed_json
from planner.service.api.paging import Limit, Offset, Page, following, has_already
from planner.service.parts import Service
from planner.service.problems import Problem, not_found
from planner.service.store.plans import PlanLine

router = APIRouter(tags=["plans"])
PREFIX = "sha256:"
FOR_EVER = "private, max-age=31536000, immutable"
UNCHANGED: dict[int | str, dict[str, Any]] = {304: {"description": "The client has this plan."}}
Digest = Annotated[str, Path(pattern=r"^(sha256:)?[0-9a-f]{64}$", description="the plan's digest")]
PROBLEMS: dict[int | str, dict[str, Any]] = {
    409: {"model": Problem, "description": "No plan answers the question; `fix` says what would."},
    422: {"model": Problem, "description": "The question is malformed."},
}


@router.post(
    "/plans",
    response_model=Plan,
    responses={201: {"model": Plan, "description": "The plan was made now."}, **PROBLEMS},
)
async def make(request: Request, service: Service, asks: Planner, question: Question) -> Response:
    """Decide how to serve a model, and say why. The same question gets the same plan until the rules or data change."""
    answering = service.answering
    answer = answering.remembered(question)
    if answer is None:
        answer = await to_thread.run_sync(answering.plan, question, limiter=answering.one_at_a_time)
    service.figures.plans.labels("made" if answer.fresh else "known").inc()
    headers = {"Location": f"{request.url.path}/{answer.digest.removeprefix(PREFIX)}"}
    return compressed_json(request, answer.packed, 201 if answer.fresh else 200, headers)


@router.get("/plans", response_model=Page[PlanLine])
def newest(request: Request, service: Service, asks: Reader, limit: Limit = 50, offset: Offset = 0) -> dict[str, Any]:
    """Plans, newest first."""
    found = service.plans.newest(limit + 1, offset)
    more = following(request, limit, offset) if len(found) > limit else None
    return {"items": found[:limit], "next": more}


@router.get("/plans/{digest}", response_model=Plan, responses={404: {"model": Problem}, **UNCHANGED})
def one(request: Request, service: Service, asks: Reader, digest: Digest) -> Response:
    """One plan by its digest, which never changes."""
    body = service.plans.body(PREFIX + digest.removeprefix(PREFIX))
    if body is None:
        raise not_found(f"no plan {digest}", fix="GET /v1/plans lists those that were made here")
    headers = {"ETag": f'"{digest}"', "Cache-Control": FOR_EVER}
    if has_already(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)
