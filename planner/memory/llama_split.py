"""Where llama.cpp puts the layers of a model that does not lie on one device: some on GPUs, the rest on the host.

Read from src/llama-model.cpp (`load_tensors`), src/llama-kv-cache.cpp and common/arg.cpp: a layer's cache lies with its
layer; embeddings of tokens are looked up on the host; `--n-cpu-moe` keeps the experts of the first layers there, too.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from planner.memory.gguf_mix import GgufTensor
from planner.memory.gguf_tensors import GgmlSource
from planner.memory.kv_cache import KvCache
from planner.memory.layer_kinds import layers_by_kind
from planner.models.shape import Shape

HOST = -1
BLOCK = re.compile(r"blk\.(\d+)\.")
EXPERTS = re.compile(r"ffn_(up|down|gate|gate_up)_exps")


@dataclass(frozen=True, slots=True)
class LayerSplit:
    """How a model is split, in llama.cpp's own settings.

    `gpu_layers`: `-ngl`, of the model's layers and the output layer. `cpu_expert_layers`: `--n-cpu-moe`.
    `gpu_shares`: `--tensor-split`, one number a GPU. `kv_on_host`: `--no-kv-offload`. `output_first`: the output layer
    is the first to go to the GPU; in older versions it was the last.
    """

    gpu_layers: int
    cpu_expert_layers: int = 0
    gpu_shares: tuple[float, ...] = (1.0,)
    kv_on_host: bool = False
    output_first: bool = True

    @property
    def gpu_count(self) -> int:
        return len(self.gpu_shares)

    def devices(self, layer_count: int) -> tuple[int, ...]:
        """The device of each layer, the output layer last: number of the GPU, or `HOST`."""
        first = max(layer_count + 1 - self.gpu_layers, 0) if self.output_first else layer_count - self.gpu_layers
        start, on_gpus = max(first, 0), min(self.gpu_layers, layer_count + 1)
        return tuple(
            self._gpu_of(layer - start, on_gpus) if start <= layer < start + on_gpus else HOST
            for layer in range(layer_count + 1)
        )

    def _gpu_of(self, position: int, on_gpus: int) -> int:
        """The GPU of the layer at that place among those on GPUs."""
        total = sum(self.gpu_shares)
        borders = [edge / total for edge in accumulate(self.gpu_shares)]
        return min(bisect_right(borders, position / on_gpus), self.gpu_count - 1)

    def leaves_experts(self, tensor: GgufTensor | GgmlSource) -> bool:
        """The tensor holds experts that stay on the host although their layer does not."""
        return bool(EXPERTS.search(tensor.name)) and layer_of(tensor) < self.cpu_expert_layers


def layer_of(tensor: GgufTensor | GgmlSource) -> int:
    """The layer a tensor belongs to; -1 for those of the input and output."""
    found = BLOCK.match(tensor.name)
    return int(found[1]) if found else -1


def is_looked_up(tensor: GgufTensor | GgmlSource) -> bool:
    """Embeddings of tokens and positions are read row by row, on the host, and never multiplied."""
    return tensor.name.startswith("token_embd") or ".embed_" in tensor.name


def placed(tensors: Sequence[GgufTensor], shape: Shape, split: LayerSplit) -> Iterator[tuple[GgufTensor, int]]:
    """Each tensor with its device; a tied embedding twice where the output layer is on a GPU, whose head is a copy."""
    devices = split.devices(shape.layer_count)
    output = devices[-1]
    for tensor in tensors:
        if is_looked_up(tensor):
            yield tensor, HOST
            if shape.tied_embeddings and not shape.is_encoder and tensor.name.startswith("token_embd"):
                yield from [(tensor, output)] if output != HOST else []
        else:
            yield tensor, HOST if split.leaves_experts(tensor) else devices[layer_of(tensor)]


def bytes_by_device(tensors: Sequence[GgufTensor], shape: Shape, split: LayerSplit) -> dict[int, int]:
    """Bytes of the weights on each GPU, and on the host."""
    held = dict.fromkeys((*range(split.gpu_count), HOST), 0)
    for tensor, device in placed(tensors, shape, split):
        held[device] += tensor.bytes
    return held


def cache_on(device: int, kv: KvCache, shape: Shape, split: LayerSplit) -> KvCache:
    """The part of the whole cache that lies on a device."""
    devices = [HOST] * shape.layer_count if split.kv_on_host else split.devices(shape.layer_count)[:-1]
    here = frozenset(layer for layer, where in enumerate(devices) if where == device)
    cached, states = layers_by_kind(shape)
    return KvCache(
        tuple(replace(part, count=len(here & which)) for part, which in zip(kv.layers, cached, strict=True)),
        tuple(replace(part, count=len(here & which)) for part, which in zip(kv.states, states, strict=True)),
    )
