"""What quantizing takes, against published figures and the project's own runs."""

from __future__ import annotations

import pytest

from planner.errors import BadInput
from planner.hardware.resolving import resolve_hardware
from planner.models.resolving import resolve_model
from planner.quantizing.needing import needs_of
from planner.quantizing.planned import planned_needs, shortages
from planner.quantizing.quantities import Calibration
from planner.quantizing.ways import way_of, ways
from planner.schemes import load_schemes, scheme
from planner.units import GB, GIB

A100 = "1xA100-80GB"


def asked(model, format, tool, hardware=A100, text=None):
    calibration = Calibration(*text) if text else None
    return needs_of(
        resolve_model(model).shape, scheme(format), tool, resolve_hardware(hardware), calibration=calibration
    )


def within(prediction, gigabytes):
    return prediction.low <= gigabytes * GB / GIB <= prediction.high


def test_gptq_of_qwen3_14b_with_llm_compressor():
    """vllm-project/llm-compressor#2039: about 70 GB of host memory and 15 GB on the GPU, 256 samples of 2048 tokens."""
    needs = asked("qwen3-14b", "gptq-int4", "llm-compressor", text=(256, 2048))
    assert within(needs.host_gib, 70)
    assert within(needs.gpu_gib, 15)


def test_awq_of_qwen3_30b_a3b_with_llm_compressor():
    """vllm-project/llm-compressor#1483: 12 GB of GPU memory layer by layer, where the whole model takes about 70."""
    assert within(asked("qwen3-30b-a3b", "awq-int4", "llm-compressor", text=(256, 512)).gpu_gib, 12)


def test_gptqmodel_on_llama_2_7b():
    """ModelCloud/GPTQModel#2805: 3418 to 4298 MiB on each of four GPUs."""
    needs = asked("llama-2-7b", "gptq-int4", "gptqmodel", text=(256, 1024))
    assert needs.gpu_gib.low <= 4298 / 1024 <= needs.gpu_gib.high


def test_70b_with_autoawq_is_more_than_128_gb_of_host_memory():
    """casper-hansen/AutoAWQ#543: killed while loading on a host of 128 GB."""
    needs = asked("llama-3-70b", "awq-int4", "autoawq", "1xRTX4090", text=(128, 512))
    assert needs.host_gib.low > 128 * GB / GIB


def test_one_layer_of_an_8b_model_is_about_half_a_gigabyte():
    """llm-compressor's memory guide: Meta-Llama-3-8B-Instruct, one layer, about 0.5 GB; the model 16 GB."""
    needs = asked("llama-3-8b", "gptq-int4", "llm-compressor", text=(512, 2048))
    layer = next(term.predicted_gib for term in needs.gpu_terms if term.label == "one layer")
    assert layer * GIB / GB == pytest.approx(0.5, abs=0.1)
    assert needs.minutes.value == pytest.approx(30, rel=0.05)


def test_every_expert_has_a_hessian():
    """256 experts of 7168 inputs: their Hessians are five times their weights, not "about the same"."""
    needs = asked("deepseek-r1", "gptq-int4", "llm-compressor", text=(512, 2048))
    hessians = next(term.predicted_gib for term in needs.gpu_terms if term.label == "Hessians")
    assert hessians * GIB == pytest.approx(256 * 4 * (2 * 7168**2 + 2048**2), rel=0.03)


def test_the_whole_model_has_to_fit_for_modelopt():
    needs = asked("llama-3.1-70b", "nvfp4", "modelopt", text=(256, 2048))
    assert list(shortages(needs, resolve_hardware(A100))) == [
        "Quantizing with modelopt takes about 131.9 GiB on one GPU, which has 79.2 GiB: "
        "quantize on a larger machine, or take a ready checkpoint."
    ]


def test_without_a_gpu_the_host_does_it_all():
    on_gpu = asked("llama-3-8b", "gptq-int4", "llm-compressor", text=(256, 2048))
    on_host = asked("llama-3-8b", "gptq-int4", "llm-compressor", "cpu:64GB:8cores", text=(256, 2048))
    assert on_host.gpu_gib.value == 0
    assert on_host.host_gib.value > on_gpu.host_gib.value


def test_what_is_not_known_is_said():
    assert asked("llama-2-7b", "gptq-int4", "gptqmodel").minutes.abstained == "no time of gptqmodel on a GPU is known"
    assert asked("llama-2-7b", "gguf-q8_0", "llama.cpp", "cpu:64GB").minutes.abstained == (
        "the number of CPU cores is not known"
    )


def test_an_unknown_tool_is_refused_with_the_nearest():
    with pytest.raises(BadInput) as refused:
        way_of("gptmodel", "gptq-int4")
    assert str(refused.value) == (
        "no quantizing tool is called 'gptmodel'\nDid you mean: gptqmodel, modelopt?\n"
        "To fix: use one of: llama.cpp, bitsandbytes, llm-compressor, gptqmodel, autoawq, modelopt"
    )


def test_a_tool_that_does_not_make_the_format_names_those_that_do():
    with pytest.raises(BadInput) as refused:
        way_of("bitsandbytes", "awq-int4")
    assert str(refused.value) == (
        "bitsandbytes does not make awq-int4\nTo fix: use --tool llm-compressor or gptqmodel or autoawq or modelopt"
    )


def test_every_format_that_has_a_tool_has_a_way():
    made = {(way.tool, format) for way in ways() for format in way.formats}
    assert {(s.tool, s.id) for s in load_schemes().values() if s.tool} <= made


def test_a_plan_without_a_quantize_stage_needs_nothing():
    assert planned_needs(resolve_model("llama-3-8b").shape, (), resolve_hardware(A100)) is None
