"""Fleets and layouts over HTTP: the command line's answers, of bounded size and time, and nothing left running."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from planner.plan import Plan
from planner.service.clusters.desk import Desk
from planner.service.clusters.questions import FleetQuestion
from planner.service.problems import Refused
from planner.service.settings import Settings
from tests.service.conftest import MakeClient

NODE = {"name": "h100", "gpu": "H100-80GB-SXM", "gpus": 8, "count": 3, "price": {"usd_per_node_hour": 20}}
HOUSE = {"name": "house", "between_nodes": {"kind": "infiniband", "gbit_s": 400}, "nodes": [NODE]}
CHAT = {"model": "llama-3.1-8b", "name": "chat", "requests_per_s": 5, "tpot_ms": 50, "min_replicas": 2}
FLEET = {"models": [CHAT]}


def asked(node: dict[str, Any] = {}, model: dict[str, Any] = {}) -> dict[str, Any]:  # noqa: B006 (only read)
    return {"cluster": {**HOUSE, "nodes": [{**NODE, **node}]}, "fleet": {"models": [{**CHAT, **model}]}}


def test_a_fleet_is_placed_as_the_command_line_places_it(client: TestClient) -> None:
    answer = client.post("/v1/fleets", json={"cluster": HOUSE, "fleet": FLEET})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["short"] == []
    assert told["nodes"][0]["in_use"] + told["nodes"][0]["spare"] + told["nodes"][0]["free"] == 3
    assert told["usd_per_hour"] == 20 * (told["nodes"][0]["in_use"] + told["nodes"][0]["spare"])
    assert 0 <= told["optimality_gap"] <= 0.005
    assert len(told["copies"]) >= 2
    began = time.perf_counter()
    assert client.post("/v1/fleets", json={"cluster": HOUSE, "fleet": FLEET}).json() == told
    assert time.perf_counter() - began < 0.5, "the same question is not solved twice"


def test_what_does_not_fit_is_told_with_what_would_cure_it(client: TestClient) -> None:
    told = client.post("/v1/fleets", json=asked({"count": 1}, {"requests_per_s": 5000})).json()
    assert told["short"][0]["model"] == "chat"
    assert told["short"][0]["fix"].startswith("add ")


def test_layouts_show_what_the_link_costs(client: TestClient) -> None:
    question = {"cluster": HOUSE, "model": "llama-3.1-70b", "nodes": 2, "format": "bf16"}
    told = client.post("/v1/layouts", json=question).json()
    assert (told["format"], told["accelerators"]) == ("bf16", "8 x H100-80GB-SXM")
    assert told["link"].startswith("400 Gb/s infiniband")
    assert any("stages" in row["name"] for row in told["layouts"])


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (asked(model={"model": "lama-3.1-8"}), "no model is called"),
        (asked(model={"model": "/etc/passwd"}), "this service may not read models from there"),
        (asked(model={"model": "someone/something"}), "this service looks up no hub ids"),
        (asked({"gpu": "./my-gpu.yaml"}), "this service reads no hardware files"),
        (asked({"gpu": "/etc/passwd"}), "this service reads no hardware files"),
        (asked({"count": 100_000}), "800,000 accelerators: one question takes at most 20,000"),
        (asked({"gpus": 1024}), "1,024 accelerators in a node: one question takes at most 72"),
        (asked(model={"node_types": ["h200"]}), "is to stand on 'h200'"),
        ({**asked(), "time_limit_s": 1e9}, "less than or equal to 10"),
        ({**asked(), "more": 1}, "there is no such key"),
    ],
)
def test_a_question_that_is_wrong_or_too_large_is_refused(
    client: TestClient, question: dict[str, Any], says: str
) -> None:
    answer = client.post("/v1/fleets", json=question)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.text


def test_too_many_models_and_kinds_of_nodes(make_client: MakeClient) -> None:
    small = make_client(max_fleet_models=1, max_node_types=1)
    two = {"models": [CHAT, {**CHAT, "name": "other"}]}
    told = small.post("/v1/fleets", json={"cluster": HOUSE, "fleet": two}).json()
    assert told["detail"] == "2 models: one question takes at most 1"
    assert told["fix"] == "ask about less, or use the command line, which takes as much as you like"
    kinds = {**HOUSE, "nodes": [NODE, {**NODE, "name": "again"}]}
    told = small.post("/v1/fleets", json={"cluster": kinds, "fleet": FLEET}).json()
    assert told["detail"] == "2 kinds of nodes: one question takes at most 1"


def test_a_closed_service_asks_for_the_scope_plan(make_client: MakeClient) -> None:
    closed = make_client(open_planning=False)
    assert closed.post("/v1/fleets", json=asked()).status_code == 401
    assert closed.post("/v1/layouts", json={"cluster": HOUSE, "model": "llama-3.1-8b"}).status_code == 401


def endless(tmp_path: Path) -> tuple[str, ...]:
    """A solver that tells its number and never answers."""
    script = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    return (sys.executable, "-c", script)


def is_gone(tmp_path: Path) -> bool:
    try:
        os.kill(int((tmp_path / "pid").read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_a_solver_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    desk = Desk(Settings(solver_seconds=1.0), endless(tmp_path))
    with pytest.raises(Refused, match="no answer within 1 s") as caught:
        asyncio.run(desk.answer(FleetQuestion.model_validate(asked()), stays))
    assert caught.value.status == 503
    assert is_gone(tmp_path)


def test_a_solver_is_stopped_when_nobody_waits_for_it(tmp_path: Path) -> None:
    desk = Desk(Settings(), endless(tmp_path))

    async def left() -> bool:
        return (tmp_path / "pid").exists() and (tmp_path / "pid").read_text() != ""

    with pytest.raises(Refused, match="whoever asked has gone"):
        asyncio.run(desk.answer(FleetQuestion.model_validate(asked()), left))
    assert is_gone(tmp_path)


def test_a_solver_that_dies_is_told(tmp_path: Path) -> None:
    desk = Desk(Settings(), (sys.executable, "-c", "import os; os._exit(9)"))
    with pytest.raises(Refused, match="ended without an answer"):
        asyncio.run(desk.answer(FleetQuestion.model_validate(asked()), stays))


def test_a_crowd_is_sent_away(tmp_path: Path) -> None:
    desk = Desk(Settings(solver_seconds=0.5), endless(tmp_path))
    questions = [FleetQuestion.model_validate(asked(model={"requests_per_s": 1 + n})) for n in range(10)]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(desk.answer(q, stays) for q in questions), return_exceptions=True)

    kinds = [answer.kind for answer in asyncio.run(all_at_once())]
    assert kinds.count("busy") == 2
    assert kinds.count("too-long") == 8


async def stays() -> bool:
    return False


def test_the_process_answers_a_problem_in_words() -> None:
    import subprocess

    question = {"kind": "fleet", "question": asked(model={"model": "nobody-knows"}), "within_s": 20, "rules": None}
    command = [sys.executable, "-m", "planner.service.clusters.solving"]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["problem"]["kind"] == "BadInput"


def test_a_plan_is_asked_of_a_cluster(client: TestClient) -> None:
    question = {"cluster": HOUSE, "ask": {"model": "llama-3.1-70b", "workload": {"concurrency": 64}}, "nodes": 2}
    plan = Plan.model_validate(client.post("/v1/placements", json=question | {"layout": "tp=8,pp=2"}).json())
    assert (plan.chosen.tensor_parallel, plan.chosen.pipeline_parallel, plan.chosen.nodes) == (8, 2, 2)
    assert plan.placement is not None
    assert plan.placement.because == "The layout you insist on."
    assert plan.digest == plan.computed_digest()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"layout": "tp=8,stages=2"}, "no part is called 'stages'"),
        ({"nodes": 60}, "has at most"),
        ({"ask": {"model": "llama-3.1-70b", "hardware": "1xL4"}}, "body.ask.hardware"),
        ({"ask": {"model": "/etc/passwd"}}, "may not read models from there"),
    ],
)
def test_what_it_cannot_be_asked_is_said(client: TestClient, more: dict[str, Any], said: str) -> None:
    answer = client.post("/v1/placements", json={"cluster": HOUSE, "ask": {"model": "llama-3.1-70b"}} | more)
    assert answer.status_code == 422
    assert said in answer.text
