"""The hub through a stand-in for huggingface_hub: what is fetched, and what is said when it cannot be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from model_files import LLAMA, LLAMA_PARAMETERS, LLAMA_TENSORS, elements, write_directory

from planner.errors import BadInput
from planner.models.resolving import resolve_model

INSTEAD = "name a local directory, a model of the catalogue, or a bare size such as 70B"


class GatedRepoError(OSError): ...


class RepositoryNotFoundError(OSError): ...


class FakeHub:
    """Answers as huggingface_hub 0.30 to 2.x do, from a folder; `failure` is raised instead where one is set."""

    errors = SimpleNamespace(GatedRepoError=GatedRepoError, RepositoryNotFoundError=RepositoryNotFoundError)

    def __init__(self, folder: Path, failure: Exception | None = None, cached: Path | None = None) -> None:
        self.folder, self.failure, self.cached = folder, failure, cached

    def HfApi(self) -> FakeHub:
        return self

    def model_info(self, repo_id: str, timeout: float) -> Any:
        if self.failure:
            raise self.failure
        return SimpleNamespace(siblings=[SimpleNamespace(rfilename=path.name) for path in self.folder.iterdir()])

    def hf_hub_download(self, repo_id: str, name: str) -> str:
        return str(self.folder / name)

    def get_safetensors_metadata(self, repo_id: str) -> Any:
        tensors = {
            name: SimpleNamespace(dtype="BF16", shape=list(shape), data_offsets=(0, 2 * elements(shape)))
            for name, shape in LLAMA_TENSORS.items()
        }
        return SimpleNamespace(files_metadata={"model.safetensors": SimpleNamespace(tensors=tensors)})

    def try_to_load_from_cache(self, repo_id: str, name: str) -> str | None:
        return str(self.cached / name) if self.cached else None


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeHub:
    fake = FakeHub(write_directory(tmp_path / "remote"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)  # type: ignore[arg-type]
    return fake


def refusal(text: str) -> str:
    with pytest.raises(BadInput) as refused:
        resolve_model(text)
    return str(refused.value)


def test_a_hub_model_gives_shape_and_bytes_without_its_weights(hub: FakeHub) -> None:
    model = resolve_model("someone/tiny-llama-variant")

    assert (model.name, model.origin, model.stored_format) == ("someone/tiny-llama-variant", "hub", "bf16")
    assert model.shape.parameters == LLAMA_PARAMETERS
    assert model.checkpoint is not None
    assert model.checkpoint.total_bytes == 2 * LLAMA_PARAMETERS
    assert model.assumptions == ()


def test_a_quantized_hub_model_is_recognised(hub: FakeHub) -> None:
    quantization = {"quant_method": "gptq", "bits": 4, "group_size": 128}
    (hub.folder / "config.json").write_text(json.dumps({**LLAMA, "quantization_config": quantization}))
    (hub.folder / "chat_template.jinja").write_text("{{ messages }}")

    model = resolve_model("someone/tiny-GPTQ")

    assert model.stored_format == "gptq-int4"
    assert model.is_chat


def test_a_catalogue_model_never_asks_the_hub(hub: FakeHub) -> None:
    hub.failure = RuntimeError("asked")

    assert resolve_model("Qwen/Qwen2.5-7B-Instruct").origin == "catalogue"


def test_offline_the_alternatives_are_named(hub: FakeHub) -> None:
    hub.failure = ConnectionError("no route")

    assert refusal("someone/Qwen2.5-7B-Instruct-1M") == (
        "someone/Qwen2.5-7B-Instruct-1M is not in the catalogue, and the Hugging Face Hub cannot be reached\n"
        "Did you mean: qwen2.5-7b, qwen2.5-72b, qwen2.5-vl-7b?\n"
        f"To fix: connect to the hub, or {INSTEAD}"
    )


def test_offline_a_cached_copy_is_used(hub: FakeHub, tmp_path: Path) -> None:
    hub.failure, hub.cached = ConnectionError("no route"), write_directory(tmp_path / "snapshot")

    model = resolve_model("someone/tiny")

    assert (model.name, model.origin) == ("someone/tiny", "directory")


def test_a_gated_model_says_how_to_get_in(hub: FakeHub) -> None:
    hub.failure = GatedRepoError("403")

    assert refusal("someone/zzzz").splitlines()[0] == "someone/zzzz is gated on the Hugging Face Hub"
    assert refusal("someone/zzzz").splitlines()[-1] == (
        f"To fix: accept the licence on the model's page and log in with `hf auth login`, or {INSTEAD}"
    )


def test_a_model_that_is_nowhere(hub: FakeHub) -> None:
    hub.failure = RepositoryNotFoundError("404")

    assert refusal("someone/zzzz") == (
        f"someone/zzzz is neither in the catalogue nor on the Hugging Face Hub\nTo fix: {INSTEAD}"
    )


def test_a_repository_without_config(hub: FakeHub) -> None:
    (hub.folder / "config.json").unlink()

    assert refusal("someone/zzzz") == f"someone/zzzz on the Hugging Face Hub has no config.json\nTo fix: {INSTEAD}"


def test_without_the_library_the_install_line_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)

    assert refusal("someone/zzzz") == (
        "someone/zzzz is on the hub, and huggingface_hub is not installed\n"
        f"To fix: pip install 'quantplan[hub]', or {INSTEAD}"
    )
