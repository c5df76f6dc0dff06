"""A cluster as a person reads it: a line for each kind of node."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.clusters.cluster import Cluster, NodeType
from planner.figures import usd

COLUMNS = (("nodes", "left"), ("count", "right"), ("racks", "right"), ("a node has", "left"), ("inside, GB/s", "left"),
           ("between nodes", "left"), ("an hour", "right"), ("price", "left"))  # fmt: skip
KEPT_WHOLE = ("nodes", "a node has", "inside, GB/s")


def print_cluster(cluster: Cluster, console: Console) -> None:
    """Print the kinds of nodes, and what was left out."""
    console.print(f"[bold]{escape(cluster.name)}[/bold]: {cluster.gpus:,} accelerators in "
                  f"{sum(node.count for node in cluster.nodes):,} nodes")  # fmt: skip
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading, side in COLUMNS:
        table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=heading in KEPT_WHOLE)
    for node in cluster.nodes:
        table.add_row(*_row(cluster, node))
    console.print(table)
    for note in cluster.notes:
        console.print(f"  ! {escape(note)}")


def _row(cluster: Cluster, node: NodeType) -> tuple[str, ...]:
    gpu, link, price = node.accelerator, cluster.link_of(node), node.hourly
    rate = f" {gpu.link_gb_s:g}" if gpu.link_gb_s else ""
    return (
        escape(node.name),
        f"{node.count:,}",
        f"{node.racks}",
        f"{node.gpus} x {gpu.name}",
        f"{gpu.interconnect}{rate}",
        link.says if link else "not known",
        usd(node.usd_per_node_hour),
        price.label if price else "none known: give usd_per_node_hour",
    )
