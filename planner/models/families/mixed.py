"""Recurrent layers beside attention that is shared, windowed or plain: Zamba2, RecurrentGemma and OLMo Hybrid."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.dense import qk_norms
from planner.models.families.renamed import renamed
from planner.models.families.windows import attention_count, layer_kinds
from planner.models.layers import Core, Matrices, decoder, dense, gated_mlp, grouped_attention, linear, norm, read_core
from planner.models.recurrent import convolution, read_delta_net, read_mamba2, recurrent_vector
from planner.models.shape import RecurrentLayers, Shape

# Layers of Zamba2 that call the shared block, where the config does not list them (configuration_zamba2.py, 5.19.0).
ZAMBA2_SHARING = 9
RECURRENT_GEMMA_BLOCKS = ("recurrent", "recurrent", "attention")


def zamba2(config: Config) -> Shape:
    """Zamba2: Mamba 2 in every layer; some first call a shared attention block, each call with a cache of its own."""
    names = {"mamba_n_heads": "n_mamba_heads", "mamba_d_head": "mamba_headdim", "mamba_n_groups": "mamba_ngroups"}
    config = renamed(config, names)
    hidden = config.integer("hidden_size")
    wide = Config({**config.values, "head_dim": 2 * hidden // config.integer("num_attention_heads")}, config.where)
    core, mamba = read_core(wide, tied=True), read_mamba2(config, hidden)
    sharing = layer_kinds(config, core.layers, "layers_block_type").count("hybrid")
    sharing = sharing or len(config.integers("hybrid_layer_ids")) or ZAMBA2_SHARING
    layers = [
        *mamba.matrices(hidden, core.layers),
        *norm(hidden, core.layers + 1),
        *linear("other", "shared_input", hidden, hidden, sharing),
        *_zamba2_blocks(core, config.integer("num_mem_blocks", default=1)),
        *_zamba2_adapters(core, config, sharing),
    ]
    return decoder(
        config, core, layers, attention=(core.full_attention(sharing),), recurrent=(mamba.layers(core.layers),)
    )


def _zamba2_blocks(core: Core, copies: int) -> Matrices:
    """Attention over the hidden state beside the embedding, twice as wide, and a gated MLP."""
    twice = replace(core, hidden=2 * core.hidden)
    return [
        *(m for m in grouped_attention(twice, copies) if m.role != "o_proj"),
        *linear("attention", "o_proj", core.hidden, core.query_heads * core.head_dim, copies),
        *gated_mlp(core.hidden, core.intermediate, copies),
        *norm(3 * core.hidden, copies),
    ]


def _zamba2_adapters(core: Core, config: Config, sharing: int) -> Matrices:
    """Low-rank halves that tell one call of a shared block from another."""
    rank = config.integer("adapter_rank", default=128)
    attends = 3 * sharing if config.flag("use_shared_attention_adapter", False) else 0
    return [
        *linear("mlp", "adapter_in", rank, core.hidden, sharing),
        *linear("mlp", "adapter_out", 2 * core.intermediate, rank, sharing),
        *linear("attention", "adapter_in", rank, 2 * core.hidden, attends),
        *linear("attention", "adapter_out", 2 * core.hidden, rank, attends),
    ]


def recurrent_gemma(config: Config) -> Shape:
    """RecurrentGemma (Griffin): two gated linear recurrences, then attention over a window; biases on the MLP."""
    half = {"intermediate_size": config.integer("intermediate_size") // 2}
    core = read_core(Config({**config.values, **half}, config.where), tied=True)
    kinds = config.texts("block_types") or RECURRENT_GEMMA_BLOCKS
    attending = sum(kinds[layer % len(kinds)] == "attention" for layer in range(core.layers))
    width, kernel = config.integer("lru_width", default=core.hidden), config.integer("conv1d_width", default=4)
    recurring = core.layers - attending
    layers = [
        *grouped_attention(core, attending, qkv_bias=config.flag("attention_bias", False)),
        *norm(core.hidden, attending, role="o_proj_bias"),
        *linear("recurrent", "in_proj", 2 * width, core.hidden, recurring, bias=True),
        *linear("recurrent", "out_proj", core.hidden, width, recurring, bias=True),
        *convolution(width, kernel, recurring, bias=True),
        *dense("recurrent", "gates", 2 * width, width // core.query_heads, recurring),
        *recurrent_vector("gate_biases", 3 * width, recurring),
        *gated_mlp(core.hidden, core.intermediate, core.layers, bias=True),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = RecurrentLayers(recurring, "rg_lru", width, width * (kernel - 1), width)
    window = config.integer("attention_window_size", default=2048)
    return decoder(config, core, layers, attention=(core.sliding_attention(window, attending),), recurrent=(state,))


def olmo_hybrid(config: Config) -> Shape:
    """OLMo Hybrid: three delta-net layers, then full attention with norms on queries and keys."""
    core, delta_net = read_core(config), read_delta_net(config)
    full = attention_count(config, core.layers)
    layers = [
        *grouped_attention(core, full),
        *qk_norms(core, full, "per_layer"),
        *delta_net.matrices(core.hidden, core.layers - full),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    state = delta_net.layers(core.layers - full)
    return decoder(config, core, layers, attention=(core.full_attention(full),), recurrent=(state,))
