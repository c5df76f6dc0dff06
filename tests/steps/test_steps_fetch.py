"""Fetching a model: what is accepted, and what is refused before a byte of it is trusted."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from example_plan import example_candidate, example_plan

from executor.steps import supported
from executor.steps.fetch import fetch, list_model_files
from executor.steps.keep_original import changed_originals, keep_original
from planner.errors import BadInput, ExecutionFailed
from planner.hardware.nvml import DriverReading, GpuReading


@pytest.fixture(autouse=True)
def any_model_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which model it is, and whether it is whole, is asked in test_steps_same_model.py."""
    module = sys.modules["executor.steps.fetch"]  # the package has the function under the module's name
    monkeypatch.setattr(module, "require_planned_model", lambda plan, where, local: None)
    monkeypatch.setattr(module, "require_tokenizer", lambda directory, files: None)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    directory = tmp_path / "model"
    directory.mkdir()
    (directory / "config.json").write_text("{}")
    (directory / "model.safetensors").write_bytes(b"weights")
    return directory


def test_a_model_directory_is_listed_with_sizes(model: Path, make_context) -> None:
    result = fetch(make_context("fetch", plan=example_plan(str(model))))
    assert result == {
        "directory": str(model),
        "files": [{"name": "config.json", "bytes": 2}, {"name": "model.safetensors", "bytes": 7}],
        "total_bytes": 9,
    }


