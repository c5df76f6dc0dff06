"""`quantplan plan`: ask the question, show the answer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from planner.cli.sections import Sectioned
from planner.prices.line import KINDS
from rules.vocabulary import EngineId, FormatId, KvFormat, Objective, Task, Tool

if TYPE_CHECKING:
    from planner.plan import Plan
    from planner.request import Request
    from rules.book import Book


SECTIONS = {
    "hardware": "Where",
    "input_tokens": "What is asked of it",
    "objective": "What it must reach",
    "format_": "Insist on",
    "draft": "Beside the model",
    "tool": "How the checkpoint is made",
    "usd_per_hour": "Prices",
    "frontier": "The answer",
    "help": "Options",
}


@click.command(
    name="plan",
    cls=Sectioned,
    titles=SECTIONS,
    short_help="Decide how to serve a model on given hardware, and say why.",
)
@click.argument("model")
@click.option("--on", "hardware", default="", help="1xA100-80GB, 2xL40S, cpu:64GB, here, or a YAML file.")
@click.option("--cluster", "cluster_file", type=click.Path(path_type=Path), help="Choose nodes of this cluster file.")
@click.option("--nodes", type=click.IntRange(min=1), help="With it: use so many nodes of one kind.")
@click.option("--node-type", help="With it: nodes of this name.")
@click.option("--layout", help="With it: insist on one: tp=8,pp=2; dp=16; tp=4,prefill=1,decode=3.")
@click.option("--host-memory-gib", type=float, help="Memory of the host the GPUs sit in (detected with --on here).")
@click.option("--host-bandwidth-gb-s", type=float, help="With it: bandwidth of that memory.")
@click.option("--input-tokens", type=int, help="Prompt tokens of a typical request (1000).")
@click.option("--output-tokens", type=int, help="Generated tokens of a typical request (300).")
@click.option("--context-tokens", type=int, help="Longest request to be admitted (what the cache surely holds).")
@click.option("--concurrency", type=int, help="Requests in flight at once (8; under a rate as many as it takes).")
@click.option("--requests-per-s", type=float, help="Requests arriving at random: simulates their waits by percentile.")
@click.option("--prefix-hit-rate", type=float, help="With it: part of a prompt found in the prefix cache, 0 to 1 (0).")
@click.option("--task", type=click.Choice(get_args(Task)), help="What the model is used for.")
@click.option("--precision-critical", is_flag=True, help="Quality matters more than memory and speed.")
@click.option("--multi-turn", is_flag=True, help="Conversations go on over several turns.")
@click.option("--no-calibration", is_flag=True, help="No calibration data may be used.")
@click.option("--quality-validated", is_flag=True, help="Low-bit quality was validated on your own task.")
@click.option("--fine-tunes", is_flag=True, help="Fine-tunes of the model are made and served, too.")
@click.option(
    "--objective", type=click.Choice(get_args(Objective)), help="What to optimise (tree: the articles' order)."
)
@click.option("--ttft-ms", type=float, help="Target: time to first token.")
@click.option("--tpot-ms", type=float, help="Target: time per output token.")
@click.option(
    "--percentile",
    type=click.Choice(["mean", "p50", "p95", "p99"]),
    help="Of the targets, under --requests-per-s (mean).",
)
@click.option("--format", "format_", type=click.Choice(get_args(FormatId)), help="Insist on a format.")
@click.option("--engine", type=click.Choice(get_args(EngineId)), help="Insist on an engine.")
@click.option("--tensor-parallel", type=int, help="Insist on this many accelerators a copy.")
@click.option("--kv-cache", type=click.Choice(get_args(KvFormat)), help="Insist on a KV-cache format.")
@click.option("--draft", type=click.Choice(["mtp", "eagle"]), help="Speculate: with the model's own heads, or EAGLE's.")
@click.option("--draft-model", help="With --draft eagle: the head's checkpoint, a folder or a hub id.")
@click.option("--draft-tokens", type=int, help="Tokens the draft runs ahead (3).")
@click.option("--max-loras", type=int, help="LoRA adapters served at once; room is kept for them.")
@click.option("--max-lora-rank", type=int, help="The largest rank among them (16).")
@click.option("--expert-parallel", is_flag=True, default=None, help="Whole experts on each GPU instead of slices.")
@click.option("--tool", type=click.Choice(get_args(Tool)), help="Insist on the tool that makes the format.")
@click.option("--variant", help="Another way to make the format: static, block, single, q4_k_s, iq4_xs ...")
@click.option("--calibration", help="Text to calibrate with: .txt, .jsonl, .parquet, a folder, or a hub data set.")
@click.option("--make-only", is_flag=True, help="Make and evaluate the checkpoint here; serve it elsewhere.")
@click.option("--usd-per-hour", type=float, help="Price of one accelerator (or CPU host) for an hour.")
@click.option("--provider", help="Take the price of this provider.")
@click.option("--utilisation", type=float, help="Share of the time the server is busy, 0 to 1 (1).")
@click.option("--price-kind", type=click.Choice(KINDS), help="Take a price of this kind.")
@click.option("--prices", type=click.Path(), help="A price file of your own (see `quantplan prices`), or skypilot.")
@click.option("--frontier", is_flag=True, help="Show the Pareto set instead; --on takes several, or `any`.")
@click.option("--plot", type=click.Path(path_type=Path, dir_okay=False), help="With --frontier: write a picture (SVG).")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="With --frontier: write CSV.")
@click.option("--rules", "rules_directory", type=click.Path(file_okay=False, path_type=Path), envvar="QUANTPLAN_RULES",
              help="House rules over the built-in book: a folder.")  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the plan here, for `quantplan apply`."
)
@click.option("--all", "show_all", is_flag=True, help="Show every alternative and every rule that was passed over.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(
    out: Path | None,
    show_all: bool,
    as_json: bool,
    rules_directory: Path | None,
    cluster_file: Path | None,
    nodes: int | None,
    node_type: str | None,
    layout: str | None,
    frontier: bool,
    plot: Path | None,
    csv_path: Path | None,
    **options: Any,
) -> None:
    """Decide how to serve MODEL, and say why.

    MODEL is a directory, a .gguf file, a name of the catalogue (llama-3.1-70b), a size (70B), or a hub id. With
    --frontier: what nothing else beats in cost, time per token and quality, on --on HARDWARE[,HARDWARE...] or `any`.

    With --cluster the kind of node and the layout are chosen, too: the smallest set of accelerators that carries
    --requests-per-s within the targets, else one copy, or what is best on --nodes of them.
    """
    from planner.asking import request_from
    from planner.cli.frontier_showing import check_options, show_frontier
    from rules.book import load_book

    wanted = {"nodes": nodes, "node_type": node_type, "layout": layout}
    check_place(options["hardware"], cluster_file, wanted, frontier)
    check_options(options["hardware"], frontier, out, plot, csv_path)
    request, book = request_from(options), load_book(rules_directory)
    if frontier:
        show_frontier(request, book, as_json=as_json, plot=plot, csv_path=csv_path)
        return
    if cluster_file:
        plan = planned_on(cluster_file, request, book, wanted)
    else:
        from planner.planning.under_load import plan_under_load

        plan = plan_under_load(request, book=book)
    if out:
        plan.write(out)
    if as_json:
        click.echo(plan.as_json(indent=2))
        return
    from planner.cli.plan_view import print_plan
    from planner.cli.terminal import console

    print_plan(plan, console(), everything=show_all)
    if out:
        click.echo(f"\nWritten to {out}. Carry it out: quantplan apply {out}")


def check_place(hardware: str, cluster_file: Path | None, wanted: dict[str, Any], frontier: bool) -> None:
    """BadInput unless one place to plan for is named, and what is asked of a cluster is asked of one."""
    from planner.errors import BadInput

    said = next((name for name, value in wanted.items() if value is not None), None)
    if not cluster_file and said:
        raise BadInput(f"--{said.replace('_', '-')} without --cluster", fix="name the cluster file: --cluster FILE")
    if not cluster_file and not hardware:
        raise BadInput("neither --on nor --cluster", fix="say what to plan for: --on 1xA100-80GB, or --cluster FILE")
    if cluster_file and (hardware or frontier):
        other = "--frontier" if frontier else "--on"
        raise BadInput(f"--cluster and {other} together", fix="name one place to plan for")


def planned_on(cluster_file: Path, request: Request, book: Book, wanted: dict[str, Any]) -> Plan:
    """The plan on the cluster of this file, with what is simulated of its load."""
    from planner.clusters.choosing import plan_on_cluster
    from planner.clusters.reading import read_cluster
    from planner.clusters.survey import Wanted
    from planner.clusters.ways import way_written
    from planner.serving.outlook import with_outlook

    way = way_written(wanted["layout"]) if wanted["layout"] else None
    asked = Wanted(wanted["nodes"], wanted["node_type"], way)
    return with_outlook(plan_on_cluster(request, read_cluster(cluster_file), asked, book=book))
