"""Which layers see the whole context and which only a window of it."""

from __future__ import annotations

from planner.models.config import Config
from planner.models.layers import Core
from planner.models.shape import AttentionLayers


def attention_layers(config: Config, core: Core) -> tuple[AttentionLayers, ...]:
    """Full and sliding layers of a decoder, from `layer_types`, `sliding_window_pattern` or `sliding_window`.

    A window as long as the context is no window. Qwen2 states a window and leaves it off (`use_sliding_window`).
    """
    window = config.integer("sliding_window", default=0, least=0)
    if not window or window >= core.max_context or not config.flag("use_sliding_window", True):
        return (core.full_attention(),)
    sliding = core.layers - full_layers(config, core.layers)
    return core.full_attention(core.layers - sliding), core.sliding_attention(window, sliding)


def full_layers(config: Config, layers: int) -> int:
    """How many layers see the whole context: listed one by one, or the last of every `sliding_window_pattern`."""
    kinds = layer_kinds(config, layers)
    if kinds:
        return kinds.count("full_attention")
    every = config.values.get("sliding_window_pattern")
    if isinstance(every, str):  # EXAONE 4 spells it LLLG: three local layers, then a global one
        every = len(every)
    return layers // every if isinstance(every, int) and every > 0 else 0


def attention_count(config: Config, layers: int) -> int:
    """Layers with attention in a hybrid: named one by one, numbered, or the last of every `full_attention_interval`."""
    kinds = layer_kinds(config, layers)
    if kinds:
        return sum(kind in ("full_attention", "attention") for kind in kinds)
    listed = config.integers("full_attn_idxs") or config.integers("attn_layer_indices")
    if listed:
        return len(listed)
    return layers // config.integer("full_attention_interval", default=4)


def layer_kinds(config: Config, layers: int, key: str = "layer_types") -> tuple[str, ...]:
    """The config's own list of layer kinds, one a layer; empty where it has none."""
    kinds = config.texts(key)
    if kinds and len(kinds) != layers:
        raise config.wrong(key, f"a list of num_hidden_layers ({layers}) names")
    return kinds
