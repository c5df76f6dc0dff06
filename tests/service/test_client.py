"""The typed client against the service itself."""

import pytest
from fastapi.testclient import TestClient

from planner.client import Client, ServiceProblem
from planner.clusters.cluster import Cluster, Link, NodePrice, NodeType
from planner.fleet.fleet import Fleet, ServedModel
from planner.ports import Event
from planner.request import Request


@pytest.fixture
def asking(client: TestClient) -> Client:
    return Client(http=client)


def test_a_plan_comes_back_whole(asking: Client) -> None:
    plan = asking.plan(Request(model="llama-3.1-8b", hardware="1xL4"))
    assert plan.digest == plan.computed_digest()
    assert asking.plan_of(plan.digest) == plan
    assert asking.costs(plan.digest)["plans"]


def test_a_problem_is_an_error_in_the_same_words(asking: Client) -> None:
    with pytest.raises(ServiceProblem) as caught:
        asking.plan(Request(model="llama-3.1-7b", hardware="1xL4"))
    assert (caught.value.status, caught.value.kind) == (422, "bad-input")
    assert str(caught.value).startswith("no model is called 'llama-3.1-7b'\nDid you mean: ")
    with pytest.raises(ServiceProblem, match="this needs the scope execute"):
        asking.start("0" * 64)


def test_pages_are_followed_to_the_end(asking: Client) -> None:
    assert len(list(asking.models())) > 200
    assert {line["name"] for line in asking.gpus("h100")} >= {"H100-80GB-SXM"}
    assert all(line["usd_per_hour"] > 0 for line in asking.prices("l4"))
    assert asking.fits(on="1xL4", limit=1)["fits"]


def test_clusters_are_asked_about_with_the_messages_of_their_files(asking: Client) -> None:
    node = NodeType(name="l40s", gpu="L40S", gpus=4, count=3, price=NodePrice(usd_per_node_hour=4.4))
    cluster = Cluster(name="house", nodes=(node,), between_nodes=Link(kind="ethernet", gbit_s=100))
    fleet = Fleet(models=(ServedModel(model="llama-3.1-8b", requests_per_s=5),))
    placed = asking.fleet(cluster, fleet)
    assert (placed["cluster"], placed["short"]) == ("house", [])
    assert len(asking.layouts(cluster, "llama-3.1-8b", concurrency=16)["layouts"]) > 3
    with pytest.raises(ServiceProblem, match="has no node type 'h100'"):
        asking.layouts(cluster, "llama-3.1-8b", node_type="h100")
    assert asking.accuracy() == []


def test_a_run_is_followed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.service.api.runs.find_executor", lambda: None)
    parts = client.app.state.parts  # type: ignore[attr-defined]
    asking = Client(http=client, token=parts.tokens.create("t", ["execute"]))
    plan = asking.plan(Request(model="llama-3.1-8b", hardware="1xL4"))
    run = asking.start(plan, idempotency_key="once")
    assert asking.start(plan, idempotency_key="once")["run_id"] == run["run_id"]
    parts.runs.claim(run["run_id"], "me")
    parts.runs.note(run["run_id"], Event("fetch", "running", "reading", 0.5))
    parts.runs.end(run["run_id"], "me", "done")
    assert [event["message"] for event in asking.follow(run["run_id"])] == ["reading"]
    assert asking.run(run["run_id"])["state"] == "done"
