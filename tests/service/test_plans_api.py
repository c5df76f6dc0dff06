"""Plans over HTTP: the same answers and the same words as the command line."""

import pytest
from fastapi.testclient import TestClient

from planner.plan import Plan
from tests.service.conftest import MakeClient

SEVENTY = {"model": "llama-3.1-70b", "hardware": "1xA100-80GB"}


def test_a_plan_is_made_kept_and_found_again(client: TestClient) -> None:
    made = client.post("/v1/plans", json=SEVENTY)
    assert made.status_code == 201
    plan = Plan.model_validate(made.json())
    assert plan.digest == plan.computed_digest()
    assert (plan.chosen.format, plan.chosen.engine) == ("awq-int4", "vllm")
    found = client.get(made.headers["location"])
    assert (found.status_code, found.content) == (200, made.content)
    listed = client.get("/v1/plans").json()["items"]
    assert [(line["digest"], line["choice"]) for line in listed] == [(plan.digest, "awq-int4 on vllm")]


def test_the_same_question_gets_the_same_plan_from_another_process_too(make_client: MakeClient) -> None:
    first = make_client().post("/v1/plans", json=SEVENTY)
    again = make_client(plans_in_memory=0).post("/v1/plans", json=SEVENTY)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.content == first.content
    other = make_client().post("/v1/plans", json={**SEVENTY, "workload": {"concurrency": 2}})
    assert other.status_code == 201


@pytest.mark.parametrize(
    ("asked", "status", "problem"),
    [
        (
            {"model": "llama-3.1-7b", "hardware": "1xA100-80GB"},
            422,
            {"type": "/problems/bad-input", "detail": "no model is called 'llama-3.1-7b'"},
        ),
        (
            {"model": "llama-3.1-70b", "hardware": "1xB9000"},
            422,
            {"type": "/problems/bad-input", "detail": "unknown accelerator 'B9000'"},
        ),
        (
            {"model": "llama-3.1-405b", "hardware": "1xL4"},
            409,
            {"type": "/problems/no-feasible-plan", "title": "No plan answers the question"},
        ),
        (
            {**SEVENTY, "workload": {"concurrency": -1}},
            422,
            {"where": "body.workload.concurrency", "detail": "input should be greater than 0"},
        ),
        ({**SEVENTY, "colour": "red"}, 422, {"where": "body.colour", "detail": "there is no such key"}),
        (
            {**SEVENTY, "price": {"usd_per_hour": 1e400}},
            422,
            {"where": "body.price.usd_per_hour", "detail": "input should be a finite number"},
        ),
    ],
)
def test_a_problem_in_the_words_of_the_command_line(
    client: TestClient, asked: dict[str, object], status: int, problem: dict[str, object]
) -> None:
    import json

    body = json.dumps(asked).replace("Infinity", "1e400")
    answer = client.post("/v1/plans", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    told = answer.json()
    assert {key: told[key] for key in problem} == problem
    assert told["instance"] == "/v1/plans"
    assert told["fix"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"model": "a", "model"'])
def test_what_is_no_question_is_refused(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/plans", content=body, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/bad-input")


def test_plans_come_in_pages(client: TestClient) -> None:
    for concurrency in (1, 2, 3):
        client.post("/v1/plans", json={**SEVENTY, "workload": {"concurrency": concurrency}})
    first = client.get("/v1/plans?limit=2").json()
    second = client.get(first["next"]).json()
    assert (len(first["items"]), len(second["items"]), second["next"]) == (2, 1, None)
    assert len({line["digest"] for line in first["items"] + second["items"]}) == 3


def test_a_plan_is_not_sent_twice_to_whoever_has_it(client: TestClient) -> None:
    digest = client.post("/v1/plans", json=SEVENTY).json()["digest"]
    first = client.get(f"/v1/plans/{digest}")
    again = client.get(f"/v1/plans/{digest}", headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
    assert "immutable" in again.headers["cache-control"]


def test_an_unknown_plan(client: TestClient) -> None:
    answer = client.get(f"/v1/plans/{'0' * 64}")
    assert (answer.status_code, answer.json()["fix"]) == (404, "GET /v1/plans lists those that were made here")
    assert client.get("/v1/plans/..%2f..%2fetc%2fpasswd").status_code in (404, 422)


@pytest.mark.parametrize("accepted", ["gzip", "gzip, deflate, br", "*;q=0.5, gzip;q=1.0", "identity", ""])
def test_a_known_plan_is_sent_as_it_lies_or_unpacked(client: TestClient, accepted: str) -> None:
    first = client.post("/v1/plans", json=SEVENTY)
    again = client.post("/v1/plans", json=SEVENTY, headers={"accept-encoding": accepted})
    assert (again.headers.get("content-encoding") == "gzip") == ("gzip" in accepted)
    assert again.headers["vary"] == "Accept-Encoding"
    assert again.content == first.content


def test_a_refusal_is_remembered_without_its_history(client: TestClient) -> None:
    none = {"model": "llama-3.1-405b", "hardware": "1xL4"}
    told = [client.post("/v1/plans", json=none).json() for _ in range(3)]
    assert told[0] == told[1] == told[2]
    (remembered,) = client.app.state.parts.answering._latest.values()  # type: ignore[attr-defined]
    assert remembered.__traceback__ is None
