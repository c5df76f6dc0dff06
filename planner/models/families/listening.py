"""Models that listen: Whisper, and Phi-4-multimodal, which sees as well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from planner.models.config import Config
from planner.models.families.dense import llama
from planner.models.families.merging_towers import siglip_tower
from planner.models.families.multimodal import seeing
from planner.models.families.renamed import renamed
from planner.models.families.vision import as_vision, tower
from planner.models.layers import (
    Matrices,
    decoder,
    dense,
    gated_mlp,
    grouped_attention,
    linear,
    norm,
    plain_mlp,
    read_core,
    vector,
)
from planner.models.shape import Matrix, Shape

PHI4_VISION = {
    "hidden_size": 1152, "intermediate_size": 4304, "num_hidden_layers": 27, "image_size": 448, "patch_size": 14,
}  # fmt: skip
WHISPER_NAMES = {
    "hidden_size": "d_model",
    "num_hidden_layers": "decoder_layers",
    "intermediate_size": "decoder_ffn_dim",
    "num_attention_heads": "decoder_attention_heads",
    "max_position_embeddings": "max_target_positions",
}
PHI4_LORA_RANKS = {"vision_lora": 256, "speech_lora": 320}


def whisper(config: Config) -> Shape:
    """Whisper: an encoder of 30 seconds of sound, and a decoder that looks at it in every layer; keys have no bias."""
    core = replace(read_core(renamed(config, WHISPER_NAMES), tied=True), tied=True)
    attention = grouped_attention(core, 2 * core.layers, qkv_bias=True, o_bias=True)
    layers = [
        *dense("embedding", "embed_positions", core.max_context, core.hidden),
        *(m for m in attention if m.role != "k_proj_bias"),
        *plain_mlp(core.hidden, core.intermediate, core.layers, bias=True),
        *norm(core.hidden, 3 * core.layers + 1, bias=True),
    ]
    frames = config.integer("max_source_positions", default=1500)
    crossing = replace(core.full_attention(), kind="cross", window_tokens=frames)
    text = decoder(config, core, layers, attention=(core.full_attention(), crossing))
    return seeing(config, text, whisper_tower(config))


def whisper_tower(config: Config) -> Matrices:
    """Two convolutions over mel bands, fixed positions, layers whose keys have no bias."""
    hidden, layers = config.integer("d_model"), config.integer("encoder_layers")
    return as_vision(
        [
            *dense("vision", "mel_conv", hidden, 3 * config.integer("num_mel_bins", default=80)),
            *dense("vision", "conv", hidden, 3 * hidden),
            *vector("vision", "conv_biases", 2 * hidden, 1),
            *dense("vision", "positions", config.integer("max_source_positions", default=1500), hidden),
            *linear("attention", "qkv_proj", 3 * hidden, hidden, layers),
            *vector("attention", "qv_biases", 2 * hidden, layers),
            *linear("attention", "o_proj", hidden, hidden, layers, bias=True),
            *plain_mlp(hidden, config.integer("encoder_ffn_dim"), layers, bias=True),
            *norm(hidden, 2 * layers + 1, bias=True),
        ]
    )


def phi4_multimodal(config: Config) -> Shape:
    """Phi-4-multimodal: Phi-4-mini with SigLIP and a conformer; `phi4mm` also holds an adapter for each of the two."""
    text = llama(config)
    vision = config.section("vision_config").with_defaults(PHI4_VISION)
    matrices = [*phi4_vision(vision, text.hidden_size), *conformer(config.section("audio_config"), text.hidden_size)]
    shape = seeing(config, text, matrices)
    if config.text("model_type") != "phi4mm":
        return shape
    ranks = sum(config.section(name).integer("r", default=rank) for name, rank in PHI4_LORA_RANKS.items())
    adapted = fused(text.quantizable())
    halves = [Matrix("vision", f"{m.role}_adapters", ranks, m.rows + m.columns, m.copies) for m in adapted]
    return replace(shape, matrices=(*shape.matrices, *halves))


def fused(matrices: Iterable[Matrix]) -> list[Matrix]:
    """Query, key and value as the one matrix they are stored as, and gate with up."""
    parts = {"q_proj": "qkv", "k_proj": "qkv", "v_proj": "qkv", "gate_proj": "gate_up", "up_proj": "gate_up"}
    found: dict[str, Matrix] = {}
    for matrix in matrices:
        role = parts.get(matrix.role, matrix.role)
        rows = matrix.rows + (found[role].rows if role in found else 0)
        found[role] = replace(matrix, role=role, rows=rows)
    return list(found.values())


def phi4_vision(config: Config, text_hidden: int) -> Matrices:
    """SigLIP with its pooling head, two marks between tiles, and a projector of two layers."""
    hidden, width = config.integer("hidden_size"), config.integer("intermediate_size")
    encoder = [m for m in siglip_tower(config, text_hidden) if m.role != "vision_projector"][:-1]
    head = [*tower(hidden, width, 1, gated=False, bias=True, norm_bias=False), *vector("vision", "probe", hidden, 1)]
    projector = [
        *linear("other", "projector_1", text_hidden, hidden, 1, bias=True),
        *linear("other", "projector_2", text_hidden, text_hidden, 1, bias=True),
    ]
    return [*encoder, *as_vision([*head, *projector, *vector("vision", "marks", 2 * hidden, 1)])]


def conformer(config: Config, text_hidden: int) -> Matrices:
    """The speech encoder: strided convolutions, then blocks of two halved MLPs around attention and a convolution."""
    hidden = config.integer("hidden_size", default=1024)
    width, blocks = config.integer("intermediate_size", default=1536), config.integer("num_blocks", default=24)
    kernel, channels = config.integer("kernel_size", default=3), config.integer("nemo_conv_channels", default=1024)
    positions = 2 * config.integer("bias_max_distance", default=1000)
    bands = -(-config.integer("input_size", default=80) // config.integer("time_reduction", default=8))
    block = [
        *gated_mlp(hidden, width, 2 * blocks, bias=True),
        *linear("other", "qkv_proj", 3 * hidden, hidden, blocks, bias=True),
        *linear("other", "o_proj", hidden, hidden, blocks, bias=True),
        *linear("other", "pointwise", 4 * hidden, hidden, blocks, bias=True),
        *dense("other", "depthwise", hidden, kernel, blocks),
        *vector("other", "conv_biases", 3 * hidden, blocks),
        *norm(hidden, 5 * blocks, bias=True),
    ]
    embedding = [
        *dense("other", "strided", 3 * channels, 9),
        *dense("other", "mixing", 2 * channels, channels),
        *vector("other", "strided_biases", 5 * channels, 1),
        *linear("other", "embed", hidden, channels * bands, 1, bias=True),
        *dense("other", "relative_bias", positions, config.integer("num_attention_heads", default=16)),
    ]
    projectors = [
        *linear("other", "projector_1", text_hidden, hidden, 2, bias=True),
        *linear("other", "projector_2", text_hidden, text_hidden, 2, bias=True),
    ]
    return as_vision([*block, *embedding, *projectors])
