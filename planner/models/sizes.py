"""A bare size such as `70B`: the shape of a Llama-style model of that many parameters, its guesses printed."""

from __future__ import annotations

import json
import math
import re
from functools import cache
from pathlib import Path

from planner.errors import BadInput
from planner.models.catalogue import find
from planner.models.families import shape_from_config
from planner.models.model import Model
from planner.models.shape import Shape

RUNGS = Path(__file__).parent.parent / "catalog" / "size_rungs.json"
SIZE = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*([mbt])", re.IGNORECASE)
BILLIONS = {"m": 1e-3, "b": 1.0, "t": 1e3}


def is_size(text: str) -> bool:
    return SIZE.fullmatch(text.strip()) is not None


def model_of_size(text: str) -> Model:
    """A Llama-style model of the named size (`70B`, `1.5b`, `500M`), with what was assumed.

    Near a known model (a rung) it has that model's shape; between two, depth and width are interpolated on the
    logarithm of the parameters and the MLP width is chosen to meet the size. Raises BadInput outside the rungs.
    """
    params_b = _params_b(text)
    rungs = _rungs()
    nearest = min(rungs, key=lambda rung: abs(math.log(rung.params_b / params_b)))
    if abs(nearest.params_b / params_b - 1) <= _ladder()["same_within"]:
        return _model(text, nearest, f"the shape of {_names()[rungs.index(nearest)]}")
    upper = next((i for i, rung in enumerate(rungs) if i and rung.params_b > params_b), len(rungs) - 1)
    like = f"a Llama-style shape on the line from {_names()[upper - 1]} to {_names()[upper]}"
    return _model(text, _interpolated(params_b, rungs[upper - 1], rungs[upper], nearest), like)


def _params_b(text: str) -> float:
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"{text} is not a size", fix="write a number and B, such as 70B or 1.5B")
    params_b = float(match[1]) * BILLIONS[match[2].lower()]
    least, most = _ladder()["least_params_b"], _ladder()["most_params_b"]
    if not least <= params_b <= most:
        raise BadInput(
            f"no shape can be assumed for a model of {text}",
            fix=f"give a size from {least:g}B to {most:g}B, or a directory with a config.json",
        )
    return params_b


def _interpolated(params_b: float, below: Shape, above: Shape, like: Shape) -> Shape:
    """Depth and width on the line between two rungs; heads, vocabulary and tying as in the nearer one."""
    step = math.log(params_b / below.params_b) / math.log(above.params_b / below.params_b)
    heads = like.attention[0]
    layers = round(_between(below.layer_count, above.layer_count, step))
    unit = math.lcm(256, heads.head_dim * heads.kv_heads)
    hidden = max(unit, round(_between(below.hidden_size, above.hidden_size, step) / unit) * unit)
    config: dict[str, object] = {
        "model_type": "llama",
        "num_hidden_layers": layers,
        "hidden_size": hidden,
        "head_dim": heads.head_dim,
        "num_attention_heads": hidden // heads.head_dim,
        "num_key_value_heads": heads.kv_heads,
        "vocab_size": like.vocab_size,
        "max_position_embeddings": like.max_context_tokens,
        "tie_word_embeddings": like.tied_embeddings,
    }
    without_mlp = shape_from_config({**config, "intermediate_size": 0}).parameters
    width = round((params_b * 1e9 - without_mlp) / (3 * hidden * layers) / 256) * 256
    return shape_from_config({**config, "intermediate_size": max(256, width)})


def _between(low: float, high: float, step: float) -> float:
    return math.exp(math.log(low) + step * (math.log(high) - math.log(low)))


def _model(text: str, shape: Shape, like: str) -> Model:
    heads = shape.attention[0]
    return Model(
        name=text.strip().upper(),
        shape=shape,
        origin="size",
        source=f"assumed from its size, {like}",
        is_chat=True,
        assumptions=(
            f"{text.strip().upper()} names no model: assumed {like}, {shape.params_b:.2f}B parameters",
            f"{shape.layer_count} layers, hidden size {shape.hidden_size}, {heads.query_heads} query heads, "
            f"{heads.kv_heads} KV heads of {heads.head_dim}, vocabulary {shape.vocab_size}, 16-bit weights, chat-tuned",
        ),
    )


@cache
def _ladder() -> dict[str, float]:
    return {key: value for key, value in json.loads(RUNGS.read_text(encoding="utf-8")).items() if key != "rungs"}


@cache
def _names() -> tuple[str, ...]:
    return tuple(json.loads(RUNGS.read_text(encoding="utf-8"))["rungs"])


@cache
def _rungs() -> tuple[Shape, ...]:
    """The known Llama-style models, smallest first."""
    models = [find(name) for name in _names()]
    return tuple(model.shape for model in models if model)
