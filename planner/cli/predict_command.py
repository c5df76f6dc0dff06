"""`quantplan predict`: predictions in bulk, for anyone who wants to check them."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.group("predict", short_help="Predict a table of cases, to be checked.")
def command() -> None:
    """Predict a table of cases, to be checked against measurements."""


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

    summary = predict_file(cases, configs, out)
    if as_json:
        click.echo(json.dumps(summary.as_json(), indent=2))
        return
    click.echo(f"{summary.predicted} of {summary.cases} cases predicted: {out}")
    for reason, count in summary.abstained.items():
        click.echo(f"  {count} abstained: {reason} ({summary.meaning(reason)})")
