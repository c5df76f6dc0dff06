"""Types and bytes of GGUF files, against published files and what llama-server maps."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from planner.errors import BadInput
from planner.memory.batch import predict_start
from planner.memory.cases import case_from_row
from planner.memory.gguf_mix import gguf_file, gguf_tensors
from planner.models.catalogue import find
from planner.models.directory import model_from_directory
from planner.units import GIB, MIB

DEMO_MODEL = Path(__file__).parents[2] / "executor" / "demo" / "pydocs-3m"

# Sizes of published files (bartowski, lmstudio-community); each holds about 7.8 MB of vocabulary beside its tensors.
LLAMA_3_8B_FILES = {
    "gguf-q8_0": 8_540_771_136,
    "gguf-q6_k": 6_596_006_720,
    "gguf-q5_k_m": 5_732_987_456,
    "gguf-q4_k_m": 4_920_734_272,
    "gguf-q3_k_m": 4_018_918_016,
    "gguf-q2_k": 3_179_131_712,
}

# Bytes of all tensors of files that llama-quantize (llama-cpp-python 0.3.36) wrote for random weights.
FORMATS = ("gguf-q8_0", "gguf-q6_k", "gguf-q5_k_m", "gguf-q4_k_m", "gguf-q3_k_m", "gguf-q2_k")
WRITTEN = {
    "random-8-experts": (35_824_640, 27_761_664, 24_071_168, 20_679_680, 16_420_864, 12_805_120),
    "random-4-experts": (26_294_272, 20_326_400, 17_645_568, 15_122_432, 12_224_512, 9_414_656),
    "random-odd-rows": (16_334_208, 15_423_552, 11_741_184, 10_830_528, 9_080_064, 8_314_560),
    "random-80-layers": (31_360_000, 24_249_344, 20_819_968, 17_674_240, 14_654_464, 11_463_680),
    "random-33-layers": (30_497_792, 23_561_728, 20_384_768, 17_394_688, 13_978_624, 10_693_120),
    "random-160m": (246_337_536, 190_214_144, 165_007_360, 141_283_328, 116_125_696, 91_869_184),
}


@pytest.mark.parametrize("model", WRITTEN)
def test_every_byte_of_what_llama_quantize_writes(shape_of, model):
    shape = shape_of(model)
    assert tuple(sum(t.bytes for t in gguf_tensors(shape, format_id)) for format_id in FORMATS) == WRITTEN[model]


@pytest.mark.parametrize("format_id", LLAMA_3_8B_FILES)
def test_llama_3_8b_files(shape_of, format_id):
    tensors = sum(tensor.bytes for tensor in gguf_tensors(shape_of("llama-3-8b"), format_id))
    assert LLAMA_3_8B_FILES[format_id] - tensors == pytest.approx(7.83e6, rel=0.01)


def test_a_70b_model_gets_five_bit_values_where_others_get_four(shape_of):
    types = Counter(t.type for t in gguf_tensors(shape_of("llama-3.1-70b"), "gguf-q4_k_m") if "attn_v" in t.name)
    assert types == {"Q5_K": 40, "Q6_K": 40}


def test_an_eight_expert_model_gets_eight_bit_keys_and_values(shape_of):
    tensors = gguf_tensors(shape_of("mixtral-8x7b"), "gguf-q4_k_m")
    assert {t.type for t in tensors if "attn_v" in t.name or "attn_k." in t.name} == {"Q8_0"}
    assert {t.type for t in tensors if "attn_output" in t.name} == {"Q5_K"}
    assert {t.type for t in tensors if "gate_inp" in t.name} == {"F32"}


def test_a_tied_embedding_is_quantized_like_an_output(shape_of):
    embedding = next(t for t in gguf_tensors(shape_of("tiny"), "gguf-q4_k_m") if t.name == "token_embd.weight")
    assert embedding.type == "Q6_K"


def test_rows_not_divisible_by_256_fall_back_to_larger_types():
    from planner.models.families import shape_from_config

    odd = {
        "model_type": "qwen2", "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
        "num_key_value_heads": 2, "intermediate_size": 4864, "vocab_size": 151936, "tie_word_embeddings": True,
        "max_position_embeddings": 32768,
    }  # fmt: skip
    tensors = gguf_tensors(shape_from_config(odd), "gguf-q4_k_m")
    assert {t.type for t in tensors if "attn_q" in t.name and "bias" not in t.name} == {"Q5_0"}
    assert {t.type for t in tensors if "ffn_down" in t.name} == {"Q4_K", "Q6_K"}
    gpu_buffer_mib = sum(t.bytes for t in tensors) / MIB
    assert gpu_buffer_mib == pytest.approx(373.73, rel=0.0005)  # llama-cpp-python 0.2.90, Qwen2.5-0.5B Q4_K_M


def test_a_format_that_is_not_gguf_is_refused(shape_of):
    with pytest.raises(BadInput, match="awq-int4 is not a GGUF format"):
        gguf_tensors(shape_of("tiny"), "awq-int4")


@pytest.mark.parametrize(
    ("model", "quantization", "gpu_mib"),
    [
        ("llama-3.1-8b", "gguf Q4_0", 4155.99),  # llama.cpp on Vulkan, August 2025
        ("llama-3.1-70b", "gguf Q4_K_S", 37907.02),  # two RTX 4090, September 2024
        ("llama-3-70b", "gguf Q4_0", 37546.98),  # over RPC, August 2025
    ],
)
def test_file_types_without_a_format_of_ours_have_their_size_too(model, quantization, gpu_mib):
    known = find(model)
    assert known is not None
    row = {"id": "1", "engine": "llama.cpp", "config_id": model, "quantization": quantization, "llamacpp_ngl": "99"}
    found = predict_start(case_from_row(row), {model: known.shape})
    assert found.weights_gib * 1024 == pytest.approx(gpu_mib, rel=0.001)


# Bytes of all tensors that llama-quantize 0.3.36 wrote of the demonstration model with an importance matrix.
CODEBOOK_BYTES = {
    "IQ3_M": 1_505_280,
    "IQ3_S": 1_453_056,
    "IQ3_XS": 1_397_760,
    "IQ3_XXS": 1_260_544,
    "IQ2_M": 1_168_384,
    "IQ2_S": 1_106_944,
    "IQ2_XS": 1_056_768,
    "IQ2_XXS": 987_136,
    "IQ1_M": 910_336,
    "IQ1_S": 864_256,
}


@pytest.mark.parametrize("file_type", CODEBOOK_BYTES)
def test_every_byte_of_the_files_that_need_an_importance_matrix(file_type):
    shape = model_from_directory(DEMO_MODEL).shape
    assert sum(tensor.bytes for tensor in gguf_file(shape, file_type)) == CODEBOOK_BYTES[file_type]


# "quant size" in MiB that `llama-quantize --dry-run` 0.3.36 told of random weights, in the order of the table above.
CODEBOOK_MIB = {
    "random-8-experts": (15.00, 14.33, 13.65, 12.82, 10.90, 9.98, 9.85, 8.92, 7.77, 7.07),
    "random-4-experts": (11.06, 10.40, 9.91, 9.10, 8.72, 8.17, 7.75, 7.14, 6.45, 6.04),
    "random-80-layers": (13.36, 12.61, 11.96, 11.19, 10.16, 9.52, 8.73, 7.93, 7.12, 6.64),
    "random-33-layers": (12.55, 11.90, 11.28, 10.45, 9.47, 8.78, 8.18, 7.43, 6.57, 6.06),
}


@pytest.mark.parametrize("model", CODEBOOK_MIB)
def test_codebook_files_of_mixtures_and_deep_models(shape_of, model):
    predicted = [sum(t.bytes for t in gguf_file(shape_of(model), file_type)) / MIB for file_type in CODEBOOK_BYTES]
    assert predicted == pytest.approx(CODEBOOK_MIB[model], abs=0.0051)


def mxfp4_file(name):
    return gguf_file(find(name).shape, "MXFP4_MOE")


@pytest.mark.parametrize(("model", "gib"), [("gpt-oss-20b", 11.27), ("gpt-oss-120b", 59.02)])
def test_mxfp4_files_of_gpt_oss_have_the_size_llama_bench_prints(model, gib):
    assert sum(tensor.bytes for tensor in mxfp4_file(model)) / GIB == pytest.approx(gib, abs=0.005)


def test_mxfp4_files_keep_all_but_experts_and_norms_in_eight_bits():
    types = {tensor.name: tensor.type for tensor in mxfp4_file("gpt-oss-20b")}
    assert (types["token_embd.weight"], types["output.weight"], types["blk.0.attn_q.weight"]) == ("Q8_0",) * 3
    assert (types["blk.0.ffn_down_exps.weight"], types["blk.0.ffn_down_exps.bias"]) == ("MXFP4", "F32")


def test_every_byte_of_an_mxfp4_file_that_llama_quantize_writes(shape_of):
    assert sum(tensor.bytes for tensor in gguf_file(shape_of("random-4-experts"), "MXFP4_MOE")) == 18_774_016
