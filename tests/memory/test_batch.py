"""Bulk predictions: rows in, one JSON object a row out, and an honest null where the row does not say enough."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.main import cli
from planner.errors import BadInput
from planner.memory.batch import predict_file, predict_start
from planner.memory.cases import case_from_row, engine_named, read_cases, sticker_gb, version_named

LLAMA_8B = {
    "model_id": "meta-llama/Llama-3.1-8B-Instruct", "aliases": ["hermes"], "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 14336,
    "vocab_size": 128256, "tie_word_embeddings": False,
}  # fmt: skip
H100_START = {
    "id": "V217", "engine": "vllm", "engine_version": "0.10/0.11 (2025-09..10)", "quantization": "none",
    "config_id": LLAMA_8B["model_id"], "gpu_class": "H100", "gpu_total_GiB": "79.18", "gpu_memory_utilization": "0.90",
    "max_model_len": "16000",
}  # fmt: skip


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    path = tmp_path / "configs.jsonl"
    path.write_text(json.dumps(LLAMA_8B) + "\n")
    return path


def write_cases(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({key for row in rows for key in row}))
        writer.writeheader()
        writer.writerows(rows)
    return path


def predict(tmp_path: Path, configs: Path, *rows: dict[str, str]) -> list[dict]:
    out = tmp_path / "out.jsonl"
    predict_file(write_cases(tmp_path / "cases.csv", *rows), configs, out)
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_row_is_predicted_as_the_engine_printed_it(tmp_path, configs):
    """vLLM 0.10 on an H100 printed: weights 14.99, activation 4.76, non-torch 0.13, KV 51.38 GiB."""
    (found,) = predict(tmp_path, configs, H100_START)
    assert found["fits"] and found["abstained"] is None
    assert found["weights_gib"] == pytest.approx(14.99, abs=0.005)
    assert found["activation_gib"] == pytest.approx(4.76, abs=0.01)
    assert found["non_torch_gib"] == 0.13
    assert found["kv_gib"] == pytest.approx(51.38, abs=0.02)
    assert found["low"] < 51.38 < found["high"]
    assert found["kv_bytes_per_token"] == 131_072


def test_the_worked_example_of_the_documentation_runs(tmp_path, monkeypatch):
    """docs/memory.md prints two files and a command; the table above it has what vLLM printed."""
    monkeypatch.chdir(tmp_path)
    block = (Path(__file__).parents[2] / "docs" / "memory.md").read_text(encoding="utf-8").split("```")[1]
    files, _, run = block.partition("$ quantplan ")
    for part in files.split("$ cat ")[1:]:
        name, _, content = part.partition("\n")
        Path(name).write_text(content)
    command, said = run.strip().split("\n")
    done = CliRunner().invoke(cli, command.split())

    assert (done.exit_code, done.output.strip()) == (0, said)
    found = json.loads(Path("predicted.jsonl").read_text())
    assert [round(found[f"{name}_gib"], 2) for name in ("weights", "activation", "non_torch")] == [14.99, 4.76, 0.13]
    assert found["kv_gib"] == pytest.approx(51.38, abs=0.02)


def test_measured_columns_are_not_read(tmp_path, configs):
    measured = {"kv_GiB": "1", "weights_GiB_per_gpu": "1", "activation_peak_GiB": "1", "kv_tokens": "1"}
    assert predict(tmp_path, configs, H100_START) == predict(tmp_path, configs, H100_START | measured)


def test_a_start_that_cannot_fit_is_called_so(tmp_path, configs):
    (found,) = predict(tmp_path, configs, H100_START | {"gpu_class": "other", "gpu_total_GiB": "8.0"})
    assert found["fits"] is False and found["kv_gib"] < 0


def test_without_the_memory_of_the_gpu_the_pool_is_left_open(tmp_path, configs):
    (found,) = predict(tmp_path, configs, H100_START | {"gpu_class": "", "gpu_total_GiB": ""})
    assert (found["fits"], found["kv_gib"], found["abstained"]) == (None, None, None)
    assert found["weights_gib"] == pytest.approx(14.99, abs=0.005)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"config_id": "unheard/of"}, "unknown-architecture"),
        ({"engine": "mlc-llm"}, "unknown-engine"),
        ({"quantization": "aqlm"}, "unmodelled-quantization"),
        ({"quantization": "", "gpu_total_GiB": "11.0"}, "unmodelled-quantization"),
    ],
)
def test_abstentions_name_their_reason(tmp_path, configs, change, reason):
    (found,) = predict(tmp_path, configs, H100_START | change)
    assert found["abstained"] == reason
    assert found["kv_gib"] is None


def test_the_command_writes_the_file_and_counts_abstentions(tmp_path, configs):
    cases = write_cases(tmp_path / "cases.csv", H100_START, H100_START | {"id": "x", "engine": "mlc-llm"})
    out = tmp_path / "out.jsonl"
    result = CliRunner().invoke(cli, ["predict", "memory", str(cases), "--configs", str(configs), "--out", str(out)])
    assert result.exit_code == 0
    assert result.output == (
        f"1 of 2 cases predicted: {out}\n  1 abstained: unknown-engine (no accountant for this engine)\n"
    )
    assert len(out.read_text().splitlines()) == 2
    assert not list(tmp_path.glob("*.part"))


def test_the_command_can_summarise_as_json(tmp_path, configs):
    cases = write_cases(tmp_path / "cases.csv", H100_START)
    arguments = ["predict", "memory", str(cases), "--configs", str(configs), "--out", str(tmp_path / "o"), "--json"]
    assert json.loads(CliRunner().invoke(cli, arguments).output) == {"cases": 1, "predicted": 1, "abstained": {}}


def test_a_table_without_a_needed_column_is_refused(tmp_path):
    cases = write_cases(tmp_path / "cases.csv", {"id": "1", "engine": "vllm"})
    with pytest.raises(BadInput) as refused:
        read_cases(cases)
    assert str(refused.value) == (
        f"{cases}: no column 'config_id'\nTo fix: give at least the columns id, engine, config_id"
    )


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(BadInput, match="cannot read the cases: No such file or directory"):
        read_cases(tmp_path / "none.csv")


def test_engines_versions_and_sizes_are_read_from_free_text():
    assert engine_named("llama.cpp (Vulkan b11342)") == "llama.cpp"
    assert engine_named("aphrodite (vLLM fork)") == "vllm"
    assert version_named("0.10/0.11 (2025-09..10)", "vllm") == "0.10"
    assert version_named("2026-08", "vllm") == "0.27"
    assert version_named("", "vllm") is None
    assert version_named("pr (Dec 2024)", "vllm") == version_named("20241203", "vllm") == "0.6.4"
    assert version_named("1.0.0", "tensorrt-llm") is None
    assert version_named("", "llama.cpp", "llama.cpp (Vulkan b11342)") == "0.3.36"
    assert version_named("b5000 (CUDA)", "llama.cpp") == "0.3.5"
    assert sticker_gb("24GB class (avail 22.76)") == 24


def test_v0_profiles_the_whole_context_and_old_gpus_only_know_v0(configs):
    from planner.models.compact import shapes_from_jsonl

    shapes, _ = shapes_from_jsonl(configs)
    marked = case_from_row(H100_START | {"engine_version": "0.8.x V0", "max_model_len": "20000"})
    turing = case_from_row(H100_START | {"engine_version": "0.8.5", "gpu_class": "V100", "max_model_len": "20000"})
    assert predict_start(marked, shapes).activation_gib == predict_start(turing, shapes).activation_gib


def test_a_cache_of_an_unknown_type_leaves_its_tokens_open(tmp_path, configs):
    """The pool has its size whatever lies in it; ranks that share a request's tokens hold as many times more."""
    rows = [
        {**H100_START, "id": str(n), "kv_cache_dtype": dtype, "note": note}
        for n, (dtype, note) in enumerate([("", ""), ("turboquant_3bit_nc", ""), ("", "DCP 4")])
    ]
    plain, unknown, shared = predict(tmp_path, configs, *rows)
    assert unknown["kv_gib"] == plain["kv_gib"] and unknown["kv_tokens"] is None
    assert shared["kv_tokens"] == 4 * plain["kv_tokens"]
