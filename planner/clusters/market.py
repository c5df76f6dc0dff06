"""What is on offer, as a cluster: a kind of node for each provider's price, as many as one would rent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from planner.clusters.cluster import Cluster, NodePrice, NodeType
from planner.errors import BadInput
from planner.hardware.resolving import resolve_hardware
from planner.prices import price_table
from planner.prices.line import PriceKind, PriceLine


def cluster_of_offers(
    names: Sequence[str], *, gpus: int, count: int, kind: PriceKind = "on-demand", file: str | None = None
) -> Cluster:
    """Nodes of `gpus` accelerators from everyone who rents one of `names` out in this way, `count` nodes each.

    Providers are not asked: prices are the table's, with their dates. BadInput for an unknown accelerator, or where
    nobody rents any of them out so.
    """
    table = price_table(file)
    known = [gpu.name for name in names if (gpu := resolve_hardware(f"1x{name.strip()}").accelerator) is not None]
    lines = [line for name in dict.fromkeys(known) for line in table.by_name.get(name, ()) if line.price_type == kind]
    nodes = {_name(line): _node(line, gpus, count, file) for line in lines}
    if not nodes:
        raise BadInput(
            f"no {kind} price for {', '.join(names)}",
            fix="`quantplan prices` lists what there is; or name another --kind",
        )
    return Cluster(name="market", nodes=tuple(nodes.values()))


def _node(line: PriceLine, gpus: int, count: int, file: str | None) -> NodeType:
    price = NodePrice(provider=line.provider, kind=line.price_type, file=file if line.file else None)
    return NodeType(name=_name(line), gpu=line.name, gpus=gpus, count=count, price=price)


def _name(line: PriceLine) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", f"{line.name}-{line.provider}").strip("-").lower()
