"""`quantplan predict`: predictions in bulk, for anyone who wants to check them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from planner.cli.quantizing_command import quantizing

if TYPE_CHECKING:
    from planner.bulk import Summary


@click.group("predict", short_help="Predict a table of cases, to be checked.")
def command() -> None:
    """Predict a table of cases, to be checked against measurements."""


command.add_command(quantizing)


@command.command("memory")
@click.argument("cases", type=click.Path(path_type=Path))
@click.option("--configs", required=True, type=click.Path(path_type=Path), help="Architectures by model_id, JSONL.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the predictions go, JSONL.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON for programs.")
def memory(cases: Path, configs: Path, out: Path, as_json: bool) -> None:
    """Predict what each server start of CASES (CSV) takes and leaves for its KV cache, one JSON object a row.

    Columns: id, engine, config_id, and where known engine_version, model_id, quantization, gpu_class, gpu_total_GiB,
    tensor_parallel_size, pipeline_parallel_size, max_model_len, gpu_memory_utilization, max_num_seqs,
    max_num_batched_tokens, enforce_eager, kv_cache_dtype, llamacpp_n_ctx ... Measured columns are not read.
    CONFIGS holds compact rows or plain config.json objects, each with its `model_id`.
    """
    from planner.memory.batch import predict_file

    _say(predict_file(cases, configs, out), out, as_json)


def _say(summary: Summary, out: Path, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=2))
        return
    click.echo(f"{summary.predicted} of {summary.cases} cases predicted: {out}")
    for reason, count in summary.abstained.items():
        click.echo(f"  {count} abstained: {reason} ({summary.meaning(reason)})")


def _table_command(table: str, help_text: str) -> None:
    """One command a table: they differ in columns and figures only."""

    @command.command(table, help=help_text)
    @click.argument("cases", type=click.Path(path_type=Path))
    @click.option("--out", required=True, type=click.Path(path_type=Path), help="Where the predictions go, JSONL.")
    @click.option("--configs", type=click.Path(path_type=Path), help="Architectures by model_id, JSONL.")
    @click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON for programs.")
    def predict(cases: Path, out: Path, configs: Path | None, as_json: bool) -> None:
        from planner.speed.batch.predicting import predict_file

        _say(predict_file(table, cases, configs, out), out, as_json)


_table_command(
    "serving",
    """Predict TTFT and TPOT of servers under a fixed concurrency, one JSON object a row of CASES (CSV).

    Columns: id, backend, model_path, system, and where known precision, mode (agg or disagg), isl, osl, batch_size,
    tp_size, attention_dp_size, moe_tp_size, moe_ep_size, prefill_* and decode_* of the pools. Measured columns are not
    read. Clients are those an id names (..._c64_...), else batch_size x attention_dp_size. Without --configs, models
    are known by the catalogue, or by the size in their name (with a wider interval).
    """,
)
_table_command(
    "throughput",
    """Predict the best throughput of servers kept full, one JSON object a row of CASES (CSV).

    Columns: id, engine, model, gpu, and where known precision, n_gpu, tp, pp, batch, input_len, output_len, metric.
    tokens_per_s is in the row's metric: of the whole system, or per GPU. Measured columns are not read.
    """,
)
_table_command(
    "single-stream",
    """Predict decode and prompt rates of one stream or a small batch, one JSON object a row of CASES (CSV).

    Columns: id, engine, model, gpu, and where known precision, n_gpu, tp, batch, input_len, output_len, metric. value
    is in the row's metric and unit. Measured columns are not read.
    """,
)
