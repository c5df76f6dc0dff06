"""A fleet from its file to its plan files: options from the rules and the speed model, packed, placed, written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from planner.cli.fleet_command import command
from planner.clusters.reading import read_cluster
from planner.errors import BadInput
from planner.fleet.answering import FleetPlan, plan_fleet
from planner.fleet.fleet import Fleet, ServedModel, read_fleet
from planner.fleet.plans import parts_of, plan_of
from planner.plan import load_plan

pytest.importorskip("highspy")

CLUSTER = """\
name: house
between_nodes: {kind: infiniband, gbit_s: 400, latency_us: 5}
nodes:
  - {name: h100, gpu: H100-80GB-SXM, gpus: 8, count: 20, racks: 5}
  - {name: l40s, gpu: L40S, gpus: 4, count: 20, racks: 2}
"""
FLEET = """\
models:
  - {model: llama-3.1-70b, name: chat, requests_per_s: 60, tpot_ms: 50, ttft_ms: 2000, min_replicas: 2}
  - {model: llama-3.1-8b, requests_per_s: 100, tpot_ms: 40, min_replicas: 2}
  - {model: llama-3.1-405b, requests_per_s: 2, tpot_ms: 80, loss: none}
"""


def files(tmp_path: Path, fleet: str = FLEET, cluster: str = CLUSTER) -> tuple[Path, Path]:
    fleet_file, cluster_file = tmp_path / "fleet.yaml", tmp_path / "cluster.yaml"
    fleet_file.write_text(fleet, encoding="utf-8")
    cluster_file.write_text(cluster, encoding="utf-8")
    return fleet_file, cluster_file


def answer(tmp_path: Path, fleet: str = FLEET, cluster: str = CLUSTER) -> FleetPlan:
    fleet_file, cluster_file = files(tmp_path, fleet, cluster)
    return plan_fleet(read_cluster(cluster_file), read_fleet(fleet_file))


def test_every_load_is_carried_within_its_targets(tmp_path: Path) -> None:
    plan = answer(tmp_path)
    assert not plan.short and plan.gap <= 0.005
    for model in plan.fleet.models:
        assert plan.carried_per_s(model) >= model.requests_per_s
        assert len(plan.copies_of(model)) >= model.min_replicas
        for copy in plan.copies_of(model):
            assert model.tpot_ms and copy.option.tpot_ms <= model.tpot_ms
    largest = plan.copies_of(plan.fleet.models[2])[0]
    assert largest.option.format == "bf16", "though the rules alone would store it in fewer bits on two nodes"
    assert len(largest.nodes) == 2, "812 GB of weights in nodes of 640 GB"


def test_what_only_engines_of_another_family_were_measured_on_is_no_option(tmp_path: Path) -> None:
    """bitsandbytes was measured under transformers alone: vLLM's is not chosen by transformers' constants."""
    cluster = "nodes:\n  - {name: a100, gpu: A100-80GB-SXM, gpus: 8, count: 3}\n"
    fleet = "models:\n  - {model: llama-3.1-70b, requests_per_s: 5, tpot_ms: 50, ttft_ms: 1000}\n"
    plan = answer(tmp_path, fleet, cluster)
    assert {copy.option.format for copy in plan.copies_of(plan.fleet.models[0])} == {"int8-w8a8"}


def test_the_plan_files_are_the_copies_of_the_plan(tmp_path: Path) -> None:
    plan = answer(tmp_path)
    made = {part.name: plan_of(plan, part) for part in parts_of(plan)}
    assert set(made) == {"chat-h100", "llama-3.1-8b-h100", "llama-3.1-405b-h100"}
    for model in plan.fleet.models:
        chosen, copies = made[f"{model.label}-h100"].chosen, plan.copies_of(model)
        option = copies[0].option
        assert (chosen.replicas, chosen.format, chosen.tensor_parallel, chosen.pipeline_parallel) == (
            len(copies), option.format, option.tensor_parallel, option.pipeline_parallel
        )  # fmt: skip
        tokens_per_s = chosen.predicted("output_tokens_per_s").value or 0.0
        carried = tokens_per_s / model.output_tokens * plan.fleet.busy_share
        assert carried == pytest.approx(plan.carried_per_s(model), rel=0.02)


def test_the_month_is_that_of_nodes_in_use_and_spare(tmp_path: Path) -> None:
    plan = answer(tmp_path)
    h100 = plan.cluster.nodes[0]
    assert plan.spare_nodes(h100) == 1 and plan.spare_nodes(plan.cluster.nodes[1]) == 0
    nodes = plan.nodes_in_use["h100"] + 1
    assert plan.usd_per_month == pytest.approx(nodes * 8 * 2.98 * 730)


def test_what_does_not_fit_is_told_with_its_shortage_and_fix(tmp_path: Path) -> None:
    one = "models:\n  - {model: llama-3.1-70b, requests_per_s: 60, tpot_ms: 50, node_types: [h100]}\n"
    plan = answer(tmp_path, one, CLUSTER.replace("count: 20, racks: 5", "count: 3"))
    (short,) = plan.short
    assert short.model == "llama-3.1-70b" and 0 < short.served_per_s < 60
    assert (
        short.why == "the cluster is short of 1 node of h100 (8 x H100-80GB-SXM), with 1 kept spare of each kind in use"
    )
    assert short.fix == "add 1 x h100 ($23.84 an hour), lower a load, or a `priority`"


def test_a_target_that_nothing_meets_is_told_for_each_kind_of_node(tmp_path: Path) -> None:
    one = "models:\n  - {model: llama-3.1-70b, requests_per_s: 1, tpot_ms: 2}\n"
    (short,) = answer(tmp_path, one).short
    assert short.served_per_s == 0
    assert short.why.startswith("h100: misses time per output token 2 ms (the least there is ")
    assert "; l40s: misses time per output token 2 ms" in short.why


def test_a_node_type_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    one = "models:\n  - {model: llama-3.1-8b, requests_per_s: 1, node_types: [h200]}\n"
    with pytest.raises(BadInput) as caught:
        answer(tmp_path, one)
    assert str(caught.value) == (
        "llama-3.1-8b is to stand on 'h200', which house does not have\nDid you mean: h100?\n"
        "To fix: name one of: h100, l40s"
    )


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    two = "models:\n" + "  - {model: llama-3.1-8b, requests_per_s: 1}\n" * 2
    with pytest.raises(BadInput, match=r"two models are named 'llama-3.1-8b': give each a `name`"):
        answer(tmp_path, two)


def test_a_model_nobody_knows(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"lama-3\.1-8b"):
        plan_fleet(
            read_cluster(files(tmp_path)[1]), Fleet(models=(ServedModel(model="lama-3.1-8b", requests_per_s=1),))
        )


def test_an_accelerator_without_a_price_asks_for_one(tmp_path: Path) -> None:
    cluster = "nodes:\n  - {name: a, gpu: RTX-3070, gpus: 1, count: 9}\n"
    one = "models:\n  - {model: qwen3-0.6b, requests_per_s: 1}\n"
    with pytest.raises(BadInput, match="no price is known for RTX-3070"):
        answer(tmp_path, one, cluster)
    counted = answer(tmp_path, one + "objective: gpus\n", cluster)
    assert counted.usd_per_month is None and counted.gpus_in_use >= 1


def test_the_command_writes_plans_that_load(tmp_path: Path) -> None:
    fleet_file, cluster_file = files(tmp_path, "models:\n  - {model: llama-3.1-8b, requests_per_s: 20}\n")
    out = tmp_path / "plans"
    done = CliRunner().invoke(command, [str(fleet_file), "--cluster", str(cluster_file), "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    content = json.loads(done.stdout)
    (written,) = content["plans"]
    assert load_plan(Path(written)).chosen.replicas == content["models"][0]["copies"]
    assert content["optimality_gap"] <= 0.005 and not content["short"]


def test_the_command_for_one_model_ends_in_3_where_it_does_not_fit(tmp_path: Path) -> None:
    _, cluster_file = files(tmp_path)
    done = CliRunner().invoke(command, ["llama-3.1-8b", "--rate", "9999/s", "--cluster", str(cluster_file)])
    assert done.exit_code == 3
    assert "Does not fit: llama-3.1-8b" in done.output and "To fix: add" in done.output
