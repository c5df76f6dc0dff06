"""Which type llama.cpp gives each tensor of a file of 3 bits or fewer from the IQ family, which index a codebook.

The rules are those of `llama_tensor_get_type_impl` in llama.cpp src/llama-quant.cpp (version vendored by
llama-cpp-python 0.3.36) with an importance matrix, without which most of these files cannot be made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

VALUE_CATEGORIES = frozenset({"attn_v", "attn_qkv", "attn_kv_b"})
WIDE_GROUPS = 4  # query heads for each KV head from which values are worth more bits
EIGHT = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor stands: its category, its position among those of its category, and what of the model matters."""

    category: str
    position: int
    layers: int
    experts: int
    heads_per_kv_head: int
    gets_more_bits: bool
    is_70b: bool
    is_falcon: bool

    @property
    def is_value(self) -> bool:
        return self.category in VALUE_CATEGORIES

    @property
    def is_in_first_eighth(self) -> bool:
        return self.position < self.layers // EIGHT

    @property
    def is_in_the_middle(self) -> bool:
        return self.layers // EIGHT <= self.position < 7 * self.layers // EIGHT


@dataclass(frozen=True, slots=True)
class CodebookFile:
    """A file type: the type most of its tensors have, and those of the embeddings and of the output matrix.

    `better` is what a 1- or 2-bit file gives the tensors it spares.
    """

    base: str
    embedding: str
    output: str
    better: str = ""


CODEBOOK_FILES = {
    "IQ1_S": CodebookFile("IQ1_S", "Q2_K", "Q5_K", "Q2_K"),
    "IQ1_M": CodebookFile("IQ1_M", "Q2_K", "Q5_K", "Q2_K"),
    "IQ2_XXS": CodebookFile("IQ2_XXS", "Q2_K", "Q5_K", "Q2_K"),
    "IQ2_XS": CodebookFile("IQ2_XS", "Q2_K", "Q5_K", "Q2_K"),
    "IQ2_S": CodebookFile("IQ2_XS", "IQ3_S", "Q5_K", "IQ3_S"),
    "IQ2_M": CodebookFile("IQ2_S", "IQ3_S", "Q5_K", "IQ3_S"),
    "IQ3_XXS": CodebookFile("IQ3_XXS", "IQ3_S", "Q5_K"),
    "IQ3_XS": CodebookFile("IQ3_S", "IQ3_S", "Q6_K"),
    "IQ3_S": CodebookFile("IQ3_S", "IQ3_S", "Q6_K"),
    "IQ3_M": CodebookFile("IQ3_S", "IQ3_S", "Q6_K"),
}


def codebook_type(file_type: str, place: Place) -> str:
    """The type of a tensor that is neither an embedding nor the output matrix."""
    file = CODEBOOK_FILES[file_type]
    return _two_bit_type(file_type, file, place) if file.better else _three_bit_type(file_type, file, place)


def _two_bit_type(file_type: str, file: CodebookFile, place: Place) -> str:
    """Files of 1 and 2 bits: values, the first down projections and the attention's output get more."""
    if place.is_value:
        return "Q4_K" if max(place.heads_per_kv_head, place.experts) >= WIDE_GROUPS else file.better
    if place.category == "attn_k" and place.experts == EIGHT:
        return "Q4_K"
    if place.category == "ffn_down" and place.is_in_first_eighth:
        return file.better
    if place.category == "attn_output":
        return "Q5_K" if place.experts == EIGHT else _two_bit_attention_output(file_type, file)
    return file.base


def _two_bit_attention_output(file_type: str, file: CodebookFile) -> str:
    return {"IQ1_S": "IQ2_XXS", "IQ1_M": "IQ2_XXS", "IQ2_S": "IQ3_S", "IQ2_M": "IQ3_S"}.get(file_type, file.base)


def _three_bit_type(file_type: str, file: CodebookFile, place: Place) -> str:
    if place.is_value:
        return _three_bit_value(file_type, file, place)
    choose = THREE_BIT_CHOOSERS.get(place.category)
    return (choose(file_type, place) if choose else None) or file.base


def _three_bit_value(file_type: str, file: CodebookFile, place: Place) -> str:
    if place.experts == EIGHT:
        return "Q8_0"
    if file_type != "IQ3_M" and place.heads_per_kv_head < WIDE_GROUPS:
        return file.base
    return "Q5_K" if place.is_70b else "Q4_K"


def _three_bit_key(file_type: str, place: Place) -> str | None:
    return "Q8_0" if place.experts == EIGHT else _three_bit_query(file_type, place)


def _three_bit_query(file_type: str, place: Place) -> str | None:
    return {"IQ3_XS": "IQ3_XXS", "IQ3_XXS": "IQ2_S"}.get(file_type)


def _three_bit_down(file_type: str, place: Place) -> str | None:
    spared = place.is_in_first_eighth or (place.experts == EIGHT and place.gets_more_bits)
    return "Q4_K" if file_type == "IQ3_M" and spared else None


def _three_bit_attention_output(file_type: str, place: Place) -> str | None:
    if place.is_falcon:
        return None
    return "Q5_K" if place.experts == EIGHT else {"IQ3_XXS": "IQ3_S", "IQ3_M": "Q4_K"}.get(file_type)


def _three_bit_gate_or_up(file_type: str, place: Place) -> str | None:
    return "IQ3_XXS" if file_type == "IQ3_XS" and place.is_in_the_middle else None


THREE_BIT_CHOOSERS: dict[str, Callable[[str, Place], str | None]] = {
    "attn_k": _three_bit_key,
    "attn_q": _three_bit_query,
    "ffn_down": _three_bit_down,
    "attn_output": _three_bit_attention_output,
    "ffn_gate": _three_bit_gate_or_up,
    "ffn_up": _three_bit_gate_or_up,
}
