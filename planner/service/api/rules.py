"""The rule book, and why it answers a question as it does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from planner.planning.reviewing import verdict
from planner.service.access import Planner, Reader
from planner.service.allowing import check_request
from planner.service.api.asking import Question
from planner.service.parts import Service
from planner.service.problems import Problem

router = APIRouter(tags=["rules"])


@router.get("/rules")
def book(service: Service, asks: Reader) -> dict[str, Any]:
    """Every decision with its rules, in the order they are asked, and the sources they cite."""
    known = service.answering.book
    return {
        "decisions": [chapter.as_plain() for chapter in known.chapters.values()],
        "sources": {name: source.as_plain() for name, source in known.sources.items()},
    }


@router.get("/rules/{decision}", responses={422: {"model": Problem}})
def decision(service: Service, asks: Reader, decision: str) -> dict[str, Any]:
    """One decision with its rules."""
    return service.answering.book.chapter(decision).as_plain()


@router.post("/rules/explain", responses={422: {"model": Problem}})
def explain(service: Service, asks: Planner, question: Question) -> dict[str, Any]:
    """Walk through every decision of a question: what spoke, what did not, and the clause that failed."""
    answering = service.answering
    check_request(question, answering.settings)
    found = verdict(question, answering.book)
    decisions = [decision.model_dump(mode="json") for decision in found.decisions]
    return {"choice": found.choice, "refused": found.refused, "decisions": decisions}
