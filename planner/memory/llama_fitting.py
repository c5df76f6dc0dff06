"""The inverse of a split: the most layers that fit the GPUs when the host's memory takes the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from planner.hardware.hardware import Hardware
from planner.memory.llama_offload import gpu_account, host_account
from planner.memory.llama_split import LayerSplit
from planner.memory.room import both_directions
from planner.memory.situation import Situation
from planner.memory.sizing import loaded_weights, situation_for
from planner.models.model import Model
from planner.plan import Memory
from planner.request import Workload
from planner.schemes import Scheme


@dataclass(frozen=True, slots=True)
class SplitMemory:
    """A split with the sums of both sides: of the fullest GPU, and of the host."""

    split: LayerSplit
    gpu: Memory
    host: Memory

    @property
    def fits(self) -> bool:
        return self.gpu.fits and self.host.fits


def may_split(hardware: Hardware, scheme: Scheme) -> bool:
    """Whether there is host memory of its own beside the accelerators, and the scheme is one of llama.cpp's."""
    accelerator = hardware.accelerator
    return accelerator is not None and hardware.cpu is not None and not accelerator.unified_memory and bool(scheme.ggml)


@dataclass(frozen=True, slots=True)
class Question:
    """Which model, in which GGUF scheme, on how many GPUs of this hardware, for which load."""

    model: Model
    hardware: Hardware
    scheme: Scheme
    engine_version: str | None
    gpu_count: int
    kv_format: str
    workload: Workload

    @property
    def whole(self) -> LayerSplit:
        """Every layer on the GPUs, in equal shares."""
        return LayerSplit(self.model.shape.layer_count + 1, gpu_shares=(1.0,) * self.gpu_count)

    def situation(self) -> Situation:
        """The whole model as one device would hold it."""
        return situation_for(
            self.model.shape,
            self.hardware,
            self.scheme,
            loaded_weights(self.model, self.scheme, None, 1, "llama.cpp"),
            engine="llama.cpp",
            engine_version=self.engine_version,
            tensor_parallel=1,
            kv_format=self.kv_format,
            workload=self.workload,
        )


def fullest_gpu(asked: Question) -> Memory:
    """The sum of the fullest of several GPUs that hold the whole model, layer by layer."""
    here = replace(asked.situation(), split=asked.whole)
    return both_directions(here, gpu_account(here, asked.whole))


def largest_split(asked: Question) -> SplitMemory | None:
    """The split that leaves least on the host and fits the GPUs; None where neither side can hold its part.

    Of a mixture of experts only experts stay on the host (`--n-cpu-moe`), as few layers of them as will do; where the
    rest does not fit either, and for dense models, whole layers (`-ngl`).
    """
    if not may_split(asked.hardware, asked.scheme) or asked.hardware.cpu is None:
        return None
    situation = asked.situation()
    found = _most_on_gpus(situation, asked.whole, is_moe=asked.model.shape.is_moe)
    sized = split_memory(situation, found, asked.hardware.cpu.memory_gib) if found else None
    return sized if sized and sized.fits else None


def split_memory(situation: Situation, split: LayerSplit, host_gib: float) -> SplitMemory:
    """Both sums of a split; `situation` holds the whole model."""
    here = replace(situation, split=split)
    gpu = both_directions(here, gpu_account(here, split))
    return SplitMemory(split, gpu, both_directions(here, host_account(here, split, host_gib)))


def _most_on_gpus(situation: Situation, whole: LayerSplit, *, is_moe: bool) -> LayerSplit | None:
    layer_count = situation.shape.layer_count

    def fits(split: LayerSplit) -> bool:
        here = replace(situation, split=split)
        return both_directions(here, gpu_account(here, split)).fits

    if is_moe:
        kept = _least(layer_count, lambda layers: fits(replace(whole, cpu_expert_layers=layers)))
        if kept is not None:
            return replace(whole, cpu_expert_layers=kept)
    left = _least(layer_count, lambda layers: fits(replace(whole, gpu_layers=layer_count + 1 - layers)))
    return None if left is None else replace(whole, gpu_layers=layer_count + 1 - left)


def _least(most: int, holds: Callable[[int], bool]) -> int | None:
    """The least number from 1 to `most` for which it holds, where it goes on holding; None where it never does."""
    if not holds(most):
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
