"""From the rules' choices to one chosen candidate: down the ladder until one holds, and every neighbour beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from planner.planning.assessing import NO_KERNEL, Assessed, Assessor, Layout
from planner.planning.deciding import Choice, Deliberation
from planner.quality import expected_quality
from planner.schemes import load_schemes, scheme
from rules.vocabulary import FormatId, Objective, Trouble

TROUBLE_OF: dict[str, Trouble] = {
    "does-not-fit": "memory",
    "misses-service-level": "service-level",
    "no-kernel": "kernel",
}  # fmt: skip


@dataclass(slots=True)
class Chooser:
    """Walks the ladder for one question. `tried` keeps what was given up and why, in order."""

    deliberation: Deliberation
    assessor: Assessor
    tried: list[Assessed] = field(default_factory=list)
    _laid_out: dict[Choice, Assessed] = field(default_factory=dict, init=False, repr=False)

    def choose(self) -> Assessed | None:
        """The first rung that holds. A format the user insists on has no ladder."""
        insisted = self.assessor.request.format
        queue = [self.deliberation.choice_of(insisted, record=True)] if insisted else self.first_rungs()
        seen: set[FormatId] = set()
        ways: dict[FormatId, tuple[Choice, Trouble]] = {}
        while queue:
            choice = queue.pop(0)
            if choice.format in seen:
                continue
            seen.add(choice.format)
            candidate = self.best_layout(choice, record=True)
            if candidate.verdict == "feasible":
                self.deliberation.record_way(choice, ways.get(choice.format))
                return candidate
            self.tried.append(candidate)
            trouble = TROUBLE_OF[candidate.verdict]
            after = [] if insisted else list(self.deliberation.after(choice, trouble))
            ways = {next_one.format: (choice, trouble) for next_one in after} | ways
            queue += after
        return None

    def first_rungs(self) -> list[Choice]:
        """The tree's own choice; where every format of its width is vetoed, the rungs the book names instead."""
        width = self.deliberation.width()
        if width is None:
            return []
        choice = self.deliberation.choice_in(width, record=True)
        return [choice] if choice else list(self.deliberation.after_width(width))

    def best_layout(self, choice: Choice, *, record: bool = False) -> Assessed:
        """The choice on the layout the rules ask for: one accelerator a copy, or the fewest that hold it."""
        if record or choice not in self._laid_out:
            self._laid_out[choice] = self._on_best_layout(choice, record=record)
        return self._laid_out[choice]

    def _on_best_layout(self, choice: Choice, *, record: bool) -> Assessed:
        layouts = self.assessor.layouts
        smallest = next((layout for layout in layouts if self.fits(choice, layout)), None)
        known = {"fits_one_gpu": smallest is not None and _is_one(smallest)}
        wanted = self._asked_to_split(choice, record=record, **known)
        if smallest is None:
            return self.assessor.assess(choice, layouts[-1])
        if wanted == "fewest" and _is_one(smallest):
            several = (layout for layout in layouts if not _is_one(layout) and self.fits(choice, layout))
            smallest = next(several, smallest)
        fewest = self.assessor.assess(choice, smallest)
        if fewest.verdict == "misses-service-level":
            wanted = self._asked_to_split(choice, record=record, **known, fewest_are_fast_enough=False)
        if wanted not in ("fast-enough", "by-objective"):
            return fewest
        return self._best_of([self.assessor.assess(choice, layout) for layout in layouts if self.fits(choice, layout)])

    def _asked_to_split(self, choice: Choice, *, record: bool, **known: bool) -> str:
        """What the book wants: none, fewest, fast-enough or by-objective."""
        decided: dict[str, Any] = {"width": choice.width, "format": choice.format, "engine": choice.engine, **known}
        answer = self.deliberation.ask("parallelism", record=record, **decided)
        return answer.outcome.tensor_parallel if answer.outcome else "none"

    def _best_of(self, splits: list[Assessed]) -> Assessed:
        """Of all splits that hold the choice: the objective's, or without one the first that is fast enough."""
        request, params_b = self.assessor.request, self.assessor.model.shape.params_b
        if request.objective != "tree":
            return ranked(splits, request.objective, params_b)[0]
        fast_enough = (candidate for candidate in splits if candidate.verdict == "feasible")
        return next(fast_enough, None) or ranked(splits, "latency", params_b)[0]

    def fits(self, choice: Choice, layout: Layout) -> bool:
        return self.assessor.memory(choice, layout).fits

    def neighbours(self, chosen: Assessed | None) -> list[Assessed]:
        """What was tried and given up, then every other format with a kernel here; vetoed ones say so."""
        done = {candidate.format for candidate in (*self.tried, chosen) if candidate}
        formats = [format for format in (*self.worth_weighing(), *self.smaller_levels(chosen)) if format not in done]
        choices = (self.deliberation.choice_of(format) for format in formats)
        others = [self.best_layout(choice) for choice in choices if self.assessor.kernel(choice) != NO_KERNEL]
        return self.tried + [self.marked(candidate) for candidate in others if candidate.verdict != "no-kernel"]

    def worth_weighing(self) -> list[FormatId]:
        """Every format of the catalogue; of the GGUF levels, where GPUs have formats of their own, the book's one."""
        formats: list[FormatId] = [entry.id for entry in load_schemes().values()]
        if self.deliberation.facts.hardware.kind == "cpu":
            return formats
        level = self.deliberation.choice_in("gguf")
        return [format for format in formats if not format.startswith("gguf-") or (level and format == level.format)]

    def smaller_levels(self, chosen: Assessed | None) -> list[FormatId]:
        """The GGUF levels below one that only host memory has room for, avoided or not: one may fit whole."""
        if chosen is None or chosen.memory.offload is None:
            return []
        bits = scheme(chosen.format).bits_per_weight()
        return [entry.id for entry in load_schemes().values() if entry.ggml and entry.bits_per_weight() < bits]

    def marked(self, candidate: Assessed) -> Assessed:
        if candidate.format in self.deliberation.avoided and candidate.verdict == "feasible":
            return replace(candidate, verdict="avoided")
        return candidate


