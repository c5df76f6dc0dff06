"""The pages of a fleet, of layouts, and of an open load, as a browser without a script sees them."""

import re
from html import unescape
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from planner.service.pages.placing import CLUSTER, MODELS
from planner.service.pages.rendering import on_a_page

SMALL = "models:\n  - {model: llama-3.1-8b, name: small, requests_per_s: 60, tpot_ms: 60, min_replicas: 3}\n"
PAGE = {"accept": "text/html"}


def fleet(client: TestClient, cluster: str = CLUSTER, models: str = SMALL) -> tuple[int, str]:
    answer = client.get("/fleet", params={"cluster": cluster, "models": models}, headers=PAGE)
    return answer.status_code, unescape(answer.text)


def test_an_empty_page_has_an_example_to_edit(client: TestClient) -> None:
    page = unescape(client.get("/fleet").text)
    assert CLUSTER in page
    assert MODELS in page
    assert "What one lost node does" not in page


def test_the_packing_its_cost_its_gap_and_a_lost_node_are_shown(client: TestClient) -> None:
    status, page = fleet(client)
    assert status == 200
    for said in ("Everything is served", "USD a month", "Above the best possible", "What one lost node does"):
        assert said in page
    assert re.search(r">\s*\d\.\d\d %\s*<", page), "the gap, never as 2e-14"
    assert re.search(r"<title>small: 1 of \d</title>", page), "every copy is drawn on its node"
    link = re.search(r'<a href="(/\?model=llama-3\.1-8b&[^"]+)"', page)
    assert link is not None
    assert client.get(link[1], headers=PAGE).status_code == 200, "each way to serve leads to its plan"
    assert "requests_per_s: 60" in page, "what was asked stays to be edited"


def test_what_does_not_fit_is_said_first(client: TestClient) -> None:
    status, page = fleet(client, models=SMALL.replace("60, tpot", "60000, tpot"))
    assert status == 200
    assert "Not everything fits" in page
    assert re.search(r"small: [\d,]+ of 60,000 requests a second are served", page)


@pytest.mark.parametrize(
    ("cluster", "models", "says"),
    [
        (CLUSTER.replace("gpus: 8", "gpu_count: 8"), SMALL, ("Unknown key 'gpu_count'", "cluster:5", "count")),
        (CLUSTER.replace("H100-80GB-SXM", "H100-80GB-SMX"), SMALL, ("cluster:5", "H100-80GB-SXM")),
        (CLUSTER.replace("L40S", "./gpu.yaml"), SMALL, ("This service reads no hardware files",)),
        (CLUSTER, SMALL.replace("llama-3.1-8b", "/etc/passwd"), ("This service may not read models from there",)),
        (CLUSTER, "models: [", ("Not YAML", "models:")),
        ("&a [*a]", SMALL, ("is a mapping of", "cluster:1")),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    client: TestClient, cluster: str, models: str, says: tuple[str, ...]
) -> None:
    status, page = fleet(client, cluster, models)
    assert status == 422
    for said in says:
        assert said in page


def test_a_text_too_long_for_an_address_is_refused(client: TestClient) -> None:
    assert client.get(f"/fleet?models=x&cluster={quote('# ' * 10_000)}", headers=PAGE).status_code == 422


def test_layouts_are_shown_and_the_best_are_marked(client: TestClient) -> None:
    asked = {"cluster": CLUSTER, "model": "llama-3.1-70b", "nodes": "2", "format": "bf16"}
    page = unescape(client.get("/layouts", params=asked, headers=PAGE).text)
    assert "llama-3.1-70b over 2 nodes of 8 x H100-80GB-SXM" in page
    assert "Between nodes: 400 Gb/s infiniband" in page
    assert page.count("fastest for a user") == page.count("most tokens/s") == 1
    wrong = client.get("/layouts", params={**asked, "node_type": "h200"}, headers=PAGE)
    assert (wrong.status_code, "has no node type 'h200'" in unescape(wrong.text)) == (422, True)


def test_an_open_load_is_answered_by_percentile(client: TestClient) -> None:
    asked = {"model": "llama-3.1-8b", "on": "1xL4", "requests_per_s": "0.2", "ttft_ms": "2000", "percentile": "p95"}
    page = unescape(client.get("/", params=asked, headers=PAGE).text)
    assert "Under 0.2 requests a second that come at random" in page
    assert "meets the targets (p95) up to" in page
    assert "Under" not in client.get("/", params={**asked, "requests_per_s": ""}, headers=PAGE).text
    many = unescape(client.get("/", params={**asked, "requests_per_s": "500"}, headers=PAGE).text)
    assert "The server cannot keep up with 500 requests/s" in many
    body = {"model": "llama-3.1-8b", "hardware": "1xL4", "workload": {"requests_per_s": 0.2}}
    assert client.post("/v1/plans", json=body).json()["outlook"]["requests_per_s"] == 0.2


def test_host_memory_is_a_field_as_it_is_an_option(client: TestClient) -> None:
    asked = {"model": "llama-3.1-70b", "on": "1xRTX-4090", "host_memory_gib": "96"}
    assert client.get("/", params=asked, headers=PAGE).status_code == 200
    wrong = client.get("/", params={**asked, "host_memory_gib": "-1"}, headers=PAGE)
    assert (wrong.status_code, "give a number above 0" in wrong.text) == (422, True)


def test_advice_names_fields_where_there_are_no_options() -> None:
    assert on_a_page("say with --host-memory-gib what the host has") == "say with “Host memory” what the host has"
