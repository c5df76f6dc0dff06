"""How llama.cpp accounts: weights as in the file, repacked copies, the whole KV cache at start, and a compute buffer.

Read from src/llama-context.cpp, src/llama-kv-cache.cpp and ggml/src/ggml-cpu/repack.cpp, and checked against the
buffers that llama-server prints.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from planner.memory.constants import engine_constants, version_constants
from planner.memory.gguf_mix import GgufTensor, gguf_file
from planner.memory.gguf_tensors import GgmlSource
from planner.memory.kv_cache import padded
from planner.memory.situation import Account, PlainLayout, Situation, gib_term, weight_terms
from planner.memory.weights import WeightBytes
from planner.models.shape import Shape
from planner.plan import Term
from planner.support import engines
from planner.units import GIB

FLOAT_BYTES = 4
MASK_BYTES = 2


def account(situation: Situation) -> Account:
    """llama.cpp's own sum on a CPU host or a GPU, without the KV cache."""
    constants = engine_constants("llama.cpp")
    micro_batch = situation.batched_tokens or constants["micro_batch_tokens"]
    copied = repacked_tensors(situation)
    terms = weight_terms(device_weights(situation, copied), situation.scheme)
    if copied:
        terms.append(
            gib_term("repacked copy", sum(t.bytes for t in copied), "weights in the order this CPU's kernels read")
        )
    terms.append(compute_term(situation, micro_batch))
    if situation.on_gpu:
        terms.append(gib_term("non-torch", constants["gpu_context_gib"] * GIB, "GPU context"))
    share = 1 - engines()["llama.cpp"].usable_memory
    terms.append(gib_term("reserve", situation.physical_gib * share * GIB, "left to the operating system"))
    return Account(
        available_gib=situation.physical_gib,
        terms=tuple(terms),
        layout=PlainLayout(situation.kv, constants["context_padding_tokens"], micro_batch),
    )


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
        left_out = sum(tensor.bytes for tensor in tensors if is_looked_up(tensor))
    return whole.times(1 - left_out / situation.tensor_parallel / whole.total)


def copies_head(shape: Shape) -> bool:
    """True where a GPU holds the embedding of the host once more, as the head tied to it."""
    return shape.tied_embeddings and not shape.is_encoder


def repacked_end(tensors: Sequence[GgufTensor], copied: frozenset[GgufTensor]) -> Iterator[GgufTensor]:
    """The tensors before the first that is not repacked."""
    return takewhile(lambda tensor: tensor in copied, tensors)


def repacked_tensors(situation: Situation) -> frozenset[GgufTensor]:
    """Tensors of which this CPU's kernels need a second copy, in another order (CPU_REPACK)."""
    if situation.on_gpu or situation.scheme.ggml is None:
        return frozenset()
    types = repacked_types(situation.instruction_sets)
    tensors = gguf_file(situation.shape, situation.scheme.ggml)
    return frozenset(t for t in tensors if t.type in types and not is_looked_up(t))


def is_looked_up(tensor: GgufTensor | GgmlSource) -> bool:
    """Embeddings of tokens and positions are read row by row, on the host, and never multiplied."""
    return tensor.name.startswith("token_embd") or ".embed_" in tensor.name


def repacked_types(instruction_sets: tuple[str, ...]) -> frozenset[str]:
    """Types the CPU repacks; a CPU whose instruction sets are not known is taken to have AVX2."""
    by_set: Mapping[str, list[str]] = engine_constants("llama.cpp")["repacked_types"]
    known = instruction_sets or ("avx2",)
    return frozenset(name for instruction_set in known for name in by_set.get(instruction_set, ()))


def compute_term(situation: Situation, micro_batch: int) -> Term:
    """The scratch buffer of one micro-batch at the widest point of a layer (or the head, where that is reserved)."""
    constants = version_constants("llama.cpp", situation.engine_version)
    context = situation.context_tokens * situation.concurrency
    tokens = min(micro_batch, context)
    cells = padded(situation.context_tokens, engine_constants("llama.cpp")["context_padding_tokens"])
    layer = layer_bytes(situation, tokens, cells)
    head = tokens * (situation.shape.vocab_size + situation.shape.hidden_size) * FLOAT_BYTES
    is_reserved = constants["reserves_logits"] and not situation.shape.is_encoder
    largest = max(layer, head) if is_reserved else layer
    return gib_term("compute buffer", largest, f"micro-batch of {tokens} tokens")


def layer_bytes(situation: Situation, tokens: int, cells: int) -> float:
    """A layer's activations beside the attention mask; without flash attention also every score."""
    shape = situation.shape
    if situation.flash_attention:
        copies = hidden_copies(situation)
        return tokens * ((3 * widest(shape) + copies * shape.hidden_size) * FLOAT_BYTES + cells * MASK_BYTES)
    heads = max((layers.query_heads for layers in shape.attention), default=0)
    if situation.on_gpu:
        return tokens * (heads * cells + cells + 4 * shape.hidden_size) * FLOAT_BYTES
    kv = max((layers.kv_heads * layers.head_dim for layers in shape.attention), default=0)
    return tokens * (heads * cells + cells + 5 * shape.hidden_size + 2 * kv) * FLOAT_BYTES


def hidden_copies(situation: Situation) -> int:
    """Hidden states alive beside the MLP; one finds room in a gap where the MLP is narrow or the cache quantized.

    On a GPU the embedded tokens come from the host, which saves one.
    """
    if situation.on_gpu:
        return 3
    is_narrow = widest(situation.shape) <= 2 * situation.shape.hidden_size
    return 3 if is_narrow or situation.kv_format != "16-bit" else 4


def widest(shape: Shape) -> int:
    """Width of the widest MLP a token passes: dense, or all its chosen experts together."""
    dense = max((m.columns for m in shape.matrices if m.role == "down_proj"), default=0)
    experts = max((e.experts_per_token * e.intermediate_size for e in shape.experts), default=0)
    return max(dense, experts)
