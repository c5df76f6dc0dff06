"""`quantplan cluster`: what a cluster has, read from a file or from what Ray or Kubernetes print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from planner.prices.line import KINDS, PriceKind

if TYPE_CHECKING:
    from planner.clusters.cluster import Cluster, Link

SOURCES = "give a cluster file, --kubernetes FILE, --ray FILE or --offers GPU,GPU"


@click.command(name="cluster", short_help="Show a cluster: declared in YAML, or as Ray or Kubernetes print it.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--kubernetes", type=click.Path(path_type=Path), help="What `kubectl get nodes -o json` printed.")
@click.option("--ray", type=click.Path(path_type=Path), help="What `ray.nodes()` returned, as JSON.")
@click.option("--offers", metavar="GPU,GPU...", help="Or what providers rent out, by the price table.")
@click.option("--gpus", type=click.IntRange(min=1), default=8, help="With --offers: accelerators of a node (8).")
@click.option("--count", type=click.IntRange(min=1), default=100, help="With --offers: nodes one would rent (100).")
@click.option("--kind", type=click.Choice(KINDS), default="on-demand", help="With --offers: how they are rented.")
@click.option(
    "--prices", type=click.Path(), help="With --offers: a price file of your own, or skypilot[:FOLDER][@REGION]."
)
@click.option("--name", default=None, help="Name of the cluster (kubernetes, ray).")
@click.option("--link-gbit-s", type=click.FloatRange(min=0, min_open=True), help="Between nodes: Gb/s, one direction.")
@click.option("--link-kind", type=click.Choice(["infiniband", "ethernet", "nvlink", "other"]), default="other")
@click.option("--link-latency-us", type=click.FloatRange(min=0), help="Between nodes: latency of a message.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it as a cluster file.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(
    file: Path | None,
    kubernetes: Path | None,
    ray: Path | None,
    offers: str | None,
    gpus: int,
    count: int,
    kind: PriceKind,
    prices: str | None,
    name: str | None,
    link_gbit_s: float | None,
    link_kind: str,
    link_latency_us: float | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Show the nodes of a cluster: accelerators, links, racks, prices.

    FILE is a cluster file (YAML). A running cluster tells its nodes but not what joins them: --link-gbit-s does. With
    --offers it is what could be rented, a kind of node for each provider.
    """
    link = _link(link_gbit_s, link_kind, link_latency_us)
    cluster = _offered(offers, gpus, count, kind, prices, link) if offers else _read(file, kubernetes, ray, name, link)
    if out:
        from planner.clusters.reading import as_yaml
        from planner.writing import write_aside

        write_aside(out, as_yaml(cluster))
    if as_json:
        click.echo(cluster.model_dump_json(indent=2))
        return
    from planner.cli.cluster_view import print_cluster
    from planner.cli.terminal import console

    print_cluster(cluster, console())
    if out:
        click.echo(f"Written to {out}.")


def _offered(names: str, gpus: int, count: int, kind: PriceKind, prices: str | None, link: Link | None) -> Cluster:
    from planner.clusters.market import cluster_of_offers
    from planner.prices.table import own_price_file

    found = cluster_of_offers(names.split(","), gpus=gpus, count=count, kind=kind, file=own_price_file(prices))
    return found.model_copy(update={"between_nodes": link})


def _link(gbit_s: float | None, kind: str, latency_us: float | None) -> Link | None:
    from planner.clusters.cluster import Link, LinkKind

    assert kind in get_args(LinkKind)
    if gbit_s is None:
        return None
    return Link.model_validate({"kind": kind, "gbit_s": gbit_s, "latency_us": latency_us})


def _read(file: Path | None, kubernetes: Path | None, ray: Path | None, name: str | None, link: Link | None) -> Cluster:
    from planner.clusters import kubernetes as from_kubernetes
    from planner.clusters import ray as from_ray
    from planner.clusters.reading import read_cluster, read_json
    from planner.errors import BadInput

    if [file, kubernetes, ray].count(None) != 2:
        raise BadInput("a cluster is read from exactly one place", fix=SOURCES)
    if kubernetes:
        listed = read_json(kubernetes, f"{from_kubernetes.COMMAND} > {kubernetes.name}")
        return from_kubernetes.cluster_from_kubernetes(listed, name=name or "kubernetes", link=link)
    if ray:
        return from_ray.cluster_from_ray(read_json(ray, from_ray.COMMAND), name=name or "ray", link=link)
    assert file is not None
    found = read_cluster(file)
    return found.model_copy(update={"between_nodes": link}) if link else found
