"""What a plan tells people beside its figures: warnings, notes, and where the tree and the numbers disagree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planner.hardware.hardware import Hardware
from planner.memory.constants import engine_constants
from planner.memory.llama_cpp import NO_REPACK
from planner.models.model import Model
from planner.needs import Memory
from planner.planning.assessing import Assessed
from planner.planning.deciding import Deliberation
from rules.vocabulary import Objective


def warnings_for(deliberation: Deliberation, model: Model, hardware: Hardware) -> tuple[str, ...]:
    """What was assumed, what the hardware lacks, and the book's warnings, each with its source."""
    declared = () if hardware.detected else hardware.notes
    against = (
        f"{wish} as you insist, although: {s.because} [{s.source}]" for wish, s in deliberation.insisted_against()
    )
    return (*model.assumptions, *declared, *against, *_said(deliberation, "warning"))


def notes_for(deliberation: Deliberation, hardware: Hardware) -> tuple[str, ...]:
    """What detection found, the book's further advice, and where a source it follows is contradicted or overtaken."""
    detected = hardware.notes if hardware.detected else ()
    return (*detected, *_said(deliberation, "note"), *deliberation.source_notes())


def crossover(batch: int | None) -> tuple[str, ...]:
    """From which batch on the chosen weights are no faster than 16-bit ones; nothing where they always are."""
    if batch is None:
        return ()
    return (
        f"From about {batch:,} requests decoding at once these weights are no faster than 16-bit ones; "
        "they still save memory. [A.perf.qwen2_7b_a100, B.pitfall.7]",
    )


def without_copies(memory: Memory) -> tuple[str, ...]:
    """What llama.cpp does without on a CPU host with too little room, and what that costs; else nothing."""
    if NO_REPACK not in memory.arguments:
        return ()
    return (f"{NO_REPACK}: {engine_constants('llama.cpp')['without_repacking']['says']}.",)


def _said(deliberation: Deliberation, level: str) -> Iterator[str]:
    for spoken in deliberation.advice():
        if spoken.outcome.level == level:
            yield f"{spoken.outcome.say} [{spoken.source}]"


def disagreement(
    chosen: Assessed, tree_choice: Assessed, alternatives: Iterable[Assessed], objective: Objective
) -> tuple[str, ...]:
    """One sentence where the articles' tree and the numbers would choose differently; nothing where they agree."""
    if objective != "tree":
        if chosen.format == tree_choice.format:
            return ()
        return (
            f"The decision tree alone would choose {_figures(tree_choice)}; by {objective} it is {_figures(chosen)}.",
        )
    feasible = [c for c in alternatives if c.verdict == "feasible" and c.usd_per_1m_output_tokens is not None]
    cheapest = min(feasible, key=lambda c: c.usd_per_1m_output_tokens or 0.0, default=None)
    own = chosen.usd_per_1m_output_tokens
    if cheapest is None or own is None or (cheapest.usd_per_1m_output_tokens or own) >= own:
        return ()
    return (f"The decision tree chooses {_figures(chosen)}; by cost alone it would be {_figures(cheapest)}.",)


def _figures(candidate: Assessed) -> str:
    cost = candidate.usd_per_1m_output_tokens
    return f"{candidate.format} (${cost:.3g} per 1M output tokens)" if cost is not None else candidate.format
