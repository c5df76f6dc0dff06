"""A GGUF file by its header: its metadata translated to Hugging Face names, its tensors with their exact bytes."""

from __future__ import annotations

import re
from pathlib import Path

from planner.errors import BadInput, nearest
from planner.layouts import gguf_level
from planner.models.counting import count_mismatch
from planner.models.families import shape_from_config
from planner.models.ggml_types import file_type_name, scheme_of_file_type
from planner.models.gguf_header import Header, Value, read_header
from planner.models.model import Checkpoint, Model, StoredTensor

SHARD = re.compile(r"(.*)-\d{5}-of-(\d{5})\.gguf", re.IGNORECASE)

# llama.cpp's architecture -> the family whose function describes it.
FAMILIES_BY_ARCHITECTURE = {
    "llama": "llama",
    "qwen2": "qwen2",
    "qwen2moe": "qwen2_moe",
    "qwen3": "qwen3",
    "qwen3moe": "qwen3_moe",
    "gemma": "gemma",
    "gemma2": "gemma2",
    "gemma3": "gemma3_text",
    "phi2": "phi",
    "phi3": "phi3",
    "deepseek2": "deepseek_v3",
    "gpt-oss": "gpt_oss",
    "gptneox": "gpt_neox",
    "starcoder2": "starcoder2",
    "stablelm": "stablelm",
    "command-r": "cohere",
    "olmo2": "olmo2",
    "granite": "granite",
    "glm4": "glm4",
}

# Metadata key after the architecture -> config.json key.
KEYS = {
    "block_count": "num_hidden_layers",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "context_length": "max_position_embeddings",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "expert_shared_count": "n_shared_experts",
    "leading_dense_block_count": "first_k_dense_replace",
    "attention.q_lora_rank": "q_lora_rank",
    "attention.kv_lora_rank": "kv_lora_rank",
}


def model_from_gguf(path: Path) -> Model:
    """The model in a GGUF file (all shards of a split one).

    Raises BadInput for a broken header, a missing shard, or an architecture no family function describes.
    """
    files = _shards(path)
    headers = [read_header(file) for file in files]
    metadata, tensors = headers[0].metadata, tuple(tensor for header in headers for tensor in header.tensors)
    stored, variant, notes = _stored_format(metadata)
    name = metadata.get("general.name")
    shape = shape_from_config(config_of(headers[0], tensors, str(path)), str(path))
    return Model(
        name=name if isinstance(name, str) and name.strip() else path.stem,
        shape=shape,
        origin="gguf",
        source=str(path),
        weights_at=str(path.absolute()),
        checkpoint=Checkpoint(str(path), stored, sum(header.file_bytes for header in headers), tensors),
        is_chat="tokenizer.chat_template" in metadata,
        stored_format=stored,
        stored_variant=variant,
        assumptions=(*notes, *count_mismatch(shape, tensors)),
    )


def _shards(path: Path) -> list[Path]:
    match = SHARD.fullmatch(path.name)
    if not match:
        return [path]
    count = int(match[2])
    files = [path.with_name(f"{match[1]}-{shard:05d}-of-{match[2]}.gguf") for shard in range(1, min(count, 10_000) + 1)]
    for file in files:
        if not file.is_file():
            raise BadInput(f"shard {file.name} is missing", where=str(path), fix="download the missing shard beside it")
    return files


def config_of(header: Header, tensors: tuple[StoredTensor, ...], where: str) -> dict[str, object]:
    """The header's facts under config.json's names."""
    metadata, by_name = header.metadata, {tensor.name: tensor for tensor in tensors}
    architecture = metadata.get("general.architecture")
    if architecture not in FAMILIES_BY_ARCHITECTURE:
        raise BadInput(
            f"GGUF architecture {architecture} is not known to quantplan",
            where=where,
            nearest=nearest(str(architecture), FAMILIES_BY_ARCHITECTURE),
            fix="add a line for it to planner/models/gguf.py, or plan with a bare size such as 70B",
        )
    given = {key: metadata.get(f"{architecture}.{suffix}") for suffix, key in KEYS.items()}
    config: dict[str, object] = {key: value for key, value in given.items() if value is not None}
    family = FAMILIES_BY_ARCHITECTURE[str(architecture)]
    config["model_type"] = "mixtral" if family == "llama" and config.get("num_local_experts") else family
    config["vocab_size"] = _vocabulary(by_name, where)
    config["tie_word_embeddings"] = "output.weight" not in by_name
    biased = bool({"blk.0.attn_q.bias", "blk.0.attn_qkv.bias"} & by_name.keys())
    config["attention_bias"] = config["use_qkv_bias"] = biased
    if "kv_lora_rank" in config:
        config.update(_latent_head(metadata, str(architecture)))
    return config


def _latent_head(metadata: dict[str, Value], architecture: str) -> dict[str, object]:
    """Head sizes of latent attention: newer files say `*_length_mla`, older ones use the plain keys."""

    def length(what: str) -> Value:
        plain = f"{architecture}.attention.{what}_length"
        return metadata.get(f"{plain}_mla", metadata.get(plain))

    key, rope = length("key"), metadata.get(f"{architecture}.rope.dimension_count")
    nope = key - rope if isinstance(key, int) and isinstance(rope, int) else None
    return {"qk_nope_head_dim": nope, "qk_rope_head_dim": rope, "v_head_dim": length("value"), "head_dim": key}


def _vocabulary(by_name: dict[str, StoredTensor], where: str) -> int:
    embedding = by_name.get("token_embd.weight")
    if embedding is None or len(embedding.shape) != 2:
        raise BadInput("has no token embedding: not a language model", where=where, fix="name the model's own file")
    return embedding.shape[0]


def _stored_format(metadata: dict[str, Value]) -> tuple[str, str, tuple[str, ...]]:
    """The scheme id of the file, its variant where it is one, and what must be said when quantplan has none for it."""
    file_type = metadata.get("general.file_type")
    name = file_type_name(file_type) if isinstance(file_type, int) else None
    if name is None:
        return "unknown", "", ("the GGUF file does not name its file type: its bytes are taken from the header",)
    if level := gguf_level(name):
        return *level, ()
    scheme = scheme_of_file_type(name)
    if scheme == "unknown":
        return scheme, "", (f"GGUF file type {name} is not a scheme of quantplan: its bytes are taken from the header",)
    return scheme, "", ()
