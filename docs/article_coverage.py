"""Where every statement of the two articles is acted on: rules, data files, formulas and steps that cite its id."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from rules.book import load_book
from rules.sources import Source

ROOT = Path(__file__).resolve().parent.parent
ARTICLES = ("A", "B")
PLACES = ("planner", "executor", "templates", "benchmarks")
SUFFIXES = (".py", ".yaml", ".csv", ".j2")
ID = re.compile(r"\b[AB]\.[a-z_]+(?:\.[a-z0-9_]+)*\b")


def coverage() -> Iterator[tuple[Source, tuple[str, ...]]]:
    """Every statement of the articles with what cites it: rules by name, then files by path."""
    cited = citations()
    for source in load_book().sources.values():
        if source.work in ARTICLES:
            yield source, tuple(cited[source.id])


def citations() -> dict[str, list[str]]:
    """What cites each id, each once."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for chapter in load_book().chapters.values():
        for rule in chapter.rules:
            for source in rule.sources:
                found[source][f"rule `{rule.id}`"] = None
    for path in _files():
        for source in ID.findall(path.read_text(encoding="utf-8")):
            found[source][f"[{path.relative_to(ROOT)}](../{path.relative_to(ROOT)})"] = None
    return defaultdict(list, {source: list(places) for source, places in found.items()})


def _files() -> Iterator[Path]:
    for folder in PLACES:
        yield from sorted(path for path in (ROOT / folder).rglob("*") if path.suffix in SUFFIXES)


def table() -> str:
    """The coverage table as Markdown."""
    lines = [
        "# What the articles say, and where it is acted on\n",
        "Each statement with the rules, data files, formulas and steps that cite it.\n",
        "| id | says | acted on by |",
        "|---|---|---|",
    ]
    for source, places in coverage():
        lines.append(f"| {source.id} | {source.says.replace('|', chr(92) + '|')} | {', '.join(places) or 'NOTHING'} |")
    return "\n".join(lines) + "\n"
