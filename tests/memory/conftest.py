"""Shapes of published models, from the values of their config.json."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planner.models.families import shape_from_config
from planner.models.shape import Shape

CONFIGS: dict[str, dict[str, object]] = {
    # The 5.2 M-parameter Llama whose checkpoints were written by the quantizers themselves.
    "tiny": {
        "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 768, "vocab_size": 8192, "tie_word_embeddings": True,
        "max_position_embeddings": 2048,
    },
    "llama-2-7b": {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 32, "intermediate_size": 11008, "vocab_size": 32000, "max_position_embeddings": 4096,
    },
    "llama-2-13b": {
        "model_type": "llama", "hidden_size": 5120, "num_hidden_layers": 40, "num_attention_heads": 40,
        "num_key_value_heads": 40, "intermediate_size": 13824, "vocab_size": 32000, "max_position_embeddings": 4096,
    },
    "codellama-34b": {
        "model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 48, "num_attention_heads": 64,
        "num_key_value_heads": 8, "intermediate_size": 22016, "vocab_size": 32000, "max_position_embeddings": 16384,
    },
    "llama-3-8b": {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 8192,
    },
    "llama-3.1-8b": {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256, "max_position_embeddings": 131072,
    },
    "llama-3.1-70b": {
        "model_type": "llama", "hidden_size": 8192, "num_hidden_layers": 80, "num_attention_heads": 64,
        "num_key_value_heads": 8, "intermediate_size": 28672, "vocab_size": 128256, "max_position_embeddings": 131072,
    },
    "llama-3.1-405b": {
        "model_type": "llama", "hidden_size": 16384, "num_hidden_layers": 126, "num_attention_heads": 128,
        "num_key_value_heads": 8, "intermediate_size": 53248, "vocab_size": 128256, "max_position_embeddings": 131072,
    },
    "qwen2-7b": {
        "model_type": "qwen2", "hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28,
        "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064, "max_position_embeddings": 32768,
    },
    "qwen2.5-math-1.5b": {
        "model_type": "qwen2", "hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12,
        "num_key_value_heads": 2, "intermediate_size": 8960, "vocab_size": 151936, "tie_word_embeddings": True,
        "max_position_embeddings": 4096,
    },
    "qwen2.5-32b": {
        "model_type": "qwen2", "hidden_size": 5120, "num_hidden_layers": 64, "num_attention_heads": 40,
        "num_key_value_heads": 8, "intermediate_size": 27648, "vocab_size": 152064, "max_position_embeddings": 32768,
    },
    "qwen3-32b": {
        "model_type": "qwen3", "hidden_size": 5120, "num_hidden_layers": 64, "num_attention_heads": 64,
        "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 25600, "vocab_size": 151936,
        "max_position_embeddings": 40960,
    },
    "mixtral-8x7b": {
        "model_type": "mixtral", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 32000, "num_local_experts": 8,
        "num_experts_per_tok": 2, "max_position_embeddings": 32768,
    },
    # Random weights, run in llama-server of llama-cpp-python 0.3.36 to read its buffers.
    "random-45m": {
        "model_type": "llama", "hidden_size": 768, "num_hidden_layers": 10, "num_attention_heads": 12,
        "num_key_value_heads": 4, "intermediate_size": 2048, "vocab_size": 8192, "max_position_embeddings": 4096,
    },
    "random-160m": {
        "model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 14, "num_attention_heads": 16,
        "num_key_value_heads": 8, "intermediate_size": 3584, "vocab_size": 16384, "max_position_embeddings": 4096,
    },
    "random-500m": {
        "model_type": "llama", "hidden_size": 1536, "num_hidden_layers": 18, "num_attention_heads": 12,
        "num_key_value_heads": 4, "intermediate_size": 5120, "vocab_size": 32000, "max_position_embeddings": 4096,
    },
    "random-8-experts": {
        "model_type": "mixtral", "hidden_size": 256, "num_hidden_layers": 10, "num_attention_heads": 8,
        "num_key_value_heads": 2, "intermediate_size": 512, "vocab_size": 1024, "num_local_experts": 8,
        "num_experts_per_tok": 2, "max_position_embeddings": 4096,
    },
    "random-4-experts": {
        "model_type": "mixtral", "hidden_size": 512, "num_hidden_layers": 9, "num_attention_heads": 8,
        "num_key_value_heads": 8, "intermediate_size": 256, "vocab_size": 1024, "num_local_experts": 4,
        "num_experts_per_tok": 2, "max_position_embeddings": 4096,
    },
    "random-odd-rows": {
        "model_type": "llama", "hidden_size": 288, "num_hidden_layers": 17, "num_attention_heads": 9,
        "num_key_value_heads": 3, "intermediate_size": 768, "vocab_size": 1024, "tie_word_embeddings": True,
        "max_position_embeddings": 4096,
    },
    "random-80-layers": {
        "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 80, "num_attention_heads": 8,
        "num_key_value_heads": 2, "intermediate_size": 256, "vocab_size": 1024, "max_position_embeddings": 4096,
    },
    "random-33-layers": {
        "model_type": "llama", "hidden_size": 256, "num_hidden_layers": 33, "num_attention_heads": 4,
        "num_key_value_heads": 4, "intermediate_size": 768, "vocab_size": 1024, "max_position_embeddings": 4096,
    },
    "two-layers-of-8b": {
        "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 2, "num_attention_heads": 32,
        "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 4096, "max_position_embeddings": 4096,
    },
}  # fmt: skip

ShapeOf = Callable[[str], Shape]


@pytest.fixture
def shape_of() -> ShapeOf:
    """The shape of a model of this file by its name."""
    return lambda name: shape_from_config(CONFIGS[name])
