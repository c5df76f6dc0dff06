"""Checkpoints as they are: what a quantization_config, a name or an export says, against what engines loaded."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from planner.memory.batch import predict_file
from planner.memory.stored_schemes import left_out, stored_scheme
from planner.models.catalogue import entries, find
from planner.models.config import Config
from planner.models.shape import Shape

CONFIGS = {entry.name: entry.config for entry in entries()}


def shape_of(name: str) -> Shape:
    model = find(name)
    assert model is not None
    return model.shape


def weights_gib(tmp_path: Path, config: dict[str, object], **row: str) -> float | None:
    """The weights predicted for one start of that config on one H100."""
    cases, configs, out = tmp_path / "cases.csv", tmp_path / "configs.jsonl", tmp_path / "out.jsonl"
    configs.write_text(json.dumps(config) + "\n")
    case = {"id": "1", "engine": "vllm", "config_id": str(config["model_id"]), "gpu_class": "H100"} | row
    with cases.open("w", newline="") as file:
        writer = csv.DictWriter(file, case)
        writer.writeheader()
        writer.writerow(case)
    predict_file(cases, configs, out)
    found: float | None = json.loads(out.read_text())["weights_gib"]
    return found


def test_a_plain_config_says_how_its_checkpoint_is_stored(tmp_path):
    """hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4: 5.34 GiB of safetensors; vLLM logs 5.37 GiB."""
    quantization = {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm"}
    config = {**CONFIGS["llama-3.1-8b"], "model_id": "somebody/finetune", "quantization_config": quantization}

    assert weights_gib(tmp_path, config) == pytest.approx(5.37, abs=0.03)
    assert weights_gib(tmp_path, config, quantization="none") == pytest.approx(14.99, abs=0.03)


def test_a_config_whose_method_is_not_modelled_abstains(tmp_path):
    config = {**CONFIGS["llama-3.1-8b"], "model_id": "x/y", "quantization_config": {"quant_method": "aqlm"}}

    assert weights_gib(tmp_path, config) is None


@pytest.mark.parametrize(
    ("names", "whole", "some"),
    [
        (["lm_head", "re:.*self_attn.*"], ("attention", "head"), ()),
        (["model.layers.0.mlp.down_proj", "model.layers.1.mlp.down_proj"], (), (("down_proj", 2),)),
        ([f"model.layers.{n}.self_attn" for n in range(32)], ("attention",), ()),
        (["model.layers.0", "layers.40.mlp"], (), tuple((p, 1) for p in ("attention", "experts", "mlp", "recurrent"))),
        (["model.visual.blocks.3.attn", "mlp.gate", "model.layers.3.mlp.router"], (), ()),
    ],
)  # fmt: skip
def test_modules_left_out_are_parts_in_all_layers_or_in_some(names, whole, some):
    assert left_out(names, shape_of("llama-3.1-8b")) == (whole, some)


def test_mixed_precision_is_read_part_by_part():
    """ModelOpt MIXED_PRECISION as in nvidia/Qwen3.6-27B-NVFP4: NVFP4 MLPs and head, FP8 attention."""
    layers = {"model.layers.3.self_attn.q_proj": "FP8", "model.layers.0.linear_attn.out_proj": "FP8",
              "model.layers.0.mlp.up_proj": "NVFP4", "lm_head": "NVFP4"}  # fmt: skip
    named = {name: {"quant_algo": algorithm} for name, algorithm in layers.items()}
    section = {"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION", "quantized_layers": named}
    found = stored_scheme(Config({"quantization_config": section}, "config.json"), shape_of("qwen3.5-27b"))

    assert found is not None
    assert (found.id, found.keeps_8_bit, found.quantizes_too) == ("nvfp4", ("attention", "recurrent"), ("head",))
    assert "head" not in found.keeps_16_bit


COMPACT_COSYVOICE = {
    "model_id": "CosyVoice2-0.5B", "hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14,
    "num_key_value_heads": 2, "head_dim": 64, "intermediate_size": 4864, "vocab_size": 151936,
    "tie_word_embeddings": True, "max_position_embeddings": 32768,
}  # fmt: skip


def test_an_export_that_changes_the_vocabulary_is_loaded_as_exported(tmp_path):
    """CosyVoice2 as FunAudioLLM exports it for vLLM: 6,592 speech tokens, not 151,936; vLLM logged 0.6951 GiB."""
    assert weights_gib(tmp_path, COMPACT_COSYVOICE) == pytest.approx(0.6951, abs=0.002)


def test_published_checkpoints_that_mix_widths(tmp_path):
    """vLLM logged 57.752 GiB a GPU for Meta's FP8 405B over eight (first revision, twice the key-value heads: 0.98 GiB)
    and 19.75 GiB for an NVFP4 Qwen3.8-27B, whose attention is FP8."""
    llama = {**CONFIGS["llama-3.1-405b"], "model_id": "meta-llama/Meta-Llama-3.1-405B-Instruct-FP8"}
    qwen = {**CONFIGS["qwen3.5-27b"], "model_id": "Qwen/Qwen3.8-27B"}

    assert weights_gib(tmp_path, llama, tensor_parallel_size="8") == pytest.approx(57.752 - 0.985, rel=0.003)
    assert weights_gib(tmp_path, qwen, quantization="nvfp4") == pytest.approx(19.75, rel=0.012)
