"""What vLLM's profiling run holds of vision towers, against start-up logs."""

from __future__ import annotations

import pytest

from planner.memory.batch import StartPrediction, predict_start
from planner.memory.cases import case_from_row
from planner.memory.towers import Images, images_profiled, kept_bytes, tower_bytes
from planner.models.catalogue import find
from planner.models.families import shape_from_config
from planner.models.shape import Shape
from planner.units import GIB


def shape_of(name: str) -> Shape:
    model = find(name)
    assert model is not None
    return model.shape


def predicted(name: str, **row: str) -> StartPrediction:
    row = {"id": "1", "engine": "vllm", "config_id": name, "model_id": name} | row
    return predict_start(case_from_row(row), {name: shape_of(name)})


def test_an_image_of_the_largest_size_decides_the_peak_of_a_small_model():
    """Qwen3.5-4B, vLLM of August 2026, A100-40GB, eager: the log says 1.70 GiB (ovg-project/kvcached#448)."""
    found = predicted(
        "qwen3.5-4b", quantization="none", engine_version="2026-08", gpu_class="A100-40GB", enforce_eager="true"
    )
    assert found.activation_gib == pytest.approx(1.70, rel=0.01)


def test_deepstack_hands_over_states_of_three_layers_more():
    """Qwen3-VL-30B-A3B in FP8, vLLM 0.20.2, RTX PRO 6000, 4 sequences: a pool of 33.59 GiB."""
    found = predicted(
        "qwen3-vl-30b-a3b", quantization="fp8", engine_version="0.20.2", gpu_class="RTX PRO 6000",
        gpu_memory_utilization="0.70", max_num_seqs="4", max_model_len="32768",
    )  # fmt: skip
    assert found.kv_gib == pytest.approx(33.59, rel=0.01)


def test_a_gated_tower_with_window_attention():
    """MiMo-VL-7B has Qwen2.5-VL's tower, 3,456 wide; vLLM 0.19 on an H100 reports a peak of 2.49 GiB."""
    vision = {"hidden_size": 1280, "intermediate_size": 3456, "depth": 32, "out_hidden_size": 4096}
    text = {"hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
            "intermediate_size": 11008, "vocab_size": 151680, "max_position_embeddings": 128000}  # fmt: skip
    shape = shape_from_config({"model_type": "qwen2_5_vl", **text, "vision_config": vision})
    images = images_profiled(shape, 8192, 8192)

    assert images == Images(1, 16384, 65536)
    assert (tower_bytes(shape, images) or 0) / GIB == pytest.approx(2.49, rel=0.01)
    assert kept_bytes(shape, images) == 16384 * 4096 * 2


def test_small_images_are_profiled_by_the_batch():
    """Gemma 3's images are 256 tokens each, so a step of 8,192 tokens reads 32 of them."""
    assert images_profiled(shape_of("gemma-3-27b"), 8192, 131_072) == Images(32, 256, 4096)


def test_a_family_whose_largest_image_is_not_known_has_no_profile():
    assert images_profiled(shape_of("llama-3.2-11b-vision"), 8192, 8192) is None
    assert images_profiled(shape_of("llama-3.1-8b"), 8192, 8192) is None
