"""A question of load, answered: the load asked for, a ladder up to capacity, the largest that meets targets."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from planner.plan import Plan
from planner.serving.capacity import Targets, capacity_per_s, largest_rate, replicas_for, sequences_hint
from planner.serving.from_plan import server_of, speculating
from planner.serving.lengths import Lengths, Recorded
from planner.serving.outcome import Outcome
from planner.serving.server import Server
from planner.serving.simulating import simulate
from planner.serving.speculation import (
    AtBatch,
    Speculation,
    SpeculativeClock,
    at_batch,
    batches_up_to,
    stops_paying_at,
)
from planner.serving.traffic import Traffic

SHARES_OF_CAPACITY = (0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Question:
    """A load on the whole plan; neither rate nor clients: the plan's own requests in flight."""

    input_tokens: int
    output_tokens: int
    requests_per_s: float | None
    clients: int | None
    lengths: Lengths
    prefix_hit_rate: float
    max_sequences: int | None
    targets: Targets
    seed: int
    speculation: Speculation | None = None


@dataclass(frozen=True, slots=True)
class Speculated:
    """What speculating brings. `speed_up_at_load`: mean TPOT without over with, at the load asked for.

    `stops_paying_at_batch`: None where it still pays at `largest_batch`, the most the KV cache holds.
    """

    tokens_per_step: float
    speed_up_at_load: float | None
    stops_paying_at_batch: int | None
    largest_batch: int
    by_batch: tuple[AtBatch, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """Rates are of all `replicas` together; `asked` and the ladder's outcomes are what one copy's users meet.

    `asked` is None where the load is above `capacity_per_s`. `largest_per_s`: None where even one client misses the
    targets. `replicas_needed`: copies that carry the rate asked for and meet the targets.
    """

    replicas: int
    capacity_per_s: float
    largest_per_s: float | None
    asked: Outcome | None
    replicas_needed: int | None
    overload: str | None
    hint: str | None
    ladder: tuple[tuple[float, Outcome], ...]
    speculation: Speculated | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "replicas": self.replicas,
            "capacity_requests_per_s": self.capacity_per_s,
            "largest_requests_per_s_within_targets": self.largest_per_s,
            "replicas_needed": self.replicas_needed,
            "overload": self.overload,
            "hint": self.hint,
            "speculation": asdict(self.speculation) if self.speculation else None,
            "asked": self.asked.as_json() if self.asked else None,
            "ladder": [{"offered_requests_per_s": rate, **outcome.as_json()} for rate, outcome in self.ladder],
        }


def answer(plan: Plan, question: Question) -> Answered:
    """The whole answer; the same question gives the same answer. BadInput for an impossible load."""
    plain, replicas = server_of(plan, question.max_sequences), plan.chosen.replicas
    server = speculating(plan, plain, question.speculation) if question.speculation else plain
    if isinstance(question.lengths, Recorded):
        question.lengths.require_within(server.limits.longest_tokens)
    asked_rate, clients = question.requests_per_s, question.clients
    if asked_rate is None and clients is None:
        clients = plan.request.workload.concurrency
    traffic = Traffic(
        question.input_tokens,
        question.output_tokens,
        asked_rate / replicas if asked_rate is not None else None,
        max(clients // replicas, min(clients, 1)) if clients is not None else None,
        question.lengths,
        question.prefix_hit_rate,
    )
    capacity = capacity_per_s(server, traffic)
    largest = largest_rate(server, traffic, question.targets)
    too_much = asked_rate is not None and asked_rate > capacity * replicas
    asked = None if too_much else simulate(server, traffic, seed=question.seed)
    return Answered(
        replicas=replicas,
        capacity_per_s=capacity * replicas,
        largest_per_s=largest * replicas if largest is not None else None,
        asked=asked,
        replicas_needed=replicas_for(asked_rate, largest) if asked_rate is not None and largest else None,
        overload=(
            f"the server cannot keep up: load {asked_rate:.3g} requests/s > capacity {capacity * replicas:.3g}"
            if too_much
            else None
        ),
        hint=sequences_hint(server, traffic),
        ladder=tuple(
            (share * capacity * replicas, simulate(server, _at(traffic, share * capacity), seed=question.seed))
            for share in SHARES_OF_CAPACITY
        ),
        speculation=_speculated(server, plain, traffic, asked, question.seed),
    )


def _speculated(server: Server, plain: Server, traffic: Traffic, asked: Outcome | None, seed: int) -> Speculated | None:
    clock = server.clock
    if not isinstance(clock, SpeculativeClock):
        return None
    context = traffic.input_tokens + traffic.output_tokens / 2
    most = max(int(server.limits.kv_tokens / (traffic.input_tokens + traffic.output_tokens)), 1)
    without = simulate(plain, traffic, seed=seed).tpot_ms.mean if asked else 0.0
    return Speculated(
        tokens_per_step=clock.speculation.tokens_per_step,
        speed_up_at_load=without / asked.tpot_ms.mean if asked and asked.tpot_ms.mean else None,
        stops_paying_at_batch=stops_paying_at(clock, context, most),
        largest_batch=most,
        by_batch=tuple(at_batch(clock, batch, context) for batch in batches_up_to(most)),
    )


def _at(traffic: Traffic, rate: float) -> Traffic:
    return replace(traffic, requests_per_s=rate, clients=None)
