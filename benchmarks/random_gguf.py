"""Write the random-weight models that benchmarks/measure_llama_cpp.py runs: speed does not depend on what weights say.

usage: python benchmarks/random_gguf.py --out DIR [--model NAME ...]        (needs the PyPI package gguf)

Shapes are those of benchmarks/measured/random_models.json; each becomes DIR/NAME/bf16.gguf.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = Path(__file__).parent / "measured" / "random_models.json"
BYTE_TOKENS, SPECIAL = 256, ("<unk>", "<s>", "</s>")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", nargs="*")
    given = parser.parse_args()
    for name, config in json.loads(SHAPES.read_text()).items():
        if not given.model or name in given.model:
            path = given.out / name / "bf16.gguf"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_model(path, config)
            print(path, path.stat().st_size)


def write_model(path: Path, config: dict[str, Any]) -> None:
    """A Llama of that shape in BF16, with a vocabulary of bytes and numbered words."""
    import gguf

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    add_vocabulary(writer, config["vocab_size"])
    dice = np.random.default_rng(7)
    for name, shape in tensors(config):
        if len(shape) == 1:
            writer.add_tensor(name, np.ones(shape, np.float32))
        else:
            weights = dice.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
            halves = (weights.view(np.uint32) >> 16).astype(np.uint16)
            writer.add_tensor(name, halves.view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_vocabulary(writer: Any, size: int) -> None:
    words = size - BYTE_TOKENS - len(SPECIAL)
    tokens = [*SPECIAL, *(f"<0x{i:02X}>" for i in range(BYTE_TOKENS)), *(f"\u2581w{i}" for i in range(words))]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token.encode() for token in tokens])
    writer.add_token_scores([0.0] * len(SPECIAL) + [-1.0] * (BYTE_TOKENS + words))
    writer.add_token_types([2, 3, 3] + [6] * BYTE_TOKENS + [1] * words)
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)


def tensors(config: dict[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes, outputs first; a vector is a norm."""
    hidden, inner, vocabulary = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    queries = config["num_attention_heads"] * config["head_dim"]
    keys = config["num_key_value_heads"] * config["head_dim"]
    layer = {
        "attn_norm": (hidden,), "attn_q": (queries, hidden), "attn_k": (keys, hidden), "attn_v": (keys, hidden),
        "attn_output": (hidden, queries), "ffn_norm": (hidden,), "ffn_gate": (inner, hidden), "ffn_up": (inner, hidden),
        "ffn_down": (hidden, inner),
    }  # fmt: skip
    ends = [("token_embd", (vocabulary, hidden)), ("output", (vocabulary, hidden)), ("output_norm", (hidden,))]
    blocks = [(f"blk.{i}.{name}", shape) for i in range(config["num_hidden_layers"]) for name, shape in layer.items()]
    return [(f"{name}.weight", shape) for name, shape in ends + blocks]


if __name__ == "__main__":
    main()
