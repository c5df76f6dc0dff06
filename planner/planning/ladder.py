"""The ladder of a plan: what an executor changes when the choice fails in practice, step by step, by the book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from planner.catalog import load_yaml
from planner.plan import Candidate, Rung
from planner.planning.candidates import Layout
from planner.planning.choosing import Chooser
from planner.planning.deciding import Choice
from planner.planning.making import making_of
from planner.planning.stages import stages_for
from planner.request import Workload
from rules.answer import Spoken
from rules.outcomes import LadderStep
from rules.vocabulary import Trouble

TROUBLES: tuple[Trouble, ...] = ("memory", "service-level", "quality", "numerics", "kernel")
READY_MADE = (None, "none")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a descent stands: what is served, on what layout, for which load, and what the engine is told besides."""

    choice: Choice
    layout: Layout
    workload: Workload
    arguments: tuple[str, ...] = ()


def ladder(chooser: Chooser, choice: Choice, chosen: Candidate) -> Iterator[Rung]:
    """The rungs by kind of trouble, in the order to take them: only those that would hold here."""
    chosen_as = replace(choice, kv_cache=chosen.kv_cache, group_size=chosen.group_size, tool=chosen.tool)
    layout = Layout.of(chosen)
    descent = Descent(chooser, Position(chosen_as, layout, chooser.assessor.request.workload))
    for trouble in TROUBLES:
        yield from descent.rungs(trouble)


@dataclass(frozen=True, slots=True)
class Descent:
    """From one choice downwards."""

    chooser: Chooser
    start: Position
    _choosers: dict[Workload, Chooser] = field(default_factory=dict, init=False, repr=False, compare=False)

    def rungs(self, trouble: Trouble) -> Iterator[Rung]:
        """Settings one on top of another; then other formats, for the whole load and the reduced one; then layouts."""
        here = self.start
        for spoken in self.steps(trouble):
            if spoken.outcome.next == "format":
                yield from self.other_formats(trouble, self.start)
                if here.workload != self.start.workload:
                    yield from self.other_formats(trouble, here)
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
        if step.context is not None and workload.served_context_tokens > workload.input_tokens + workload.output_tokens:
            return replace(here, workload=workload.model_copy(update={"context_tokens": None}))
        if step.kv_cache is not None and self.may_store_kv(step.kv_cache):
            return replace(here, choice=replace(choice, kv_cache=step.kv_cache))
        if step.group_size is not None and choice.tool not in READY_MADE and step.group_size < (choice.group_size or 0):
            return replace(here, choice=replace(choice, group_size=step.group_size))
        return replace(here, arguments=(*here.arguments, *extra_arguments(choice, step)))

    def may_store_kv(self, kv_cache: str) -> bool:
        """Whether nobody insists on another cache and no rule forbids this one."""
        return self.chooser.assessor.request.kv_cache is None and kv_cache not in self.chooser.deliberation.avoided_kv

    def rung(self, trouble: Trouble, there: Position, spoken: Spoken) -> Rung | None:
        """The rung to a position; None when it would not hold."""
        found = self.assessed(there)
        why = (spoken.rule, spoken.because, spoken.source)
        return self.described(trouble, there, found, why) if found.verdict == "feasible" else None

    def other_formats(self, trouble: Trouble, here: Position) -> Iterator[Rung]:
        """The formats the book names next, serving the load of this position, with its cache where the engine stays."""
        workload, chooser = here.workload, self.chooser_for(here.workload)
        for choice in chooser.deliberation.after(self.start.choice, trouble):
            if choice.engine == here.choice.engine and here != self.start:
                choice = replace(choice, kv_cache=here.choice.kv_cache)
            found = chooser.best_layout(choice)
            if choice.format != self.start.choice.format and found.verdict == "feasible":
                there = Position(choice, Layout.of(found), workload)
                yield self.described(trouble, there, found, (choice.rule, choice.because, choice.source))

    def more_accelerators(self, trouble: Trouble, spoken: Spoken) -> Iterator[Rung]:
        for layout in self.chooser.assessor.layouts():
            if layout.tensor_parallel > self.start.layout.tensor_parallel and (
                rung := self.rung(trouble, replace(self.start, layout=layout), spoken)
            ):
                yield rung

    def assessed(self, there: Position) -> Candidate:
        found = self.chooser_for(there.workload).assessor.assess(there.choice, there.layout)
        return found.model_copy(update={"engine_arguments": (*found.engine_arguments, *there.arguments)})

    def chooser_for(self, workload: Workload) -> Chooser:
        """The chooser for another load; one for each, so that what it has assessed is not assessed again."""
        assessor = self.chooser.assessor
        if workload == assessor.request.workload:
            return self.chooser
        if workload not in self._choosers:
            asked = assessor.request.model_copy(update={"workload": workload})
            self._choosers[workload] = replace(self.chooser, assessor=replace(assessor, request=asked))
        return self._choosers[workload]

    def difference(self, there: Position, found: Candidate) -> Iterator[tuple[str, Any]]:
        """What the rung changes, by the name of the setting."""
        before, load = self.start, self.start.workload
        if there.workload.concurrency != load.concurrency:
            yield "concurrency", there.workload.concurrency
        if there.workload.served_context_tokens != load.served_context_tokens:
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
            yield "tensor_parallel", found.tensor_parallel
        if there.arguments:
            yield "engine_arguments", " ".join(there.arguments)

    def described(self, trouble: Trouble, there: Position, found: Candidate, why: tuple[str, str, str]) -> Rung:
        rule, because, source = why
        assessor = self.chooser.assessor
        making = making_of(assessor.request, self.chooser.deliberation)
        return Rung(
            on=trouble,
            format=found.format,
            rule=rule,
            because=because,
            source=source,
            change=dict(self.difference(there, found)),
            candidate=found.model_copy(update={"verdict": "chosen"}),
            workload=there.workload if there.workload != self.start.workload else None,
            stages=stages_for(assessor.model, found, there.workload, making),
        )


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
