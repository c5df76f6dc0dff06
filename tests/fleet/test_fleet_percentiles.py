"""A model held to a percentile gets the copies that the step simulator says its open load takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from planner.clusters.cluster import Cluster, Link, NodePrice, NodeType
from planner.errors import BadInput
from planner.fleet import under_load
from planner.fleet.answering import FleetPlan, plan_fleet
from planner.fleet.fleet import Fleet, ServedModel, read_fleet
from planner.fleet.packing import Limits
from planner.fleet.plans import parts_of, plan_of
from planner.serving.from_plan import server_of
from planner.serving.lengths import Lognormal
from planner.serving.outcome import Outcome
from planner.serving.simulating import simulate
from planner.serving.traffic import Traffic

pytest.importorskip("highspy")

CHAT = ServedModel(model="llama-3.1-70b", requests_per_s=40, ttft_ms=1000, tpot_ms=50)
NODES = NodeType(name="h100", gpu="H100-80GB-SXM", gpus=8, count=20, racks=5)
CLUSTER = Cluster(name="house", nodes=(NODES,), between_nodes=Link(kind="infiniband", gbit_s=400, latency_us=5))


def planned(served: ServedModel, cluster: Cluster = CLUSTER) -> FleetPlan:
    """Planned for all that a copy carries: nothing is set aside, so that only the percentile holds loads down."""
    return plan_fleet(cluster, Fleet(models=(served,), busy_share=1.0), limits=Limits(relative_gap=0.0))


def on_another_day(plan: FleetPlan, seed: int = 4711) -> Outcome:
    """Its share of the whole load on one copy of the plan file, requests drawn by another seed."""
    (part,) = parts_of(plan)
    share = part.served.requests_per_s / part.copies
    lengths = Lognormal(part.served.input_tokens, part.served.output_tokens, 0.5)
    traffic = Traffic(part.served.input_tokens, part.served.output_tokens, share, lengths=lengths)
    return simulate(server_of(plan_of(plan, part)), traffic, requests=3000, seed=seed)


def test_copies_are_as_many_as_keep_the_percentile() -> None:
    by_mean, by_percentile = planned(CHAT), planned(CHAT.model_copy(update={"percentile": 95}))
    waits = on_another_day(by_mean)
    assert waits.tpot_ms.p95 > 50 or waits.ttft_ms.p95 > 1000, "held to means, one in twenty waits longer"
    found = on_another_day(by_percentile)
    assert found.tpot_ms.p95 < 1.05 * 50 and found.ttft_ms.p95 < 1.05 * 1000
    assert len(by_percentile.copies) > len(by_mean.copies)


def test_the_waits_that_are_shown_are_the_percentiles() -> None:
    (option,) = {copy.option for copy in planned(CHAT.model_copy(update={"percentile": 99})).copies}
    assert option.percentile == 99
    found = on_another_day(planned(CHAT.model_copy(update={"percentile": 99})))
    assert option.tpot_ms == pytest.approx(found.tpot_ms.p99, rel=0.15)
    assert option.tpot_ms <= 50


def test_a_load_that_keeps_its_percentile_anyway_is_planned_as_before() -> None:
    easy = CHAT.model_copy(update={"ttft_ms": 20_000, "tpot_ms": 50, "percentile": 50})
    free = easy.model_copy(update={"percentile": None})
    by_percentile, by_mean = (plan_fleet(CLUSTER, Fleet(models=(served,))) for served in (easy, free))
    assert len(by_percentile.copies) == len(by_mean.copies)


def test_only_what_a_packing_chooses_is_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    simulated: list[str] = []

    def counted(option: under_load.Option, *rest: object) -> under_load.Option:
        simulated.append(option.node_type)
        return replace(option, percentile=95)

    monkeypatch.setattr(under_load, "_within_percentile", counted)
    dear = NodeType(name="dear", gpu=NODES.gpu, gpus=8, count=20, price=NodePrice(usd_per_node_hour=99.0))
    planned(CHAT.model_copy(update={"percentile": 95}), CLUSTER.model_copy(update={"nodes": (NODES, dear)}))
    assert simulated == ["h100"]


def test_targets_that_no_load_keeps_are_told() -> None:
    plan = planned(CHAT.model_copy(update={"ttft_ms": 90, "tpot_ms": 50, "percentile": 99}))
    (short,) = plan.short
    assert short.served_per_s == 0
    assert short.why == "99 of 100 requests wait longer than its targets under any load"


def test_copies_in_stages_are_held_to_means_and_it_is_said() -> None:
    judge = ServedModel(model="llama-3.1-405b", requests_per_s=2, tpot_ms=80, loss="none", percentile=95)
    plan = planned(judge)
    assert {copy.option.percentile for copy in plan.copies} == {None}
    assert plan.notes == (
        "llama-3.1-405b on h100 is held to means: a copy in 2 stages cannot be simulated step by step",
    )


def test_a_percentile_that_is_not_known_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text("models:\n  - {model: llama-3.1-8b, requests_per_s: 5, percentile: 90}\n", encoding="utf-8")
    with pytest.raises(BadInput, match="50, 95 or 99"):
        read_fleet(file)
