"""A plan asked of a cluster: which nodes, which layout, how many copies, and why; and the ordinary plan it becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from planner.clusters.choosing import plan_on_cluster
from planner.clusters.cluster import Cluster, Link, NodePrice, NodeType
from planner.clusters.survey import Wanted
from planner.clusters.ways import Way, way_written, ways_of
from planner.errors import BadInput
from planner.fleet.layouts import compare_layouts
from planner.models.resolving import resolve_model
from planner.plan import Plan, load_plan
from planner.planning import make_plan
from planner.request import Pools, Request, ServiceLevel, Workload
from planner.serving.outlook import with_outlook
from planner.unfeasible import NoFeasiblePlan

H100 = NodeType(name="h100", gpu="H100-80GB-SXM", gpus=8, count=12, racks=3)
L40S = NodeType(name="l40s", gpu="L40S", gpus=4, count=20, price=NodePrice(usd_per_node_hour=4.4))
FABRIC = Link(kind="infiniband", gbit_s=400, latency_us=5)
HOUSE = Cluster(name="house", nodes=(H100, L40S), between_nodes=FABRIC)


def asked(model: str = "llama-3.1-70b", **load: object) -> Request:
    return Request(model=model, hardware="", workload=Workload.model_validate({"concurrency": 128, **load}))


def figures(plan: Plan) -> tuple[float | None, ...]:
    return tuple(plan.chosen.predicted(name).value for name in ("ttft_ms", "tpot_ms", "output_tokens_per_s"))


LAYOUTS = {
    "TP 8, 2 copies": "tp=8",
    "TP 8 x 2 stages": "tp=8,pp=2",
    "TP 16 over 2 nodes": "tp=16",
    "2 prompt + 2 decode servers of TP 4": "tp=4,prefill=2,decode=2",
}


@pytest.mark.parametrize(("name", "written"), LAYOUTS.items())
def test_every_layout_that_is_shown_becomes_one_plan_with_the_same_figures(name: str, written: str) -> None:
    shown = next(row for row in compare_layouts(asked(), HOUSE, H100, 2).rows if row.name == name)
    plan = plan_on_cluster(asked(), HOUSE, Wanted(2, "h100", way_written(written)))
    assert figures(plan) == pytest.approx((shown.ttft_ms, shown.tpot_ms, shown.tokens_per_s), rel=1e-6)
    assert plan.placement is not None
    assert plan.placement.weighed[0].link_ms == pytest.approx(shown.link_ms, rel=1e-6)


def test_so_do_experts_dealt_out_over_nodes() -> None:
    request = asked("deepseek-v3")
    shown = next(row for row in compare_layouts(request, HOUSE, H100, 2).rows if row.name.startswith("EP 16"))
    plan = plan_on_cluster(request, HOUSE, Wanted(2, "h100", way_written("dp=16")))
    assert figures(plan) == pytest.approx((shown.ttft_ms, shown.tpot_ms, shown.tokens_per_s), rel=1e-6)
    chosen = plan.chosen
    assert (chosen.data_parallel, chosen.expert_parallel, chosen.nodes, chosen.accelerators) == (16, 16, 2, 16)
    assert chosen.engine_arguments[-3:] == ("--data-parallel-size", "16", "--enable-expert-parallel")


def test_the_plan_is_an_ordinary_one_that_its_own_request_makes_again(tmp_path: Path) -> None:
    plan = plan_on_cluster(asked(), HOUSE, Wanted(2, "h100", way_written("tp=4,prefill=1,decode=3")))
    plan.write(tmp_path / "plan.json")
    read = load_plan(tmp_path / "plan.json")
    again = make_plan(read.request)
    assert read.request.pools == Pools(prefill=1, decode=3)
    assert again.chosen == read.chosen
    assert read.placement is not None
    assert read.placement.layout == "1 prompt + 3 decode servers of TP 4"


def test_pools_have_their_servers_memory_options_and_the_cost_of_handing_over() -> None:
    chosen = plan_on_cluster(asked(), HOUSE, Wanted(2, "h100", way_written("tp=4,prefill=1,decode=3"))).chosen
    prompts, tokens = chosen.pools
    assert (prompts.role, prompts.servers, prompts.concurrency) == ("prefill", 1, 128)
    assert (tokens.role, tokens.servers, tokens.concurrency) == ("decode", 3, 43)  # 128 over 3
    assert prompts.memory.free_gib < tokens.memory.free_gib == chosen.memory.free_gib
    assert prompts.engine_arguments[-2:] == (
        "--kv-transfer-config",
        '{"kv_connector":"NixlConnector","kv_role":"kv_producer"}',
    )
    assert chosen.cache_transfer is not None
    # 1000 tokens x 80 layers x 8 heads x 128 x 2 (K and V) x 2 bytes = 327.68 MB; 400 Gb/s carries 50 GB/s: 6.55 ms
    assert chosen.cache_transfer.gib_per_prompt == pytest.approx(327.68e6 / 2**30)
    assert chosen.cache_transfer.ms_per_prompt == pytest.approx(6.5536 + 0.005)


def test_intervals_of_what_was_not_measured_are_wider_and_say_so() -> None:
    inside = make_plan(asked().model_copy(update={"hardware": "4xH100-80GB-SXM", "tensor_parallel": 4})).chosen
    apart = plan_on_cluster(asked(), HOUSE, Wanted(2, "h100", way_written("tp=4,prefill=2,decode=2"))).chosen
    near, far = inside.predicted("tpot_ms"), apart.predicted("tpot_ms")
    assert near.high and near.value and far.high and far.value
    assert far.high / far.value > near.high / near.value
    assert far.source.startswith("prompt and decode servers are computed, not measured")


def test_without_a_rate_it_is_one_copy_on_the_fewest_accelerators() -> None:
    plan = plan_on_cluster(Request(model="llama-3.1-405b", hardware="", format="bf16"), HOUSE)
    chosen, placement = plan.chosen, plan.placement
    assert placement is not None
    assert (plan.request.hardware, chosen.nodes, chosen.replicas) == ("16xH100-80GB-SXM", 2, 1)
    assert placement.because == "The fewest accelerators of a kind that hold one copy within the targets."
    inside = next(row for row in placement.weighed if row.layout == "TP 8")
    assert inside.verdict == "does-not-fit"  # 812 GB of weights in 640 GB


@pytest.mark.parametrize(("usd_per_node_hour", "chosen"), [(2.0, "l40s"), (400.0, "h100")])
def test_between_kinds_of_nodes_the_price_of_a_token_decides(usd_per_node_hour: float, chosen: str) -> None:
    priced = L40S.model_copy(update={"price": NodePrice(usd_per_node_hour=usd_per_node_hour)})
    plan = plan_on_cluster(Request(model="llama-3.1-8b", hardware=""), Cluster(nodes=(H100, priced)))
    assert plan.placement is not None
    assert plan.placement.node_type == chosen
    able = [row for row in plan.placement.weighed if row.verdict in ("chosen", "feasible") and row.output_tokens_per_s]
    by_token = {row.node_type: (row.usd_per_hour or 0) / (row.output_tokens_per_s or 1) for row in reversed(able)}
    assert min(by_token, key=lambda node: by_token[node]) == chosen


def test_a_rate_gets_the_least_that_carries_it_within_the_targets() -> None:
    request = asked(requests_per_s=20).model_copy(update={"service_level": ServiceLevel(ttft_ms=1000, tpot_ms=50)})
    plan = plan_on_cluster(request, HOUSE)
    assert plan.placement is not None
    row, *others = plan.placement.weighed
    assert row.requests_per_s is not None
    assert row.requests_per_s >= 20
    one_less = row.requests_per_s * (row.copies - 1) / row.copies
    assert one_less < 20
    assert plan.chosen.replicas == row.copies == plan.request.replicas
    able = [other.usd_per_hour for other in others if other.verdict == "feasible" and other.usd_per_hour]
    assert row.usd_per_hour is not None
    assert row.usd_per_hour <= min(able)
    assert all(figure is not None for figure in figures(plan))
    tpot_ms, ttft_ms = plan.chosen.predicted("tpot_ms").value, plan.chosen.predicted("ttft_ms").value
    assert tpot_ms is not None and ttft_ms is not None
    assert tpot_ms <= 50 and ttft_ms <= 1000


def test_a_percentile_takes_as_many_copies_as_its_simulation_says() -> None:
    by_mean = asked("llama-3.1-8b", requests_per_s=30, concurrency=64).model_copy(
        update={"service_level": ServiceLevel(ttft_ms=600, tpot_ms=40)}
    )
    by_tail = by_mean.model_copy(update={"service_level": ServiceLevel(ttft_ms=600, tpot_ms=40, percentile="p95")})
    plan = with_outlook(plan_on_cluster(by_tail, HOUSE, Wanted(node_type="h100")))
    assert plan.outlook is not None
    assert plan.outlook.largest_requests_per_s is not None
    assert plan.outlook.largest_requests_per_s >= 30
    assert plan.outlook.ttft_ms is not None
    assert plan.outlook.ttft_ms.p95 <= 600
    cheaper = plan_on_cluster(by_mean, HOUSE, Wanted(node_type="h100"))
    assert plan.chosen.cost and cheaper.chosen.cost
    assert plan.chosen.cost.usd_per_hour >= cheaper.chosen.cost.usd_per_hour
    assert plan.placement is not None
    assert plan.placement.because.startswith(
        "The least that was simulated to carry 30 requests/s within the targets at p95"
    )


def test_the_rules_are_asked_about_one_copy_however_many_share_the_hardware() -> None:
    one = make_plan(Request(model="llama-3.1-70b", hardware="1xH100-80GB-SXM"))
    many = make_plan(Request(model="llama-3.1-70b", hardware="12xH100-80GB-SXM", replicas=12))
    assert many.chosen.format == one.chosen.format == "awq-int4"
    assert many.chosen.replicas == 12
    assert make_plan(Request(model="llama-3.1-70b", hardware="12xH100-80GB-SXM")).chosen.format == "bf16"


def test_no_copy_spans_nodes_that_nothing_is_known_to_join() -> None:
    with pytest.raises(NoFeasiblePlan) as refused:
        plan_on_cluster(
            Request(model="llama-3.1-405b", hardware="", format="bf16"), Cluster(name="loose", nodes=(H100,))
        )
    assert str(refused.value) == (
        "nothing on loose serves llama-3.1-405b, one copy: h100: TP 8 in bf16: needs 98.9 GiB of 72.9 GiB usable: "
        "26.0 GiB short\nTo fix: say what joins the nodes (between_nodes in the cluster file); or a wider target, "
        "fewer requests at once, a smaller model, or more nodes"
    )


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (
            Wanted(nodes=30),
            "30 nodes: house has at most 20 of a kind\nTo fix: name fewer with --nodes",
        ),
        (
            Wanted(node_type="h10"),
            "house has no node type 'h10'\nDid you mean: h100?\nTo fix: name one of: h100, l40s",
        ),
    ],
)
def test_what_the_cluster_has_not_is_refused(wanted: Wanted, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        plan_on_cluster(asked(), HOUSE, wanted)
    assert str(refused.value) == said


def test_layouts_are_written_and_read() -> None:
    for text in ("tp=8", "tp=8,pp=2", "tp=1,dp=16", "tp=4,prefill=1,decode=3"):
        assert way_written(text).written == text
    assert way_written("dp=16") == Way(1, data_parallel=16)
    with pytest.raises(BadInput, match="no part is called 'prefil'\nDid you mean: prefill"):
        way_written("tp=4,prefil=1")
    with pytest.raises(BadInput, match="prompt servers and decode servers go together"):
        way_written("tp=4,prefill=1")
    with pytest.raises(BadInput, match="tp is 0, not 1 to 1024"):
        way_written("tp=0")


def test_ways_divide_heads_and_never_cut_a_server_over_two_nodes() -> None:
    shape = resolve_model("llama-3.1-70b").shape  # 64 query heads, 8 KV heads
    six = NodeType(name="six", gpu="H100-80GB-SXM", gpus=6, count=4)
    ways = list(ways_of(shape, six, 12, joined=True))
    assert {way.tensor_parallel for way in ways if way.pools} == {1, 2}  # 4 would leave two of six over
    assert Way(4, pipeline_parallel=2) in ways
    assert all(way.data_parallel == 1 for way in ways)  # no experts
    assert list(ways_of(shape, six, 12, joined=False)) == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"data_parallel": 8}, "data_parallel 8: llama-3.1-70b has no experts to deal out"),
        ({"pools": Pools(prefill=4, decode=8)}, "the layout takes 12 accelerators and there are 8"),
        ({"pools": Pools(prefill=1, decode=1), "pipeline_parallel": 2}, "stages are not planned together with"),
        ({"replicas": 3}, "3 copies do not share 8 accelerators evenly"),
    ],
)
def test_a_layout_that_cannot_be_is_refused_with_a_reason(settings: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        make_plan(Request(model="llama-3.1-70b", hardware="8xH100-80GB-SXM").model_copy(update=settings))


def test_pools_are_planned_under_engines_that_have_them() -> None:
    request = Request(model="llama-3.1-8b", hardware="2xH100-80GB-SXM", pools=Pools(prefill=1, decode=1))
    with pytest.raises(NoFeasiblePlan, match="tensorrt-llm is not planned with prompt and decode servers of their own"):
        make_plan(request.model_copy(update={"engine": "tensorrt-llm"}))
    sglang = make_plan(request.model_copy(update={"engine": "sglang"})).chosen
    assert sglang.pools[1].engine_arguments[-4:] == (
        "--disaggregation-mode",
        "decode",
        "--disaggregation-transfer-backend",
        "nixl",
    )
