"""One model over several nodes: which layouts there are, and what their link costs."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.layouts_command import command
from planner.clusters.cluster import Cluster, Link, NodeType
from planner.errors import BadInput
from planner.fleet.layouts import Comparison, LaidOut, compare_layouts
from planner.request import Request, Workload


def cluster(gbit_s: float | None = 400) -> Cluster:
    link = Link(kind="infiniband", gbit_s=gbit_s, latency_us=5) if gbit_s else None
    return Cluster(nodes=(NodeType(name="h100", gpu="H100-80GB-SXM", gpus=8, count=4),), between_nodes=link)


def compared(model: str, gbit_s: float | None = 400, nodes: int = 2, concurrency: int = 64) -> Comparison:
    there = cluster(gbit_s)
    asked = Request(model=model, hardware="", workload=Workload(concurrency=concurrency))
    return compare_layouts(asked, there, there.nodes[0], nodes)


def row(found: Comparison, start: str) -> LaidOut:
    return next(row for row in found.rows if row.name.startswith(start))


def test_a_split_over_nodes_pays_for_the_slower_link() -> None:
    """Inside a node an all-reduce has 450 GB/s each way, between nodes 50: stages hand on far less."""
    found = compared("llama-3.1-70b")
    inside, stages, over = (row(found, name) for name in ("TP 8, 2 copies", "TP 8 x 2 stages", "TP 16 over 2 nodes"))
    assert inside.link_ms and stages.link_ms and over.link_ms
    assert over.link_ms > 5 * inside.link_ms and stages.link_ms < 2 * inside.link_ms
    assert (over.tokens_per_s or 0) < (stages.tokens_per_s or 0)


def test_a_slower_link_costs_more() -> None:
    fast, slow = (row(compared("llama-3.1-70b", gbit_s), "TP 16 over").tpot_ms or 0 for gbit_s in (400, 100))
    assert slow > 2 * fast


def test_a_mixture_may_deal_its_experts() -> None:
    found = compared("deepseek-v3", concurrency=256)
    dealt = row(found, "EP 16 over 2 nodes")
    assert not dealt.why_not and (dealt.tokens_per_s or 0) > (row(found, "TP 16 over").tokens_per_s or 0)
    assert not any(line.name.startswith("EP") for line in compared("llama-3.1-70b").rows)


def test_prompts_and_tokens_on_servers_of_their_own() -> None:
    """Longer prompts want more prompt servers; tokens come evenly, for no prompt falls between them."""
    there = cluster()

    def prompt_servers(input_tokens: int, output_tokens: int) -> tuple[int, LaidOut, Comparison]:
        load = Workload(input_tokens=input_tokens, output_tokens=output_tokens, concurrency=64)
        asked = Request(model="llama-3.1-8b", hardware="", workload=load, format="bf16")
        found = compare_layouts(asked, there, there.nodes[0], 1)
        best = next(line for line in found.rows if "prompt +" in line.name)
        return int(best.name.split()[0]), best, found

    few, _, _ = prompt_servers(200, 800)
    many, apart, found = prompt_servers(4000, 200)
    assert many > few
    assert (apart.tpot_ms or 0) < (row(found, "TP 1, 8 copies").tpot_ms or 0)


def test_without_a_known_link_nothing_spans_nodes() -> None:
    names = [line.name for line in compared("llama-3.1-8b", gbit_s=None).rows]
    assert not any("stages" in name or "over" in name for name in names)


def test_more_nodes_than_there_are() -> None:
    with pytest.raises(BadInput) as caught:
        compared("llama-3.1-8b", nodes=5)
    assert str(caught.value) == "5 nodes of h100: cluster has 4\nTo fix: name fewer with --nodes"


def test_the_command_names_the_nearest_node_type(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("nodes:\n  - {name: h100, gpu: H100-80GB-SXM, gpus: 8, count: 2}\n")
    asked = ["llama-3.1-8b", "--cluster", str(path)]
    with pytest.raises(BadInput, match="cluster has no node type 'h10'\nDid you mean: h100"):
        CliRunner().invoke(command, [*asked, "--node-type", "h10"], catch_exceptions=False)
    done = CliRunner().invoke(command, [*asked, "--nodes", "1"])
    assert done.exit_code == 0 and "TP 1, 8 copies" in done.output
