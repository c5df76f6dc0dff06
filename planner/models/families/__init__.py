"""One small function per model family: a `Config` with Hugging Face names in, a `Shape` with every tensor out.

To add a family, write one function and give it a line in `FAMILIES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from planner.errors import BadInput, nearest
from planner.models.config import WRONG, Config, shown
from planner.models.families import dense, sparse
from planner.models.shape import Shape

Family = Callable[[Config], Shape]

FAMILIES: dict[str, Family] = {
    "llama": dense.llama,
    "mistral": dense.llama,
    "qwen2": dense.qwen2,
    "qwen3": dense.qwen3,
    "mixtral": sparse.mixtral,
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
