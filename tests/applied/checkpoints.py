"""Tiny checkpoints as the tools write them: right headers, no meaning in the bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

BITS = {"BF16": 16, "F16": 16, "F32": 32, "I8": 8, "U8": 8, "I32": 32, "I64": 64, "F8_E4M3": 8}
Tensors = Mapping[str, tuple[str, tuple[int, ...]]]
HIDDEN, WIDE = 256, 512
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "intermediate_size": WIDE,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "num_hidden_layers": 1,
    "vocab_size": 64,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
}
LINEAR = {
    "self_attn.q_proj": (256, HIDDEN),
    "self_attn.k_proj": (128, HIDDEN),
    "self_attn.v_proj": (128, HIDDEN),
    "self_attn.o_proj": (HIDDEN, 256),
    "mlp.gate_proj": (WIDE, HIDDEN),
    "mlp.up_proj": (WIDE, HIDDEN),
    "mlp.down_proj": (HIDDEN, WIDE),
}
KEPT: Tensors = {
    "model.embed_tokens.weight": ("BF16", (64, HIDDEN)),
    "model.norm.weight": ("BF16", (HIDDEN,)),
    "model.layers.0.input_layernorm.weight": ("BF16", (HIDDEN,)),
    "model.layers.0.post_attention_layernorm.weight": ("BF16", (HIDDEN,)),
}


def original() -> dict[str, tuple[str, tuple[int, ...]]]:
    return {**KEPT, **{f"model.layers.0.{name}.weight": ("BF16", size) for name, size in LINEAR.items()}}


def awq_packed(group: int = 128, zeros: bool = True) -> dict[str, tuple[str, tuple[int, ...]]]:
    """compressed-tensors pack-quantized, four bits, as llm-compressor 0.14 writes it."""
    found = dict(KEPT)
    for name, (rows, columns) in LINEAR.items():
        layer = f"model.layers.0.{name}"
        found[f"{layer}.weight_packed"] = ("I32", (rows, columns // 8))
        found[f"{layer}.weight_scale"] = ("BF16", (rows, columns // group))
        found[f"{layer}.weight_shape"] = ("I64", (2,))
        if zeros:
            found[f"{layer}.weight_zero_point"] = ("I32", (rows // 8, columns // group))
    return found


def gptq() -> dict[str, tuple[str, tuple[int, ...]]]:
    """The GPTQ layout, as GPTQModel 7.6 writes it."""
    found = dict(KEPT)
    for name, (rows, columns) in LINEAR.items():
        layer = f"model.layers.0.{name}"
        found[f"{layer}.qweight"] = ("I32", (columns // 8, rows))
        found[f"{layer}.qzeros"] = ("I32", (columns // 128, rows // 8))
        found[f"{layer}.scales"] = ("F16", (columns // 128, rows))
        found[f"{layer}.g_idx"] = ("I32", (columns,))
    return found


def nf4() -> dict[str, tuple[str, tuple[int, ...]]]:
    """bitsandbytes NF4 with double quantization, as transformers 5.17 saves it."""
    found = dict(KEPT)
    for name, (rows, columns) in LINEAR.items():
        weight, count = f"model.layers.0.{name}.weight", rows * columns
        found[weight] = ("U8", (count // 2, 1))
        found[f"{weight}.absmax"] = ("U8", (count // 64,))
        found[f"{weight}.nested_absmax"] = ("F32", (count // 64 // 256,))
        found[f"{weight}.nested_quant_map"] = ("F32", (256,))
        found[f"{weight}.quant_map"] = ("F32", (16,))
        found[f"{weight}.quant_state.bitsandbytes__nf4"] = ("U8", (170,))
    return found


def fp8(block: bool = False) -> dict[str, tuple[str, tuple[int, ...]]]:
    found = dict(KEPT)
    for name, (rows, columns) in LINEAR.items():
        layer = f"model.layers.0.{name}"
        found[f"{layer}.weight"] = ("F8_E4M3", (rows, columns))
        found[f"{layer}.weight_scale"] = ("BF16", (rows // 128, columns // 128) if block else (rows, 1))
    return found


def write(directory: Path, tensors: Tensors, quantization: Mapping[str, Any] | None = None) -> Path:
    """A model directory with one safetensors file."""
    directory.mkdir(parents=True, exist_ok=True)
    header: dict[str, Any] = {}
    end = 0
    for name, (dtype, shape) in tensors.items():
        size = prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    encoded = json.dumps(header).encode()
    (directory / "model.safetensors").write_bytes(struct.pack("<Q", len(encoded)) + encoded + b"\0" * end)
    config = {**CONFIG, **({"quantization_config": quantization} if quantization else {})}
    (directory / "config.json").write_text(json.dumps(config))
    return directory
