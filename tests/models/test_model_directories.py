"""Hugging Face directories made in a temporary folder, and the demonstration model that ships with the project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from model_files import LLAMA_PARAMETERS, LLAMA_TENSORS, elements, write_directory, write_gguf, write_safetensors

from planner.errors import BadInput
from planner.models.resolving import resolve_model

DEMO = Path(__file__).parents[2] / "executor" / "demo" / "pydocs-3m"


def refusal(directory: Path) -> str:
    with pytest.raises(BadInput) as refused:
        resolve_model(str(directory))
    return str(refused.value)


def test_a_directory_gives_shape_bytes_and_name(tmp_path: Path) -> None:
    model = resolve_model(str(write_directory(tmp_path / "tiny")))

    assert (model.name, model.origin, model.stored_format, model.is_chat) == ("tiny", "directory", "bf16", False)
    assert model.shape.parameters == LLAMA_PARAMETERS
    assert model.shape.architecture == "LlamaForCausalLM"
    assert model.checkpoint is not None
    assert model.checkpoint.total_bytes == (tmp_path / "tiny" / "model.safetensors").stat().st_size
    assert model.assumptions == ()


def test_a_config_alone_is_enough_and_says_so(tmp_path: Path) -> None:
    (write_directory(tmp_path) / "model.safetensors").unlink()

    model = resolve_model(str(tmp_path))

    assert model.checkpoint is None
    assert model.assumptions == ("no weights at hand: their bytes follow from the shape",)


@pytest.mark.parametrize("name", ["chat_template.jinja", "chat_template.json", "tokenizer_config.json"])
def test_a_chat_template_makes_a_chat_model(tmp_path: Path, name: str) -> None:
    (write_directory(tmp_path) / name).write_text(json.dumps({"chat_template": "{{ messages }}"}), encoding="utf-8")

    assert resolve_model(str(tmp_path)).is_chat


def test_half_precision_is_told_apart(tmp_path: Path) -> None:
    write_safetensors(write_directory(tmp_path) / "model.safetensors", LLAMA_TENSORS, dtype="F16")

    assert resolve_model(str(tmp_path)).stored_format == "fp16"


def test_full_precision_is_planned_as_sixteen_bits_and_says_so(tmp_path: Path) -> None:
    write_safetensors(write_directory(tmp_path) / "model.safetensors", LLAMA_TENSORS, dtype="F32", width=4)

    model = resolve_model(str(tmp_path))

    assert model.stored_format == "bf16"
    assert model.assumptions == ("stored in 32 bits: planned as 16 bits, as engines load it",)


def test_weights_that_disagree_with_the_config_are_mentioned(tmp_path: Path) -> None:
    write_directory(tmp_path, {"num_hidden_layers": 3})

    assert resolve_model(str(tmp_path)).assumptions == (
        f"the weight files hold {LLAMA_PARAMETERS:,} parameters, the shape of the config "
        f"{LLAMA_PARAMETERS + 2 * 64 * 64 + 2 * 32 * 64 + 3 * 128 * 64 + 2 * 64:,}",
    )


def test_an_existing_quantization_is_recognised(tmp_path: Path) -> None:
    quantization = {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm"}
    model = resolve_model(str(write_directory(tmp_path, {"quantization_config": quantization})))

    assert model.stored_format == "awq-int4"
    assert model.checkpoint is not None
    assert (model.checkpoint.stored_format, model.checkpoint.group_size) == ("awq-int4", 128)


def test_the_sidecar_of_modelopt_is_read(tmp_path: Path) -> None:
    sidecar = {"producer": {"name": "modelopt"}, "quantization": {"quant_algo": "NVFP4", "group_size": 16}}
    (write_directory(tmp_path) / "hf_quant_config.json").write_text(json.dumps(sidecar), encoding="utf-8")

    assert resolve_model(str(tmp_path)).stored_format == "nvfp4"


def test_an_unknown_quantization_is_planned_by_its_bytes_and_says_so(tmp_path: Path) -> None:
    model = resolve_model(str(write_directory(tmp_path, {"quantization_config": {"quant_method": "hqq"}})))

    assert model.stored_format == "unknown"
    assert model.assumptions == (
        "quantization method hqq is not known to quantplan: its bytes are taken from the headers",
    )


def test_a_directory_without_config(tmp_path: Path) -> None:
    assert refusal(tmp_path) == (
        f"{tmp_path}: no config.json here\nTo fix: point at the directory of a Hugging Face model, or a .gguf file"
    )


def test_a_directory_with_one_gguf_is_that_gguf(tmp_path: Path) -> None:
    write_gguf(tmp_path / "tiny-Q4_K_M.gguf")

    assert resolve_model(str(tmp_path)).stored_format == "gguf-q4_k_m"


def test_a_directory_with_two_gguf_files_asks_which(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf")
    write_gguf(tmp_path / "b.gguf")

    assert refusal(tmp_path) == (
        f"{tmp_path}: 2 .gguf files and no config.json here\nTo fix: name one of the .gguf files"
    )


def test_pickled_weights_are_refused_with_the_way_out(tmp_path: Path) -> None:
    (write_directory(tmp_path) / "model.safetensors").rename(tmp_path / "pytorch_model.bin")

    assert refusal(tmp_path) == (
        f"{tmp_path}: its weights are pickles (pytorch_model.bin), which can run code when loaded\n"
        "To fix: convert them: load the model with transformers in an environment you trust and call "
        "save_pretrained(directory, safe_serialization=True)"
    )


def test_reading_changes_nothing(tmp_path: Path) -> None:
    write_directory(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    resolve_model(str(tmp_path))

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.skipif(not DEMO.is_dir(), reason="the demonstration model is not in this checkout")
def test_the_demonstration_model_adds_up_to_its_headers() -> None:
    model = resolve_model(str(DEMO))

    assert model.checkpoint is not None
    assert sum(model.shape.parameters_by_component().values()) == sum(
        elements(tensor.shape) for tensor in model.checkpoint.tensors
    )
    assert model.checkpoint.total_bytes == (DEMO / "model.safetensors").stat().st_size
    assert all(matrix.columns % 256 == 0 for matrix in model.shape.quantizable())
