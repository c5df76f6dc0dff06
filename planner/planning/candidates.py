"""One way to serve the model, assessed: what the rules chose, sized, timed and priced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from planner.costs.plan_cost import cost_of, tokens_apart
from planner.costs.time_share import predicted_prompt_share
from planner.energy.predicting import Energy, predict_energy
from planner.errors import BadInput
from planner.hardware.hardware import Hardware
from planner.learned.correcting import corrected
from planner.learned.lessons import configuration, lessons_for
from planner.memory.gguf_mix import gguf_tensors
from planner.memory.levers import levers
from planner.memory.sizing import layout_problem, loaded_weights, situation_for, size_memory
from planner.memory.stages import stage_weights
from planner.models.model import Model
from planner.models.shape import Shape
from planner.plan import Candidate, Cost, Lever, Memory
from planner.planning.arguments import PIPELINE_FLAGS, engine_arguments, engine_environment
from planner.planning.deciding import Choice
from planner.planning.extras import PLANNED_UNDER, extra_arguments, extras_problem
from planner.planning.offloading import host_share, with_host_memory
from planner.planning.predictions import (
    cache_predictions,
    cost_prediction,
    energy_predictions,
    estimate_prediction,
    memory_predictions,
    offload_predictions,
    quality_prediction,
)
from planner.planning.spanning import nodes_of_copy, splits
from planner.quality import AS_PUBLISHED, expected_quality
from planner.request import Request, Workload
from planner.schemes import scheme
from planner.speed.predicting import Speed, predict_crossover, predict_speed
from planner.support import engines, kernel_for, kv_cache_problem, why_refused
from planner.units import GIB
from rules.vocabulary import EngineId, FormatId

WEIGHT_LABELS = ("weights", "scales and zeros", "16-bit remainder")


@dataclass(frozen=True, slots=True)
class Layout:
    """How many accelerators hold one copy of the model, in how many stages, and how many copies share the load."""

    tensor_parallel: int
    replicas: int
    pipeline_parallel: int = 1

    @classmethod
    def of(cls, candidate: Candidate) -> Layout:
        return cls(candidate.tensor_parallel, candidate.replicas, candidate.pipeline_parallel)

    @property
    def accelerators(self) -> int:
        return self.tensor_parallel * self.pipeline_parallel * self.replicas


@dataclass(frozen=True, slots=True)
class Assessor:
    """Assesses choices for one question. Every method is pure."""

    model: Model
    hardware: Hardware
    request: Request
    _memories: dict[tuple[Choice, Layout], Memory] = field(default_factory=dict, init=False, repr=False, compare=False)
    _assessed: dict[tuple[Choice, Layout], Candidate] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def layouts(self) -> Iterator[Layout]:
        """The layouts to try, fewest accelerators a copy first; one that the user insists on is the only one."""
        count = max(self.hardware.count, 1)
        for size, stages in splits(self.model.shape, count, self.request):
            copies = count // (size * stages)
            yield Layout(size, max(1, min(copies, self.request.workload.concurrency)), stages)

    def require_layout(self) -> None:
        """BadInput when the layout that the user insists on cannot be."""
        wanted, there = self.request.tensor_parallel, max(self.hardware.count, 1)
        if next(self.layouts(), None):
            return
        if wanted is None or self.request.pipeline_parallel:
            stages = self.request.pipeline_parallel or 1
            raise BadInput(
                f"{stages} stages of {wanted or 1}: {self.hardware.label} has {there}",
                fix="name more accelerators, or leave the layout out: the rules choose a layout that is possible",
            )
        problem = layout_problem(self.model.shape, wanted) if wanted <= there else None
        reason = problem or f"{self.hardware.label} has {there}"
        fix = "leave it out: the rules choose a layout that is possible"
        raise BadInput(f"--tensor-parallel {wanted}: {reason}", fix=fix)

    def memory(self, choice: Choice, layout: Layout) -> Memory:
        """The labelled sum for one accelerator of this layout; computed once."""
        if (choice, layout) not in self._memories:
            self._memories[choice, layout] = self._sized(choice, layout)
        return self._memories[choice, layout]

    def _sized(self, choice: Choice, layout: Layout) -> Memory:
        """Whole on the accelerators; where all of them cannot hold it, with part of it in the host's memory."""
        whole = self._sized_whole(choice, layout)
        if layout.tensor_parallel < self.hardware.count or layout.pipeline_parallel > 1:
            return whole
        count, load = layout.tensor_parallel, self.share(layout)
        return with_host_memory(whole, self.model, self.hardware, choice, count, load)

    def _sized_whole(self, choice: Choice, layout: Layout) -> Memory:
        return size_memory(
            self.model,
            self.hardware,
            scheme(choice.format),
            engine=choice.engine,
            engine_version=engines()[choice.engine].version_on(self.hardware),
            tensor_parallel=layout.tensor_parallel,
            kv_format=choice.kv_cache,
            workload=self.share(layout),
            group_size=choice.group_size,
            pipeline_parallel=layout.pipeline_parallel,
            extras=self.request.extras,
        )

    def levers(self, chosen: Candidate) -> tuple[Lever, ...]:
        """Settings that would free memory for the chosen candidate, largest gain first."""
        if chosen.memory.offload:
            return ()
        entry, layout = scheme(chosen.format), Layout.of(chosen)
        loaded = loaded_weights(self.model, entry, chosen.group_size, chosen.tensor_parallel, chosen.engine)
        weights = stage_weights(loaded, self.model.shape, chosen.tensor_parallel, chosen.pipeline_parallel)
        situation = situation_for(
            self.model.shape,
            self.hardware,
            entry,
            weights,
            engine=chosen.engine,
            engine_version=chosen.engine_version,
            tensor_parallel=chosen.tensor_parallel,
            kv_format=chosen.kv_cache,
            workload=self.share(layout),
            pipeline_parallel=chosen.pipeline_parallel,
        )
        return tuple(levers(situation, chosen.engine))

    def running(self, engine: EngineId, layout: Layout, memory: Memory) -> dict[str, Any]:
        """One replica (of a pipeline: one stage) as the models of speed, cost and energy want it described."""
        weights_gib = sum(memory.gib(label) for label in WEIGHT_LABELS)
        return {
            "engine": engine,
            "tensor_parallel": layout.tensor_parallel,
            "weight_bytes_per_gpu": (memory.offload.weights_gib if memory.offload else weights_gib) * GIB,
            "kv_bytes_per_token": memory.kv_bytes_per_token,
            "workload": self.share(layout),
        }

    def speed(self, choice: Choice, layout: Layout, memory: Memory) -> Speed:
        """One replica under its share of the load, with the throughput of all replicas."""
        one = predict_speed(
            self.model.shape,
            self.hardware,
            scheme(choice.format),
            kv_format=choice.kv_cache,
            pipeline_parallel=layout.pipeline_parallel,
            nodes=self.request.nodes,
            on_host=host_share(self.model.shape, memory.offload),
            **self.running(choice.engine, layout, memory),
        )
        return replace(one, output_tokens_per_s=one.output_tokens_per_s.times(layout.replicas))

    def learned_speed(self, choice: Choice, speed: Speed) -> Speed:
        """The speed corrected by what earlier runs on this machine measured, where they did."""
        kernel = kernel_for(choice.engine, choice.format, self.hardware)
        lessons = lessons_for(self.hardware, choice.engine, kernel.name if kernel else "none")
        return corrected(speed, lessons, configuration(self.model.name, choice.format, self.request.workload))

    def crossover_batch(self, chosen: Candidate) -> int | None:
        """The number of requests decoding together from which these weights are no faster than 16-bit ones."""
        if chosen.memory.offload:
            return None
        return predict_crossover(
            self.model.shape,
            self.hardware,
            scheme(chosen.format),
            **self.running(chosen.engine, Layout.of(chosen), chosen.memory),
        )

    def cost(self, layout: Layout, speed: Speed) -> Cost | None:
        """What all replicas cost."""
        return cost_of(self.request.price, self.hardware, layout.accelerators, speed.output_tokens_per_s)

    def with_tokens_apart(self, choice: Choice, chosen: Candidate) -> Candidate:
        """The chosen candidate with what its input and output tokens cost apart, where speed and price are known."""
        tokens_per_s = chosen.predicted("output_tokens_per_s").value
        if chosen.cost is None or not tokens_per_s:
            return chosen
        share = self.prompt_share(choice, Layout.of(chosen), chosen.memory)
        cost = tokens_apart(chosen.cost, tokens_per_s, self.request.workload, share)
        return chosen.model_copy(update={"cost": cost})

    def prompt_share(self, choice: Choice, layout: Layout, memory: Memory) -> float | None:
        """The share of one replica's time that reading prompts takes; None with layers in host memory."""
        if memory.offload:
            return None
        return predicted_prompt_share(
            self.model.shape,
            self.hardware,
            scheme(choice.format),
            **self.running(choice.engine, layout, memory),
        )

    def energy(self, choice: Choice, layout: Layout, memory: Memory, speed: Speed) -> Energy:
        """What one replica draws, and its energy for a token: that of all replicas, which share the load evenly."""
        if layout.pipeline_parallel > 1:
            return Energy.unknown("no power measurements of pipelines are known")
        if memory.offload:
            return Energy.unknown("no power measurements with layers in host memory are known")
        return predict_energy(
            self.model.shape,
            self.hardware,
            scheme(choice.format),
            **self.running(choice.engine, layout, memory),
            output_tokens_per_s=speed.output_tokens_per_s.times(1 / layout.replicas),
        )

    def assess(self, choice: Choice, layout: Layout) -> Candidate:
        """The whole candidate; computed once. Its verdict speaks of kernel, memory and service level, not of vetoes."""
        if (choice, layout) not in self._assessed:
            self._assessed[choice, layout] = self._candidate(choice, layout)
        return self._assessed[choice, layout]

    def _candidate(self, choice: Choice, layout: Layout) -> Candidate:
        memory = self.memory(choice, layout)
        speed = self.learned_speed(choice, self.speed(choice, layout, memory))
        cost = self.cost(layout, speed)
        quality = expected_quality(choice.format, self.model.shape.params_b)
        kernel = kernel_for(choice.engine, choice.format, self.hardware)
        candidate = Candidate(
            format=choice.format,
            engine=choice.engine,
            engine_version=engines()[choice.engine].version_on(self.hardware),
            tensor_parallel=layout.tensor_parallel,
            pipeline_parallel=layout.pipeline_parallel,
            nodes=nodes_of_copy(layout.tensor_parallel, layout.pipeline_parallel, self.request.nodes),
            replicas=layout.replicas,
            kv_cache=choice.kv_cache,
            group_size=choice.group_size,
            tool=choice.tool,
            kernel=kernel.name if kernel else "none",
            memory=memory,
            predictions=(
                *memory_predictions(choice.engine, memory, artifact_bytes(self.model.shape, choice.format)),
                *offload_predictions(choice.engine, memory),
                *cache_predictions(choice.engine, memory, self.share(layout), self.hardware),
                estimate_prediction("ttft_ms", "ms", speed.ttft_ms),
                estimate_prediction("tpot_ms", "ms", speed.tpot_ms),
                estimate_prediction("output_tokens_per_s", "tokens/s", speed.output_tokens_per_s),
                quality_prediction(quality),
                cost_prediction(cost),
                *energy_predictions(self.energy(choice, layout, memory, speed)),
            ),
            cost=cost,
            quality=AS_PUBLISHED if self.is_stored_in(choice.format) else quality.phrase,
            engine_arguments=(
                *engine_arguments(
                    choice, layout.tensor_parallel, self.share(layout), self.hardware, memory, layout.pipeline_parallel
                ),
                *(extra_arguments(self.request.extras) if choice.engine in PLANNED_UNDER else ()),
            ),
            engine_environment=engine_environment(choice.engine, self.hardware),
            verdict="feasible",
        )
        return self.judged(candidate)

    def is_stored_in(self, format: FormatId) -> bool:
        """Whether the model's own checkpoint is in this (quantized) format, so that nothing is lost by keeping it."""
        return self.model.stored_format == format and scheme(format).is_quantized

    def judged(self, candidate: Candidate) -> Candidate:
        """The candidate with its verdict: no kernel, does not fit, misses the service level, or feasible."""
        if candidate.kernel == "none":
            why = why_refused(candidate.engine, candidate.format, self.hardware)
            reason = f"{candidate.engine} {candidate.engine_version} has no {candidate.format} kernel here"
            reason += f": {why}" if why else ""
            return candidate.model_copy(update={"verdict": "no-kernel", "reasons": (reason,)})
        if problem := kv_cache_problem(candidate.engine, candidate.kv_cache, self.hardware):
            return candidate.model_copy(update={"verdict": "no-kernel", "reasons": (problem,)})
        if candidate.pipeline_parallel > 1 and candidate.engine not in PIPELINE_FLAGS:
            reason = f"{candidate.engine} does not spread one copy over stages"
            return candidate.model_copy(update={"verdict": "no-kernel", "reasons": (reason,)})
        if problem := extras_problem(self.request.extras, candidate.engine):
            return candidate.model_copy(update={"verdict": "no-kernel", "reasons": (problem,)})
        if not candidate.memory.fits:
            return candidate.model_copy(update={"verdict": "does-not-fit", "reasons": (_shortage(candidate.memory),)})
        if missed := tuple(self.missed_targets(candidate)):
            return candidate.model_copy(update={"verdict": "misses-service-level", "reasons": missed})
        return candidate

    def missed_targets(self, candidate: Candidate) -> Iterator[str]:
        level = self.request.service_level
        for name, target in (("ttft_ms", level.ttft_ms), ("tpot_ms", level.tpot_ms)):
            value = candidate.predicted(name).value
            if target is not None and value is None:
                yield f"{name} is unknown, so the target {target:g} cannot be confirmed"
            elif target is not None and value is not None and value > target:
                yield f"{name} {value:.3g} is above the target {target:g}"

    def share(self, layout: Layout) -> Workload:
        """One replica's part of the load."""
        workload = self.request.workload
        return workload.model_copy(update={"concurrency": ceil(workload.concurrency / layout.replicas)})


def artifact_bytes(shape: Shape, format: FormatId) -> int | None:
    """Bytes of all tensors of the file a quantizer will write; known to the byte for GGUF, else None."""
    return sum(tensor.bytes for tensor in gguf_tensors(shape, format)) if format.startswith("gguf-") else None


def _shortage(memory: Memory) -> str:
    return f"needs {memory.used_gib:.1f} GiB of {memory.available_gib:.1f} GiB usable: {-memory.free_gib:.1f} GiB short"
