"""Plans whose copy is more than one server, read by what reads any plan: cost, simulation, the terminal."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from planner.candidate import Candidate
from planner.cli.plan_view import print_plan
from planner.clusters.choosing import plan_on_cluster
from planner.clusters.cluster import Cluster, Link, NodeType
from planner.clusters.survey import Wanted
from planner.clusters.ways import way_written
from planner.costs.comparison import compare
from planner.costs.pricing import Pricing
from planner.costs.terms import Terms
from planner.errors import BadInput
from planner.placed import how_it_lies
from planner.plan import Plan
from planner.request import Request, Workload
from planner.serving.from_plan import server_of
from planner.serving.outlook import with_outlook

HOUSE = Cluster(
    name="house",
    nodes=(NodeType(name="h100", gpu="H100-80GB-SXM", gpus=8, count=12),),
    between_nodes=Link(kind="infiniband", gbit_s=400, latency_us=5),
)
LAYOUTS = {
    "tp=4,prefill=1,decode=3": ("llama-3.1-70b", "1 prefill and 3 decode servers, each TP on 2 nodes"),
    "dp=16": ("deepseek-v3", "16 copies of the attention, experts dealt over 16 devices on 2 nodes"),
    "tp=8,pp=2": ("llama-3.1-70b", "TP in each of 2 stages on 2 nodes"),
    "tp=16": ("llama-3.1-70b", "TP on 2 nodes"),
}


def planned(written: str, **load: Any) -> Plan:
    request = Request(model=LAYOUTS[written][0], hardware="", workload=Workload(concurrency=64, **load))
    return plan_on_cluster(request, HOUSE, Wanted(2, way=way_written(written)))


@pytest.mark.parametrize("written", LAYOUTS)
def test_a_copy_costs_all_its_accelerators(written: str) -> None:
    plan = planned(written)
    cost = plan.chosen.cost
    assert cost is not None
    (case,) = compare([plan], [], Pricing(), Terms()).cases
    assert case.accelerators_a_copy == plan.chosen.accelerators == 16
    assert cost.usd_per_hour == pytest.approx(16 * 2.98)  # Spheron's H100 of April 2026


@pytest.mark.parametrize(("written", "said"), [(written, said) for written, (_, said) in LAYOUTS.items()])
def test_it_is_told_in_words(written: str, said: str) -> None:
    chosen: Candidate = planned(written).chosen
    assert how_it_lies(chosen, "TP") == said


def test_what_prompts_cost_is_the_share_of_their_servers() -> None:
    cost = planned("tp=4,prefill=1,decode=3").chosen.cost
    assert cost is not None and cost.apart is not None
    assert cost.apart.prompt_share == 0.25


REASONS = {
    "tp=4,prefill=1,decode=3": "a copy of prompt and decode servers cannot be simulated step by step",
    "dp=16": "a copy with 16 copies of the attention cannot be simulated step by step",
    "tp=16": "a copy split over 2 nodes cannot be simulated step by step",
}


@pytest.mark.parametrize(("written", "said"), REASONS.items())
def test_the_simulator_says_why_it_abstains(written: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        server_of(planned(written))
    outlook = with_outlook(planned(written, requests_per_s=1)).outlook
    assert outlook is not None
    assert outlook.abstained is not None
    assert outlook.abstained.startswith(said)


def test_the_terminal_shows_where_and_why_and_what_the_link_costs() -> None:
    console = Console(width=140, record=True, force_terminal=False)
    with console.capture() as captured:
        print_plan(planned("tp=4,prefill=1,decode=3"), console)
    said = captured.get()
    assert "Where on house" in said
    assert "1 prompt + 3 decode servers of TP 4 on 2 nodes, node type h100" in said
    assert "The layout you insist on." in said
    assert "(between nodes: 400 Gb/s infiniband, 5 us)" in said
    assert "3 decode servers of TP 4: up to 22 requests at once on each" in said
    assert "A prompt's cache is 0.305 GiB: 6.56 ms of the time to first token, over 400 Gb/s infiniband between" in said
