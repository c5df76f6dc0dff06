"""One small function per model family: a `Config` with Hugging Face names in, a `Shape` with every tensor out.

To add a family, write one function and give it a line in `FAMILIES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from planner.errors import BadInput, nearest
from planner.models.config import WRONG, Config, shown
from planner.models.families import classic, dense, encoders, latent, sparse
from planner.models.shape import Shape

Family = Callable[[Config], Shape]

FAMILIES: dict[str, Family] = {
    "apertus": dense.apertus,
    "arcee": dense.arcee,
    "bert": encoders.bert,
    "bloom": classic.bloom,
    "cohere": dense.cohere,
    "cohere2": dense.cohere2,
    "deepseek_v2": latent.deepseek,
    "deepseek_v3": latent.deepseek,
    "deepseek_v32": latent.deepseek,
    "ernie4_5": dense.gemma,
    "ernie4_5_moe": sparse.ernie4_5_moe,
    "exaone4": dense.exaone4,
    "falcon": classic.falcon,
    "gemma": dense.gemma,
    "gemma2": dense.gemma2,
    "glm": dense.glm,
    "glm4": dense.glm4,
    "glm4_moe": sparse.glm4_moe,
    "glm4_moe_lite": latent.glm4_moe_lite,
    "glm_moe_dsa": latent.deepseek,
    "gpt2": classic.gpt2,
    "gpt_neox": classic.gpt_neox,
    "gpt_oss": sparse.gpt_oss,
    "gptj": classic.gptj,
    "granite": dense.llama,
    "granitemoe": sparse.granitemoe,
    "kimi_k2": latent.deepseek,
    "llama": dense.llama,
    "minimax_m2": sparse.minimax_m2,
    "mistral": dense.llama,
    "mixtral": sparse.mixtral,
    "modernbert": encoders.modernbert,
    "mpt": classic.mpt,
    "nemotron": dense.nemotron,
    "nomic_bert": encoders.nomic_bert,
    "olmo2": dense.olmo2,
    "olmo3": dense.olmo3,
    "olmoe": sparse.olmoe,
    "opt": classic.opt,
    "phi": classic.phi,
    "phi3": dense.llama,
    "phimoe": sparse.phimoe,
    "qwen2": dense.qwen2,
    "qwen2_moe": sparse.qwen2_moe,
    "qwen3": dense.qwen3,
    "qwen3_moe": sparse.qwen3_moe,
    "roberta": encoders.bert,
    "seed_oss": dense.seed_oss,
    "smollm3": dense.gemma,
    "stablelm": dense.stablelm,
    "starcoder2": classic.starcoder2,
    "xlm-roberta": encoders.bert,
}

FAMILY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
ADD_ONE = "add one function for it to planner/models/families, or plan with a bare size such as 70B"


def shape_from_config(values: Mapping[str, object], where: str = "config.json") -> Shape:
    """The shape a `config.json` describes.

    Raises BadInput for a missing, mistyped or absurd value, and for a family without a function here.
    """
    config = Config(values, where)
    name = config.text("model_type")
    if not FAMILY_NAME.fullmatch(name):
        raise BadInput(f"model_type {shown(name)} is not a family name", where=where, fix=WRONG)
    family = FAMILIES.get(name)
    if family is None:
        raise BadInput(
            f"model family {name} is not known to quantplan", where=where, nearest=nearest(name, FAMILIES), fix=ADD_ONE
        )
    return family(config)
