"""What the planner believes, over HTTP: pages, search, ETags, and what fits."""

import pytest
from fastapi.testclient import TestClient


@pytest.mark.parametrize("address", ["/v1/models", "/v1/gpus", "/v1/prices"])
def test_a_catalogue_that_has_not_changed_is_not_sent_again(client: TestClient, address: str) -> None:
    first = client.get(address)
    assert first.status_code == 200
    assert first.json()["items"]
    again = client.get(address, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("address", ["/v1/models", "/v1/gpus", "/v1/prices"])
def test_every_line_comes_once(client: TestClient, address: str) -> None:
    total = client.get(f"{address}?limit=1").json()["total"]
    seen, following = 0, f"{address}?limit=50"
    while following:
        part = client.get(following).json()
        seen, following = seen + len(part["items"]), part["next"]
    assert seen == total > 50


def test_models_are_searched_and_shown(client: TestClient) -> None:
    found = client.get("/v1/models?q=llama-3.1").json()["items"]
    assert {"llama-3.1-8b", "llama-3.1-70b"} <= {line["name"] for line in found}
    one = client.get("/v1/models/llama-3.1-8b").json()
    assert (one["parameters"], one["max_context_tokens"]) == (8_030_261_248, 131_072)
    assert client.get("/v1/models/nobody").json()["fix"] == "GET /v1/models?q=... searches it"


def test_a_gpu_carries_its_figures_and_source(client: TestClient) -> None:
    (a100,) = (
        line for line in client.get("/v1/gpus?q=a100&limit=500").json()["items"] if line["name"] == "A100-80GB-SXM"
    )
    assert a100["bandwidth_gb_s"] == 2039
    assert a100["source"]


def test_what_fits_in_both_directions(client: TestClient) -> None:
    on_l4 = client.get("/v1/fits?on=1xL4&limit=3").json()
    assert on_l4["hardware"] == "1xL4"
    assert len(on_l4["fits"]) == 3
    for_70b = client.get("/v1/fits?model=llama-3.1-70b&limit=3").json()
    assert len(for_70b["fits"]) == 3
    nothing = client.get("/v1/fits")
    assert (nothing.status_code, nothing.json()["fix"]) == (422, "add ?on=1xA100-80GB or ?model=llama-3.1-70b")


def test_a_sweep_has_its_limit(client: TestClient) -> None:
    answer = client.get("/v1/fits?on=99999xL4")
    assert (answer.status_code, answer.json()["detail"]) == (422, "99999 accelerators: one question takes at most 1024")


def test_the_book_over_http(client: TestClient) -> None:
    book = client.get("/v1/rules").json()
    assert {"width", "vetoes", "format"} <= {chapter["decision"] for chapter in book["decisions"]}
    assert book["sources"]["A.tree.3"]["says"]
    one = client.get("/v1/rules/widht")
    assert (one.status_code, one.json()["nearest"]) == (404, ["width"])
    told = client.post("/v1/rules/explain", json={"model": "llama-3.1-405b", "hardware": "1xL4"}).json()
    assert told["choice"] == "no feasible plan"
    assert any(decision["decision"] == "width" for decision in told["decisions"])


def test_alive_ready_and_counted(client: TestClient) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").json()["rules"] > 100
    client.get("/v1/rules")
    figures = client.get("/metrics").text
    assert 'quantplan_http_requests_total{method="GET",route="/v1/rules",status="200"} 1.0' in figures


def test_every_answer_has_a_request_id(client: TestClient) -> None:
    assert client.get("/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    hostile = client.get("/healthz", headers={"X-Request-Id": "a" * 500}).headers["x-request-id"]
    assert len(hostile) == 32
