"""What could be rented, as a cluster; and the cheapest mix of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.clusters.market import cluster_of_offers
from planner.errors import BadInput
from planner.fleet.answering import plan_fleet
from planner.fleet.fleet import Fleet, ServedModel

PRICES = """\
name,provider,price_type,usd_per_hour,as_of,source
L4,Dear,on-demand,9.0,2026-01,test
L4,Cheap Cloud,on-demand,0.1,2026-01,test
L4,Cheap Cloud,spot,0.05,2026-01,test
"""


def test_a_kind_of_node_for_each_provider() -> None:
    cluster = cluster_of_offers(["H100", "L40S"], gpus=8, count=10)
    names = {node.name for node in cluster.nodes}
    assert all(name.startswith(("h100-80gb-sxm-", "l40s-")) for name in names) and len(names) == len(cluster.nodes)
    for node in cluster.nodes:
        assert (
            node.hourly is not None and node.hourly.kind == "on-demand" and node.hourly.provider == node.price.provider
        )


def test_the_cheapest_provider_is_rented(tmp_path: Path) -> None:
    pytest.importorskip("highspy")
    cheapest = cluster_of_offers(["H100"], gpus=8, count=10)
    fleet = Fleet(models=(ServedModel(model="llama-3.1-8b", requests_per_s=30),), spare_nodes=0)
    plan = plan_fleet(cheapest, fleet)
    (used,) = plan.nodes_in_use
    prices = {node.name: node.usd_per_node_hour or 0.0 for node in cheapest.nodes}
    assert prices[used] == min(prices.values())


def test_own_prices_are_offers_too(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(PRICES)
    names = [node.name for node in cluster_of_offers(["L4"], gpus=1, count=1, file=str(path)).nodes]
    assert names[:2] == ["l4-dear", "l4-cheap-cloud"]


def test_what_nobody_rents_out_so_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        cluster_of_offers(["L4"], gpus=8, count=1, kind="spot")
    assert str(caught.value) == (
        "no spot price for L4\nTo fix: `quantplan prices` lists what there is; or name another --kind"
    )
