"""The ladder of a plan: what an executor changes when the choice fails in practice, step by step, by the book."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from planner.catalog import load_yaml
from planner.plan import Candidate, Memory, Prediction, Rung, Stage, Way
from planner.planning.assessing import Assessed, Layout
from planner.planning.candidates import candidate_of
from planner.planning.choosing import Chooser
from planner.planning.deciding import Choice
from planner.planning.making import Making, making_of
from planner.planning.stages import stages_for
from planner.request import Workload
from rules.answer import Spoken
from rules.outcomes import LadderStep
from rules.vocabulary import Trouble

TROUBLES: tuple[Trouble, ...] = ("memory", "service-level", "quality", "numerics", "hung", "kernel")
READY_MADE = (None, "none")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a descent stands: what is served, on what layout, for which load, and what the engine is told besides."""

    choice: Choice
    layout: Layout
    workload: Workload
    arguments: tuple[str, ...] = ()


def ladder(
    chooser: Chooser, found: Assessed, chosen: Candidate, stages: tuple[Stage, ...]
) -> tuple[tuple[Rung, ...], dict[str, Way]]:
    """The rungs by kind of trouble, in the order to take them, and the way each leads: only those that would hold here.

    `chosen` and `stages` are the plan's own; what a way takes of them as it is, it names.
    """
    start = Position(found.choice, found.layout, chooser.assessor.request.workload)
    descent = Descent(chooser, start, chosen, stages)
    rungs = tuple(rung for trouble in TROUBLES for rung in descent.rungs(trouble))
    return rungs, descent.ways


