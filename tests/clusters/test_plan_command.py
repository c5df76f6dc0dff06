"""`quantplan plan --cluster`: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from planner.plan import load_plan

CLUSTER = """
name: house
between_nodes: {kind: infiniband, gbit_s: 400, latency_us: 5}
nodes:
  - {name: h100, gpu: H100-80GB-SXM, gpus: 8, count: 4}
"""


@pytest.fixture
def cluster(tmp_path: Path) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(CLUSTER)
    return str(path)


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "planner.cli.main", "plan", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "110"},
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_plan_on_a_cluster_is_shown_and_written(cluster: str, tmp_path: Path) -> None:
    out = tmp_path / "plan.json"
    code, said = run("llama-3.1-405b", "--cluster", cluster, "--format", "bf16", "--out", str(out))
    assert code == 0
    assert "Where on house" in said
    assert "TP 8 x 2 stages on 2 nodes, node type h100" in said
    plan = load_plan(out)
    assert (plan.chosen.pipeline_parallel, plan.chosen.nodes, plan.request.hardware) == (2, 2, "16xH100-80GB-SXM")


def test_an_insisted_layout_is_the_one(cluster: str) -> None:
    asked = ("--nodes", "2", "--layout", "tp=4,prefill=1,decode=3", "--concurrency", "64", "--json")
    code, said = run("llama-3.1-70b", "--cluster", cluster, *asked)
    assert code == 0
    plan = json.loads(said)
    assert [pool["servers"] for pool in plan["chosen"]["pools"]] == [1, 3]
    assert plan["placement"]["because"] == "The layout you insist on."


REFUSED = [
    (("x",), "neither --on nor --cluster\nTo fix: say what to plan for: --on 1xA100-80GB, or --cluster FILE"),
    (("x", "--on", "1xL4", "--nodes", "2"), "--nodes without --cluster\nTo fix: name the cluster file: --cluster FILE"),
    (("x", "--on", "1xL4", "--cluster", "c"), "--cluster and --on together\nTo fix: name one place to plan for"),
    (("x", "--cluster", "c", "--frontier"), "--cluster and --frontier together\nTo fix: name one place to plan for"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED)
def test_two_places_or_none_are_refused(arguments: tuple[str, ...], said: str) -> None:
    code, output = run(*arguments)
    assert code == 2
    assert output == f"Error: {said}\n"


def test_nothing_that_serves_it_is_exit_code_three(cluster: str) -> None:
    code, said = run("llama-3.1-405b", "--cluster", cluster, "--format", "bf16", "--layout", "tp=8")
    assert code == 3
    assert said.startswith(
        "Error: nothing on house serves llama-3.1-405b, one copy: h100: TP 8 in bf16: needs 98.9 GiB"
    )
