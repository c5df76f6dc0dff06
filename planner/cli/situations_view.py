"""What the rule book made of requests, as a person reads it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from planner.plan import Decision, Evidence
from planner.planning.reviewing import RequestChange, Verdict
from planner.request import Request
from planner.why import cited, outcome

STYLES = {"-": "red", "+": "green"}
SPOKE, SILENT, VETOED = Text("●", style="green"), Text("○", style="dim"), Text("✕", style="yellow")


def print_verdict(console: Console, found: Verdict, decisions: Iterable[Decision]) -> None:
    """The choice, then each decision: rules passed over with the clause that failed, and those that spoke."""
    console.print(Text(found.refused or found.choice, style="bold"))
    console.print(Text("● spoke   ○ a clause did not hold   ✕ held, and its outcome is to be avoided", style="dim"))
    for decision in decisions:
        console.print(Text(f"\n{decision.decision}", style="cyan").append(f"  {decision.question}", style="bold"))
        console.print(Padding(_rules(decision), (0, 0, 0, 2)))


def _rules(decision: Decision) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for evidence in decision.passed_over:
        table.add_row(VETOED if evidence.vetoed else SILENT, Text(evidence.rule, style="dim"), _silence(evidence))
    for evidence in decision.answered_by:
        said = Text.assemble((outcome(evidence), "bold"), f"  {evidence.because} ", (cited(evidence), "cyan"))
        table.add_row(SPOKE, Text(evidence.rule), Group(said, _saw(evidence)))
    return table


def _silence(evidence: Evidence) -> Text:
    if evidence.vetoed:
        return Text(f"would be {outcome(evidence)}, which is to be avoided", style="dim")
    seen = _saw(evidence).plain
    return Text(f"needs {evidence.failed_clause}" + (f"; {seen}" if seen else ""), style="dim")


def _saw(evidence: Evidence) -> Text:
    return Text(", ".join(f"{name} = {value}" for name, value in evidence.saw.items()), style="dim")


def print_changes(console: Console, changes: Sequence[RequestChange], *, asked: int) -> None:
    """Each request that now chooses otherwise, with its decisions before and after; other changes counted by rule."""
    for change in changes:
        if change.changes_the_choice:
            console.print(Text(_asked(change.request), style="bold"))
            console.print(Padding(Group(_choice(change), *_lines(change)), (0, 0, 1, 2)))
    others = Counter(line for change in changes if not change.changes_the_choice for line in _differences(change))
    if others:
        console.print(Text("The same choice, for other reasons", style="bold"))
        for (sign, said), count in others.most_common():
            line = Text(f"{sign} {said}", style=STYLES[sign]).append(f"  ({count} of {asked} requests)", style="dim")
            console.print(Padding(line, (0, 0, 0, 2)))
    choices = sum(change.changes_the_choice for change in changes)
    console.print(
        f"\n{choices} of {asked} requests choose otherwise; {len(changes) - choices} more have other reasons."
    )


def _choice(change: RequestChange) -> Text:
    before = Text("choice  ", style="cyan").append(change.choice_before, style="red")
    return before.append(" -> ").append(change.choice_after, style="green")


def _asked(request: Request) -> str:
    said = request.model_dump(mode="json", exclude_defaults=True, exclude={"model", "hardware"})
    words = ", ".join(f"{key} {value}" for key, value in _flat(said))
    return f"{request.model} on {request.hardware}" + (f" ({words})" if words else "")


def _flat(said: dict[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in said.items():
        yield from _flat(value) if isinstance(value, dict) else [(key.replace("_", " "), value)]


def _lines(change: RequestChange) -> Iterator[Text]:
    return (Text(f"{sign} {said}", style=STYLES[sign]) for sign, said in _differences(change))


def _differences(change: RequestChange) -> Iterator[tuple[str, str]]:
    """`-` and what a rule no longer says, `+` and what another says now."""
    for decision in change.decisions:
        yield from (("-", f"{decision.decision}: {said}") for said in decision.before if said not in decision.after)
        yield from (("+", f"{decision.decision}: {said}") for said in decision.after if said not in decision.before)
