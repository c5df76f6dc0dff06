"""Writes small model files by hand, byte by byte, the way their formats describe them."""

from __future__ import annotations

import json
import struct
from pathlib import Path

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,
    "vocab_size": 256,
    "max_position_embeddings": 512,
    "tie_word_embeddings": False,
}

# The tensors of that model, as transformers names them.
LLAMA_TENSORS = {
    "model.embed_tokens.weight": (256, 64),
    **{
        f"model.layers.{layer}.{name}.weight": shape
        for layer in range(2)
        for name, shape in {
            "self_attn.q_proj": (64, 64),
            "self_attn.k_proj": (32, 64),
            "self_attn.v_proj": (32, 64),
            "self_attn.o_proj": (64, 64),
            "mlp.gate_proj": (128, 64),
            "mlp.up_proj": (128, 64),
            "mlp.down_proj": (64, 128),
            "input_layernorm": (64,),
            "post_attention_layernorm": (64,),
        }.items()
    },
    "model.norm.weight": (64,),
    "lm_head.weight": (256, 64),
}
LLAMA_PARAMETERS = 2 * 256 * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64 + 2 * 64) + 64


def elements(shape: tuple[int, ...]) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


def safetensors_bytes(header: object, data: bytes) -> bytes:
    """A safetensors file: header length, header, data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def write_safetensors(path: Path, tensors: dict[str, tuple[int, ...]], dtype: str = "BF16", width: int = 2) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in tensors.items():
        begin, end = end, end + elements(shape) * width
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end]}
    path.write_bytes(safetensors_bytes(header, bytes(end)))


def write_directory(path: Path, config: dict[str, object] | None = None) -> Path:
    """A Hugging Face directory with the tiny Llama above, its config changed as asked (None removes a key)."""
    path.mkdir(exist_ok=True)
    changed = {key: value for key, value in {**LLAMA, **(config or {})}.items() if value is not None}
    (path / "config.json").write_text(json.dumps(changed), encoding="utf-8")
    write_safetensors(path / "model.safetensors", LLAMA_TENSORS)
    return path


def gguf_string(text: str) -> bytes:
    return struct.pack("<Q", len(text.encode())) + text.encode()


def gguf_value(value: object) -> bytes:
    """A metadata value with its type: text, whole number, number, list of texts or of whole numbers."""
    if isinstance(value, str):
        return struct.pack("<I", 8) + gguf_string(value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    assert isinstance(value, list)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(gguf_string, value))
    return struct.pack("<IIQ", 9, 4, len(value)) + struct.pack(f"<{len(value)}I", *value)


def gguf_bytes(metadata: dict[str, object], tensors: list[tuple[str, tuple[int, ...], int, int]]) -> bytes:
    """A GGUF file of version 3; tensors as (name, sizes fastest first, type id, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(gguf_string(key) + gguf_value(value) for key, value in metadata.items())
    offset = 0
    for name, sizes, type_id, length in tensors:
        head += gguf_string(name) + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
        head += struct.pack("<IQ", type_id, offset)
        offset += -(-length // 32) * 32
    return head + bytes(-len(head) % 32) + bytes(offset)


GGUF_METADATA: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.file_type": 15,
    "llama.block_count": 1,
    "llama.embedding_length": 256,
    "llama.feed_forward_length": 512,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.context_length": 1024,
    "tokenizer.ggml.tokens": ["a", "b", "c"],
}
F32, Q4_K, Q6_K = 0, 12, 14
GGUF_TENSORS = [
    ("token_embd.weight", (256, 512), Q6_K, 256 * 512 // 256 * 210),
    ("blk.0.attn_norm.weight", (256,), F32, 1024),
    ("blk.0.attn_q.weight", (256, 256), Q4_K, 256 * 144),
    ("blk.0.attn_k.weight", (256, 128), Q4_K, 128 * 144),
    ("blk.0.attn_v.weight", (256, 128), Q6_K, 128 * 210),
    ("blk.0.attn_output.weight", (256, 256), Q4_K, 256 * 144),
    ("blk.0.ffn_norm.weight", (256,), F32, 1024),
    ("blk.0.ffn_gate.weight", (256, 512), Q4_K, 512 * 144),
    ("blk.0.ffn_up.weight", (256, 512), Q4_K, 512 * 144),
    ("blk.0.ffn_down.weight", (512, 256), Q6_K, 512 * 210),
    ("output_norm.weight", (256,), F32, 1024),
]


def write_gguf(path: Path, metadata: dict[str, object] | None = None) -> Path:
    path.write_bytes(gguf_bytes({**GGUF_METADATA, **(metadata or {})}, GGUF_TENSORS))
    return path