def test_pickled_weights_are_refused(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    with pytest.raises(BadInput) as refused:
        list_model_files(model)
    assert str(refused.value) == (
        f"{model}: its weights are pickled (pytorch_model.bin); a pickle can run any code when it is read, so none is\n"
        "To fix: use the model's safetensors weights, or convert these in a sandbox you trust"
    )


def test_pickles_beside_safetensors_are_left_out(model: Path) -> None:
    (model / "training_args.bin").write_bytes(b"pickle")
    assert [path.name for path in list_model_files(model)] == ["config.json", "model.safetensors"]


def test_a_link_out_of_the_directory_is_refused(model: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not yours")
    (model / "vocab.txt").symlink_to(secret)
    with pytest.raises(BadInput) as refused:
        list_model_files(model)
    assert str(refused.value) == (
        f"{model / 'vocab.txt'}: vocab.txt is a link that leads out of the model directory\n"
        "To fix: copy the file itself into the directory"
    )


def test_a_hub_snapshot_may_link_to_the_blobs_beside_it(tmp_path: Path) -> None:
    snapshot, blobs = tmp_path / "models--a--b" / "snapshots" / "abc", tmp_path / "models--a--b" / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for name in ("config.json", "model.safetensors"):
        (blobs / name).write_bytes(b"{}")
        (snapshot / name).symlink_to(blobs / name)
    assert len(list_model_files(snapshot)) == 2


@pytest.mark.parametrize(
    ("missing", "says"), [("config.json", "no config.json"), ("model.safetensors", "no safetensors weights")]
)
def test_an_incomplete_directory_is_refused(model: Path, missing: str, says: str) -> None:
    (model / missing).unlink()
    with pytest.raises(BadInput, match=says):
        list_model_files(model)


def test_a_gguf_file_is_taken_as_it_is(tmp_path: Path, make_context) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF....")
    result = fetch(make_context("fetch", plan=example_plan(str(path))))
    assert (result["path"], result["total_bytes"]) == (str(path), 8)


def test_another_file_is_not(tmp_path: Path, make_context) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(BadInput) as refused:
        fetch(make_context("fetch", plan=example_plan(str(path))))
    assert str(refused.value) == f"{path}: not a GGUF file\nTo fix: name a .gguf file or a model directory"


def test_the_hub_out_of_reach_says_what_else_to_do(make_context, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def unreachable(*_: object, **__: object) -> str:
        raise OSError("no route to host\nmore words")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(ExecutionFailed) as failed:
        fetch(make_context("fetch", plan=example_plan("someone/some-model")))
    assert str(failed.value) == (
        "could not fetch 'someone/some-model' from the Hugging Face Hub: no route to host\n"
        "To fix: check the name and the network, or download the model elsewhere and name its directory"
    )


@pytest.mark.parametrize("source", ["./gone", "/no/such/model", "executor/demo/gone", "../model"])
def test_a_directory_that_is_not_there_is_no_hub_id(source: str, make_context) -> None:
    with pytest.raises(BadInput) as refused:
        fetch(make_context("fetch", plan=example_plan(source)))
    assert str(refused.value) == (
        f"{source}: no such model directory\nTo fix: put the model back there, or plan again for where it lies now"
    )


def test_a_size_has_no_weights_to_fetch(make_context) -> None:
    with pytest.raises(BadInput) as refused:
        fetch(make_context("fetch", plan=example_plan("")))
    assert str(refused.value) == (
        "the plan is for a size (stdlib-2.9m), and a size has no weights\n"
        "To fix: plan for a model that has some: a directory, a .gguf file, or a hub id"
    )


def test_only_safetensors_and_text_are_asked_of_the_hub(model: Path, make_context, monkeypatch) -> None:
    import huggingface_hub

    asked: dict[str, object] = {}
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **options: asked.update(options) or str(model)
    )
    fetch(make_context("fetch", plan=example_plan("someone/some-model")))
    patterns = asked["allow_patterns"]
    assert "*.safetensors" in patterns
    assert not [p for p in patterns if p.endswith((".bin", ".py", ".pt"))]


def test_an_engine_that_is_not_driven_here_is_refused_first(make_context) -> None:
    plan = example_plan(chosen=example_candidate(engine="sglang"))
    with pytest.raises(ExecutionFailed) as refused:
        fetch(make_context("fetch", plan=plan))
    assert str(refused.value) == (
        "plan for stdlib-2.9m on here: on a CPU this executor runs llama.cpp, vllm, transformers; "
        "the plan is for sglang\n"
        "To fix: plan with --engine vllm or a GGUF format: quantplan plan MODEL --on here"
    )


def test_a_plan_for_gpus_that_are_not_here_is_refused_first(make_context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supported, "read_driver", lambda: DriverReading())
    with pytest.raises(ExecutionFailed) as refused:
        fetch(make_context("fetch", plan=example_plan(hardware_kind="gpu")))
    assert str(refused.value).endswith(
        "this machine has no NVIDIA GPU\n"
        "To fix: apply it on that machine, or take its start file there: quantplan render PLAN --as shell"
    )


def test_a_plan_for_gpus_that_are_here_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = example_plan(hardware_kind="gpu")
    gpu = GpuReading(index=0, name="a card", memory_gib=plan.hardware.memory_gib, free_memory_gib=None)
    monkeypatch.setattr(supported, "read_driver", lambda: DriverReading((gpu,)))
    supported.require_supported(plan)
    small = replace(gpu, memory_gib=plan.hardware.memory_gib * 0.9)
    monkeypatch.setattr(supported, "read_driver", lambda: DriverReading((small,)))
    with pytest.raises(ExecutionFailed, match="this machine has a card"):
        supported.require_supported(plan)


def test_a_quantizer_that_is_not_driven_here_is_refused_first(make_context) -> None:
    plan = example_plan(parameters={"quantize": {"tool": "llmcompressor"}})
    with pytest.raises(ExecutionFailed, match="autoawq, modelopt; the plan asks for llmcompressor"):
        fetch(make_context("fetch", plan=plan))


def test_the_original_is_remembered_by_content(model: Path, make_context) -> None:
    fetched = fetch(make_context("fetch", plan=example_plan(str(model))))
    kept = keep_original(make_context("keep-original", {"fetch": fetched}))
    assert kept["sha256"]["config.json"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert changed_originals(model, kept["sha256"]) == []
    (model / "config.json").write_text("[]")
    (model / "model.safetensors").unlink()
    assert changed_originals(model, kept["sha256"]) == ["config.json", "model.safetensors"]
