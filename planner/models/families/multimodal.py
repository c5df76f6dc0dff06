"""Models that see: a decoder of another family with a vision tower, under one config with nested sections."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.models.config import Config
from planner.models.families import Family, family_named
from planner.models.families.delta import qwen3_5, qwen3_next
from planner.models.families.dense import qwen2, qwen3
from planner.models.families.gemma import gemma3, gemma4
from planner.models.families.latent import deepseek
from planner.models.families.merging_towers import (
    gemma4_tower,
    gemma4_unified_embedder,
    moonvit_tower,
    qwen2_5_vl_tower,
    qwen2_vl_tower,
    qwen3_vl_tower,
    siglip_tower,
)
from planner.models.families.sparse import qwen3_moe, read_experts
from planner.models.families.towers import internvit_tower, llama4_tower, llava_tower, mllama_tower, pixtral_tower
from planner.models.layers import Matrices, decoder, expert_mlps, gated_mlp, grouped_attention, norm, read_core, vector
from planner.models.shape import AttentionLayers, Shape

# A nested section holds only what differs from its class (configuration_llama.py, configuration_mistral.py, 5.17.0).
SEVEN_B = {"hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32_000}
NESTED_DEFAULTS: dict[str, dict[str, object]] = {
    "llama": {**SEVEN_B, "intermediate_size": 11_008, "max_position_embeddings": 2048},
    "mistral": {
        **SEVEN_B,
        "intermediate_size": 14_336,
        "num_key_value_heads": 8,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
    },
}


def text_section(config: Config, inherited: tuple[str, ...] = ("tie_word_embeddings", "model_type")) -> Config:
    """The decoder's config: `text_config` (`llm_config`), or the top level where an older config has no sections.

    The `inherited` keys count for the decoder too where only the top level has them.
    """
    key = next((key for key in ("text_config", "llm_config") if config.has(key)), None)
    if key is None:
        return config
    return config.section(key).with_defaults({key: config.values[key] for key in inherited if key in config.values})


def seeing(config: Config, text: Shape, vision: Matrices) -> Shape:
    """The decoder with its tower, named after the whole model."""
    names = config.texts("architectures")
    return replace(
        text,
        family=config.text("model_type"),
        architecture=names[0] if names else text.architecture,
        matrices=(*text.matrices, *(m for m in vision if m.parameters)),
    )


def with_tower(text_family: Family, tower: Callable[[Config], Matrices]) -> Family:
    """A family whose tower needs nothing of the decoder."""

    def family(config: Config) -> Shape:
        vision = tower(config.section("vision_config")) if config.has("vision_config") else []
        return seeing(config, text_family(text_section(config)), vision)

    return family


qwen2_vl = with_tower(qwen2, qwen2_vl_tower)
qwen2_5_vl = with_tower(qwen2, qwen2_5_vl_tower)
qwen3_vl = with_tower(qwen3, qwen3_vl_tower)
qwen3_vl_moe = with_tower(qwen3_moe, qwen3_vl_tower)
qwen3_5_seeing = with_tower(qwen3_5, qwen3_vl_tower)
qwen3_5_moe_seeing = with_tower(qwen3_next, qwen3_vl_tower)


def gemma3_seeing(config: Config) -> Shape:
    text = gemma3(text_section(config))
    tower = siglip_tower(config.section("vision_config"), text.hidden_size) if config.has("vision_config") else []
    return seeing(config, text, tower)


def gemma4_seeing(config: Config) -> Shape:
    """Gemma 4 with its vision tower; the audio encoder of E2B and E4B is not counted, and said so."""
    text = gemma4(text_section(config))
    vision = config.section("vision_config")
    shape = seeing(config, text, gemma4_tower(vision, text.hidden_size) if vision.values else [])
    notes = ("the audio encoder is not counted",) if config.has("audio_config") else ()
    return replace(shape, notes=(*shape.notes, *notes))


def gemma4_unified(config: Config) -> Shape:
    """Gemma 4 without a tower: patches of pixels go through one wide layer straight into the decoder."""
    section = text_section(config).with_defaults({"hidden_size_per_layer_input": 0, "sliding_window": 1024})
    text = gemma4(section)
    vision = config.section("vision_config")
    return seeing(config, text, gemma4_unified_embedder(vision, text.hidden_size) if vision.values else [])


def named_text(config: Config) -> Shape:
    """The decoder of the family that the text section names itself; what the section leaves out is the family's."""
    section = text_section(config, inherited=("tie_word_embeddings",))
    if section is config:
        config.missing("text_config")
    defaults = NESTED_DEFAULTS.get(str(section.values.get("model_type")), {})
    return family_named(section)(section.with_defaults(defaults))


