"""The pages of what we believe: the rule book, prices and GPUs, each line with its source and date."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from planner.service.access import Reader
from planner.service.catalogues import gpu_lines, matching, price_lines
from planner.service.pages.rendering import render
from planner.service.parts import Service
from rules.book import BUILT_IN, Book
from rules.rule import Chapter, Rule

router = APIRouter(include_in_schema=False)
Wanted = Annotated[str, Query(max_length=100)]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: the key of its cells, its heading; numbers are aligned, a `word` is not broken."""

    key: str
    label: str
    number: bool = False
    word: bool = False


PRICES = (
    Column("name", "Accelerator", word=True),
    Column("provider", "Provider"),
    Column("price_type", "Kind"),
    Column("usd_per_hour", "USD an hour", number=True),
    Column("as_of", "As of", word=True),
    Column("source", "Source"),
    Column("note", "Note"),
)
GPUS = (
    Column("name", "Accelerator", word=True),
    Column("architecture", "Generation"),
    Column("memory_gib", "GiB", number=True),
    Column("bandwidth_gb_s", "GB/s", number=True),
    Column("fp16_tflops", "FP16 TFLOP/s", number=True),
    Column("fp8_tflops", "FP8", number=True),
    Column("fp4_tflops", "FP4", number=True),
    Column("compute_capability", "Capability", number=True),
    Column("source", "Source"),
)


@router.get("/rules")
def rules(service: Service, asks: Reader) -> HTMLResponse:
    """The rule book, every rule with its reason, source and examples."""
    book = service.answering.book
    chapters = [_chapter(chapter, book) for chapter in book.chapters.values()]
    count = sum(len(chapter["rules"]) for chapter in chapters)
    return render("rules.html.j2", "/rules", chapters=chapters, count=count)


@router.get("/prices")
def prices(asks: Reader, q: Wanted = "") -> HTMLResponse:
    """The prices we believe, and since when."""
    about = "USD for an hour of one accelerator (or of one CPU host), before tax. Each line with its provider and date."
    rows = matching(price_lines(), q)
    return render("table.html.j2", "/prices", title="Prices", about=about, q=q, columns=PRICES, rows=rows)


@router.get("/gpus")
def gpus(asks: Reader, q: Wanted = "") -> HTMLResponse:
    """The accelerators we know."""
    about = "What the driver reports of memory, the rest from datasheets: dense rates, no sparsity."
    return render("table.html.j2", "/gpus", title="GPUs", about=about, q=q, columns=GPUS, rows=matching(gpu_lines(), q))


def _chapter(chapter: Chapter, book: Book) -> dict[str, Any]:
    rules = [_rule(rule, book) for rule in chapter.rules]
    return {"decision": chapter.decision, "question": chapter.question, "pick": chapter.pick, "rules": rules}


def _rule(rule: Rule, book: Book) -> dict[str, Any]:
    return {
        "id": rule.id,
        "house": rule.book != BUILT_IN,
        "when": [clause.text for clause in rule.clauses],
        "then": _concluded(rule.concludes),
        "because": rule.because,
        "note": rule.note,
        "sources": [book.sources[source] for source in rule.sources],
        "examples": rule.examples,
    }


def _concluded(then: Mapping[str, Any]) -> str:
    words = (f"{key.replace('_', ' ')}: {', '.join(v) if isinstance(v, list) else v}" for key, v in then.items())
    return "; ".join(words)