def _is_one(layout: Layout) -> bool:
    """Whether a copy is held by one accelerator."""
    return layout.accelerators == layout.replicas


def ranked(candidates: Collection[Assessed], objective: Objective, params_b: float) -> list[Assessed]:
    """Feasible candidates first, best by the objective first; those without the figure come after those with it.

    What the accelerators hold whole comes before what needs the host's memory, too.
    """
    measure = MEASURES["cost" if objective == "tree" else objective]

    def key(candidate: Assessed) -> tuple[bool, bool, bool, float]:
        value, is_split = measure(candidate, params_b), candidate.memory.offload is not None
        return candidate.verdict != "feasible", is_split, value is None, value if value is not None else 0.0

    return sorted(candidates, key=key)


def _cost(candidate: Assessed, params_b: float) -> float | None:
    """Cost ranks by USD a token; without a price, by accelerator-seconds a token, which is proportional to it."""
    if candidate.usd_per_1m_output_tokens is not None:
        return candidate.usd_per_1m_output_tokens
    rate = candidate.speed.output_tokens_per_s.value
    return candidate.layout.accelerators / rate if rate else None


def _latency(candidate: Assessed, params_b: float) -> float | None:
    return candidate.speed.tpot_ms.value


def _throughput(candidate: Assessed, params_b: float) -> float | None:
    rate = candidate.speed.output_tokens_per_s.value
    return -rate if rate is not None else None


def _quality(candidate: Assessed, params_b: float) -> float | None:
    recovery = expected_quality(candidate.format, params_b).recovery_percent
    return -recovery if recovery is not None else None


MEASURES: dict[str, Callable[[Assessed, float], float | None]] = {
    "cost": _cost,
    "latency": _latency,
    "throughput": _throughput,
    "quality": _quality,
}
