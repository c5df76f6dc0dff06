"""Model directories that mean harm: nothing is unpickled, run, read from elsewhere, or believed."""

from __future__ import annotations

import json
import os
import pickle
import struct
from pathlib import Path

import pytest

from executor.steps.convert import view_without_code
from executor.steps.fetch import HUB_ID, list_model_files
from planner.errors import BadInput
from planner.models.directory import model_from_directory
from planner.units import GIB

CONFIG = {
    "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 256, "max_position_embeddings": 512,
}  # fmt: skip


class RunsWhenRead:
    """A pickle of it runs a command when it is loaded."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.proof),)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "model"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(CONFIG))
    write_safetensors(made / "model.safetensors")
    return made


def write_safetensors(path: Path, header_bytes: int | None = None) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", header_bytes or len(header)) + header + b"\0" * 4)


def configured(directory: Path, **more: object) -> Path:
    (directory / "config.json").write_text(json.dumps({**CONFIG, **more}))
    return directory


def test_pickled_weights_are_refused_and_never_read(directory: Path, tmp_path: Path) -> None:
    proof = tmp_path / "it-ran"
    (directory / "model.safetensors").unlink()
    (directory / "pytorch_model.bin").write_bytes(pickle.dumps(RunsWhenRead(proof)))
    for read in (list_model_files, model_from_directory):
        with pytest.raises(BadInput, match="pickle"):
            read(directory)
    assert not proof.exists()


def test_pickles_beside_safetensors_are_left_out(directory: Path, tmp_path: Path) -> None:
    (directory / "training_args.bin").write_bytes(pickle.dumps(RunsWhenRead(tmp_path / "it-ran")))
    assert [path.name for path in list_model_files(directory)] == ["config.json", "model.safetensors"]


def test_code_of_the_repository_is_never_put_before_a_tool(directory: Path, tmp_path: Path) -> None:
    configured(directory, auto_map={"AutoConfig": "modeling_evil.EvilConfig"})
    (directory / "modeling_evil.py").write_text("raise SystemExit('it ran')")
    (directory / "native.so").write_bytes(b"\x7fELF")
    names = [str(path.relative_to(directory)) for path in list_model_files(directory)]
    view = view_without_code(directory, names, tmp_path / "view")
    assert sorted(path.name for path in view.iterdir()) == ["config.json", "model.safetensors"]
    assert model_from_directory(directory).needs_remote_code, "it is told, and nothing of it is run"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors", "tokenizer_config.json"])
def test_links_out_of_the_directory_are_refused(directory: Path, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(json.dumps(CONFIG))
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to(secret)
    with pytest.raises(BadInput, match=f"{name} is a link that leads out of the model directory"):
        list_model_files(directory)


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "sub/../../outside.safetensors", ".."])
def test_an_index_cannot_name_files_elsewhere(directory: Path, shard: str) -> None:
    write_safetensors(directory.parent / "outside.safetensors")
    index = {"weight_map": {"a": shard}}
    (directory / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadInput):
        model_from_directory(directory)


def test_a_header_that_claims_more_than_the_file_holds_is_refused_without_reading_it(directory: Path) -> None:
    write_safetensors(directory / "model.safetensors", header_bytes=2**62)
    with pytest.raises(BadInput, match="the header should have 4611686018427387904 bytes"):
        model_from_directory(directory)


def test_a_config_of_a_gibibyte_is_not_parsed(directory: Path) -> None:
    with (directory / "config.json").open("wb") as file:
        file.truncate(GIB)
    with pytest.raises(BadInput, match="bytes are too many for a JSON file"):
        model_from_directory(directory)


def test_a_config_nested_beyond_reason_is_refused(directory: Path) -> None:
    (directory / "config.json").write_text("[" * 200_000)
    with pytest.raises(BadInput, match="not valid JSON"):
        model_from_directory(directory)


@pytest.mark.parametrize(
    "lie",
    [
        {"hidden_size": -64},
        {"num_hidden_layers": "two"},
        {"num_attention_heads": 0},
        {"vocab_size": None},
        {"hidden_size": float("nan")},
    ],
)
def test_impossible_configs_are_refused_by_name(directory: Path, lie: dict[str, object]) -> None:
    with pytest.raises(BadInput) as caught:
        model_from_directory(configured(directory, **lie))
    assert "config.json" in str(caught.value)


@pytest.mark.parametrize("name", ["../etc", "a/../../b", "a b", "$(id)", "a;b", "a/b/c", "~root", ""])
def test_what_is_no_hub_id_is_never_asked_of_the_hub(name: str) -> None:
    assert HUB_ID.fullmatch(name) is None


def test_a_name_full_of_shell_is_only_a_name(tmp_path: Path) -> None:
    directory = tmp_path / "$(touch it-ran); `touch it-ran`"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(CONFIG))
    write_safetensors(directory / "model.safetensors")
    assert model_from_directory(directory).name == directory.name
    assert not (tmp_path / "it-ran").exists()
