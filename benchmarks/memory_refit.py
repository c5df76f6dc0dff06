"""Refits vLLM's memory constants on the starts of all families but one: the honest test of what generalises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any

from planner.memory.cases import Case, case_from_row
from planner.memory.constants import engine_constants, version_number
from planner.memory.situation import Situation
from planner.memory.starts import described_shape, profiling_version, situation_of
from planner.memory.vllm import server_limits
from planner.models.shape import Shape

Entry = dict[str, Any]


@contextmanager
def constants_without(family: str, rows: Sequence[Mapping[str, str]], shapes: Mapping[str, Shape]) -> Iterator[None]:
    """Within the block, constants fitted on logs are those that the other families' rows give."""
    others = [row for row in rows if row["family"] != family]
    entries = engine_constants("vllm")["versions"]
    kept = [(entry, dict(entry), dict(entry["non_torch_gib"])) for entry in entries]
    for entry in entries:
        refit(entry, others, shapes)
    try:
        yield
    finally:
        for entry, values, non_torch in kept:
            entry.update(values)
            entry["non_torch_gib"] = non_torch


def refit(entry: Entry, rows: Sequence[Mapping[str, str]], shapes: Mapping[str, Shape]) -> None:
    """Medians over the rows of this version; a constant without three rows keeps its value."""
    logits, non_torch = [], []
    for row, situation in situations(entry, rows, shapes):
        if row["activation_peak_GiB"] and (fitted := bytes_per_logit(row, situation, entry)):
            logits.append(fitted)
        if row["non_torch_GiB"] and situation.link == "one":
            non_torch.append(float(row["non_torch_GiB"]))
    if len(logits) >= 3:
        entry["sampler_bytes_per_logit"] = median(logits)
    if len(non_torch) >= 3:
        entry["non_torch_gib"] = {**entry["non_torch_gib"], "one": median(non_torch)}


def situations(
    entry: Entry, rows: Sequence[Mapping[str, str]], shapes: Mapping[str, Shape]
) -> Iterator[tuple[Mapping[str, str], Situation]]:
    for row in rows:
        case = case_from_row(row)
        shape = shapes.get(case.config_id)
        if case.engine == "vllm" and shape is not None and case.pipeline_parallel == 1:
            situation = situation_of(case, described_shape(shape, case))
            if situation is not None and belongs(entry, case, situation):
                yield row, situation


def belongs(entry: Entry, case: Case, situation: Situation) -> bool:
    version = version_number(profiling_version(case, situation.accelerator))
    low, high = map(version_number, entry["versions"])
    return low <= version < high


def bytes_per_logit(row: Mapping[str, str], situation: Situation, entry: Entry) -> float | None:
    """What the printed peak leaves for each logit, where the sampler can have been the peak."""
    limits = server_limits(situation, entry)
    if not limits.samples_while_profiling or entry["graphs_in_budget"]:
        return None
    hidden = limits.batched_tokens * situation.shape.hidden_size * 2 * entry["sampler_hidden_copies"]
    logits = limits.sequences * situation.shape.vocab_size
    value = (float(row["activation_peak_GiB"]) * 2**30 - hidden) / logits
    stated: float = entry["sampler_bytes_per_logit"]
    return value if 0.9 * stated < value < 1.1 * stated else None
