"""The one pipeline: request -> facts -> decision -> candidate -> plan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from planner import __version__
from planner.hardware.hardware import Hardware
from planner.hardware.resolving import resolve_hardware
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.plan import HardwareSummary, ModelSummary, Plan
from planner.planning.apart import apart_notes
from planner.planning.assessing import Assessed, Assessor
from planner.planning.candidates import alternative_of, candidate_of, crossover_batch, freeing_levers, with_tokens_apart
from planner.planning.choosing import Chooser, ranked
from planner.planning.deciding import Deliberation
from planner.planning.extras import extra_notes, require_extras
from planner.planning.facts import gather_facts, weights_16bit_gib
from planner.planning.ladder import ladder
from planner.planning.lengths import within_context
from planner.planning.making import making_of, making_warnings, require_makeable
from planner.planning.operating import operating_points
from planner.planning.refusing import refusal
from planner.planning.spanning import as_it_stands, of_one_copy
from planner.planning.stages import stages_for
from planner.planning.telling import crossover, disagreement, notes_for, warnings_for, without_copies
from planner.quantizing.planned import planned_needs, shortages
from planner.request import Request
from rules.book import Book, load_book


def make_plan(request: Request, *, book: Book | None = None) -> Plan:
    """Decide how to serve the model. BadInput: the question is malformed. NoFeasiblePlan: nothing answers it."""
    return plan_for(*asked_about(request), request, book or load_book())


def asked_about(request: Request) -> tuple[Model, Hardware]:
    """The model and the hardware that the request names. BadInput where there is no such thing."""
    hardware = as_it_stands(resolve_hardware(request.hardware), request.nodes)
    return resolve_model(request.model), hardware


def plan_for(model: Model, hardware: Hardware, request: Request, book: Book) -> Plan:
    """The same, for a model and hardware already known."""
    request, shortened = within_context(request, model)
    return drawn_up(settle(model, hardware, request, book), shortened)


@dataclass(frozen=True, slots=True)
class Settled:
    """The question answered, before the answer is drawn up: what is chosen, and its neighbours, best first."""

    chooser: Chooser
    tree_choice: Assessed
    chosen: Assessed
    neighbours: tuple[Assessed, ...]

    @property
    def deliberation(self) -> Deliberation:
        return self.chooser.deliberation

    @property
    def assessor(self) -> Assessor:
        return self.chooser.assessor


def settle(model: Model, hardware: Hardware, request: Request, book: Book) -> Settled:
    """Ask the rules, size what they say, and choose. NoFeasiblePlan where nothing answers the question."""
    deliberation = Deliberation(book, gather_facts(model, of_one_copy(hardware, request), request), request)
    assessor = Assessor(model, hardware, request)
    require_extras(request, model)
    assessor.require_layout()
    chooser = Chooser(deliberation, assessor)
    tree_choice = chooser.choose()
    if tree_choice is None:
        raise refusal(chooser, model, hardware, request)
    everything = [tree_choice, *chooser.neighbours(tree_choice)]
    ways = ranked(everything, request.objective, model.shape.params_b)
    chosen = tree_choice if request.format or request.objective == "tree" else ways[0]
    if chosen is not tree_choice:
        deliberation.choice_of(chosen.format, record=True)
    deliberation.conclude(chosen.choice, offloaded=chosen.memory.offload is not None)
    require_makeable(request, chosen.choice, hardware)
    return Settled(chooser, tree_choice, chosen, tuple(way for way in ways if way is not chosen))


def drawn_up(settled: Settled, warnings: tuple[str, ...] = ()) -> Plan:
    """The plan of what was settled; `warnings` tell what was changed in the question."""
    deliberation, assessor, neighbours = settled.deliberation, settled.assessor, settled.neighbours
    model, hardware, request = assessor.model, assessor.hardware, assessor.request
    found = with_tokens_apart(assessor, settled.chosen)
    making = making_of(request, deliberation)
    chosen = candidate_of(assessor, found).model_copy(update={"tool": making.tool_for(found.choice)})
    stages = stages_for(model, chosen, request.workload, making)
    quantizing = planned_needs(model.shape, stages, hardware)
    rungs, ways = ladder(settled.chooser, found, chosen, stages)
    return Plan(
        quantplan_version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        request=request,
        model=summary_of_model(model),
        hardware=summary_of_hardware(hardware),
        facts=deliberation.facts_as_plain(),
        decisions=deliberation.told,
        chosen=chosen,
        stages=stages,
        ladder=rungs,
        ways=ways,
        levers=freeing_levers(assessor, found),
        quantizing=quantizing,
        warnings=(
            *warnings,
            *warnings_for(deliberation, model, hardware),
            *making_warnings(request, chosen.format),
            *shortages(quantizing, hardware),
        ),
        notes=(
            *notes_for(deliberation, hardware),
            *model.shape.notes,
            *extra_notes(request.extras),
            *apart_notes(request, chosen.data_parallel),
            *without_copies(chosen.memory),
            *crossover(crossover_batch(assessor, found)),
            *disagreement(found, settled.tree_choice, neighbours, request.objective),
        ),
        alternatives=tuple(alternative_of(assessor, neighbour) for neighbour in neighbours),
        operating_points=operating_points(assessor, found),
    ).sealed()


def summary_of_model(model: Model) -> ModelSummary:
    shape = model.shape
    return ModelSummary(
        name=model.name,
        family=shape.family,
        source=model.source,
        path=model.checkpoint.path if model.checkpoint else None,
        parameters=shape.parameters,
        active_parameters=shape.active_parameters,
        parameters_by_component=shape.parameters_by_component(),
        layer_count=shape.layer_count,
        max_context_tokens=shape.max_context_tokens,
        weights_16bit_gib=weights_16bit_gib(shape),
        stored_format=model.stored_format,
        assumptions=model.assumptions,
    )


def summary_of_hardware(hardware: Hardware) -> HardwareSummary:
    accelerator, cpu = hardware.accelerator, hardware.cpu
    if accelerator is not None:
        return HardwareSummary(
            label=hardware.label,
            name=accelerator.name,
            count=hardware.count,
            memory_gib=accelerator.memory_gib,
            bandwidth_gb_s=accelerator.bandwidth_gb_s,
            compute_capability=accelerator.compute_capability,
            source=accelerator.source,
            detected=hardware.detected,
            notes=hardware.notes,
        )
    return HardwareSummary(
        label=hardware.label,
        name=cpu.name if cpu else "unknown",
        count=1,
        memory_gib=hardware.memory_gib,
        bandwidth_gb_s=cpu.bandwidth_gb_s if cpu else None,
        compute_capability=None,
        source="detected" if hardware.detected else "declared",
        detected=hardware.detected,
        notes=hardware.notes,
    )
