"""A start of llama.cpp on a GPU and the host, or on several GPUs, as a table of logs describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from planner.memory.cases import Case
from planner.memory.constants import version_constants
from planner.memory.llama_compute import is_pipelined
from planner.memory.llama_offload import device_account
from planner.memory.llama_split import HOST, LayerSplit
from planner.memory.situation import Account, Situation
from planner.models.shape import Shape
from planner.units import GIB

OFFLOADED = re.compile(r"(\d+)(?:\s*/\s*(\d+))?")
WEIGHT_LABELS = ("weights", "scales and zeros", "16-bit remainder")


@dataclass(frozen=True, slots=True)
class SplitBuffers:
    """What a log prints of a split model, in GiB: of all GPUs together, of the whole cache, and of the host."""

    weights_gib: float
    compute_buffer_gib: float
    kv_gib: float
    host_weights_gib: float
    host_kv_gib: float
    host_compute_buffer_gib: float


def split_of(case: Case, shape: Shape, version: str | None) -> LayerSplit | None:
    """The split a row states (`llamacpp_ngl` 20/33, `--n-cpu-moe`, several GPUs); None for a model on one device."""
    found = OFFLOADED.match(case.llama_gpu_layers)
    if case.engine != "llama.cpp" or found is None:
        return None
    stated, of = int(found[1]), int(found[2] or shape.layer_count + 1)
    shares = case.remarks.gpu_shares or (1.0,) * case.remarks.several_gpus
    layers = shape.layer_count + 1 if stated >= of else stated
    split = LayerSplit(
        layers,
        cpu_expert_layers=case.remarks.cpu_expert_layers,
        gpu_shares=shares,
        output_first=bool(version_constants("llama.cpp", version)["output_first"]),
    )
    is_whole = layers > shape.layer_count and not split.cpu_expert_layers
    return None if is_whole and not _needs_sides(case, split, shape) else split


def _needs_sides(case: Case, split: LayerSplit, shape: Shape) -> bool:
    """Of a whole model on several GPUs only those that work as a pipeline need more than one device does."""
    return case.remarks.is_pipelined and is_pipelined(shape, split)


def split_buffers(situation: Situation, split: LayerSplit) -> SplitBuffers:
    """The buffers of every device of a split model."""
    gpus = [device_account(gpu, situation, split) for gpu in range(split.gpu_count)]
    host = device_account(HOST, situation, split)
    return SplitBuffers(
        weights_gib=sum(_gib(gpu, *WEIGHT_LABELS) for gpu in gpus),
        compute_buffer_gib=sum(_gib(gpu, "compute buffer") for gpu in gpus),
        kv_gib=sum(_cache_gib(device, situation) for device in (*gpus, host)),
        host_weights_gib=_gib(host, *WEIGHT_LABELS),
        host_kv_gib=_cache_gib(host, situation),
        host_compute_buffer_gib=_gib(host, "compute buffer"),
    )


def _gib(account: Account, *labels: str) -> float:
    return sum(term.predicted_gib for term in account.terms if term.label in labels)


def _cache_gib(account: Account, situation: Situation) -> float:
    return account.layout.sequence_bytes(situation.context_tokens) * situation.concurrency / GIB
