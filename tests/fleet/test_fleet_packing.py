"""Packings whose optimum is known by hand or by trying everything, and what holds for every packing."""

from __future__ import annotations

import sys
from collections import Counter
from itertools import product
from math import ceil, inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.clusters.cluster import Cluster, NodePrice, NodeType
from planner.errors import BadInput
from planner.fleet.fleet import Fleet, ServedModel
from planner.fleet.option import Option
from planner.fleet.packing import Limits, Packer, patterns
from planner.fleet.placing import placed

pytest.importorskip("highspy")
EXACT = Limits(relative_gap=0.0, time_limit_s=20)


def nodes(name: str, gpus: int, count: int, usd: float, racks: int = 1) -> NodeType:
    price = NodePrice(usd_per_node_hour=usd)
    return NodeType(name=name, gpu="H100-80GB-SXM", gpus=gpus, count=count, price=price, racks=racks)


def served(name: str, load: float, **more: int) -> ServedModel:
    return ServedModel(model="llama-3.1-8b", name=name, requests_per_s=load, **more)


def option(model: str, node: str, gpus: int, rate: float, spans: int = 1) -> Option:
    return Option(model, node, gpus, spans, gpus // spans, spans, "fp8", "vllm", "16-bit", 8, rate, 100.0, 20.0)


def packer(cluster: Cluster, fleet: Fleet, *options: Option) -> Packer:
    by_model = {model.label: [o for o in options if o.model == model.label] for model in fleet.models}
    return Packer(cluster, fleet, by_model, EXACT)


THREE = Fleet(models=(served("a", 25), served("b", 10), served("c", 7)), spare_nodes=0)
OPTIONS = (option("a", "big", 4, 10), option("b", "big", 2, 5), option("c", "big", 8, 7))


def test_three_models_that_fill_three_nodes_to_the_last_accelerator() -> None:
    """3 copies of 4, 2 of 2 and 1 of 8 accelerators are 24: three nodes of 8, and nothing smaller."""
    found = packer(Cluster(nodes=(nodes("big", 8, 3, 10.0),)), THREE, *OPTIONS).whole()
    assert found is not None
    assert {o.model: count for o, count in found.copies} == {"a": 3, "b": 2, "c": 1}
    assert sum(count for _, _, count in found.nodes) == 3 and found.gap == 0


def test_one_node_less_and_it_does_not_fit() -> None:
    small = packer(Cluster(nodes=(nodes("big", 8, 2, 10.0),)), THREE, *OPTIONS)
    assert small.whole() is None
    assert small.nodes_to_add(small.as_much_as_possible()) == {"big": 1}


def test_a_spare_node_is_asked_for_on_top() -> None:
    spare = THREE.model_copy(update={"spare_nodes": 1})
    assert packer(Cluster(nodes=(nodes("big", 8, 3, 10.0),)), spare, *OPTIONS).whole() is None
    assert packer(Cluster(nodes=(nodes("big", 8, 4, 10.0),)), spare, *OPTIONS).whole() is not None


def test_the_cheaper_mix_is_found() -> None:
    """10 requests/s: a big node carries 8 for $10, a small one 2 for $3. One of each ($13) beats 2 big or 5 small."""
    cluster = Cluster(nodes=(nodes("big", 8, 5, 10.0), nodes("small", 1, 9, 3.0)))
    fleet = Fleet(models=(served("a", 10),), spare_nodes=0)
    found = packer(cluster, fleet, option("a", "big", 8, 8), option("a", "small", 1, 2)).whole()
    assert found is not None and {o.node_type: n for o, n in found.copies} == {"big": 1, "small": 1}


def test_fewest_accelerators_may_be_another_packing() -> None:
    cluster = Cluster(nodes=(nodes("big", 8, 5, 10.0), nodes("small", 1, 9, 30.0)))
    fleet = Fleet(models=(served("a", 4),), spare_nodes=0, objective="gpus")
    found = packer(cluster, fleet, option("a", "big", 8, 8), option("a", "small", 1, 2)).whole()
    assert found is not None and {o.node_type: n for o, n in found.copies} == {"small": 2}


def test_the_higher_priority_is_served_first() -> None:
    fleet = Fleet(models=(served("low", 10, priority=1), served("high", 10, priority=5)), spare_nodes=0)
    options = (option("low", "big", 8, 5), option("high", "big", 8, 5))
    found = packer(Cluster(nodes=(nodes("big", 8, 3, 10.0),)), fleet, *options).as_much_as_possible()
    assert found.unserved["high"] < 1e-4 and found.unserved["low"] == pytest.approx(0.5, abs=1e-4)


def test_a_copy_over_two_nodes_takes_them_whole() -> None:
    cluster = Cluster(nodes=(nodes("big", 8, 5, 10.0, racks=2),))
    fleet = Fleet(models=(served("a", 2), served("b", 1)), spare_nodes=0)
    found = packer(cluster, fleet, option("a", "big", 16, 1, spans=2), option("b", "big", 1, 1)).whole()
    assert found is not None
    copies = placed(cluster, found)
    taken = Counter(number for copy in copies for number in copy.nodes)
    assert sorted(len(copy.nodes) for copy in copies) == [1, 2, 2] and max(taken.values()) == 1


def test_without_the_solver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highspy", None)
    with pytest.raises(BadInput) as caught:
        packer(Cluster(nodes=(nodes("big", 8, 3, 10.0),)), THREE, *OPTIONS).whole()
    assert str(caught.value) == (
        "a fleet is packed by the HiGHS solver, which is not installed\nTo fix: pip install 'quantplan[fleet]'"
    )


def test_patterns_are_the_partitions_of_a_node() -> None:
    assert len(patterns(8, [1, 2, 4, 8])) == 10  # the binary partitions of 8 (OEIS A018819)
    assert set(patterns(6, [4, 1])) == {(4, 1, 1), (1,) * 6}
    assert patterns(7, [4, 3, 2]) == ((4, 3), (4, 2), (3, 3), (3, 2, 2), (2, 2, 2))


def test_copies_of_one_model_are_spread_over_racks_and_nodes() -> None:
    cluster = Cluster(nodes=(nodes("big", 8, 4, 10.0, racks=2),))
    fleet = Fleet(models=(served("a", 4), served("b", 24)), spare_nodes=0)
    found = packer(cluster, fleet, option("a", "big", 2, 1), option("b", "big", 1, 1)).whole()
    assert found is not None
    at = [copy.nodes[0] for copy in placed(cluster, found) if copy.option.model == "a"]
    assert sorted(at) == [0, 1, 2, 3]


SIZES = st.sampled_from([1, 2, 3, 4, 6, 8])


@st.composite
def questions(draw: st.DrawFn) -> Packer:
    kinds = [
        nodes(f"n{i}", draw(st.integers(1, 8)), draw(st.integers(1, 5)), draw(st.integers(1, 20))) for i in range(2)
    ]
    models = [served(f"m{i}", draw(st.integers(1, 12)), min_replicas=draw(st.integers(1, 2))) for i in range(3)]
    options = [
        option(model.label, kind.name, size, draw(st.integers(1, 5)))
        for model in models
        for kind in kinds
        for size in {draw(SIZES), draw(SIZES)}
        if size <= kind.gpus
    ]
    fleet = Fleet(models=tuple(models), spare_nodes=draw(st.integers(0, 1)))
    return packer(Cluster(nodes=tuple(kinds)), fleet, *options)


@settings(max_examples=60, deadline=None)
@given(questions())
def test_no_node_holds_too_much_and_a_failed_one_has_a_spare(question: Packer) -> None:
    found = question.whole() or question.as_much_as_possible()
    copies = placed(question.cluster, found)
    assert Counter(copy.option for copy in copies) == Counter(dict(found.copies))
    for node in question.cluster.nodes:
        here = [copy for copy in copies if copy.option.node_type == node.name]
        busy = Counter[int]()
        for copy in here:
            for number in copy.nodes:
                busy[number] += copy.option.gpus // copy.option.nodes
        assert all(gpus <= node.gpus and 0 <= number < node.count for number, gpus in busy.items())
        if busy:  # the copies of any one node fit, as they stand, on a spare one
            assert node.count - len(busy) >= question.fleet.spare_nodes
    for model in question.fleet.models:
        carried = sum(copy.option.requests_per_s for copy in copies if copy.option.model == model.label)
        wanted = model.requests_per_s * (1 - found.unserved.get(model.label, 1.0))
        assert carried >= wanted - 1e-3


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.tuples(*[st.integers(1, 4)] * 4), st.integers(1, 9), st.integers(1, 9))
def test_the_cost_is_that_of_trying_everything(
    load_a: int, load_b: int, rates: tuple[int, ...], usd_big: int, usd_small: int
) -> None:
    """Copies of one accelerator on nodes of 4 and of 2, at most 3 of each: every number of copies is tried."""
    cluster = Cluster(nodes=(nodes("big", 4, 3, usd_big), nodes("small", 2, 3, usd_small)))
    fleet = Fleet(models=(served("a", load_a), served("b", load_b)), spare_nodes=0)
    ways = (option("a", "big", 1, rates[0]), option("a", "small", 1, rates[1]),
            option("b", "big", 1, rates[2]), option("b", "small", 1, rates[3]))  # fmt: skip
    best = inf
    for a_big, a_small, b_big, b_small in product(range(10), range(7), range(10), range(7)):
        enough = a_big * rates[0] + a_small * rates[1] >= load_a and b_big * rates[2] + b_small * rates[3] >= load_b
        big, small = ceil((a_big + b_big) / 4), ceil((a_small + b_small) / 2)
        if enough and big <= 3 and small <= 3:
            best = min(best, big * usd_big + small * usd_small)
    found = packer(cluster, fleet, *ways).whole()
    if found is None:
        assert best == inf
    else:
        used = Counter[str]()
        for name, _, count in found.nodes:
            used[name] += count
        assert used["big"] * usd_big + used["small"] * usd_small == best
