"""The ledger: executors report what they measured, and read what others did."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from planner.ledger.report import PRINTABLE, Entry, Receipt, Report
from planner.request import Frozen
from planner.service.access import Reader, Reporter
from planner.service.accuracy import Accuracy, accuracy
from planner.service.parts import Service
from planner.service.problems import Problem, Refused
from planner.service.store.measurements import Conflict, MeasurementStore

router = APIRouter(tags=["measurements"])
After = Annotated[int, Query(ge=0, le=2**53, description="the number of the last line you have")]
Limit = Annotated[int, Query(ge=1, le=500)]
Machine = Annotated[str | None, Query(max_length=400, pattern=PRINTABLE, description="such as `2 x L4, 22 GiB`")]


MOST_WEIGHED = 100_000


class AccuracyLines(Frozen):
    """How right predictions were, as far as anything was measured; `weighed` lines of the ledger say so."""

    items: list[Accuracy]
    weighed: int


class Entries(Frozen):
    """Lines of the ledger in their order; ask again after the last one's number until there are none."""

    items: list[Entry]


@router.post("/measurements", response_model=Receipt, responses={409: {"model": Problem}})
async def report(service: Service, by: Reporter, told: Report) -> Response:
    """Report measurements. The same number of the same executor counts once; needs a token with the scope report."""
    try:
        receipt = await service.recorder.record(told, by.token_id)
    except Conflict as conflict:
        fix = "an executor's numbers are its own: do not copy its ledger.json to another machine"
        raise Refused(409, "conflict", "The number is taken", str(conflict), fix=fix) from None
    return Response(receipt.model_dump_json(), media_type="application/json")


@router.get("/measurements", response_model=Entries)
def entries(
    service: Service, asks: Reader, after: After = 0, limit: Limit = 100, machine: Machine = None
) -> dict[str, Any]:
    """What was measured, by whom: line by line, in the order it came."""
    return {"items": MeasurementStore(service.engine).entries(after, limit, machine)}


@router.get("/accuracy", response_model=AccuracyLines)
def how_right(service: Service, asks: Reader) -> AccuracyLines:
    """Prediction error by engine, hardware, format and figure, of the ledger's newest 100,000 lines."""
    found = MeasurementStore(service.engine).newest(MOST_WEIGHED)
    return AccuracyLines(items=accuracy(found), weighed=len(found))
