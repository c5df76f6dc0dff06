"""Gemma 3n: per-layer embeddings, four streams of hidden states (AltUp), low-rank residuals (Laurel), shared caches."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.gemma import Part
from planner.models.families.multimodal import seeing, text_section
from planner.models.families.windows import layer_kinds
from planner.models.layers import Core, Matrices, decoder, dense, gated_mlp, linear, norm, read_core
from planner.models.shape import Matrix, Shape

# Vision (MobileNet v5, 300 M) and audio (USM, 680 M) encoders as the model card counts them.
ENCODER_PARAMETERS = 980_000_000
DEFAULTS = {"head_dim": 256, "vocab_size": 262_400, "sliding_window": 512, "hidden_size_per_layer_input": 256}


def gemma3n_text(config: Config) -> Shape:
    config = config.with_defaults(DEFAULTS)
    widths = config.values.get("intermediate_size")
    if isinstance(widths, list):
        config = Config({**config.values, "intermediate_size": max(config.integers("intermediate_size"))}, config.where)
    core = read_core(config, tied=True)
    kinds = layer_kinds(config, core.layers) or (("sliding_attention",) * 4 + ("full_attention",)) * (core.layers // 5)
    shared = kinds[core.layers - config.integer("num_kv_shared_layers", default=15, least=0) :]
    full, full_shared = kinds.count("full_attention"), shared.count("full_attention")
    whole = Part(core, full, full_shared)
    sliding = Part(core, core.layers - full, len(shared) - full_shared)
    layers = [
        *whole.matrices(),
        *sliding.matrices(),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 4 * core.layers + 1),
        *_beside(config, core),
    ]
    attention = (*whole.attention(None), *sliding.attention(config.integer("sliding_window")))
    return decoder(config, core, layers, attention=attention)


def gemma3n(config: Config) -> Shape:
    text = gemma3n_text(text_section(config))
    encoders = [Matrix("vision", "encoders", 1, ENCODER_PARAMETERS)] if config.has("vision_config") else []
    return replace(seeing(config, text, encoders), notes=("vision and audio encoders as the model card counts them",))


def _beside(config: Config, core: Core) -> Matrices:
    """Per-layer embeddings, AltUp and Laurel."""
    width, rank = config.integer("hidden_size_per_layer_input"), config.integer("laurel_rank", default=64)
    streams = config.integer("altup_num_inputs", default=4)
    vocab = config.integer("vocab_size_per_layer_input", default=262_144)
    return [
        *dense("embedding", "embed_tokens_per_layer", vocab, core.layers * width),
        *dense("other", "per_layer_model_projection", core.layers * width, core.hidden),
        *linear("other", "per_layer_input_gate", width, core.hidden, core.layers),
        *linear("other", "per_layer_projection", core.hidden, width, core.layers),
        *linear("other", "laurel_left", rank, core.hidden, core.layers),
        *linear("other", "laurel_right", core.hidden, rank, core.layers),
        *dense("other", "altup_projections", core.hidden, core.hidden, 2 * (streams - 1)),
        *dense("other", "altup_router", streams, core.hidden, core.layers),
        *dense("other", "altup_coefficients", streams, streams * streams + streams, core.layers),
        *norm(core.hidden, 4 * core.layers),
    ]
