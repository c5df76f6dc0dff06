"""llama.cpp's sums of a split model (`-ngl`, `--n-cpu-moe`, `--tensor-split`): of the fullest GPU, and of the host."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from planner.memory.constants import engine_constants
from planner.memory.gguf_mix import GgufTensor, gguf_file
from planner.memory.kv_cache import KvCache
from planner.memory.llama_compute import compute_bytes, micro_batch_tokens
from planner.memory.llama_split import HOST, LayerSplit, cache_on, placed
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.memory.weights import NOTHING, WeightBytes
from planner.plan import Term
from planner.support import engines
from planner.units import GIB


def gpu_account(situation: Situation, split: LayerSplit) -> Account:
    """The sum of the fullest GPU, without its part of the KV cache."""
    accounts = (device_account(gpu, situation, split) for gpu in range(split.gpu_count))
    return max(accounts, key=lambda account: _need_gib(account, situation))


def host_account(situation: Situation, split: LayerSplit, host_gib: float) -> Account:
    """The sum of the host, without its part of the KV cache."""
    return device_account(HOST, replace(situation, physical_gib=host_gib), split)


def device_account(device: int, situation: Situation, split: LayerSplit) -> Account:
    """The sum of one GPU by its number, or of `HOST`; `physical_gib` of the situation is that device's."""
    terms = [*_weights(device, situation, split), _compute(device, situation, split)]
    if device != HOST:
        terms.append(gib_term("non-torch", engine_constants("llama.cpp")["gpu_context_gib"] * GIB, "GPU context"))
    left = situation.physical_gib * (1 - engines()["llama.cpp"].usable_memory)
    terms.append(gib_term("reserve", left * GIB, "left to the operating system"))
    kv = cache_on(device, situation.kv, situation.shape, split)
    return Account(situation.physical_gib, tuple(terms), _layout(kv, micro_batch_tokens(situation)))


def _layout(kv: KvCache, micro_batch: int) -> PlainLayout:
    return PlainLayout(kv, engine_constants("llama.cpp")["context_padding_tokens"], micro_batch)


def _need_gib(account: Account, situation: Situation) -> float:
    """GiB the device is asked for, with its part of the workload's cache."""
    cache = account.layout.sequence_bytes(situation.context_tokens) * situation.concurrency
    return sum(term.predicted_gib for term in account.terms) + cache / GIB


def _weights(device: int, situation: Situation, split: LayerSplit) -> list[Term]:
    """What lies on a device, in its labelled parts; scaled where the checkpoint weighs more than its shape says."""
    tensors = gguf_file(situation.shape, situation.scheme.ggml or "BF16")
    here = by_part(tensor for tensor, where in placed(tensors, situation.shape, split) if where == device)
    scale = situation.weights.total / by_part(tensors).total if situation.weights.total else 0.0
    return weight_terms(here.times(scale), situation.scheme)


def by_part(tensors: Iterable[GgufTensor]) -> WeightBytes:
    """Bytes of tensors: quantized, scales, and what is not quantized."""
    total = NOTHING
    for tensor in tensors:
        if tensor.is_quantized:
            total += WeightBytes(tensor.bytes - tensor.scale_bytes, tensor.scale_bytes, 0)
        else:
            total += WeightBytes(0, 0, tensor.bytes)
    return total


def _compute(device: int, situation: Situation, split: LayerSplit) -> Term:
    tokens = min(micro_batch_tokens(situation), situation.context_tokens * situation.concurrency)
    how = f"micro-batch of {tokens} tokens"
    return gib_term("compute buffer", compute_bytes(device, situation, split), how)
