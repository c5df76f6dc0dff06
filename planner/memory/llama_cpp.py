"""How llama.cpp accounts: weights as in the file, repacked copies, the whole KV cache at start, and a compute buffer.

Read from src/llama-context.cpp, src/llama-kv-cache.cpp and ggml/src/ggml-cpu/repack.cpp, and checked against the
buffers that llama-server prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import takewhile

from planner.memory.constants import engine_constants
from planner.memory.gguf_mix import GgufTensor, gguf_file
from planner.memory.llama_compute import compute_term, micro_batch_tokens
from planner.memory.llama_offload import gpu_account
from planner.memory.llama_split import is_looked_up as is_looked_up
from planner.memory.room import both_directions
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.memory.weights import WeightBytes
from planner.models.shape import Shape
from planner.support import engines
from planner.units import GIB

NO_REPACK = "--no-repack"


def account(situation: Situation) -> Account:
    """llama.cpp's own sum on a CPU host or a GPU, without the KV cache; of a split model that of the fullest GPU."""
    if situation.split is not None:
        return gpu_account(situation, situation.split)
    constants = engine_constants("llama.cpp")
    copied = repacked_tensors(situation)
    terms = weight_terms(device_weights(situation, copied), situation.scheme)
    if copied:
        terms.append(
            gib_term("repacked copy", sum(t.bytes for t in copied), "weights in the order this CPU's kernels read")
        )
    terms.append(compute_term(situation))
    if situation.on_gpu:
        terms.append(gib_term("non-torch", constants["gpu_context_gib"] * GIB, "GPU context"))
    share = 1 - engines()["llama.cpp"].usable_memory
    terms.append(gib_term("reserve", situation.physical_gib * share * GIB, "left to the operating system"))
    return Account(
        available_gib=situation.physical_gib,
        terms=tuple(terms),
        layout=PlainLayout(situation.kv, constants["context_padding_tokens"], micro_batch_tokens(situation)),
    )


def started_to_fit(situation: Situation) -> tuple[Situation, tuple[str, ...]]:
    """The start and the options it needs: `--no-repack` on a CPU where the second copy has no room beside the file."""
    if not repacked_tensors(situation) or both_directions(situation, account(situation)).fits:
        return situation, ()
    return replace(situation, repacks=False), (NO_REPACK,)


def device_weights(situation: Situation, copied: frozenset[GgufTensor]) -> WeightBytes:
    """What of the file lies where the layers run.

    On a GPU the embeddings stay in the host's memory (a tied one is there twice: the head is its copy). On a CPU the
    file is mapped from its first to its last tensor that is not repacked: what is repacked at its ends is unmapped.
    """
    whole, shape = situation.weights, situation.shape
    if situation.scheme.ggml is None or (situation.on_gpu and copies_head(shape)):
        return whole
    tensors = gguf_file(shape, situation.scheme.ggml)
    if not situation.on_gpu:
        left_out = sum(
            tensor.bytes for tensor in (*repacked_end(tensors, copied), *repacked_end(tensors[::-1], copied))
        )
    else:
        left_out = looked_up_bytes(shape, situation.scheme.ggml)
    return whole.times(1 - left_out / situation.tensor_parallel / whole.total)


@lru_cache(maxsize=1024)
def looked_up_bytes(shape: Shape, file_type: str) -> int:
    """Bytes of the file's embeddings."""
    return sum(tensor.bytes for tensor in gguf_file(shape, file_type) if is_looked_up(tensor))


def copies_head(shape: Shape) -> bool:
    """True where a GPU holds the embedding of the host once more, as the head tied to it."""
    return shape.tied_embeddings and not shape.is_encoder


def repacked_end(tensors: Sequence[GgufTensor], copied: frozenset[GgufTensor]) -> Iterator[GgufTensor]:
    """The tensors before the first that is not repacked."""
    return takewhile(lambda tensor: tensor in copied, tensors)


def repacked_tensors(situation: Situation) -> frozenset[GgufTensor]:
    """Tensors of which this CPU's kernels need a second copy, in another order (CPU_REPACK)."""
    if situation.on_gpu or situation.scheme.ggml is None or not situation.repacks:
        return frozenset()
    return _tensors_of(situation.shape, situation.scheme.ggml, repacked_types(situation.instruction_sets))


@lru_cache(maxsize=1024)
def _tensors_of(shape: Shape, file_type: str, types: frozenset[str]) -> frozenset[GgufTensor]:
    """The tensors of these types that are multiplied with."""
    return frozenset(t for t in gguf_file(shape, file_type) if t.type in types and not is_looked_up(t))


def repacked_types(instruction_sets: tuple[str, ...]) -> frozenset[str]:
    """Types the CPU repacks; a CPU whose instruction sets are not known is taken to have AVX2."""
    by_set: Mapping[str, list[str]] = engine_constants("llama.cpp")["repacked_types"]
    known = instruction_sets or ("avx2",)
    return frozenset(name for instruction_set in known for name in by_set.get(instruction_set, ()))
