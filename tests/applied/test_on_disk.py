"""What was really written, layer by layer: right to the byte it passes; partial, missing or other it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import checkpoints
import pytest

from executor.applied.expected import Expected
from executor.applied.on_disk import applied_on_disk
from planner.errors import ExecutionFailed
from planner.layouts import layout_of
from planner.models.directory import model_from_directory

PACKED = {"quant_method": "compressed-tensors"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True}
FIX = "To fix: read the log of the step that quantized; plan another format, or another tool with --tool"


@pytest.fixture
def original(tmp_path: Path) -> Path:
    return checkpoints.write(tmp_path / "original", checkpoints.original())


def check(original: Path, written: Path, format: str, tool: str | None = None, variant: str = "") -> dict[str, Any]:
    shape = model_from_directory(original).shape
    return applied_on_disk(original, written, Expected.of(layout_of(format, tool, variant).expected(shape)))


EVERY_128 = "I32, 4 bits, a scale for every 128"
BNB = {"quant_method": "bitsandbytes"}
WRITTEN = (
    ("awq-int4", "llm-compressor", "", checkpoints.awq_packed(), PACKED, f"{EVERY_128}, with zero points"),
    ("gptq-int4", "llm-compressor", "", checkpoints.awq_packed(zeros=False), PACKED, EVERY_128),
    ("gptq-int4", "gptqmodel", "", checkpoints.gptq(), GPTQ, f"{EVERY_128}, with zero points"),
    ("nf4", "bitsandbytes", "", checkpoints.nf4(), BNB, "U8, 4 bits, a scale for every 64"),
    ("fp8", "llm-compressor", "block", checkpoints.fp8(True), PACKED, "F8_E4M3, 8 bits, a scale for every 16384"),
)


@pytest.mark.parametrize(("format", "tool", "variant", "tensors", "config", "stored"), WRITTEN)
def test_what_the_tools_write_passes(
    original: Path, tmp_path: Path, format: str, tool: str, variant: str, tensors: Any, config: Any, stored: str
) -> None:
    found = check(original, checkpoints.write(tmp_path / "made", tensors, config), format, tool, variant)
    assert found["schemes"] == {stored: 7}
    assert abs(found["bytes_error"]) < 1e-4, "predicted to the byte, but for one nested scale of bitsandbytes"
    assert found["bytes"] > found["tensor_bytes"], "the file has its header besides"
    assert found["bytes_by_class"]["quantized"]["measured"] == found["bytes_by_class"]["quantized"]["predicted"]


def test_sizes_of_the_demonstration_model_are_those_the_tools_wrote() -> None:
    """Bytes of all tensors, as bitsandbytes 0.50.2, llm-compressor 0.14 and GPTQModel 7.6 wrote them."""
    shape = model_from_directory(Path(__file__).parents[2] / "executor" / "demo" / "pydocs-3m").shape
    written = {
        ("int8-bnb", "bitsandbytes", ""): 3_445_276,
        ("fp4-bnb", "bitsandbytes", ""): 2_384_320,
        ("fp8", "llm-compressor", ""): 3_428_864,
        ("fp8", "llm-compressor", "static"): 3_412_592,
        ("fp8", "llm-compressor", "block"): 3_412_768,
        ("int8-w8a8", "llm-compressor", ""): 3_428_864,
        ("int8-w8a8", "llm-compressor", "weight-only"): 3_449_792,
        ("awq-int4", "llm-compressor", ""): 2_279_360,
        ("awq-int4", "gptqmodel", ""): 2_278_912,
        ("gptq-int4", "llm-compressor", ""): 2_270_144,
        ("gptq-int4", "gptqmodel", ""): 2_311_680,
        ("rtn-int4", "llm-compressor", ""): 2_270_144,
        ("nvfp4", "llm-compressor", ""): 2_380_512,
        ("mxfp4", "llm-compressor", ""): 2_306_560,
    }
    assert {key: layout_of(*key).bytes_of(shape).total for key in written} == written
    assert layout_of("nf4").bytes_of(shape).total == pytest.approx(2_305_483, rel=1e-5)
    cached = layout_of("fp8").expected(shape, kv_scales=True)["bytes_by_class"]
    assert sum(cached.values()) == 3_428_880, "four layers, each with a scale for keys and one for values"


def test_a_layer_left_in_16_bits_is_a_partial_quantization(original: Path, tmp_path: Path) -> None:
    """As fused experts are under bitsandbytes with transformers 5: skipped without a word."""
    tensors = checkpoints.awq_packed()
    for part in ("weight_packed", "weight_scale", "weight_shape", "weight_zero_point"):
        del tensors[f"model.layers.0.mlp.up_proj.{part}"]
    tensors["model.layers.0.mlp.up_proj.weight"] = ("BF16", (512, 256))
    made = checkpoints.write(tmp_path / "made", tensors, PACKED)
    with pytest.raises(ExecutionFailed) as failed:
        check(original, made, "awq-int4")
    assert str(failed.value) == (
        f"{made}: what was written is not awq-int4 as planned:\n"
        f"  model.layers.0.mlp.up_proj is not quantized: BF16\n{FIX}"
    )


def test_a_missing_layer_is_named(original: Path, tmp_path: Path) -> None:
    tensors = {name: kind for name, kind in checkpoints.gptq().items() if "down_proj" not in name}
    with pytest.raises(ExecutionFailed, match=r"mlp\.down_proj is not in the checkpoint"):
        check(original, checkpoints.write(tmp_path / "made", tensors, GPTQ), "gptq-int4")


def test_another_group_size_than_planned_is_refused(original: Path, tmp_path: Path) -> None:
    made = checkpoints.write(tmp_path / "made", checkpoints.awq_packed(group=64), PACKED)
    with pytest.raises(ExecutionFailed, match=r"q_proj has a scale for every 64 weights instead of 128"):
        check(original, made, "awq-int4")


def test_symmetric_where_zero_points_were_planned_is_refused(original: Path, tmp_path: Path) -> None:
    made = checkpoints.write(tmp_path / "made", checkpoints.awq_packed(zeros=False), PACKED)
    with pytest.raises(ExecutionFailed, match=r"q_proj is symmetric instead of asymmetric"):
        check(original, made, "awq-int4")


def test_another_width_is_refused(original: Path, tmp_path: Path) -> None:
    made = checkpoints.write(tmp_path / "made", checkpoints.fp8(), PACKED)
    with pytest.raises(ExecutionFailed, match=r"q_proj is F8_E4M3 of 8 bits instead of I32 of 4 bits"):
        check(original, made, "awq-int4")


def test_the_config_must_say_what_the_file_holds(original: Path, tmp_path: Path) -> None:
    """Engines read method and group size there; without it the weights would be loaded as they are."""
    with pytest.raises(ExecutionFailed, match=r"config\.json names the method None instead of 'gptq'"):
        check(original, checkpoints.write(tmp_path / "bare", checkpoints.gptq()), "gptq-int4")
    wrong = {**GPTQ, "group_size": 64, "sym": False}
    with pytest.raises(ExecutionFailed, match=r"groups of 64 instead of 128\n  config.json says asymmetric"):
        check(original, checkpoints.write(tmp_path / "wrong", checkpoints.gptq(), wrong), "gptq-int4")


def test_routers_and_heads_are_not_expected_to_be_quantized(tmp_path: Path) -> None:
    from executor.applied.layers import linear_layers
    from planner.models.model import StoredTensor

    names = (
        "mlp.gate",
        "mlp.gate_proj",
        "lm_head",
        "block_sparse_moe.gate",
        "visual.blocks.0.qkv",
        "mlp.experts.3.up_proj",
    )
    tensors = [StoredTensor(f"model.{name}.weight", "BF16", (8, 8), 128) for name in names]
    assert list(linear_layers(tensors)) == ["model.mlp.gate_proj", "model.mlp.experts.3.up_proj"]
