"""Bare sizes: the assumed shape meets the size, keeps to sane dimensions, and says what it assumed."""

from __future__ import annotations

import pytest

from planner.errors import BadInput
from planner.models.resolving import resolve_model


@pytest.mark.parametrize(
    "text", ["0.5B", "500M", "1b", "1.5B", "3B", "7B", "8b", "13B", "30B", "33 B", "65B", "70B", "180B"]
)
def test_a_size_is_met_within_four_percent(text: str) -> None:
    number, unit = float(text[:-1]), text[-1].lower()
    asked_b = number / 1000 if unit == "m" else number

    assert resolve_model(text).shape.params_b == pytest.approx(asked_b, rel=0.04)


@pytest.mark.parametrize("text", ["0.2B", "0.7B", "2B", "5B", "10B", "17B", "45B", "100B", "300B", "650B"])
def test_assumed_shapes_are_grouped_query_llamas_fit_for_k_quants(text: str) -> None:
    shape = resolve_model(text).shape
    (attention,) = shape.attention

    assert attention.query_heads % attention.kv_heads == 0
    assert attention.kv_heads < attention.query_heads
    assert shape.family == "llama"
    assert all(matrix.columns % 256 == 0 for matrix in shape.quantizable())


def test_seventy_billion_is_the_known_seventy_billion() -> None:
    model = resolve_model("70B")

    assert model.shape == resolve_model("llama-3.1-70b").shape
    assert model.origin == "size"
    assert model.assumptions == (
        "70B names no model: assumed the shape of llama-3.1-70b, 70.55B parameters",
        "80 layers, hidden size 8192, 64 query heads, 8 KV heads of 128, vocabulary 128256, 16-bit weights, chat-tuned",
    )


def test_between_two_known_models_the_line_is_named() -> None:
    assert resolve_model("13B").assumptions[0] == (
        "13B names no model: assumed a Llama-style shape on the line from mistral-nemo-12b to mistral-small-24b, "
        "12.98B parameters"
    )


@pytest.mark.parametrize("text", ["900B", "2T", "10M", "0B"])
def test_no_shape_is_assumed_outside_the_known_sizes(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        resolve_model(text)

    assert str(refused.value) == (
        f"no shape can be assumed for a model of {text}\n"
        "To fix: give a size from 0.1B to 700B, or a directory with a config.json"
    )
