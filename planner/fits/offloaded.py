"""Models that the accelerators cannot hold whole, and llama.cpp can with part of them in the host's memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from planner.fits.fit import Fit
from planner.fits.question import Question
from planner.fits.settings import settings
from planner.hardware.hardware import Hardware
from planner.memory.llama_fitting import Question as Split
from planner.memory.llama_fitting import SplitMemory, largest_split, may_split
from planner.models.model import Model
from planner.quality import expected_quality
from planner.schemes import Scheme, scheme
from planner.support import Kernel, engines, kernel_for
from rules.vocabulary import EngineId

ENGINE: EngineId = "llama.cpp"
WEIGHT_LABELS = ("weights", "scales and zeros", "16-bit remainder")


def offloaded_fits(models: Iterable[Model], hardware: Hardware, question: Question) -> Iterator[Fit]:
    """The models that a split holds, with the question's load, in the GGUF level asked for or the usual one."""
    entry = scheme(question.format or settings()["offload_format"])
    kernel = kernel_for(ENGINE, entry.id, hardware)
    if kernel is None or question.engine not in (None, ENGINE) or not may_split(hardware, entry):
        return
    version = engines()[ENGINE].version_on(hardware)
    for model in models:
        if model.shape.max_context_tokens < question.least_context(model):
            continue
        load = question.workload_of(model)
        found = largest_split(Split(model, hardware, entry, version, hardware.count, "16-bit", load))
        if found and _longest(found) >= question.least_context(model):
            yield _fit(model, hardware, question, entry, kernel, found)


def _longest(found: SplitMemory) -> int:
    """The longest request both sides hold; a side without cache sets no limit."""
    return min((side.max_context_tokens for side in (found.gpu, found.host) if side.max_concurrency), default=0)


def _fit(
    model: Model, hardware: Hardware, question: Question, entry: Scheme, kernel: Kernel, found: SplitMemory
) -> Fit:  # fmt: skip
    quality, gpu = expected_quality(entry.id, model.shape.params_b), found.gpu
    return Fit(
        model=model.name,
        family=model.shape.family,
        params_b=model.shape.params_b,
        active_params_b=model.shape.active_parameters / 1e9,
        hardware=hardware.label,
        accelerators=hardware.count,
        format=entry.id,
        engine=ENGINE,
        kernel=kernel.name,
        kv_cache="16-bit",
        tensor_parallel=hardware.count,
        replicas=1,
        fits=True,
        reason="",
        weights_gib=sum(gpu.gib(label) for label in WEIGHT_LABELS),
        kv_room_gib=gpu.free_gib + gpu.gib("KV cache"),
        free_gib=min(gpu.free_gib, found.host.free_gib),
        context_tokens=question.context_of(model),
        longest_context_tokens=_longest(found),
        users=min((side.max_concurrency for side in (gpu, found.host) if side.max_concurrency), default=None),
        quality=quality.phrase,
        recovery_percent=quality.recovery_percent,
        offload=_says(found, model.shape.layer_count),
    )


def _says(found: SplitMemory, layer_count: int) -> str:
    """The setting that splits it: `-ngl 47 of 65`."""
    split = found.split
    return (
        f"--n-cpu-moe {split.cpu_expert_layers}"
        if split.cpu_expert_layers
        else f"-ngl {split.gpu_layers} of {layer_count + 1}"
    )
