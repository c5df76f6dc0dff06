"""Why no plan answers the question, in numbers, and what would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import inf

from planner.figures import NAMES, figure
from planner.hardware.hardware import Hardware
from planner.models.model import Model
from planner.planning.assessing import NO_KERNEL, Assessed
from planner.planning.choosing import Chooser
from planner.planning.deciding import Deliberation
from planner.request import Request
from planner.unfeasible import NoFeasiblePlan
from rules.vocabulary import FormatId

LARGEST_COUNT_SUGGESTED = 16


def refusal(chooser: Chooser, model: Model, hardware: Hardware, request: Request) -> NoFeasiblePlan:
    """The error: every rung that was tried with its shortage, then what would work."""
    tried = chooser.tried or [chooser.best_layout(chooser.deliberation.choice_of("bf16"))]
    reasons = "; ".join(f"{c.format}: {', '.join(c.reasons)}" for c in tried)
    remedies = list(_remedies(chooser, hardware, request))
    return NoFeasiblePlan(
        f"no feasible plan for {model.name} on {hardware.label}: {reasons}",
        fix="; or ".join(remedies) or "a smaller model, a shorter context, fewer requests at once, or more memory",
        decisions=chooser.deliberation.trace,
    )


def _remedies(chooser: Chooser, hardware: Hardware, request: Request) -> Iterator[str]:
    if request.format and (free := _without_insisting(chooser, request)):
        spare = f"{free.memory.free_gib:.1f} GiB to spare"
        yield f"leave out --format {request.format}: the rules choose {free.format}, which fits with {spare}"
    verdicts = {candidate.verdict for candidate in chooser.tried}
    if verdicts == {"no-kernel"}:
        able = ", ".join(_formats_with_a_kernel(chooser))
        instead = f"{request.engine} has kernels here for --format {able}; or " if request.engine and able else ""
        without = f"{instead}leave out --engine {request.engine}; " if request.engine else ""
        yield f"{without}`quantplan fits {request.model}` lists accelerators and engines that have a kernel for it"
    elif "misses-service-level" in verdicts:
        if in_reach := _fewer_in_time(chooser, request) or _nearest_to_targets(chooser, request):
            yield in_reach
    elif roomiest := max(
        (c for c in chooser.tried if c.verdict == "does-not-fit" and c.memory.max_concurrency >= 1),
        key=_requests_that_fit,
        default=None,
    ):
        fewer, context = int(roomiest.memory.max_concurrency), request.workload.served_context_tokens
        yield f"at most {fewer} requests at once of {context:,} tokens, in {roomiest.format}"
    if hardware.accelerator and (found := _enough(chooser, hardware)):
        yield f"{found.layout.accelerators}x {hardware.accelerator.name} hold it in {found.format}"
    if "does-not-fit" in verdicts and hardware.cpu is None and _could_split(chooser):
        yield "say with --host-memory-gib what memory the host has: llama.cpp can keep part of the model there"
    for spoken in chooser.deliberation.ask("remedy").spoke:
        yield f"{spoken.outcome.use} [{spoken.source}]"


def _formats_with_a_kernel(chooser: Chooser) -> Iterator[FormatId]:
    for format in chooser.worth_weighing():
        if chooser.assessor.kernel(chooser.deliberation.choice_of(format)) != NO_KERNEL:
            yield format


def _could_split(chooser: Chooser) -> bool:
    """Whether llama.cpp was weighed on accelerators that have a host of their own beside them."""
    accelerator = chooser.assessor.hardware.accelerator
    on_llama_cpp = any(candidate.engine == "llama.cpp" for candidate in chooser.tried)
    return accelerator is not None and not accelerator.unified_memory and on_llama_cpp


def _requests_that_fit(candidate: Assessed) -> float:
    return candidate.memory.max_concurrency


def _fewer_in_time(chooser: Chooser, request: Request) -> str | None:
    """The largest number of requests at once, by halves, that meets the latency targets."""
    concurrency = request.workload.concurrency // 2
    while concurrency:
        lighter = request.model_copy(
            update={"workload": request.workload.model_copy(update={"concurrency": concurrency})}
        )
        if found := Chooser(chooser.deliberation, replace(chooser.assessor, request=lighter)).choose():
            return f"{concurrency} requests at once meet the targets, in {_described(found)}"
        concurrency //= 2
    return None


def _nearest_to_targets(chooser: Chooser, request: Request) -> str | None:
    """Targets that could be met: what the fastest of the tried candidates reaches with one request at a time."""
    alone = request.model_copy(update={"workload": request.workload.model_copy(update={"concurrency": 1})})
    unhurried = replace(chooser.assessor, request=alone)
    formats = [candidate.format for candidate in chooser.tried if candidate.verdict == "misses-service-level"]
    one_by_one = Chooser(chooser.deliberation, unhurried)
    candidates = [one_by_one.best_layout(chooser.deliberation.choice_of(format)) for format in formats]
    fastest = min(candidates, key=lambda candidate: candidate.speed.tpot_ms.value or inf)
    waits = {"ttft_ms": fastest.speed.ttft_ms.value, "tpot_ms": fastest.speed.tpot_ms.value}
    reached = ", ".join(f"{figure(value)} ms of {NAMES[name]}" for name, value in waits.items() if value)
    return f"targets within reach: one request at a time takes {reached} in {_described(fastest)}" if reached else None


def _described(candidate: Assessed) -> str:
    copy = candidate.layout.tensor_parallel
    split = f" split over {copy}" if copy > 1 else ""
    return f"{candidate.format}{split}"


def _without_insisting(chooser: Chooser, request: Request) -> Assessed | None:
    """What the rules choose when the format is left to them."""
    free = request.model_copy(update={"format": None})
    deliberation = Deliberation(chooser.deliberation.book, chooser.deliberation.facts, free)
    return Chooser(deliberation, replace(chooser.assessor, request=free)).choose()


def _enough(chooser: Chooser, hardware: Hardware) -> Assessed | None:
    """The smallest number of the same accelerators that holds what was tried first."""
    first = next((candidate for candidate in chooser.tried if candidate.verdict == "does-not-fit"), None)
    if first is None:
        return None
    for count in range(hardware.count + 1, LARGEST_COUNT_SUGGESTED + 1):
        more = replace(chooser.assessor, hardware=replace(hardware, count=count))
        candidate = Chooser(chooser.deliberation, more).best_layout(chooser.deliberation.choice_of(first.format))
        if candidate.verdict == "feasible":
            return candidate
    return None
