"""A cluster as a person reads it: a line for each kind of node."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planner.clusters.cluster import Cluster, NodeType
from planner.figures import usd

COLUMNS = (("nodes", "left"), ("count", "right"), ("racks", "right"), ("a node has", "left"), ("inside, GB/s", "left"),
           ("between nodes", "left"), ("an hour", "right"), ("price", "left"))  # fmt: skip
MAY_WRAP = ("between nodes", "price")


def print_cluster(cluster: Cluster, console: Console) -> None:
    """Print the kinds of nodes, and what was left out."""
    console.print(f"[bold]{escape(cluster.name)}[/bold]: {cluster.gpus:,} accelerators in "
                  f"{sum(node.count for node in cluster.nodes):,} nodes")  # fmt: skip
    table = Table(box=None, pad_edge=False, header_style="dim")
    says_nothing = _says_nothing(cluster)
    for heading, side in COLUMNS:
        if heading not in says_nothing:
            table.add_column(heading, justify="right" if side == "right" else "left", no_wrap=heading not in MAY_WRAP)
    for node in cluster.nodes:
        cells = zip(COLUMNS, _row(cluster, node), strict=True)
        table.add_row(*(cell for (heading, _), cell in cells if heading not in says_nothing))
    console.print(table)
    if "between nodes" in says_nothing:
        console.print("  What joins the nodes is not known: no copy spans them. --link-gbit-s tells.")
    for note in cluster.notes:
        console.print(f"  ! {escape(note)}")


def _says_nothing(cluster: Cluster) -> set[str]:
    """Columns that would be the same word all the way down."""
    linked, in_racks = any(map(cluster.link_of, cluster.nodes)), any(node.racks > 1 for node in cluster.nodes)
    return {heading for heading, says in (("between nodes", linked), ("racks", in_racks)) if not says}


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
