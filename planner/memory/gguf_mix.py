"""Which type llama.cpp gives each tensor of a GGUF file, and so its size to the byte.

The rules are those of `llama_tensor_get_type` and `tensor_type_fallback` in llama.cpp src/llama-quant.cpp (version
vendored by llama-cpp-python 0.3.36); without an importance matrix, except where a file cannot be made without one
(`gguf_codebooks`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from planner.catalog import load_yaml
from planner.errors import BadInput
from planner.memory.gguf_codebooks import CODEBOOK_FILES, VALUE_CATEGORIES, Place, codebook_type
from planner.memory.gguf_tensors import GgmlSource, source_tensors
from planner.models.ggml_types import bytes_per_block, elements_per_block, type_names
from planner.models.shape import Shape
from planner.schemes import scheme

BASE_TYPES = {
    "MXFP4_MOE": "MXFP4", "Q5_K_M": "Q5_K", "Q5_K_S": "Q5_K", "Q4_K_M": "Q4_K", "Q4_K_S": "Q4_K",
    "Q3_K_L": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_S": "Q3_K",
    **{name: file.base for name, file in CODEBOOK_FILES.items()},
}  # fmt: skip
FOUR_BIT_CODEBOOKS = ("IQ4_NL", "IQ4_XS")
SEVENTY_B_LAYERS = 80
SEVENTY_B_FAMILIES = frozenset({"llama", "mistral", "qwen2", "olmo", "deci"})


@dataclass(frozen=True, slots=True)
class GgmlType:
    """One storage type: `block` weights in `bytes` bytes, of which `scale_bytes` are scales and minima."""

    block: int
    bytes: int
    scale_bytes: int = 0
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class GgufTensor:
    """One tensor of the file: its type, its bytes, and the part of them that is scales and minima."""

    name: str
    type: str
    bytes: int
    scale_bytes: int

    @property
    def is_quantized(self) -> bool:
        return self.scale_bytes > 0


@dataclass(frozen=True, slots=True)
class Mix:
    """What the type of a tensor depends on besides the tensor."""

    file_type: str
    base: str
    is_falcon: bool
    is_70b: bool
    experts: int
    heads_per_kv_head: int
    is_tied: bool
    layers: int
    value_tensors: int

    @property
    def has_8_experts(self) -> bool:
        return self.experts == 8

    @property
    def counts_tensors(self) -> bool:
        """The 1- and 2-bit files count down projections, where others read a mixture's layer from the name."""
        return self.file_type in CODEBOOK_FILES and bool(CODEBOOK_FILES[self.file_type].better)


@lru_cache
def ggml_types() -> dict[str, GgmlType]:
    """GGML's storage types by name, with llama.cpp's fall-backs."""
    more = load_yaml("ggml_fallbacks.yaml")["types"]
    blocks = {name: (elements_per_block(name), bytes_per_block(name)) for name in type_names()}
    return {name: GgmlType(*block, **more.get(name, {})) for name, block in blocks.items()}


def gguf_tensors(shape: Shape, format_id: str) -> tuple[GgufTensor, ...]:
    """Every tensor of the model's GGUF file in this format. BadInput when the format is not a GGUF one."""
    file_type = scheme(format_id).ggml
    if file_type is None:
        raise BadInput(f"{format_id} is not a GGUF format", fix="use gguf-q4_k_m, gguf-q8_0 or another gguf-* format")
    return gguf_file(shape, file_type)


@lru_cache(maxsize=256)
def gguf_file(shape: Shape, file_type: str) -> tuple[GgufTensor, ...]:
    """Like `gguf_tensors`, by llama.cpp's own name of the file type (`Q4_K_S`), also where no format of ours has it."""
    sources = source_tensors(shape)
    mix = mix_of(shape, file_type, sources)
    seen: Counter[str] = Counter()
    return tuple(_typed(source, mix, seen) for source in sources)


@lru_cache(maxsize=256)
def gguf_bytes(shape: Shape, file_type: str) -> int:
    """Bytes of all tensors of that file."""
    return sum(tensor.bytes for tensor in gguf_file(shape, file_type))


@lru_cache(maxsize=256)
def gguf_types(shape: Shape, file_type: str) -> Mapping[str, int]:
    """How many tensors of that file have each type, in the order of the file."""
    return Counter(tensor.type for tensor in gguf_file(shape, file_type))


def mix_of(shape: Shape, file_type: str, sources: tuple[GgmlSource, ...]) -> Mix:
    """What the types depend on; of `sources` only those that hold values matter."""
    first = shape.attention[0] if shape.attention else None
    heads, kv_heads = (first.query_heads, max(first.kv_heads, 1)) if first else (1, 1)
    return Mix(
        file_type=file_type,
        base=BASE_TYPES.get(file_type, file_type),
        is_falcon=shape.family == "falcon",
        is_70b=shape.layer_count == SEVENTY_B_LAYERS and shape.family in SEVENTY_B_FAMILIES and heads != kv_heads,
        experts=max((layers.experts for layers in shape.experts), default=0),
        heads_per_kv_head=heads // kv_heads,
        is_tied=shape.tied_embeddings,
        layers=shape.layer_count,
        value_tensors=sum(source.category in VALUE_CATEGORIES for source in sources),
    )


