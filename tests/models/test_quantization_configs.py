"""Quantization configs as their tools write them, and the scheme each one is."""

from __future__ import annotations

import pytest

from planner.models.config import Config
from planner.models.quantization import Quantization, recognise


def recognised(quantization: dict[str, object], sidecar: dict[str, object] | None = None) -> Quantization | None:
    config = Config({"quantization_config": quantization} if quantization else {}, "config.json")
    return recognise(config, Config({"quantization": sidecar}, "hf_quant_config.json") if sidecar else None)


def group(
    bits: int, kind: str, group_size: int | None = None, activations: bool = False, symmetric: bool = True
) -> object:
    weights = {"num_bits": bits, "type": kind, "group_size": group_size, "symmetric": symmetric, "strategy": "group"}
    acts = {"num_bits": bits, "type": kind, "dynamic": True} if activations else None
    return {"targets": ["Linear"], "weights": weights, "input_activations": acts, "output_activations": None}


def compressed(*groups: object) -> dict[str, object]:
    named = {f"group_{number}": group for number, group in enumerate(groups)}
    return {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": named}


@pytest.mark.parametrize(
    ("config", "scheme", "group_size"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": True}, "awq-int4", 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": True, "sym": True}, "gptq-int4", 128),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1, "desc_act": False}, "gptq-int4", None),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "unknown", None),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 64}, "gptq-int4", 64),
        (
            {"quant_method": "auto-round", "bits": 4, "group_size": 128, "packing_format": "auto_round:auto_awq"},
            "awq-int4",
            128,
        ),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False}, "int8-bnb", None),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4", 64),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, "fp4-bnb", 64),
        ({"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4", 64),
        ({"quant_method": "fp8", "activation_scheme": "dynamic", "weight_block_size": [128, 128]}, "fp8", 128),
        ({"quant_method": "fp8", "activation_scheme": "static"}, "fp8", None),
        ({"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0}, "fp8", None),
        ({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}, "mxfp4", 32),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4", 16),
        ({"quant_method": "modelopt", "quant_algo": "FP8"}, "fp8", None),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, "unknown", None),
        (compressed(group(8, "float", activations=True)), "fp8", None),
        (compressed(group(8, "float")), "fp8-weight-only", None),
        (compressed(group(8, "int", activations=True)), "int8-w8a8", None),
        (compressed(group(8, "int")), "unknown", None),
        (compressed(group(4, "int", 128)), "gptq-int4", 128),
        (compressed(group(4, "int", 128, symmetric=False)), "awq-int4", 128),
        (compressed(group(4, "float", 16, activations=True)), "nvfp4", 16),
        (compressed(group(4, "float", 32)), "mxfp4", 32),
        (compressed(group(4, "int", 128), group(8, "float", activations=True)), "unknown", None),
        ({"quant_method": "hqq"}, "unknown", None),
        ({"bits": 4}, "unknown", None),
    ],
)
def test_a_config_is_a_scheme(config: dict[str, object], scheme: str, group_size: int | None) -> None:
    found = recognised(config)

    assert found is not None
    assert (found.stored_format, found.group_size) == (scheme, group_size)


def test_no_config_is_no_quantization() -> None:
    assert recognised({}) is None


def test_the_sidecar_counts_where_the_config_is_silent() -> None:
    assert recognised({}, {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}) == Quantization(
        "fp8", note="ModelOpt FP8"
    )
    assert recognised({}, {"quant_algo": None}) is None


def test_a_config_nested_in_the_text_section_is_found() -> None:
    nested = {"text_config": {"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}}
    found = recognise(Config(nested, "config.json"))

    assert found is not None
    assert found.stored_format == "awq-int4"


@pytest.mark.parametrize(
    ("config", "note"),
    [
        ({"quant_method": "aqlm"}, "quantization method aqlm"),
        ({"quant_method": "gptq", "bits": 3}, "GPTQ with 3 bits"),
        ({"quant_method": "modelopt", "quant_algo": "W4A8_AWQ"}, "ModelOpt W4A8_AWQ"),
        (compressed(), "compressed-tensors with 0 different schemes"),
        ({"bits": 4}, "quantization method without a quant_method"),
    ],
)
def test_what_is_not_known_is_named(config: dict[str, object], note: str) -> None:
    found = recognised(config)

    assert found == Quantization(
        "unknown", note=f"{note} is not known to quantplan: its bytes are taken from the headers"
    )


@pytest.mark.parametrize(
    ("section", "stored", "group_size"),
    [
        ({"quant_method": "intel/auto-round", "bits": 4, "group_size": 128}, "gptq-int4", 128),
        ({"quant_method": "awq_marlin", "bits": 4, "group_size": 64}, "awq-int4", 64),
        ({"quant_method": "gptq_marlin", "bits": 4, "group_size": 128}, "gptq-int4", 128),
        ({"quant_method": "modelopt", "quant_algo": "FP8_PB_WO"}, "fp8", 128),
        ({"quant_method": "modelopt", "quant_algo": "FP8_PER_CHANNEL_PER_TOKEN"}, "fp8", None),
    ],
)
def test_other_spellings_of_a_method_mean_the_same(section, stored, group_size):
    found = recognise(Config({"quantization_config": section}, "config.json"))
    assert found is not None
    assert (found.stored_format, found.group_size) == (stored, group_size)
