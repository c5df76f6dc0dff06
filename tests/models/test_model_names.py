"""The one door: who is asked first, and the exact words when nobody knows the name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from model_files import write_directory, write_gguf

from planner.errors import BadInput
from planner.models.resolving import resolve_model

INSTEAD = (
    "To fix: name a model of the catalogue, a hub id (org/name), a directory with a config.json, a .gguf file, "
    "or a bare size such as 70B"
)


@pytest.mark.parametrize(
    "spelling",
    [
        "llama-3.1-70b",
        "LLAMA-3.1-70B",
        "meta-llama/Llama-3.1-70B-Instruct",
        "llama-3.1-70b-instruct",
        "llama3.1-70b",
        " Llama 3.1 70B ",
    ],
)
def test_a_catalogue_model_has_many_spellings(spelling: str) -> None:
    model = resolve_model(spelling)

    assert model.name == "llama-3.1-70b"
    assert model.origin == "catalogue"
    assert model.is_chat
    assert model.assumptions == ()


def test_a_base_model_shares_the_shape_and_does_not_chat() -> None:
    model = resolve_model("meta-llama/Llama-3.1-70B")

    assert model.name == "meta-llama/Llama-3.1-70B"
    assert not model.is_chat
    assert model.shape == resolve_model("llama-3.1-70b").shape


def test_a_published_checkpoint_is_known_by_its_repository() -> None:
    model = resolve_model("hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4")

    assert model.stored_format == "awq-int4"
    assert model.shape == resolve_model("llama-3.1-70b").shape


def test_some_models_are_published_quantized() -> None:
    assert resolve_model("gpt-oss-120b").stored_format == "mxfp4"
    assert resolve_model("deepseek-v3").stored_format == "fp8"
    assert resolve_model("llama-3.1-8b").stored_format == "bf16"


def test_a_directory_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_directory(tmp_path / "llama-3.1-70b")
    monkeypatch.chdir(tmp_path)

    assert resolve_model("llama-3.1-70b").origin == "directory"


def test_a_gguf_file_is_read_by_its_header(tmp_path: Path) -> None:
    assert resolve_model(str(write_gguf(tmp_path / "tiny.gguf"))).origin == "gguf"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lama-3.1-70b",
            f"no model is called 'lama-3.1-70b'\nDid you mean: llama-3.1-70b, llama-3.3-70b, llama-3-70b?\n{INSTEAD}",
        ),
        ("./nowhere", f"no directory or .gguf file at ./nowhere\n{INSTEAD}"),
        ("weights.gguf", f"no directory or .gguf file at weights.gguf\n{INSTEAD}"),
        ("", f"no model is called ''\n{INSTEAD}"),
        ("#" * 5000, f"no model is called '{'#' * 200}...'\n{INSTEAD}"),
        ("~nobody-here/model", f"no directory or .gguf file at ~nobody-here/model\n{INSTEAD}"),
        ("a\0b", f"no model is called 'a\\x00b'\n{INSTEAD}"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(text: str, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        resolve_model(text)

    assert str(refused.value) == message


def test_without_the_hub_an_id_is_an_unknown_name() -> None:
    with pytest.raises(BadInput) as refused:
        resolve_model("nobody/qwen2.5-7b-turbo", allow_hub=False)

    assert str(refused.value).startswith("no model is called 'nobody/qwen2.5-7b-turbo'\nDid you mean: qwen2.5-7b")


def test_looking_a_name_up_imports_nothing_heavy() -> None:
    program = "import sys; from planner.models.resolving import resolve_model; resolve_model('llama-3.1-70b'); "
    program += "print({'torch', 'transformers', 'numpy', 'pydantic', 'huggingface_hub'} & set(sys.modules))"

    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "set()"