def _typed(source: GgmlSource, mix: Mix, seen: Counter[str]) -> GgufTensor:
    """The tensor in its final type. `seen` counts tensors of a category, which llama.cpp uses for their position."""
    name = "F32" if source.stays_f32 else _quantized_type(source, mix, seen) if mix.base != "BF16" else "BF16"
    kind = ggml_types()[name]
    blocks = source.rows * source.columns // kind.block
    return GgufTensor(source.name, name, blocks * kind.bytes, blocks * kind.scale_bytes)


def _quantized_type(source: GgmlSource, mix: Mix, seen: Counter[str]) -> str:
    position = source.layer if mix.experts > 1 and not mix.counts_tensors else seen[source.category]
    if source.category in VALUE_CATEGORIES:
        position = seen["value"]
        seen["value"] += 1
    seen[source.category] += 1
    return fallback_type(wanted_type(source, mix, position), source.columns)


def wanted_type(source: GgmlSource, mix: Mix, position: int) -> str:
    """The type by the tensor's category and its position among those of its category."""
    if mix.file_type == "MXFP4_MOE":
        return "MXFP4" if source.is_stacked else "Q8_0"
    if source.category == "output" or (mix.is_tied and source.category == "token_embd"):
        return _output_type(source, mix)
    if mix.file_type in CODEBOOK_FILES:
        return _codebook_type(source, mix, position)
    if source.category in VALUE_CATEGORIES:
        return _value_type(mix, position)
    choose = CHOOSERS.get(source.category)
    return choose(mix, position) if choose else mix.base


def _output_type(source: GgmlSource, mix: Mix) -> str:
    if mix.is_falcon or source.columns % ggml_types()[mix.base].block:
        return "Q8_0"
    if mix.file_type in CODEBOOK_FILES:
        return CODEBOOK_FILES[mix.file_type].output
    return "Q8_0" if mix.base == "Q8_0" else "Q6_K"


def _codebook_type(source: GgmlSource, mix: Mix, position: int) -> str:
    if source.category == "token_embd":
        return CODEBOOK_FILES[mix.file_type].embedding
    place = Place(
        category=source.category,
        position=position,
        layers=mix.layers,
        experts=mix.experts,
        heads_per_kv_head=mix.heads_per_kv_head,
        gets_more_bits=_gets_more_bits(position, mix.layers),
        is_70b=mix.is_70b,
        is_falcon=mix.is_falcon,
    )
    return codebook_type(mix.file_type, place)


def _value_type(mix: Mix, position: int) -> str:
    """Values are small and sensitive, so they get more bits; the 70B and 8-expert models still more."""
    chosen = mix.base
    if mix.file_type == "Q2_K":
        chosen = "Q4_K" if mix.heads_per_kv_head >= 4 else "Q3_K"
    elif mix.file_type == "Q3_K_M":
        chosen = "Q5_K" if position < 2 else "Q4_K"
    elif _values_in_five_bits(mix, position):
        chosen = "Q5_K"
    elif mix.file_type in ("Q4_K_M", "Q5_K_M") and _gets_more_bits(position, mix.value_tensors):
        chosen = "Q6_K"
    if mix.is_70b and chosen in ("Q3_K", "Q4_K"):
        chosen = "Q5_K"
    return "Q8_0" if mix.has_8_experts else chosen


def _values_in_five_bits(mix: Mix, position: int) -> bool:
    if mix.file_type in FOUR_BIT_CODEBOOKS:
        return mix.heads_per_kv_head >= 4
    return mix.file_type == "Q3_K_L" or (mix.file_type == "Q4_K_S" and position < 4)


def _key_type(mix: Mix, position: int) -> str:
    return "Q8_0" if mix.has_8_experts else mix.base


def _down_type(mix: Mix, position: int) -> str:
    if mix.file_type == "Q2_K":
        return "Q3_K"
    if mix.file_type == "Q3_K_M":
        if position < mix.layers // 16:
            return "Q5_K"
        return "Q4_K" if not mix.is_falcon or _gets_more_bits(position, mix.layers) else "Q3_K"
    if mix.file_type == "Q4_K_M" and mix.is_falcon:
        if position < mix.layers // 16:
            return "Q6_K"
        return "Q5_K" if _gets_more_bits(position, mix.layers) else "Q4_K"
    if mix.file_type in ("Q4_K_M", "Q5_K_M") and _gets_more_bits(position, mix.layers):
        return "Q6_K"
    if mix.file_type == "Q3_K_L":
        return "Q4_K" if mix.is_falcon else "Q5_K"
    if mix.file_type in ("Q4_K_S", *FOUR_BIT_CODEBOOKS) and not mix.is_falcon and position < mix.layers // 8:
        return "Q5_K"
    return mix.base


def _attention_output_type(mix: Mix, position: int) -> str:
    if mix.is_falcon:
        return mix.base
    if mix.has_8_experts:
        return "Q5_K" if mix.file_type in ("Q2_K", "Q3_K_M", "Q4_K_M") else mix.base
    return {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"}.get(mix.file_type, mix.base)


CHOOSERS: dict[str, Callable[[Mix, int], str]] = {
    "attn_k": _key_type,
    "ffn_down": _down_type,
    "attn_output": _attention_output_type,
}


def _gets_more_bits(position: int, count: int) -> bool:
    """The first and last eighth of the layers, and every third between."""
    eighth = count // 8
    return position < eighth or position >= 7 * count // 8 or (position - eighth) % 3 == 2


def fallback_type(name: str, columns: int) -> str:
    """The type itself, or the next that divides the row length."""
    while columns % ggml_types()[name].block:
        name = ggml_types()[name].fallback
    return name
