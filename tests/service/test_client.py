"""The typed client against the service itself."""

import pytest
from fastapi.testclient import TestClient

from planner.client import Client, ServiceProblem
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
