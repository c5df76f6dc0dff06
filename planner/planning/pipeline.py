"""The one pipeline: request -> facts -> decision -> candidate -> plan."""

from __future__ import annotations

from datetime import UTC, datetime

from planner import __version__
from planner.hardware.hardware import Hardware
from planner.hardware.resolving import resolve_hardware
from planner.models.model import Model
from planner.models.resolving import resolve_model
from planner.plan import Candidate, HardwareSummary, ModelSummary, Plan
from planner.planning.candidates import Assessor
from planner.planning.choosing import Chooser, ranked
from planner.planning.deciding import Deliberation
from planner.planning.extras import extra_notes, require_extras
from planner.planning.facts import gather_facts, weights_16bit_gib
from planner.planning.ladder import ladder
from planner.planning.making import making_of, making_warnings, require_makeable
from planner.planning.operating import operating_points
from planner.planning.refusing import refusal
from planner.planning.spanning import as_it_stands
from planner.planning.stages import stages_for
from planner.planning.telling import crossover, disagreement, notes_for, warnings_for
from planner.quantizing.planned import planned_needs, shortages
from planner.request import Request
from rules.book import Book, load_book


def make_plan(request: Request, *, book: Book | None = None) -> Plan:
    """Decide how to serve the model. BadInput: the question is malformed. NoFeasiblePlan: nothing answers it."""
    model = resolve_model(request.model)
    hardware = as_it_stands(resolve_hardware(request.hardware), request.nodes)
    return plan_for(model, hardware, request, book or load_book())


def plan_for(model: Model, hardware: Hardware, request: Request, book: Book) -> Plan:
    """The same, for a model and hardware already known."""
    deliberation = Deliberation(book, gather_facts(model, hardware, request), request)
    assessor = Assessor(model, hardware, request)
    require_extras(request, model)
    assessor.require_layout()
    chooser = Chooser(deliberation, assessor)
    found = chooser.choose()
    if found is None:
        raise refusal(chooser, model, hardware, request)
    choice, tree_choice = found
    neighbours = ranked(chooser.neighbours(tree_choice.format), request.objective, model.shape.params_b)
    chosen = tree_choice if request.format else by_objective(tree_choice, neighbours, request, model)
    if chosen.format != tree_choice.format:
        choice = deliberation.choice_of(chosen.format, record=True)
    alternatives = [
        c for c in ranked([tree_choice, *neighbours], request.objective, model.shape.params_b) if c != chosen
    ]
    chosen = assessor.with_tokens_apart(choice, chosen)
    deliberation.conclude(choice, chosen)
    require_makeable(request, chosen, hardware)
    making = making_of(request, deliberation)
    stages = stages_for(model, chosen, request.workload, making)
    quantizing = planned_needs(model.shape, stages, hardware)
    return Plan(
        quantplan_version=__version__,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        request=request,
        model=summary_of_model(model),
        hardware=summary_of_hardware(hardware),
        facts=deliberation.facts_as_plain(),
        decisions=tuple(deliberation.trace.values()),
        chosen=chosen.model_copy(update={"verdict": "chosen", "tool": making.tool_for(chosen)}),
        stages=stages,
        ladder=tuple(ladder(chooser, choice, chosen)),
        levers=assessor.levers(chosen),
        quantizing=quantizing,
        warnings=(
            *warnings_for(deliberation, model, hardware),
            *making_warnings(request, chosen),
            *shortages(quantizing, hardware),
        ),
        notes=(
            *notes_for(deliberation, hardware),
            *extra_notes(request.extras),
            *crossover(assessor.crossover_batch(chosen)),
            *disagreement(chosen, tree_choice, alternatives, request.objective),
        ),
        alternatives=tuple(alternatives),
        operating_points=operating_points(assessor, choice, chosen),
    ).sealed()


def by_objective(tree_choice: Candidate, neighbours: list[Candidate], request: Request, model: Model) -> Candidate:
    """The tree's own choice, or with an objective the feasible candidate that is best by it."""
    if request.objective == "tree":
        return tree_choice
    return ranked([tree_choice, *neighbours], request.objective, model.shape.params_b)[0]


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
