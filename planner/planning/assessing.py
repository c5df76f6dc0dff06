"""One choice on one layout, assessed: what it needs, how fast it is, what it costs, and whether it will do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import ceil
from typing import Any

from planner.costs.hourly import HourlyPrice, hourly_price
from planner.costs.plan_cost import cost_of
from planner.errors import BadInput
from planner.figures import NAMES, figure
from planner.hardware.hardware import Hardware
from planner.layouts import stored_scheme
from planner.learned.correcting import corrected
from planner.learned.lessons import Lesson, configuration, known_lessons, lessons_for
from planner.memory.sizing import layout_problem, size_memory
from planner.models.model import Model
from planner.plan import Memory, Verdict
from planner.planning.apart import apart_problem, require_apart
from planner.planning.arguments import PIPELINE_FLAGS
from planner.planning.assessed import Assessed, Layout
from planner.planning.deciding import Choice
from planner.planning.extras import extras_problem
from planner.planning.offloading import WEIGHT_LABELS, host_share, laid_out
from planner.planning.spanning import splits
from planner.request import Request, Workload
from planner.schemes import Scheme
from planner.speed.predicting import Speed, predict_speed
from planner.support import engines, kernel_for, kv_cache_problem, why_refused
from planner.units import GIB

__all__ = ["NO_KERNEL", "Assessed", "Assessor", "Layout"]

NO_KERNEL = "none"


@dataclass(frozen=True)
class Assessor:
    """Assesses choices for one question. Every method is pure; what was worked out once is kept.

    `lessons` is everything that was learnt here.
    """

    model: Model
    hardware: Hardware
    request: Request
    lessons: tuple[Lesson, ...] = field(default_factory=known_lessons, repr=False, compare=False)
    _shares: dict[int, Workload] = field(default_factory=dict, init=False, repr=False, compare=False)
    _memories: dict[tuple[Choice, Layout], Memory] = field(default_factory=dict, init=False, repr=False, compare=False)
    _assessed: dict[tuple[Choice, Layout], Assessed] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @cached_property
    def layouts(self) -> tuple[Layout, ...]:
        """The layouts to try, fewest accelerators a copy first; one that the user insists on is the only one."""
        request, load = self.request, self.request.workload.concurrency
        engines_a_copy = (request.data_parallel or 1) * (request.pools.servers if request.pools else 1)
        count = max(self.hardware.count, 1) // engines_a_copy
        copies, apart = request.replicas, (request.data_parallel or 1, request.pools)
        return tuple(
            Layout(size, copies or max(1, min(count // (size * stages), load)), stages, *apart)
            for size, stages in splits(self.model.shape, count // (copies or 1), request)
        )

    def require_layout(self) -> None:
        """BadInput when the layout that the user insists on cannot be."""
        wanted, there = self.request.tensor_parallel, max(self.hardware.count, 1)
        require_apart(self.request, self.model, there)
        if self.layouts:
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

    def under(self, workload: Workload) -> Assessor:
        """The same question with another load."""
        if workload == self.request.workload:
            return self
        return replace(self, request=self.request.model_copy(update={"workload": workload}))

    def share(self, layout: Layout) -> Workload:
        """One replica's part of the load."""
        workload, replicas = self.request.workload, layout.replicas
        if replicas not in self._shares:
            share = {"concurrency": ceil(workload.concurrency / replicas)}
            self._shares[replicas] = workload.model_copy(update=share) if replicas > 1 else workload
        return self._shares[replicas]

    def share_of_cache(self, layout: Layout) -> Workload:
        """The part of the load that one server's cache holds: a replica's, unless its requests lie in several."""
        share = self.share(layout)
        if layout.caches == 1:
            return share
        return share.model_copy(update={"concurrency": ceil(share.concurrency / layout.caches)})

    def scheme(self, choice: Choice) -> Scheme:
        """How the choice stores weights: as the variant that the model's file is, or that was asked for."""
        is_own = choice.format == self.model.stored_format
        return stored_scheme(choice.format, (is_own and self.model.stored_variant) or self.request.variant or "")

    def memory(self, choice: Choice, layout: Layout) -> Memory:
        """The labelled sum for one accelerator of this layout; computed once."""
        if (choice, layout) not in self._memories:
            self._memories[choice, layout] = self._sized(choice, layout)
        return self._memories[choice, layout]

    def _sized(self, choice: Choice, layout: Layout) -> Memory:
        """Evenly over the accelerators, or as llama.cpp does it."""
        evenly = self._sized_evenly(choice, layout)
        if layout.pipeline_parallel > 1 or layout.is_apart:
            return evenly
        entry, copies = self.scheme(choice), layout.tensor_parallel
        return laid_out(evenly, self.model, self.hardware, choice, entry, copies, self.share(layout))

    def _sized_evenly(self, choice: Choice, layout: Layout, workload: Workload | None = None) -> Memory:
        return size_memory(
            self.model,
            self.hardware,
            self.scheme(choice),
            engine=choice.engine,
            engine_version=engines()[choice.engine].version_on(self.hardware),
            tensor_parallel=layout.tensor_parallel,
            kv_format=choice.kv_cache,
            workload=workload or self.share_of_cache(layout),
            group_size=choice.group_size,
            pipeline_parallel=layout.pipeline_parallel,
            extras=self.request.extras,
            data_parallel=layout.data_parallel,
        )

    def prompt_memory(self, choice: Choice, layout: Layout) -> tuple[Memory, int]:
        """Memory of a prompt server, and the prompts it takes in at once: its part, or as many as its cache holds."""
        assert layout.pools is not None
        share = self.share(layout)
        part = share.model_copy(update={"concurrency": ceil(share.concurrency / layout.pools.prefill)})
        memory = self._sized_evenly(choice, layout, part)
        if memory.fits or memory.max_concurrency < 1:
            return memory, part.concurrency
        held = part.model_copy(update={"concurrency": int(memory.max_concurrency)})
        return self._sized_evenly(choice, layout, held), held.concurrency

    def running(
        self, choice: Choice, layout: Layout, memory: Memory, workload: Workload | None = None
    ) -> dict[str, Any]:
        """One replica (of a pipeline: one stage) as the models of speed, cost and energy want it described.

        `workload` is what it serves; None: its share of the load.
        """
        weights_gib = memory.offload.weights_gib if memory.offload else memory.gib(*WEIGHT_LABELS)
        return {
            "shape": self.model.shape,
            "hardware": self.hardware,
            "scheme": self.scheme(choice),
            "engine": choice.engine,
            "tensor_parallel": layout.tensor_parallel,
            "weight_bytes_per_gpu": weights_gib * GIB,
            "kv_bytes_per_token": memory.kv_bytes_per_token,
            "workload": workload or self.share(layout),
        }

    def speed(self, choice: Choice, layout: Layout, memory: Memory, workload: Workload | None = None) -> Speed:
        """One replica under `workload` (None: its share of the load), with the throughput of all replicas."""
        one = predict_speed(
            **self.running(choice, layout, memory, workload),
            kv_format=choice.kv_cache,
            pipeline_parallel=layout.pipeline_parallel,
            nodes=self.request.nodes,
            on_host=host_share(self.model.shape, memory.offload),
            data_parallel=layout.data_parallel,
            pools=layout.pools,
        )
        return one.of_copies(layout.replicas)

    def learned_speed(self, choice: Choice, speed: Speed) -> Speed:
        """The speed corrected by what earlier runs on this machine measured, where they did."""
        if not self.lessons:
            return speed
        lessons = lessons_for(self.hardware, choice.engine, self.kernel(choice), self.lessons)
        if not lessons:
            return speed
        this = configuration(self.model.name, choice.format, self.request.workload)
        return corrected(speed, lessons, this, on_accelerators=self.hardware.accelerator is not None)

    def kernel(self, choice: Choice) -> str:
        """The name of the kernel that multiplies these weights here."""
        kernel = kernel_for(choice.engine, choice.format, self.hardware)
        return kernel.name if kernel else NO_KERNEL

    def assess(self, choice: Choice, layout: Layout) -> Assessed:
        """The choice on this layout; computed once."""
        if (choice, layout) not in self._assessed:
            self._assessed[choice, layout] = self._assess(choice, layout)
        return self._assessed[choice, layout]

    def _assess(self, choice: Choice, layout: Layout) -> Assessed:
        memory, kernel = self.memory(choice, layout), self.kernel(choice)
        speed = self.learned_speed(choice, self.speed(choice, layout, memory))
        cost = cost_of(self.request.price, self.hourly, layout.accelerators, speed.output_tokens_per_s)
        verdict, reasons = self._verdict(choice, layout, memory, kernel, speed)
        return Assessed(choice, layout, memory, kernel, speed, cost, verdict, reasons)

    @cached_property
    def params_b(self) -> float:
        """Billions of parameters."""
        return self.model.shape.params_b

    @cached_property
    def hourly(self) -> HourlyPrice | None:
        """What one of these accelerators (or the CPU host) costs an hour."""
        return hourly_price(self.request.price, self.hardware)

    def _verdict(
        self, choice: Choice, layout: Layout, memory: Memory, kernel: str, speed: Speed
    ) -> tuple[Verdict, tuple[str, ...]]:
        """No kernel, does not fit, misses the service level, or feasible; and why."""
        if kernel == NO_KERNEL:
            return "no-kernel", (self._no_kernel(choice),)
        if problem := kv_cache_problem(choice.engine, choice.kv_cache, self.hardware):
            return "no-kernel", (problem,)
        if layout.pipeline_parallel > 1 and choice.engine not in PIPELINE_FLAGS:
            return "no-kernel", (f"{choice.engine} does not spread one copy over stages",)
        if layout.is_apart and (problem := apart_problem(layout.pools, choice.engine)):
            return "no-kernel", (problem,)
        if problem := extras_problem(self.request.extras, choice.engine):
            return "no-kernel", (problem,)
        if not memory.fits:
            return "does-not-fit", (_shortage(memory),)
        missed = tuple(self.missed_targets(speed))
        return ("misses-service-level", missed) if missed else ("feasible", ())

    def _no_kernel(self, choice: Choice) -> str:
        why = why_refused(choice.engine, choice.format, self.hardware)
        version = engines()[choice.engine].version_on(self.hardware)
        return f"{choice.engine} {version} has no {choice.format} kernel here" + (f": {why}" if why else "")

    def missed_targets(self, speed: Speed) -> Iterator[str]:
        level = self.request.service_level
        for name, target, estimate in (
            ("ttft_ms", level.ttft_ms, speed.ttft_ms),
            ("tpot_ms", level.tpot_ms, speed.tpot_ms),
        ):
            if target is not None and estimate.value is None:
                yield f"{NAMES[name]} is unknown, so the target of {target:g} ms cannot be confirmed"
            elif target is not None and estimate.value is not None and estimate.value > target:
                yield f"{NAMES[name]} {figure(estimate.value)} ms is above the target of {target:g} ms"


def _shortage(memory: Memory) -> str:
    return f"needs {memory.used_gib:.1f} GiB of {memory.available_gib:.1f} GiB usable: {-memory.free_gib:.1f} GiB short"
