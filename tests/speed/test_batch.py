"""Tables of published runs: every row is answered or abstains with a reason, whatever its cells hold."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.cli.predict_command import command
from planner.errors import BadInput
from planner.speed.batch.architectures import Architectures
from planner.speed.batch.predicting import (
    ABSTENTIONS,
    predict_file,
    predict_serving,
    predict_single_stream,
    predict_throughput,
)
from planner.speed.batch.serving_rows import concurrency, layout_of, serving_question

SERVING = {
    "id": "llama_h200_vllm_c64_x", "backend": "vllm", "model_path": "meta-llama/Llama-3.1-70B", "system": "h200_sxm",
    "precision": "fp8", "mode": "agg", "isl": "1024", "osl": "1024", "batch_size": "64", "tp_size": "4",
}  # fmt: skip
THROUGHPUT = {
    "id": "t", "engine": "TensorRT-LLM v1.0", "model": "Llama-3.1-70B", "precision": "fp8", "gpu": "H200", "n_gpu": "4",
    "tp": "4", "batch": "max throughput", "input_len": "1000", "output_len": "1000", "metric": "output tokens/s total",
}  # fmt: skip
STREAM = {
    "id": "s", "engine": "vLLM 0.22.1", "model": "Qwen2.5-7B-Instruct", "precision": "bf16", "gpu": "A100",
    "n_gpu": "1", "batch": "1", "input_len": "128", "output_len": "256", "metric": "decode tokens/s",
}  # fmt: skip
KNOWN = Architectures()


def test_a_run_of_llama_70b_lies_in_its_interval() -> None:
    """InferenceX: Llama-3.1-70B FP8 on 4 H200, vLLM, 64 clients, 8192 in, 1024 out: 1817 ms and 46.1 ms."""
    found = predict_serving({**SERVING, "isl": "8192"}, KNOWN)
    assert found["ttft_low_ms"] < 1817 < found["ttft_high_ms"]
    assert found["tpot_low_ms"] < 46.1 < found["tpot_high_ms"]
    assert found["abstained"] is None


def test_measured_columns_are_not_read() -> None:
    told = {**SERVING, "silicon_ttft_ms": "1", "silicon_tpot_ms": "1"}
    assert predict_serving(told, KNOWN) == predict_serving(SERVING, KNOWN)


def test_disaggregated_rows_are_answered_with_and_without_the_number_of_servers() -> None:
    pools = {"mode": "disagg", "prefill_tp_size": "4", "decode_tp_size": "8", "batch_size": "", "tp_size": ""}
    unstated = predict_serving({**SERVING, **pools}, KNOWN)
    stated = predict_serving({**SERVING, **pools, "prefill_num_workers": "1", "decode_num_workers": "9"}, KNOWN)
    assert unstated["abstained"] is stated["abstained"] is None
    assert stated["tpot_ms"] < unstated["tpot_ms"]


@pytest.mark.parametrize(
    ("isl", "clients", "gpus"), [(1024, 64, 8), (1024, 2048, 16), (8192, 256, 16), (8192, 1024, 40)]
)
def test_prompt_servers_that_are_not_stated_keep_pace(isl: int, clients: int, gpus: int) -> None:
    row = {**SERVING, "id": f"x_c{clients}_y", "mode": "disagg", "isl": str(isl), "osl": "1024", "batch_size": ""}
    asked = serving_question({**row, "prefill_tp_size": "4", "decode_tp_size": "8"}, KNOWN)
    assert not isinstance(asked, str) and asked.pools is not None
    assert asked.pools.prompt_servers * asked.pools.prompts.layout.accelerators == gpus


def test_prompts_on_servers_of_their_own_do_not_stretch_the_tokens_of_others() -> None:
    alone = {"mode": "disagg", "prefill_tp_size": "4", "decode_tp_size": "4", "isl": "8192"}
    workers = {"prefill_num_workers": "4", "decode_num_workers": "1"}
    assert (
        predict_serving({**SERVING, **alone, **workers}, KNOWN)["tpot_ms"]
        < predict_serving({**SERVING, "isl": "8192"}, KNOWN)["tpot_ms"]
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"model_path": "somebody/Novel"}, "unknown-model"),
        ({"system": "abacus"}, "unknown-accelerator"),
        ({"backend": "novel"}, "unknown-engine"),
        ({"precision": "ternary"}, "unknown-format"),
        ({"id": "x", "batch_size": ""}, "no-concurrency"),
        ({"tp_size": "1", "system": "l40s"}, "does-not-fit"),
    ],
)
def test_a_row_that_cannot_be_asked_says_why(change: dict[str, str], reason: str) -> None:
    found = predict_serving({**SERVING, **change}, KNOWN)
    assert found["abstained"] == reason in ABSTENTIONS
    assert found["tpot_ms"] is found["ttft_high_ms"] is None


@pytest.mark.parametrize(
    ("cells", "clients"),
    [
        ({"id": "a_c256_b", "batch_size": "4", "attention_dp_size": "64"}, 256),
        ({"id": "a_c448", "batch_size": "14"}, 14),
        ({"id": "a", "batch_size": "16", "attention_dp_size": "8"}, 128),
        ({"id": "a_c64_b", "batch_size": ""}, 64),
        ({"id": "cfg12", "batch_size": "many"}, None),
    ],
)
def test_clients_of_one_server(cells: dict[str, str], clients: float | None) -> None:
    assert concurrency(cells) == clients


def test_experts_dealt_eight_by_eight_mean_eight_gpus() -> None:
    row = {"tp_size": "64", "attention_dp_size": "1", "moe_tp_size": "8", "moe_ep_size": "8"}
    assert layout_of(row).accelerators == 8


def test_a_name_with_only_a_size_is_answered_with_a_wider_interval() -> None:
    known, guessed = (
        predict_serving({**SERVING, "model_path": name}, KNOWN) for name in ("meta-llama/Llama-3.1-70B", "a/Novel-70B")
    )
    assert guessed["tpot_high_ms"] / guessed["tpot_low_ms"] > known["tpot_high_ms"] / known["tpot_low_ms"]


def test_throughput_per_gpu_is_the_total_shared() -> None:
    total = predict_throughput(THROUGHPUT, KNOWN)["tokens_per_s"]
    each = predict_throughput({**THROUGHPUT, "metric": "output tokens/s per GPU"}, KNOWN)["tokens_per_s"]
    assert total == pytest.approx(4 * each, rel=1e-4)


def test_a_server_gives_no_more_than_clients_ask_for() -> None:
    found = predict_throughput({**THROUGHPUT, "batch": "QPS=2"}, KNOWN)
    assert found["tokens_per_s"] == found["high"] == 2000


def test_the_value_of_a_single_stream_is_in_the_rows_own_metric() -> None:
    rate, first = (predict_single_stream({**STREAM, "metric": m}, KNOWN) for m in ("decode tokens/s", "TTFT ms"))
    assert 50 < rate["value"] < 120  # an A100 reads 15 GB in 7.5 ms at best
    assert 5 < first["value"] < 200
    for found in (rate, first):
        assert found["low"] < found["value"] < found["high"]


def test_a_ratio_of_two_runs_is_no_speed() -> None:
    assert (
        predict_single_stream({**STREAM, "metric": "end-to-end speedup vs FP16"}, KNOWN)["abstained"]
        == "unknown-metric"
    )


ODD = st.sampled_from(["", " ", "0", "-1", "1e400", "nan", "inf", "8.0", "999999999999", "x", "💥", "1024", None])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_cell_makes_a_row_fail(data: st.DataObject) -> None:
    for row, predict in ((SERVING, predict_serving), (THROUGHPUT, predict_throughput), (STREAM, predict_single_stream)):
        changed = {name: data.draw(st.one_of(st.just(cell), ODD)) for name, cell in row.items()}
        found = predict(changed, KNOWN)
        assert found["abstained"] in (None, *ABSTENTIONS)


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("table", "row", "figure"),
    [("serving", SERVING, "tpot_ms"), ("throughput", THROUGHPUT, "tokens_per_s"), ("single-stream", STREAM, "value")],
)
def test_the_command_writes_one_answer_a_row(tmp_path: Path, table: str, row: dict[str, str], figure: str) -> None:
    cases = write(tmp_path / "cases.csv", [row, {**row, "id": "other", "model": "Novel", "model_path": "Novel"}])
    out = tmp_path / "out.jsonl"
    result = CliRunner().invoke(command, [table, str(cases), "--out", str(out)])
    assert result.exit_code == 0, result.output
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    assert answers[0]["id"] == row["id"] and answers[0][figure] > 0
    assert answers[1]["abstained"] == "unknown-model"
    assert "1 of 2 cases predicted" in result.output


def test_configs_of_ones_own_come_first(tmp_path: Path) -> None:
    config = {
        "model_id": "somebody/Novel", "hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32,
        "num_key_value_heads": 8, "head_dim": 64, "intermediate_size": 8192, "vocab_size": 128256,
    }  # fmt: skip
    configs = tmp_path / "configs.jsonl"
    configs.write_text(json.dumps(config) + "\n")
    cases = write(tmp_path / "cases.csv", [{**SERVING, "model_path": "somebody/Novel"}])
    summary = predict_file("serving", cases, configs, tmp_path / "out.jsonl")
    assert summary.predicted == 1


def test_a_table_without_its_columns_is_refused(tmp_path: Path) -> None:
    cases = write(tmp_path / "cases.csv", [{"id": "a", "backend": "vllm"}])
    with pytest.raises(BadInput) as refusal:
        predict_file("serving", cases, None, tmp_path / "out.jsonl")
    assert str(refusal.value) == (
        f"{cases}: no column 'model_path'\nTo fix: give at least the columns id, backend, model_path, system"
    )
