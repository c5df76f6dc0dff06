"""The rule book and its check as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rules.checking import Check
from rules.rule import Chapter, Rule
from rules.sources import Source
from rules.testing import AskedExample

HOW_PICKED = {
    "first": "Asked in order; the first rule that holds speaks.",
    "every": "Every rule that holds speaks.",
}


def print_chapter(console: Console, chapter: Chapter, sources: Mapping[str, Source]) -> None:
    """One decision: its question, then each rule with when, then, because and source."""
    console.print(Text(chapter.question, style="bold"), Text(f"  {chapter.decision}", style="cyan"), sep="")
    console.print(Text(f"{HOW_PICKED[chapter.pick]} ({', '.join(chapter.files)})", style="dim"))
    for number, rule in enumerate(chapter.rules, 1):
        console.print()
        console.print(Text(f"{number:3}  "), Text(rule.id, style="bold green"), sep="")
        console.print(Padding(_lines(rule, sources), (0, 0, 0, 5)))
    console.print()


def _lines(rule: Rule, sources: Mapping[str, Source]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("when", Text("\n".join(clause.text for clause in rule.clauses) or "always"))
    table.add_row("then", Text("\n".join(_conclusions(rule.concludes)), style="bold"))
    table.add_row("because", Text(rule.because))
    if rule.note:
        table.add_row("note", Text(rule.note, style="yellow"))
    for source in rule.sources:
        table.add_row("source", _cited(sources[source]))
    return table


def _conclusions(then: Mapping[str, Any]) -> Iterator[str]:
    for key, value in then.items():
        words = ", ".join(value) if isinstance(value, list) else str(value).lower() if value is True else str(value)
        yield f"{key.replace('_', ' ')}: {words}"


def _cited(source: Source) -> Text:
    return Text(f"{source.id}  ", style="cyan").append(source.says, style="dim")


def print_works(console: Console, cited: Iterable[Source]) -> None:
    """The publications behind the sources just printed, each once."""
    works = {source.work: source for source in cited}
    table = Table(box=None, show_header=False, pad_edge=False)
    for work, source in works.items():
        dated = Text(f" ({source.kind}, {source.date})", style="dim")
        table.add_row(Text(work, style="cyan"), Text(source.title).append(dated))
    console.print(Text("Sources", style="bold"))
    console.print(Padding(table, (0, 0, 0, 2)))


def print_check(console: Console, check: Check) -> None:
    """Each finding with its place and fix, then the count."""
    for finding in check.findings:
        style, word = ("bold red", "error") if finding.is_error else ("yellow", "warning")
        console.print(Text(f"{word}: ", style=style).append(str(finding.error), style="default"), soft_wrap=True)
        console.print()
    numbers = {"decision": check.decisions, "rule": check.rules, "example": check.examples}
    counted = ", ".join(_plural(number, noun) for noun, number in numbers.items())
    if check.passed and not check.findings:
        console.print(Text(f"{counted}: sound, and every threshold is pinned from both sides.", style="green"))
        return
    errors = sum(finding.is_error for finding in check.findings)
    console.print(f"{counted}: {_plural(errors, 'error')}, {_plural(len(check.findings) - errors, 'warning')}.")


def print_examples(console: Console, asked: Sequence[AskedExample]) -> None:
    """Each example with a tick, or with what spoke instead; then the count."""
    for rule, examples in groupby(asked, key=lambda example: (example.decision, example.rule)):
        console.print(Text(f"{rule[0]}  ", style="cyan").append(rule[1], style="bold default"))
        for example in examples:
            console.print(Padding(_example(example), (0, 0, 0, 2)))
    failed = sum(not example.passed for example in asked)
    outcome = f"{failed} do not come out as they say" if failed else "all come out as they say"
    console.print(f"{_plural(len(asked), 'example')}: {outcome}.")


def _example(example: AskedExample) -> Text:
    expects = "speaks" if example.should_speak else "stays silent"
    if example.passed:
        return Text("✓ ", style="green").append(f"{example.it}: {expects}", style="default")
    instead = ", ".join(example.spoke) or "no rule"
    return Text("✗ ", style="bold red").append(f"{example.it}: expected: {expects}; {instead} spoke", style="default")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
