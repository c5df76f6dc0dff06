"""Which layers see the whole context and which only a window of it."""

from __future__ import annotations

from collections.abc import Callable

from planner.models.config import Config
from planner.models.layers import Core
from planner.models.shape import AttentionLayers


def attention_layers(config: Config, core: Core) -> tuple[AttentionLayers, ...]:
    """Full and sliding layers of a decoder, from `layer_types`, `sliding_window_pattern` or `sliding_window`.

    A window as long as the context is no window. Qwen2 states a window and leaves it off (`use_sliding_window`).
    """
    window = config.integer("sliding_window", 0, least=0)
    if not window or window >= core.max_context or not config.flag("use_sliding_window", True):
        return (core.full_attention(),)
    sliding = sum(not full for full in full_layers(config, core.layers))
    return core.full_attention(core.layers - sliding), core.sliding_attention(window, sliding)


def full_layers(config: Config, layers: int) -> list[bool]:
    """For each layer whether it sees the whole context."""
    kinds = layer_kinds(config, layers)
    if kinds:
        return [kind == "full_attention" for kind in kinds]
    every = config.integer("sliding_window_pattern", 0, least=0)
    return every_nth(layers, every) if every else [False] * layers


def every_nth(layers: int, every: int) -> list[bool]:
    """True on the last of each `every` layers (Gemma 3: five sliding, then one full)."""
    return [(layer + 1) % every == 0 for layer in range(layers)]


def layer_kinds(config: Config, layers: int, key: str = "layer_types") -> tuple[str, ...]:
    """The config's own list of layer kinds, one a layer; empty where it has none."""
    kinds = config.texts(key)
    if kinds and len(kinds) != layers:
        raise config.wrong(key, f"a list of num_hidden_layers ({layers}) names")
    return kinds


def count_where(kinds: tuple[str, ...], is_kind: Callable[[str], bool]) -> int:
    return sum(is_kind(kind) for kind in kinds)