def mistral3(config: Config) -> Shape:
    """Mistral Small 3.1 and later, Ministral 3: any text family with Pixtral's tower."""
    text = named_text(config)
    merge = config.integer("spatial_merge_size", default=2)
    vision = config.section("vision_config")
    return seeing(config, text, pixtral_tower(vision, text.hidden_size, merge) if vision.values else [])


def mllama(config: Config) -> Shape:
    """Llama 3.2 Vision: `cross_attention_layers` look at the image instead of the text."""
    section = text_section(config)
    core = read_core(section)
    crossing = len(section.integers("cross_attention_layers"))
    layers = [
        *grouped_attention(core, core.layers),
        *norm(core.head_dim, 2 * crossing, role="qk_norm"),
        *vector("other", "cross_attention_gates", 2, crossing),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
        *vector("embedding", "image_tokens", 8 * core.hidden, 1),
    ]
    attention = (
        core.full_attention(core.layers - crossing),
        replace(core.full_attention(crossing), kind="cross"),
    )
    text = decoder(section, core, layers, attention=attention)
    tower = mllama_tower(config.section("vision_config"), core.hidden) if config.has("vision_config") else []
    return seeing(config, text, tower)


def llama4_text(config: Config) -> Shape:
    """Llama 4: chunked attention on three layers of four; routed layers every `interleave_moe_layer_step`."""
    core = read_core(config)
    routed = core.layers // config.integer("interleave_moe_layer_step", default=1)
    experts = read_experts(config, routed, width="intermediate_size", shared=core.intermediate)
    dense_width = config.integer("intermediate_size_mlp", default=core.intermediate)
    bias = config.flag("attention_bias", False)
    layers = [
        *grouped_attention(core, core.layers, qkv_bias=bias, o_bias=bias),
        *gated_mlp(core.hidden, dense_width, core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=_llama4_attention(config, core.full_attention()), experts=(experts,))


def _llama4_attention(config: Config, every: AttentionLayers) -> tuple[AttentionLayers, ...]:
    full = every.count // config.integer("no_rope_layer_interval", default=4)
    chunk = config.integer("attention_chunk_size", default=8192)
    chunked = replace(every, count=every.count - full, kind="chunked", window_tokens=chunk)
    return replace(every, count=full), chunked


def llama4(config: Config) -> Shape:
    text = llama4_text(text_section(config))
    tower = llama4_tower(config.section("vision_config"), text.hidden_size) if config.has("vision_config") else []
    return seeing(config, text, tower)


def kimi_k25(config: Config) -> Shape:
    """Kimi K2.5 and Kimi-VL: a DeepSeek V3 decoder with MoonViT."""
    text = deepseek(text_section(config))
    tower = moonvit_tower(config.section("vision_config"), text.hidden_size) if config.has("vision_config") else []
    return seeing(config, text, tower)


def llava(config: Config) -> Shape:
    """LLaVA 1.5 and 1.6, and Pixtral: the decoder its text section names, with CLIP or Pixtral's tower."""
    text = named_text(config)
    newline = (
        vector("vision", "image_newline", text.hidden_size, 1) if config.text("model_type") == "llava_next" else []
    )
    return seeing(config, text, [*llava_tower(config.section("vision_config"), text.hidden_size), *newline])


def internvl(config: Config) -> Shape:
    """InternVL 2 to 3.5: the decoder its `llm_config` names, with InternViT."""
    text = named_text(config)
    return seeing(config, text, internvit_tower(config.section("vision_config"), text.hidden_size))
