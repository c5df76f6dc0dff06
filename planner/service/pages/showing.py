"""A plan as the page shows it: every figure formatted, with its range and unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from planner.energy.telling import energy_lines
from planner.figures import NAMES, cache_room, figure, interval, usd
from planner.figures import memory as memory_text
from planner.placed import how_it_lies
from planner.plan import Alternative, Decision, Evidence, Memory, Plan, Prediction
from planner.service.pages.outlook import outlook
from planner.why import DECISIONS, outcome

BAR_WIDTH = 1000.0
COLOURS = 8
SPEEDS = ("ttft_ms", "tpot_ms", "output_tokens_per_s")
TONES = {"feasible": "good", "chosen": "good", "avoided": "warn", "misses-service-level": "warn"}
Address = Callable[..., str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One predicted figure: its value, unit, and range or the reason why it is unknown."""

    label: str
    value: str
    unit: str
    range: str


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch of the tree: taken, passed or vetoed."""

    state: str
    then: str
    because: str
    why_not: str
    source: str


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a memory bar; `start` and `width` out of 1000."""

    label: str
    gib: str
    how: str
    start: float
    width: float
    colour: int


def shown(plan: Plan, address: Address) -> dict[str, Any]:
    """Everything the page says about a plan; `address` makes links to variations of the question."""
    chosen = plan.chosen
    group = f", groups of {chosen.group_size}" if chosen.group_size else ""
    split = f"split over {chosen.tensor_parallel}" if chosen.tensor_parallel > 1 else "one device a copy"
    copies = f", {chosen.replicas} copies" if chosen.replicas > 1 else ""
    where = how_it_lies(chosen, split) + copies
    return {
        "title": f"{plan.model.name} on {plan.hardware.label}",
        "choice": f"{chosen.format}{group} on {chosen.engine} {chosen.engine_version}",
        "how": f"{where}, {chosen.kv_cache} KV cache, kernel {chosen.kernel}; quality: {chosen.quality}",
        "arguments": list(flags(chosen.engine_arguments)),
        "figures": list(figures(plan)),
        "power": list(energy_lines(chosen)),
        "tree": list(tree(plan)),
        "decisions": list(later_decisions(plan)),
        "bar": memory_bar(chosen.memory),
        "room": cache_room(chosen.memory, plan.request.workload.served_context_tokens),
        "outlook": outlook(plan),
        "alternatives": [alternative(other, address) for other in plan.alternatives],
    }


def flags(arguments: Sequence[str]) -> Iterator[str]:
    """Each option with its value, which a line is not broken between."""
    held: list[str] = []
    for argument in arguments:
        if argument.startswith("-") and held:
            yield " ".join(held)
            held = []
        held.append(argument)
    if held:
        yield " ".join(held)


def figures(plan: Plan) -> Iterator[Figure]:
    """Memory, speed and cost in one row."""
    chosen, memory = plan.chosen, plan.chosen.memory
    yield Figure("Memory used", memory_text(memory.used_gib), "", f"of {memory_text(memory.available_gib)} usable")
    for name in SPEEDS:
        yield predicted(chosen.predicted(name))
    cost = chosen.predicted("usd_per_1m_output_tokens")
    if cost.value is None or chosen.cost is None:
        yield Figure(NAMES[cost.name], "unknown", "", cost.abstained or "")
    else:
        yield Figure("USD per 1M output tokens", usd(cost.value), "", interval(cost))
        per_month = f"{usd(chosen.cost.usd_per_hour)} an hour; {chosen.cost.provider}, {chosen.cost.price_as_of}"
        yield Figure("USD per month, always on", usd(chosen.cost.usd_per_month), "", per_month)


def predicted(prediction: Prediction) -> Figure:
    """A prediction, or that it is unknown and why."""
    label = NAMES[prediction.name]
    if prediction.value is None:
        return Figure(label, "unknown", "", prediction.abstained or "")
    return Figure(label, figure(prediction.value), prediction.unit, interval(prediction))


def tree(plan: Plan) -> Iterator[Branch]:
    """The branches of the width decision in the order they were asked, the taken one last."""
    width = next((decision for decision in plan.decisions if decision.decision == "width"), None)
    if width is None:
        return
    for evidence in width.passed_over:
        state = "vetoed" if evidence.vetoed else "passed"
        yield Branch(state, outcome(evidence), evidence.because, why_not(evidence), source(evidence))
    for evidence in width.answered_by:
        yield Branch("taken", outcome(evidence), evidence.because, "", source(evidence))


def why_not(evidence: Evidence) -> str:
    """The clause that did not hold, with what was seen."""
    if evidence.vetoed:
        return "what it would choose is to be avoided"
    name = evidence.failed_clause.removeprefix("not ").split(" ")[0]
    seen = f"; it is {evidence.saw[name]}" if name in evidence.saw else ""
    return f"needs {evidence.failed_clause}{seen}"


def source(evidence: Evidence) -> str:
    return f"[{evidence.source}]"


def later_decisions(plan: Plan) -> Iterator[dict[str, str]]:
    """What was decided after the width, each with its reason."""
    by_name: dict[str, Decision] = {decision.decision: decision for decision in plan.decisions}
    for name, label in DECISIONS.items():
        for evidence in by_name[name].answered_by if name != "width" and name in by_name else ():
            line = {"label": label, "then": outcome(evidence), "because": evidence.because}
            yield {**line, "source": source(evidence)}


def memory_bar(memory: Memory) -> dict[str, Any]:
    """The labelled sum as a bar, what is free at its end."""
    total = max(memory.available_gib, memory.used_gib)
    pieces, start = [], 0.0
    terms = [(term.label, term.predicted_gib, term.how) for term in memory.terms]
    for index, (label, gib, how) in enumerate([*terms, ("free", memory.free_gib, "")]):
        width = max(gib, 0.0) / total * BAR_WIDTH if total else 0.0
        colour = 0 if label == "free" else index % COLOURS + 1
        pieces.append(Piece(label, memory_text(gib), how, start, width, colour))
        start += width
    says = f"{memory_text(memory.used_gib)} used of {memory_text(memory.available_gib)} usable"
    return {"pieces": pieces, "says": says}


def alternative(other: Alternative, address: Address) -> dict[str, str]:
    """One row of the table of alternatives; its link insists on the format."""
    tpot, rate, cost = other.tpot_ms, other.output_tokens_per_s, other.usd_per_1m_output_tokens
    return {
        "format": other.format,
        "engine": other.engine,
        "link": address(format=other.format),
        "verdict": other.verdict.replace("-", " "),
        "tone": TONES.get(other.verdict, "bad"),
        "reason": "; ".join(other.reasons),
        "weights": f"{figure(other.weights_gib)} GiB",
        "free": memory_text(other.free_gib),
        "tpot": f"{figure(tpot.value)} ms" if tpot else "unknown",
        "rate": figure(rate.value) if rate else "unknown",
        "cost": usd(cost.value) if cost else "unknown",
        "quality": other.quality,
    }
