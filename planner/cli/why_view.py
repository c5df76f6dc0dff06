"""Why the plan is what it is: each decision with its rule, source and facts, and why not the others."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from planner.plan import Decision, Evidence, Plan
from planner.why import DECISIONS, cited, outcome

SAY_WHY_NOT = "width"
THE_TREE = "A.tree"


def why(plan: Plan, *, everything: bool) -> Group:
    """The decisions in the order of the book, then the vetoes that took something away; `everything`: all of them."""
    by_name = {decision.decision: decision for decision in plan.decisions}
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True, max_width=26)
    table.add_column()
    for name, label in DECISIONS.items():
        for index, evidence in enumerate(by_name[name].answered_by if name in by_name else ()):
            reasons = [_because(evidence), *(_passed(by_name[name], everything) if index == 0 else ())]
            table.add_row(label, Text(outcome(evidence), style="bold"), Group(*reasons))
    vetoes = by_name["vetoes"].answered_by if "vetoes" in by_name else ()
    effective = {candidate.format for candidate in plan.alternatives if candidate.verdict == "avoided"}
    avoided = [_avoided(v) for v in vetoes if everything or effective & set(v.outcome.get("avoid", ()))]
    return Group(table, Padding(Group(*avoided), (1, 0, 0, 0)))


def _because(evidence: Evidence) -> Text:
    saw = ", ".join(f"{name} = {value}" for name, value in evidence.saw.items() if not name.startswith("decided."))
    text = Text(evidence.because + " ").append(cited(evidence), style="cyan")
    return text.append(f" {saw}" if saw else "", style="dim")


def _passed(decision: Decision, everything: bool) -> Iterator[Text]:
    """The branches of the tree that were asked and did not hold; or every rule that was passed over."""
    concluded = [evidence.outcome for evidence in decision.answered_by]
    for evidence in decision.passed_over:
        of_the_tree = decision.decision == SAY_WHY_NOT and evidence.source.startswith(THE_TREE)
        if everything or evidence.vetoed or (of_the_tree and evidence.outcome not in concluded):
            yield Text(f"not {outcome(evidence)}: {_why_not(evidence)}", style="dim")


def _why_not(evidence: Evidence) -> str:
    if evidence.vetoed:
        return f"avoided, see below [{evidence.rule}]"
    name = evidence.failed_clause.removeprefix("not ").split()[0]
    seen = f", but it is {evidence.saw[name]}" if name in evidence.saw else ""
    return f"needs {evidence.failed_clause}{seen} [{evidence.source.split(',')[0]}: {evidence.rule}]"


def _avoided(evidence: Evidence) -> Text:
    names = Text("avoid ", style="dim").append(outcome(evidence), style="yellow")
    return names.append(f"  {evidence.because} ").append(cited(evidence), style="cyan")
