"""Models that join a decoder of some family with an encoder of some kind, each named in its own section."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from planner.models.config import Config
from planner.models.families import family_named
from planner.models.families.dense import llama, qwen2
from planner.models.families.merging_towers import qwen2_5_vl_tower, qwen3_vl_tower, siglip_tower
from planner.models.families.multimodal import NESTED_DEFAULTS, seeing
from planner.models.families.sparse import qwen3_moe
from planner.models.families.towers import clip_encoder, internvit_tower, pixtral_encoder
from planner.models.families.vision import as_vision, patches, tower
from planner.models.layers import Matrices, dense, linear, norm
from planner.models.shape import Shape

TEXT_SECTIONS = ("text_config", "llm_config", "language_config")
# so400m, the tower most of these have where their config leaves it out.
SO400M = {"hidden_size": 1152, "num_hidden_layers": 27, "intermediate_size": 4304, "patch_size": 14}
Tower = Callable[[Config, int], Matrices]


def joined(config: Config) -> Shape:
    """The decoder its text section names with the encoders of its vision and audio sections."""
    text = text_shape(config)
    vision, audio = config.section("vision_config"), config.section("audio_config")
    matrices = tower_of(vision, text.hidden_size) if vision.values else []
    matrices = matrices + whisper_encoder(audio, text.hidden_size) if audio.values else matrices
    notes = ("the audio encoder is not counted",) if config.has("encoder_config") else ()
    shape = seeing(config, text, matrices)
    return replace(shape, notes=(*shape.notes, *notes))


def text_shape(config: Config) -> Shape:
    """The decoder under any name of its section; without one the top level is the decoder's."""
    key = next((key for key in TEXT_SECTIONS if config.has(key)), None)
    if key is None:
        plain = {**config.values, "model_type": "qwen2" if config.flag("attention_bias", True) else "llama"}
        return family_named(Config(plain, config.where))(Config(plain, config.where))
    section = config.section(key)
    inherited = {"tie_word_embeddings": config.values.get("tie_word_embeddings"), "model_type": "llama"}
    section = section.with_defaults({name: value for name, value in inherited.items() if value is not None})
    defaults = NESTED_DEFAULTS.get(section.text("model_type"), {})
    return family_named(section)(section.with_defaults(defaults))


def tower_of(vision: Config, text_hidden: int) -> Matrices:
    """The tower by its own `model_type`: CLIP, Pixtral, InternViT, else SigLIP."""
    kind = vision.text("model_type", "siglip_vision_model")
    vision = _square(vision)
    if "clip" in kind:
        return as_vision([*clip_encoder(vision), *projector(vision, text_hidden)])
    if "pixtral" in kind:
        return as_vision([*pixtral_encoder(vision), *projector(vision, text_hidden)])
    if "intern" in kind:
        return internvit_tower(vision, text_hidden)
    named = {"hidden_size": vision.values.get("width"), "num_hidden_layers": vision.values.get("layers")}
    given = {key: value for key, value in named.items() if value is not None}
    return siglip_tower(vision.with_defaults(given).with_defaults(SO400M), text_hidden)


def whisper_encoder(audio: Config, text_hidden: int) -> Matrices:
    """Whisper's encoder: two convolutions over mel bands, learned positions, a plain MLP; and one projection."""
    hidden = audio.integer("d_model", "hidden_size", default=1280)
    layers = audio.integer("encoder_layers", "num_hidden_layers", default=32)
    width = audio.integer("encoder_ffn_dim", "intermediate_size", default=5120)
    return as_vision(
        [
            *dense("vision", "mel_conv", hidden, 3 * audio.integer("num_mel_bins", default=128)),
            *dense("vision", "conv", hidden, 3 * hidden),
            *dense("vision", "positions", audio.integer("max_source_positions", default=1500), hidden),
            *tower(hidden, width, layers, gated=False, bias=True, norm_bias=True),
            *norm(hidden, 1, bias=True),
            *linear("other", "projector", text_hidden, hidden, 1, bias=True),
        ]
    )


def projector(vision: Config, text_hidden: int) -> Matrices:
    hidden = vision.integer("hidden_size", default=1024)
    return [
        *linear("other", "projector_1", text_hidden, hidden, 1, bias=True),
        *linear("other", "projector_2", text_hidden, text_hidden, 1, bias=True),
    ]


def _square(vision: Config) -> Config:
    """Sizes given as [height, width] as one number."""
    listed = (key for key in ("image_size", "patch_size") if isinstance(vision.values.get(key), list))
    sides = {key: max(vision.integers(key)) for key in listed}
    return Config({**vision.values, **sides}, vision.where)


def internvl_hf(config: Config) -> Shape:
    text = text_shape(config)
    return seeing(config, text, internvit_tower(_square(config.section("vision_config")), text.hidden_size))


def phi3_v(config: Config) -> Shape:
    """Phi-3 and 3.5 Vision: CLIP ViT-L/14 at 336 pixels and a projector over four joined patches."""
    text = llama(config)
    hidden = text.hidden_size
    clip = clip_encoder(Config({"image_size": 336}, config.where))
    join = [
        *linear("other", "projector_1", hidden, 4096, 1, bias=True),
        *linear("other", "projector_2", hidden, hidden, 1, bias=True),
    ]
    return seeing(config, text, as_vision([*clip, *join]))


def qwen3_omni_moe(config: Config) -> Shape:
    """Qwen3-Omni's thinker, which is what engines serve; its audio encoder is not counted."""
    thinker = config.section("thinker_config") if config.has("thinker_config") else config
    return _thinker(config, thinker, qwen3_moe(_named(thinker, "qwen3_moe")), qwen3_vl_tower)


def qwen2_5_omni(config: Config) -> Shape:
    """Qwen2.5-Omni's thinker."""
    thinker = config.section("thinker_config") if config.has("thinker_config") else config
    return _thinker(config, thinker, qwen2(_named(thinker, "qwen2")), qwen2_5_vl_tower)


def _named(thinker: Config, family: str) -> Config:
    section = thinker.section("text_config")
    return Config({**section.values, "model_type": family}, section.where)


def _thinker(config: Config, thinker: Config, text: Shape, tower_for: Callable[[Config], Matrices]) -> Shape:
    vision = tower_for(thinker.section("vision_config")) if thinker.has("vision_config") else []
    shape = seeing(config, text, vision)
    return replace(shape, notes=(*shape.notes, "the thinker alone; its audio encoder is not counted"))


def glm4v(config: Config) -> Shape:
    """GLM-4.1V and 4.5V: a decoder of GLM-4 with a gated tower, whose merger is as wide as `out_hidden_size`."""
    text = text_shape(config)
    vision = config.section("vision_config")
    return seeing(config, text, glm4v_tower(vision, text.hidden_size) if vision.values else [])


def glm4v_tower(vision: Config, text_hidden: int) -> Matrices:
    hidden, layers = vision.integer("hidden_size", default=1536), vision.integer("depth", default=24)
    out = vision.integer("out_hidden_size", default=text_hidden)
    inner = vision.integer("intermediate_size", default=13_696)
    merge = vision.integer("spatial_merge_size", default=2) ** 2
    return as_vision(
        [
            *patches(vision, hidden, frames=2),
            *tower(hidden, out, layers, gated=True, bias=False, norm_bias=False),
            *linear("other", "downsample", out, hidden * merge, 1, bias=True),
            *linear("other", "merger_proj", out, out, 1),
            *linear("other", "merger_gate", inner, out, 1),
            *linear("other", "merger_up", inner, out, 1),
            *linear("other", "merger_down", out, inner, 1),
            *norm(out, 2),
        ]
    )
