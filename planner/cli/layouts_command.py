"""`quantplan layouts`: one model on several nodes, laid out in every way; what each gives and what the links cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from rules.vocabulary import FormatId

if TYPE_CHECKING:
    from planner.clusters.cluster import Cluster, NodeType
    from planner.fleet.layouts import Comparison


@click.command(name="layouts", short_help="Lay a model over several nodes, and show what the slower link costs.")
@click.argument("model")
@click.option("--cluster", "cluster_file", required=True, type=click.Path(path_type=Path), help="The cluster file.")
@click.option("--node-type", help="Nodes of this name (the first of the file).")
@click.option("--nodes", type=click.IntRange(min=1), default=2, help="How many of them (2).")
@click.option("--concurrency", type=click.IntRange(min=1), default=64, help="Requests in flight, all copies (64).")
@click.option("--input-tokens", type=click.IntRange(min=1), default=1000, help="Prompt tokens of a request (1000).")
@click.option("--output-tokens", type=click.IntRange(min=1), default=300, help="Generated tokens (300).")
@click.option("--format", "format_", type=click.Choice(get_args(FormatId)), help="Insist on a format.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def command(
    model: str,
    cluster_file: Path,
    node_type: str | None,
    nodes: int,
    concurrency: int,
    input_tokens: int,
    output_tokens: int,
    format_: FormatId | None,
    as_json: bool,
) -> None:
    """Lay MODEL over nodes of --cluster in every way: split inside, stages or experts across, pools of their own.

    All ways use the same accelerators under the same load. `link` is what exchange between accelerators takes of a
    token's time.
    """
    from planner.clusters.reading import read_cluster
    from planner.fleet.layouts import compare_layouts
    from planner.request import Request, Workload

    cluster = read_cluster(cluster_file)
    node = _node(cluster, node_type)
    load = Workload(input_tokens=input_tokens, output_tokens=output_tokens, concurrency=concurrency)
    found = compare_layouts(Request(model=model, hardware="", workload=load, format=format_), cluster, node, nodes)
    if as_json:
        chosen = {"format": found.chosen.format, "engine": found.chosen.engine, "kv_cache": found.chosen.kv_cache}
        rows = [asdict(row) for row in found.rows]
        click.echo(
            json.dumps({"model": found.model, "nodes": nodes, "node": node.name, **chosen, "layouts": rows}, indent=2)
        )
        return
    _print(cluster, found)


def _node(cluster: Cluster, name: str | None) -> NodeType:
    from planner.errors import BadInput, nearest

    known = [node.name for node in cluster.nodes]
    if name is None:
        return cluster.nodes[0]
    found = next((node for node in cluster.nodes if node.name == name), None)
    if found is None:
        fix = f"name one of: {', '.join(known)}"
        raise BadInput(f"{cluster.name} has no node type {name!r}", nearest=nearest(name, known), fix=fix)
    return found


def _print(cluster: Cluster, found: Comparison) -> None:
    from rich.table import Table

    from planner.cli.terminal import console
    from planner.figures import figure

    node, link = found.node, cluster.link_of(found.node)
    screen = console()
    screen.print(
        f"[bold]{found.model}[/bold] in {found.chosen.format} on {found.chosen.engine}: {found.nodes} nodes of "
        f"{node.gpus} x {node.accelerator.name}, {link.says if link else 'link between nodes not known'}; "
        f"{found.concurrency} requests in flight"
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("layout")
    for heading in ("weights GiB", "TTFT ms", "TPOT ms", "link ms", "tokens/s"):
        table.add_column(heading, justify="right")
    for row in found.rows:
        figures = (row.ttft_ms, row.tpot_ms, row.link_ms, row.tokens_per_s)
        cells = [row.why_not, "", "", ""] if row.why_not else [figure(value) for value in figures]
        table.add_row(row.name, figure(row.weights_gib) if row.weights_gib else "", *cells)
    screen.print(table)
    asked = f"quantplan plan {found.model} --cluster FILE --nodes {found.nodes} --node-type {node.name}"
    screen.print(f"[dim]A plan of one: {asked} --layout tp=8 (tp=8,pp=2; dp=16; tp=4,prefill=1,decode=3)[/dim]")
