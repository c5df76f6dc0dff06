"""llama.cpp's compute buffers: the scratch memory of one micro-batch, reserved at start on every device.

Read from src/llama-context.cpp (`sched_reserve`) and ggml/src/ggml-backend.cpp. Checked against llama-server on a CPU
(benchmarks/real/llama_cpp.csv) and on devices that take layers (benchmarks/real/llama_split.csv).
"""

from __future__ import annotations

from planner.memory.constants import engine_constants, version_constants
from planner.memory.gguf_mix import GgufTensor, gguf_file
from planner.memory.kv_cache import padded
from planner.memory.llama_split import HOST, LayerSplit, cache_on, layer_of, placed
from planner.memory.situation import Situation, gib_term
from planner.models.shape import Shape
from planner.plan import Term

FLOAT_BYTES = 4
MASK_BYTES = 2
POSITION_BYTES = 8


def micro_batch_tokens(situation: Situation) -> int:
    """Tokens computed at once (`--ubatch-size`)."""
    stated: int = situation.batched_tokens or engine_constants("llama.cpp")["micro_batch_tokens"]
    return stated


def compute_term(situation: Situation) -> Term:
    """The scratch buffer of one micro-batch at the widest point of a layer (or the head, where that is reserved)."""
    tokens = reserved_tokens(situation)
    return gib_term("compute buffer", whole_bytes(situation), f"micro-batch of {tokens} tokens")


def reserved_tokens(situation: Situation) -> int:
    return min(micro_batch_tokens(situation), situation.context_tokens * situation.concurrency)


def whole_bytes(situation: Situation) -> float:
    """The buffer of a device that computes every layer."""
    tokens = reserved_tokens(situation)
    layer = layer_bytes(situation, tokens, cells_of(situation))
    return max(layer, head_bytes(situation)) if reserves_logits(situation) else layer


def reserves_logits(situation: Situation) -> bool:
    constants = version_constants("llama.cpp", situation.engine_version)
    return bool(constants["reserves_logits"]) and not situation.shape.is_encoder


def head_bytes(situation: Situation) -> float:
    """The logits of a whole micro-batch beside its hidden states."""
    return reserved_tokens(situation) * (situation.shape.vocab_size + situation.shape.hidden_size) * FLOAT_BYTES


def cells_of(situation: Situation) -> int:
    return padded(situation.context_tokens, engine_constants("llama.cpp")["context_padding_tokens"])


def compute_bytes(device: int, situation: Situation, split: LayerSplit) -> float:
    """The buffer of one device of a split model."""
    if is_pipelined(situation.shape, split):
        return pipelined_bytes(device, situation, split)
    if device == HOST:
        return host_bytes(situation)
    whole = whole_bytes(situation)
    return max(whole, borrowing_bytes(situation, split)) if device == 0 else whole


def is_pipelined(shape: Shape, split: LayerSplit) -> bool:
    """Several GPUs that hold every layer work on several micro-batches at once."""
    holds_all = split.gpu_layers > shape.layer_count and not split.cpu_expert_layers
    return split.gpu_count > 1 and holds_all and not split.kv_on_host


def pipelined_bytes(device: int, situation: Situation, split: LayerSplit) -> float:
    """As many copies of a micro-batch's inputs as may be under way; the logits lie with the output layer."""
    copies = int(engine_constants("llama.cpp")["pipeline_copies"])
    casts = bool(version_constants("llama.cpp", situation.engine_version)["casts_mask"]) and situation.flash_attention
    hidden, mask = hidden_bytes(situation), mask_bytes(situation)
    given = mask * FLOAT_BYTES / MASK_BYTES if casts else mask
    if device == HOST:
        return copies * given + (1 if casts else copies + 1) * hidden
    layer = layer_bytes(situation, reserved_tokens(situation), cells_of(situation)) - mask
    has_head = split.devices(situation.shape.layer_count)[-1] == device and reserves_logits(situation)
    inputs = copies * (given + hidden) + mask if casts and device == 0 else copies * (mask + hidden)
    return (max(layer, head_bytes(situation)) if has_head else layer) + inputs


def hidden_bytes(situation: Situation) -> float:
    """The hidden states of one micro-batch."""
    return reserved_tokens(situation) * situation.shape.hidden_size * FLOAT_BYTES


def mask_bytes(situation: Situation) -> float:
    """The attention mask: 16 bits under flash attention, else FP32."""
    width = MASK_BYTES if situation.flash_attention else FLOAT_BYTES
    return reserved_tokens(situation) * cells_of(situation) * width


def host_bytes(situation: Situation) -> float:
    """What the host keeps of a micro-batch that GPUs compute: mask, embedded tokens, keys and values to be stored."""
    tokens = reserved_tokens(situation)
    kept = max(
        (group.kv_heads * (group.head_dim + group.value_head_dim) for group in situation.shape.attention), default=0
    )
    states = max(2 * hidden_bytes(situation), hidden_bytes(situation) + tokens * kept * FLOAT_BYTES)
    places = 0 if situation.flash_attention else tokens * kept / 2 * POSITION_BYTES
    return mask_bytes(situation) + states + places


def borrowing_bytes(situation: Situation, split: LayerSplit) -> float:
    """The first GPU also computes the host's layers for a large batch: it borrows their weights, and their cache.

    From 32 tokens on (`GGML_OP_OFFLOAD_MIN_BATCH`), one matrix at a time. An upper estimate, at most 12 % above what
    was measured: the allocator finds gaps.
    """
    tensors = gguf_file(situation.shape, situation.scheme.ggml or "BF16")
    left = [tensor for tensor, device in placed(tensors, situation.shape, split) if device == HOST]
    hidden, mask = hidden_bytes(situation), mask_bytes(situation)
    layer = layer_bytes(situation, reserved_tokens(situation), cells_of(situation))
    attending = mask + borrowed_cache_bytes(situation, split) + 4.5 * hidden
    head = head_bytes(situation) + _borrowed_head(left) if reserves_logits(situation) else 0.0
    return max(layer + _borrowed_matrices(left), attending, head)


def borrowed_cache_bytes(situation: Situation, split: LayerSplit) -> float:
    """One layer's cache of all sequences, where a layer's cache lies on the host."""
    kv = cache_on(HOST, situation.kv, situation.shape, split)
    tokens = cells_of(situation) * situation.concurrency
    return max((part.layer_bytes_per_token * tokens for part in kv.layers if part.count), default=0.0)


def _borrowed_matrices(left: list[GgufTensor]) -> float:
    """The largest matrix of the host's layers; one of another size finds no room in its place and comes beside it."""
    sizes = {tensor.bytes for tensor in left if layer_of(tensor) >= 0 and ".ffn_" in tensor.name}
    return float(sum(sorted(sizes)[-2:])) if len(sizes) > 1 else float(max(sizes, default=0))


def _borrowed_head(left: list[GgufTensor]) -> float:
    """The output layer's weights, which a tied model reads from its embeddings."""
    heads = [tensor.bytes for tensor in left if tensor.name.startswith("output.")]
    tied = [tensor.bytes for tensor in left if tensor.name.startswith("token_embd")]
    return float(max(heads, default=max(tied, default=0)))


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
