"""One small function per model family: a `Config` with Hugging Face names in, a `Shape` with every tensor out.

To add a family, write one function and give it a line in `FAMILIES`. Its module is imported when it is first asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module

from planner.errors import BadInput, nearest
from planner.models.config import WRONG, Config, shown
from planner.models.shape import Shape

Family = Callable[[Config], Shape]

# model_type -> module.function
FAMILIES: dict[str, str] = {
    "afmoe": "partly_sparse.afmoe",
    "apertus": "dense.apertus",
    "arcee": "dense.arcee",
    "arctic": "renamed.arctic",
    "aria": "combined.joined",
    "aria_text": "sparse.aria_text",
    "axk1": "renamed.axk1",
    "baichuan": "dense.llama",
    "bailing_moe": "renamed.bailing_moe",
    "bailing_moe_v2": "renamed.bailing_moe",
    "bamba": "hybrid.bamba",
    "bert": "encoders.bert",
    "bitnet": "renamed.bitnet",
    "bloom": "classic.bloom",
    "camembert": "encoders.bert",
    "chatglm": "dense.chatglm",
    "cohere": "dense.cohere",
    "cohere2": "dense.cohere2",
    "cohere2_vision": "combined.joined",
    "cwm": "dense.llama",
    "dbrx": "partly_sparse.dbrx",
    "deepseek": "partly_sparse.glm4_moe",
    "deepseek_v2": "latent.deepseek",
    "deepseek_v3": "latent.deepseek",
    "deepseek_v32": "latent.deepseek",
    "deepseek_vl_v2": "combined.joined",
    "distilbert": "renamed.distilbert",
    "dots1": "partly_sparse.dots1",
    "electra": "encoders.bert",
    "ernie4_5": "dense.gemma",
    "ernie4_5_moe": "partly_sparse.ernie4_5_moe",
    "ernie4_5_moe_vl": "partly_sparse.ernie4_5_moe_vl",
    "exaone": "dense.llama",
    "exaone4": "dense.exaone4",
    "exaone_moe": "partly_sparse.dots1",
    "falcon": "classic.falcon",
    "falcon_h1": "hybrid.falcon_h1",
    "falcon_mamba": "stateful.mamba",
    "flex_olmo": "sparse.olmoe",
    "gemma": "dense.gemma",
    "gemma2": "dense.gemma2",
    "gemma3": "multimodal.gemma3_seeing",
    "gemma3_text": "gemma.gemma3",
    "gemma3n": "gemma3n.gemma3n",
    "gemma3n_text": "gemma3n.gemma3n_text",
    "gemma4": "multimodal.gemma4_seeing",
    "gemma4_text": "gemma.gemma4",
    "gemma4_unified": "multimodal.gemma4_unified",
    "gemma4_unified_text": "multimodal.gemma4_unified",
    "glm": "dense.glm",
    "glm4": "dense.glm4",
    "glm4_moe": "partly_sparse.glm4_moe",
    "glm4_moe_lite": "latent.glm4_moe_lite",
    "glm4v": "combined.glm4v",
    "glm4v_moe": "combined.glm4v",
    "glm4v_moe_text": "partly_sparse.glm4_moe",
    "glm4v_text": "dense.glm4",
    "glm_moe_dsa": "latent.deepseek",
    "gpt2": "classic.gpt2",
    "gpt_bigcode": "classic.gpt_bigcode",
    "gpt_neox": "classic.gpt_neox",
    "gpt_oss": "sparse.gpt_oss",
    "gptj": "classic.gptj",
    "granite": "dense.llama",
    "granite_speech": "combined.joined",
    "granite_swa": "renamed.granite_swa",
    "granitemoe": "sparse.granitemoe",
    "granitemoehybrid": "hybrid.granitemoehybrid",
    "granitemoeshared": "sparse.granitemoe",
    "grok-1": "sparse.mixtral",
    "hunyuan_v1_dense": "dense.hunyuan",
    "hunyuan_v1_moe": "partly_sparse.hunyuan_moe",
    "hy_v3": "partly_sparse.hunyuan_3",
    "hy_v4": "latent.hunyuan_4",
    "hyperclovax": "renamed.hyperclovax",
    "idefics3": "combined.joined",
    "internlm": "renamed.internlm",
    "internlm2": "dense.llama",
    "internlm3": "dense.llama",
    "internvl": "combined.internvl_hf",
    "internvl_chat": "multimodal.internvl",
    "jais": "renamed.jais",
    "jamba": "hybrid.jamba",
    "kimi_k2": "latent.deepseek",
    "kimi_k25": "multimodal.kimi_k25",
    "kimi_k3": "kimi.kimi_k3",
    "kimi_linear": "kimi.kimi_linear",
    "kimi_vl": "multimodal.kimi_k25",
    "lfm2": "stateful.lfm2",
    "lfm2_moe": "stateful.lfm2_moe",
    "lfm2_vl": "combined.joined",
    "llama": "dense.llama",
    "llama4": "multimodal.llama4",
    "llama4_text": "multimodal.llama4_text",
    "llava": "multimodal.llava",
    "llava_next": "multimodal.llava",
    "llava_onevision": "combined.joined",
    "longcat_flash": "renamed.longcat_flash",
    "mamba": "stateful.mamba",
    "mamba2": "stateful.mamba2",
    "mellum": "sparse.qwen3_moe",
    "mimo": "dense.qwen2",
    "mimo_v2_flash": "partly_sparse.mimo_v2_flash",
    "minicpm": "dense.gemma",
    "minicpm3": "latent.minicpm3",
    "minicpmv": "combined.joined",
    "minimax": "lightning.minimax_text_01",
    "minimax_m1": "lightning.minimax_text_01",
    "minimax_m2": "sparse.minimax_m2",
    "minimax_m3_text": "minimax_m3.minimax_m3_text",
    "minimax_m3_vl": "minimax_m3.minimax_m3",
    "minimax_m3_vl_text": "minimax_m3.minimax_m3_text",
    "minimax_text_01": "lightning.minimax_text_01",
    "ministral3": "dense.llama",
    "mistral": "dense.llama",
    "mistral3": "multimodal.mistral3",
    "mistral4": "latent.deepseek",
    "mixtral": "sparse.mixtral",
    "mllama": "multimodal.mllama",
    "modernbert": "encoders.modernbert",
    "mpnet": "encoders.bert",
    "mpt": "classic.mpt",
    "nemotron": "dense.nemotron",
    "nemotron-nas": "uneven.nemotron_nas",
    "nemotron_h": "hybrid.nemotron_h",
    "new": "renamed.gte",
    "nomic_bert": "encoders.nomic_bert",
    "olmo": "dense.olmo",
    "olmo2": "dense.olmo2",
    "olmo3": "dense.olmo3",
    "olmo_hybrid": "mixed.olmo_hybrid",
    "olmoe": "sparse.olmoe",
    "opt": "classic.opt",
    "orion": "renamed.orion",
    "paligemma": "combined.joined",
    "persimmon": "renamed.persimmon",
    "phi": "classic.phi",
    "phi3": "dense.llama",
    "phi3_v": "combined.phi3_v",
    "phi3small": "renamed.phi3small",
    "phi4_multimodal": "listening.phi4_multimodal",
    "phi4mm": "listening.phi4_multimodal",
    "phimoe": "sparse.phimoe",
    "qwen": "dense.qwen",
    "qwen2": "dense.qwen2",
    "qwen2_5_omni": "combined.qwen2_5_omni",
    "qwen2_5_vl": "multimodal.qwen2_5_vl",
    "qwen2_audio": "combined.joined",
    "qwen2_moe": "sparse.qwen2_moe",
    "qwen2_vl": "multimodal.qwen2_vl",
    "qwen3": "dense.qwen3",
    "qwen3_5": "multimodal.qwen3_5_seeing",
    "qwen3_5_moe": "multimodal.qwen3_5_moe_seeing",
    "qwen3_5_moe_text": "delta.qwen3_next",
    "qwen3_5_text": "delta.qwen3_5",
    "qwen3_moe": "sparse.qwen3_moe",
    "qwen3_next": "delta.qwen3_next",
    "qwen3_omni_moe": "combined.qwen3_omni_moe",
    "qwen3_vl": "multimodal.qwen3_vl",
    "qwen3_vl_moe": "multimodal.qwen3_vl_moe",
    "recurrent_gemma": "mixed.recurrent_gemma",
    "roberta": "encoders.bert",
    "seed_oss": "dense.seed_oss",
    "smollm3": "dense.gemma",
    "smolvlm": "combined.joined",
    "solar_open": "partly_sparse.glm4_moe",
    "stablelm": "dense.stablelm",
    "starcoder2": "classic.starcoder2",
    "step3_text": "uneven.step3",
    "step3p5": "uneven.step3p5",
    "vaultgemma": "dense.gemma",
    "voxtral": "combined.joined",
    "whisper": "listening.whisper",
    "xlm-roberta": "encoders.bert",
    "xverse": "dense.llama",
    "youtu": "latent.minicpm3",
    "zamba2": "mixed.zamba2",
}

# Families that vLLM 0.32 serves and that are not modelled, and why.
COMPRESSED = "of its compressed caches only their sizes are known here, not how they share pages"
NOT_MODELLED = {
    "deepseek_v4": COMPRESSED,
    "deepseek_v41": COMPRESSED,
    "qwen4_exp": f"{COMPRESSED}, and its n-gram embeddings are not counted",
}

FAMILY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
ADD_ONE = "add one function for it to planner/models/families, or plan with a bare size such as 70B"


def shape_from_config(values: Mapping[str, object], where: str = "config.json") -> Shape:
    """The shape a `config.json` describes.

    Raises BadInput for a missing, mistyped or absurd value, and for a family without a function here.
    """
    config = Config(values, where)
    return family_named(config)(config)


def family_named(config: Config) -> Family:
    """The function of the config's `model_type`. Raises BadInput, with the nearest families, when there is none."""
    name = config.text("model_type")
    if not FAMILY_NAME.fullmatch(name):
        raise BadInput(f"model_type {shown(name)} is not a family name", where=config.where, fix=WRONG)
    if name not in FAMILIES:
        why = NOT_MODELLED.get(name.removesuffix("_text"))
        what = f"model family {name} is not known to quantplan" + (f": {why}" if why else "")
        raise BadInput(what, where=config.where, nearest=nearest(name, FAMILIES), fix=ADD_ONE)
    module, function = FAMILIES[name].split(".")
    family: Family = getattr(import_module(f"{__name__}.{module}"), function)
    return family
