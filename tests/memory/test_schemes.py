"""The catalogue of weight formats: complete, sourced, and refusing what it does not know."""

from __future__ import annotations

from typing import get_args

import pytest

from planner.errors import BadInput
from planner.memory.quantization_names import named_scheme
from planner.memory.weights import weight_bytes
from planner.models.catalogue import find
from planner.quality import expected_quality
from planner.schemes import load_schemes, scheme
from rules.vocabulary import FormatId


def test_every_format_a_rule_may_name_has_an_entry_and_no_other_has():
    assert tuple(load_schemes()) == get_args(FormatId)


def test_every_entry_has_a_source_a_date_and_a_quality():
    for entry in load_schemes().values():
        assert entry.source and entry.as_of and expected_quality(entry.id, 8.0).phrase, entry.id


def test_four_bits_with_a_scale_and_a_zero_per_128_weights_is_4_156_bits():
    assert scheme("awq-int4").bits_per_weight() == pytest.approx(4.156, abs=0.001)


def test_a_smaller_group_costs_more_bits():
    assert scheme("awq-int4").bits_per_weight(group_size=32) == 4.625


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(BadInput) as refused:
        scheme("awq-int5")
    assert str(refused.value).splitlines()[:2] == [
        "no weight format is called 'awq-int5'",
        "Did you mean: awq-int4, gptq-int4, rtn-int4?",
    ]
    assert refused.value.fix.startswith("use one of: bf16, fp16, fp8")


@pytest.mark.parametrize(
    ("quantization", "model", "expected"),
    [
        ("bf16", "x", "bf16"),
        ("float16", "x", "fp16"),
        ("", "nvidia/DeepSeek-R1-FP4", "nvfp4"),
        ("", "deepseek-ai/DeepSeek-R1", "fp8"),
        ("", "unsloth/meta-llama-3.1-8b-instruct-bnb-4bit", "nf4"),
        ("bitsandbytes", "Qwen/Qwen2.5-7B-Instruct", "fp4-bnb"),
        ("GPTQ 8bit", "x", "gptq-int8"),
        ("gguf Q5_K_S", "x", "gguf-q5_k_s"),
        ("gguf", "some-model.Q6_K", "gguf-q6_k"),
        ("hqq", "llama-3.1-8b", "rtn-int4"),
        ("auto-round", "x", "gptq-int4"),
        ("auto", "x", "bf16"),
        ("modelopt", "x", "fp8"),
        ("modelopt_fp4", "x", "nvfp4"),
        ("gguf IQ3_XXS", "x", "gguf-iq3_xxs"),
        ("UD-Q4_K_XL", "x", "gguf-q4_k_m"),
        ("w4afp8", "x", "rtn-int4"),
        ("bnb 8-bit", "x", "int8-bnb"),
        ("", "unsloth/gpt-oss-20b-BF16", "bf16"),
        ("", "openai/gpt-oss-20b", "mxfp4"),
    ],
)
def test_schemes_are_recognised_by_what_logs_and_repositories_call_them(quantization, model, expected):
    found = named_scheme(quantization, model, is_moe=True)
    assert found is not None and found.id == expected


@pytest.mark.parametrize(
    ("quantization", "model", "group"),
    [
        ("gptq int4 g32", "x", 32),
        ("", "ISTA-DASLab/gemma-3-27b-it-GPTQ-4b-128g", 128),
        ("awq, group size 64", "x", 64),
        ("nvfp4", "x-g32", 16),
    ],
)
def test_groups_are_as_large_as_the_name_says(quantization, model, group):
    found = named_scheme(quantization, model)
    assert found is not None and found.group_size == group


@pytest.mark.parametrize("quantization", ["quark", "gguf TQ1_0", "aqlm", "compressed-tensors"])
def test_a_scheme_without_a_byte_count_is_no_scheme(quantization):
    assert named_scheme(quantization, "x") is None


def test_a_checkpoint_stored_in_four_bits_by_habit_has_the_size_its_repository_has():
    """moonshotai/Kimi-K2-Thinking: 594 GB, its routed experts in INT4 with groups of 32, all else in 16 bits."""
    known = find("kimi-k2-thinking")
    assert known is not None
    found = named_scheme("", "moonshotai/Kimi-K2-Thinking", is_moe=True)
    assert found is not None
    assert weight_bytes(known.shape, found).total / 1e9 == pytest.approx(594, rel=0.002)