@dataclass(frozen=True)
class Descent:
    """From one choice downwards. `ways` fills with what the rungs lead to."""

    chooser: Chooser
    start: Position
    chosen: Candidate
    stages: tuple[Stage, ...]
    ways: dict[str, Way] = field(default_factory=dict, init=False)
    _choosers: dict[Workload, Chooser] = field(default_factory=dict, init=False, repr=False, compare=False)

    def rungs(self, trouble: Trouble) -> Iterator[Rung]:
        """Settings one on top of another; then other formats, for the whole load and the reduced one; then layouts."""
        here = self.start
        for spoken in self.steps(trouble):
            if spoken.outcome.next == "format":
                others = tuple(self.chooser.deliberation.after(self.start.choice, trouble))
                yield from self.other_formats(trouble, self.start, others)
                if here.workload != self.start.workload:
                    yield from self.other_formats(trouble, here, others)
            elif spoken.outcome.next == "accelerators":
                yield from self.more_accelerators(trouble, spoken)
            elif (there := self.changed(here, spoken.outcome)) != here and (rung := self.rung(trouble, there, spoken)):
                here = there
                yield rung

    def steps(self, trouble: Trouble) -> tuple[Spoken, ...]:
        choice = self.start.choice
        decided: dict[str, Any] = {
            "width": choice.width,
            "format": choice.format,
            "engine": choice.engine,
            "tool": choice.tool,
        }
        return self.chooser.deliberation.ask("ladder", record=False, trouble=trouble, **decided).spoke

    def changed(self, here: Position, step: LadderStep) -> Position:
        """The position after one step of the book; the same one where the step changes nothing."""
        choice, workload = here.choice, here.workload
        if step.sequences_share is not None:
            at_once = max(1, int(self.start.workload.concurrency * step.sequences_share))
            return replace(here, workload=workload.model_copy(update={"concurrency": at_once}))
        if step.context is not None and (limit := context_of(step, workload)) != workload.context_tokens:
            return replace(here, workload=workload.model_copy(update={"context_tokens": limit}))
        if step.kv_cache is not None and self.may_store_kv(step.kv_cache):
            return replace(here, choice=replace(choice, kv_cache=step.kv_cache))
        if step.group_size is not None and choice.tool not in READY_MADE and step.group_size < (choice.group_size or 0):
            return replace(here, choice=replace(choice, group_size=step.group_size))
        more = extra_arguments(choice, step)
        told = set(more) <= set(self.chosen.memory.arguments)
        return here if told else replace(here, arguments=(*here.arguments, *more))

    def may_store_kv(self, kv_cache: str) -> bool:
        """Whether nobody insists on another cache and no rule forbids this one."""
        return self.chooser.assessor.request.kv_cache is None and kv_cache not in self.chooser.deliberation.avoided_kv

    def rung(self, trouble: Trouble, there: Position, spoken: Spoken) -> Rung | None:
        """The rung to a position; None when it would not hold, or would need no less of the memory that was short."""
        found = self.chooser_for(there.workload).assessor.assess(there.choice, there.layout)
        no_help = trouble == "memory" and not needs_less(found.memory, self.chosen.memory)
        why = (spoken.rule, spoken.because, spoken.source)
        return self.described(trouble, there, found, why) if found.verdict == "feasible" and not no_help else None

    def other_formats(self, trouble: Trouble, here: Position, choices: Iterable[Choice]) -> Iterator[Rung]:
        """The formats the book names next, serving the load of this position, with its cache where the engine stays."""
        workload, chooser = here.workload, self.chooser_for(here.workload)
        for choice in choices:
            if choice.engine == here.choice.engine and here != self.start:
                choice = replace(choice, kv_cache=here.choice.kv_cache)
            found = chooser.best_layout(choice)
            if choice.format != self.start.choice.format and found.verdict == "feasible":
                there = Position(choice, found.layout, workload)
                yield self.described(trouble, there, found, (choice.rule, choice.because, choice.source))

    def more_accelerators(self, trouble: Trouble, spoken: Spoken) -> Iterator[Rung]:
        for layout in self.chooser.assessor.layouts:
            if layout.tensor_parallel > self.start.layout.tensor_parallel and (
                rung := self.rung(trouble, replace(self.start, layout=layout), spoken)
            ):
                yield rung

    def chooser_for(self, workload: Workload) -> Chooser:
        """The chooser for another load; one for each, so that what it has assessed is not assessed again."""
        assessor = self.chooser.assessor
        if workload == assessor.request.workload:
            return self.chooser
        if workload not in self._choosers:
            self._choosers[workload] = replace(self.chooser, assessor=assessor.under(workload))
        return self._choosers[workload]

    def difference(self, there: Position) -> Iterator[tuple[str, Any]]:
        """What the rung changes, by the name of the setting."""
        before, load = self.start, self.start.workload
        if there.workload.concurrency != load.concurrency:
            yield "concurrency", there.workload.concurrency
        if there.workload.context_tokens != load.context_tokens:
            yield "context_tokens", there.workload.served_context_tokens
        if there.choice.format != before.choice.format:
            yield "format", there.choice.format
        if there.choice.engine != before.choice.engine:
            yield "engine", there.choice.engine
        if there.choice.kv_cache != before.choice.kv_cache:
            yield "kv_cache", there.choice.kv_cache
        if there.choice.format == before.choice.format and there.choice.group_size != before.choice.group_size:
            yield "group_size", there.choice.group_size
        if there.layout.tensor_parallel != before.layout.tensor_parallel:
            yield "tensor_parallel", there.layout.tensor_parallel
        if there.arguments:
            yield "engine_arguments", " ".join(there.arguments)

    def described(self, trouble: Trouble, there: Position, found: Assessed, why: tuple[str, str, str]) -> Rung:
        rule, because, source = why
        change = dict(self.difference(there))
        rung = Rung(on=trouble, format=found.format, rule=rule, because=because, source=source, change=change)
        if (says := rung.says) not in self.ways:
            self.ways[says] = self.way(there, found)
        return rung

    def way(self, there: Position, found: Assessed) -> Way:
        """What is done at a position; what is the plan's own by name."""
        assessor, making = self.chooser_for(there.workload).assessor, self.making
        candidate = candidate_of(assessor, found, there.arguments)
        stages = stages_for(assessor.model, candidate, there.workload, making)
        return Way(
            candidate=candidate.model_copy(update={"predictions": ()}),
            predictions=tuple(p.name if p in self.predicted else p for p in candidate.predictions),
            workload=there.workload if there.workload != self.start.workload else None,
            stages=tuple(stage.name if self.staged.get(stage.name) == stage else stage for stage in stages),
        )

    @cached_property
    def predicted(self) -> frozenset[Prediction]:
        return frozenset(self.chosen.predictions)

    @cached_property
    def staged(self) -> dict[str, Stage]:
        return {stage.name: stage for stage in self.stages}

    @cached_property
    def making(self) -> Making:
        return making_of(self.chooser.assessor.request, self.chooser.deliberation)


def context_of(step: LadderStep, workload: Workload) -> int | None:
    """The longest request after the step: what was asked for, or no longer than the load's own requests."""
    if step.context == "as-asked":
        return workload.served_context_tokens
    return workload.context_tokens and min(workload.context_tokens, workload.input_tokens + workload.output_tokens)


def needs_less(there: Memory, here: Memory) -> bool:
    """Whether less memory is taken, or a start asks for room for a shorter request."""
    return there.used_gib < here.used_gib or (there.context_limit_tokens or 0) < (here.context_limit_tokens or 0)


def extra_arguments(choice: Choice, step: LadderStep) -> tuple[str, ...]:
    """What the step has the engine told, from the catalogue; nothing where the engine has no such setting."""
    table = load_yaml("fallbacks.yaml")
    if step.cuda_graphs is False:
        return tuple(table["without_cuda_graphs"].get(choice.engine, {}).get("arguments", ()))
    if step.kernel == "other":
        for line in table["other_kernel"]:
            if line["engine"] == choice.engine and choice.format in line["formats"]:
                return tuple(line["arguments"])
    return ()
