"""Multi-head latent attention (MLA): DeepSeek V2 and V3, Kimi K2, GLM-5, Hunyuan 4 and relatives."""

from __future__ import annotations

from dataclasses import replace

from planner.models.config import Config
from planner.models.families.sparse import read_experts
from planner.models.families.windows import layer_kinds
from planner.models.layers import (
    Core,
    Matrices,
    decoder,
    dense,
    expert_mlps,
    gated_mlp,
    linear,
    norm,
    read_core,
    vector,
)
from planner.models.shape import AttentionLayers, Shape

# An indexer keeps one FP8 key and its 4-byte scale for each token (deepseek-ai/DeepSeek-V3.2-Exp inference code).
INDEXER_SCALE_BYTES = 4
READ_FROM_VLLM = "its cache is that of vLLM 0.32; whether older versions serve this family is not known"


def latent_attention(config: Config, core: Core, count: int) -> AttentionLayers:
    """`count` MLA layers: a token's cache is one latent and one rotary key, whatever the number of heads."""
    rope = config.integer("qk_rope_head_dim")
    index_dim = config.integer("index_head_dim", default=0, least=0)
    return AttentionLayers(
        count=count,
        query_heads=core.query_heads,
        kv_heads=core.kv_heads,
        head_dim=config.integer("qk_nope_head_dim") + rope,
        value_head_dim=config.integer("v_head_dim"),
        kind="mla",
        latent_dim=config.integer("kv_lora_rank"),
        rope_dim=rope,
        indexer_bytes_per_token=index_dim + INDEXER_SCALE_BYTES if index_dim else 0,
        is_sparse=bool(index_dim),
    )


def latent_projections(config: Config, core: Core, layers: AttentionLayers) -> Matrices:
    """Down- and up-projections of queries and of the key-value latent, their norms, and the output."""
    rank, copies = config.integer("q_lora_rank", default=0, least=0), layers.count
    queries, values = layers.query_heads * layers.head_dim, layers.query_heads * layers.value_head_dim
    from_latent = layers.query_heads * (layers.head_dim - layers.rope_dim) + values
    down = [
        *linear("attention", "q_a_proj", rank, core.hidden, copies),
        *norm(rank, copies, role="q_a_norm"),
        *linear("attention", "q_b_proj", queries, rank, copies),
    ]
    return [
        *(down if rank else linear("attention", "q_proj", queries, core.hidden, copies)),
        *linear("attention", "kv_a_proj", layers.latent_dim + layers.rope_dim, core.hidden, copies),
        *norm(layers.latent_dim, copies, role="kv_a_norm"),
        *linear("attention", "kv_b_proj", from_latent, layers.latent_dim, copies),
        *linear("attention", "o_proj", core.hidden, values, copies),
    ]


def indexer(config: Config, core: Core, copies: int) -> Matrices:
    """DeepSeek sparse attention: the small scorer that picks which tokens a query looks at."""
    heads, width = config.integer("index_n_heads"), config.integer("index_head_dim")
    return [
        *linear("attention", "indexer_q_proj", heads * width, config.integer("q_lora_rank"), copies),
        *linear("attention", "indexer_k_proj", width, core.hidden, copies),
        *norm(width, copies, role="indexer_k_norm", bias=True),
        *dense("attention", "indexer_weights_proj", heads, core.hidden, copies),
    ]


def glm4_moe_lite(config: Config) -> Shape:
    """GLM-4.7-Flash: its config need not say that only the first layer is dense."""
    return deepseek(config.with_defaults({"first_k_dense_replace": 1}))


def minicpm3(config: Config) -> Shape:
    """MiniCPM3: MLA beside an ordinary gated MLP."""
    config = config.with_defaults({"head_dim": 1})
    core = read_core(config, tied=True)
    values = {"v_head_dim": core.hidden // core.query_heads}
    attention = latent_attention(config.with_defaults(values), core, core.layers)
    layers = [
        *latent_projections(config, core, attention),
        *gated_mlp(core.hidden, core.intermediate, core.layers),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=(attention,))


def deepseek(config: Config) -> Shape:
    """DeepSeek V2, V3, R1, V3.2 and Kimi K2: MLA, the first layers dense, the rest routed with shared experts."""
    config = config.with_defaults({"head_dim": 1})
    core = read_core(config)
    attention = latent_attention(config, core, core.layers)
    width = config.integer("moe_intermediate_size")
    shared = width * config.integer("n_shared_experts", default=0, least=0)
    routed = core.layers - min(core.layers, config.integer("first_k_dense_replace", default=0, least=0))
    experts = read_experts(config, routed, shared=shared)
    layers = [
        *latent_projections(config, core, attention),
        *(indexer(config, core, core.layers) if config.has("index_n_heads") else []),
        *gated_mlp(core.hidden, core.intermediate, core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    extra = config.integer("num_nextn_predict_layers", default=0, least=0)
    notes = (f"{extra} multi-token-prediction layer(s) are not counted: engines leave them out by default",)
    return decoder(config, core, layers, attention=(attention,), experts=(experts,), notes=notes if extra else ())


def hunyuan_4(config: Config) -> Shape:
    """Hunyuan 4: gated latent attention with sinks; most layers look at what an earlier layer's indexer picked."""
    config = config.with_defaults({"head_dim": 1, "n_shared_experts": 1, "hc_mult": 4})
    core = read_core(config)
    kinds = layer_kinds(config, core.layers, "mlp_layer_types")
    routed = kinds.count("sparse") if kinds else core.layers - 1
    shared = config.integer("moe_intermediate_size") * config.integer("n_shared_experts", least=0)
    experts = read_experts(config, routed, shared=shared)
    every = latent_attention(config, core, core.layers)
    picks = indexing_layers(config, core.layers)
    picking = replace(every, count=picks)
    reading = replace(every, count=core.layers - picks, indexer_bytes_per_token=0)
    layers = [
        *latent_projections(config, core, every),
        *linear("attention", "g_proj", core.query_heads * every.value_head_dim, core.hidden, core.layers),
        *vector("attention", "sinks", core.query_heads, core.layers),
        *indexer(config, core, picks),
        *gated_mlp(core.hidden, core.intermediate, core.layers - routed),
        *expert_mlps(core.hidden, experts),
        *hyper_connections(core, config.integer("hc_mult")),
        *norm(core.hidden, 2 * core.layers + 1),
    ]
    return decoder(config, core, layers, attention=(picking, reading), experts=(experts,), notes=(READ_FROM_VLLM,))


def indexing_layers(config: Config, layers: int) -> int:
    """Layers with an indexer of their own: listed, else the first two and then every fourth."""
    kinds = layer_kinds(config, layers, "indexer_types")
    return kinds.count("full") if kinds else sum(layer == 0 or layer % 4 == 1 for layer in range(layers))


def hyper_connections(core: Core, streams: int) -> Matrices:
    """Several residual streams: what to read and to write of each, twice a layer; at the end they become one."""
    halves, gates = 2 * core.layers, 2 * streams
    return [
        *dense("other", "hyper_connection", gates, streams * core.hidden, halves),
        *vector("norms", "hyper_connection_scales", gates + 2, halves),
        *dense("other", "hyper_head", streams, streams * core.hidden),
        *vector("norms", "hyper_head_scales", streams + 1, 1),
    ]
