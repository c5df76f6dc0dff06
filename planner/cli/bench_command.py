"""`quantplan bench`: put a server, or a run's model, under load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click


@click.command(name="bench", short_help="Put a server or a run's model under load, and find the largest it bears.")
@click.argument("target", metavar="URL|RUN")
@click.option("--engine", help="How to speak to a URL: vllm, llama.cpp, sglang ...  [default: any OpenAI-compatible]")
@click.option("--model", help="The model's name at a URL.  [default: the first it lists]")
@click.option("--input-tokens", type=click.IntRange(1), help="Tokens of a prompt.  [default: the run's]")
@click.option("--output-tokens", type=click.IntRange(1), help="Tokens of an answer.  [default: the run's]")
@click.option("--requests", type=click.IntRange(1), help="Requests counted.  [default: 8 for each in flight]")
@click.option("--warmup-requests", type=click.IntRange(0), default=2, show_default=True, help="Requests before those.")
@click.option("--concurrency", type=click.IntRange(1), help="Closed loop: requests in flight.  [default: the run's]")
@click.option("--rate", "rate_per_s", type=click.FloatRange(0, min_open=True), help="Open loop: arrivals a second.")
@click.option("--variation", type=click.FloatRange(0), default=0.0, show_default=True, help="Spread of lengths / mean.")
@click.option("--lengths", "lengths_file", type=click.Path(path_type=Path), help="CSV of input_tokens,output_tokens.")
@click.option("--text", help="Text to cut prompts from.  [default: the shipped one]")
@click.option("--ramp", is_flag=True, help="Raise the load until --ttft-ms or --tpot-ms is missed.")
@click.option("--ttft-ms", type=float, help="Most milliseconds to the first token.")
@click.option("--tpot-ms", type=float, help="Most milliseconds for each token after it.")
@click.option(
    "--at", type=click.Choice(["mean", "p50", "p95", "p99"]), default="p95", show_default=True, help="Judged at."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(target: str, ttft_ms: float | None, tpot_ms: float | None, as_json: bool, **options: Any) -> None:
    """Load a server at URL, or the model of RUN (started for it, unless it was kept running)."""
    from planner.cli.bench_view import print_bench
    from planner.cli.terminal import console
    from planner.examining import BenchQuestion
    from planner.ports import find_executor
    from planner.request import ServiceLevel

    level = ServiceLevel(ttft_ms=ttft_ms, tpot_ms=tpot_ms)
    question = BenchQuestion(target=target, service_level=level, **options)
    told = console(stderr=True)
    result = find_executor().examiner().bench(question, on_message=lambda said: told.print(said, style="dim"))
    if as_json:
        click.echo(json.dumps(result))
    else:
        print_bench(result, console())
