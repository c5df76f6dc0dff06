"""A model that no machine holds, on several: stages across, split inside, and what the link between them costs."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from planner.cli.plan_view import print_plan
from planner.errors import BadInput
from planner.planning import make_plan
from planner.request import Nodes, Request, Workload
from planner.serving.from_plan import server_of
from planner.unfeasible import NoFeasiblePlan

EIGHT = Nodes(accelerators_per_node=8, link="infiniband", gbit_s=400, latency_us=5)
LARGE = Request(
    model="llama-3.1-405b", hardware="16xH100-80GB-SXM", format="bf16", nodes=EIGHT, workload=Workload(concurrency=32)
)
MIDDLE = LARGE.model_copy(update={"model": "llama-3.1-70b", "tensor_parallel": 8, "pipeline_parallel": 2})


def test_a_model_larger_than_a_machine_is_staged_over_two() -> None:
    chosen = make_plan(LARGE).chosen
    assert (chosen.tensor_parallel, chosen.pipeline_parallel, chosen.nodes, chosen.replicas) == (8, 2, 2, 1)
    assert chosen.engine_arguments[-2:] == ("--pipeline-parallel-size", "2")
    # 405.85 billion 16-bit weights over 16 accelerators are 47.3 GiB each, and a stage more than that: its table.
    assert 47.2 < sum(chosen.memory.gib(label) for label in ("weights", "16-bit remainder")) < 50
    assert chosen.cost is not None and chosen.cost.usd_per_hour == pytest.approx(16 * 2.98)


def test_without_a_known_link_no_copy_spans_machines() -> None:
    unknown = EIGHT.model_copy(update={"gbit_s": None})
    with pytest.raises(NoFeasiblePlan, match=r"needs 99\.6 GiB of 72\.9 GiB usable"):
        make_plan(LARGE.model_copy(update={"nodes": unknown}))


def test_a_copy_that_fits_a_machine_stays_on_it() -> None:
    asked = LARGE.model_copy(update={"model": "llama-3.1-70b", "nodes": EIGHT})
    chosen = make_plan(asked).chosen
    assert (chosen.pipeline_parallel, chosen.nodes) == (1, 1)


def test_a_slower_link_costs_time_to_the_first_token() -> None:
    def ttft_ms(gbit_s: float) -> float:
        nodes = EIGHT.model_copy(update={"gbit_s": gbit_s})
        return make_plan(MIDDLE.model_copy(update={"nodes": nodes})).chosen.predicted("ttft_ms").value or 0.0

    # A prompt of 1,000 tokens hands on 2 x 1000 x 8192 x 2 bytes = 32.8 MB: 26.2 ms at 10 Gb/s, 0.66 ms at 400.
    assert ttft_ms(10) - ttft_ms(400) == pytest.approx(26.2 - 0.66, rel=0.15)


def test_intervals_of_a_pipeline_are_wider_and_say_why() -> None:
    one = make_plan(MIDDLE.model_copy(update={"pipeline_parallel": None, "hardware": "8xH100-80GB-SXM"})).chosen
    two = make_plan(MIDDLE).chosen
    narrow, wide = one.predicted("tpot_ms"), two.predicted("tpot_ms")
    assert narrow.value and wide.value and narrow.high and wide.high
    assert wide.high / wide.value > narrow.high / narrow.value
    assert wide.source.startswith("a pipeline is computed, not measured")


def test_more_stages_than_accelerators_are_refused() -> None:
    with pytest.raises(BadInput) as caught:
        make_plan(MIDDLE.model_copy(update={"pipeline_parallel": 3}))
    assert str(caught.value) == (
        "3 stages of 8: 16xH100-80GB-SXM has 16\n"
        "To fix: name more accelerators, or leave the layout out: the rules choose a layout that is possible"
    )


def test_the_step_simulator_refuses_stages() -> None:
    with pytest.raises(BadInput, match="a copy in 2 stages cannot be simulated step by step"):
        server_of(make_plan(MIDDLE))


def test_a_machine_without_nvlink_says_so_to_the_speed_model() -> None:
    def tpot_ms(nodes: Nodes | None) -> float:
        asked = Request(
            model="llama-3.1-70b", hardware="8xH100-80GB-SXM", format="bf16", tensor_parallel=8, nodes=nodes
        )
        return make_plan(asked).chosen.predicted("tpot_ms").value or 0.0

    assert tpot_ms(Nodes(accelerators_per_node=8, inside="pcie")) > tpot_ms(None)


def test_the_plan_says_where_its_stages_stand() -> None:
    said = StringIO()
    print_plan(make_plan(LARGE), Console(file=said, width=110))
    assert "tensor parallel 8 in each of 2 stages on 2 nodes" in said.getvalue()
