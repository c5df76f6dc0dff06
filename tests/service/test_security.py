"""Who may do what, and what the service will not read, take or be talked into."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from planner.cli.serve_command import check_reach, settings_from
from planner.errors import BadInput
from planner.service.guarding import Guard
from planner.service.observing import JsonLines
from planner.service.settings import Settings, is_loopback
from planner.service.store.database import open_database
from planner.service.store.tokens import TokenStore
from tests.service.conftest import MakeClient

Header = Callable[..., dict[str, str]]
EIGHT = {"model": "llama-3.1-8b", "hardware": "1xL4"}
RUN = {"plan": "0" * 64}


def test_planning_is_open_on_loopback_and_executing_never_is(client: TestClient) -> None:
    assert client.post("/v1/plans", json=EIGHT).status_code == 201
    refused = client.post("/v1/runs", json=RUN)
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/token-missing")
    assert "quantplan tokens create NAME --scope execute" in refused.json()["fix"]


def test_a_closed_service_asks_for_the_scope(make_client: MakeClient) -> None:
    closed = make_client(open_planning=False)
    tokens = closed.app.state.parts.tokens  # type: ignore[attr-defined]
    reader = {"Authorization": f"Bearer {tokens.create('r', ['read'])}"}
    assert closed.get("/v1/models").status_code == 401
    assert closed.get("/v1/models", headers=reader).status_code == 200
    told = closed.post("/v1/plans", json=EIGHT, headers=reader)
    assert (told.status_code, told.json()["detail"]) == (403, "this needs the scope plan; the token has read")
    assert closed.get("/healthz").status_code == 200


@pytest.mark.parametrize("forged", ["", "qp_x_y", "qp__", "qp_a_b_c", "Bearer", "é", "qp_" + "0" * 12 + "_" + "0" * 64])
def test_a_forged_token_is_refused(client: TestClient, forged: str) -> None:
    answer = client.post("/v1/runs", json=RUN, headers={"Authorization": f"Bearer {forged}".encode()})  # type: ignore[dict-item]
    assert answer.status_code == 401


def test_only_a_hash_of_the_secret_is_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'tokens.db'}"
    tokens = TokenStore(open_database(url))
    secret = tokens.create("ci", ["plan"]).split("_")[2]
    assert secret.encode() not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_rotating_and_revoking(tmp_path: Path) -> None:
    tokens = TokenStore(open_database(f"sqlite:///{tmp_path / 'tokens.db'}"))
    old = tokens.create("ci", ["plan", "read"])
    line = tokens.verify(old)
    assert line is not None
    fresh = tokens.rotate(line.token_id)
    assert fresh is not None
    assert tokens.verify(old) is None
    renewed = tokens.verify(fresh)
    assert renewed is not None
    assert (renewed.name, renewed.scopes) == ("ci", {"plan", "read"})
    assert tokens.revoke(renewed.token_id)
    assert not tokens.revoke(renewed.token_id)
    assert tokens.rotate("nobody") is None
    with pytest.raises(BadInput, match="there is no scope 'executes'\nDid you mean: execute"):
        tokens.create("x", ["executes"])


def test_beyond_loopback_a_token_must_exist_first(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'service.db'}"
    settings = settings_from({"host": "0.0.0.0", "database_url": url})
    assert not settings.open_planning
    with pytest.raises(BadInput) as caught:
        check_reach(settings)
    assert str(caught.value) == (
        "--host 0.0.0.0 lets other machines in, and there is no token to tell them apart\n"
        "To fix: make one: quantplan tokens create NAME --scope read --scope plan; or leave out --host"
    )
    TokenStore(open_database(url)).create("team", ["read", "plan"])
    check_reach(settings)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("example.org", False),
    ],
)
def test_what_counts_as_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_a_page_of_another_name_cannot_reach_a_local_service(client: TestClient) -> None:
    """DNS rebinding: a foreign name that resolves to this machine is not answered."""
    assert client.get("/v1/models", headers={"Host": "attacker.example"}).status_code == 400
    assert Settings(host="0.0.0.0", trusted_hosts=("plan.example",)).allowed_hosts == ["plan.example"]


@pytest.mark.parametrize(
    "model",
    [
        "/etc/passwd",
        "../../etc",
        "~/.ssh",
        "./x.gguf",
        "//host/share/x.gguf",
        "\\\\host\\share",
        "file:///etc/passwd",
        "x.gguf",
    ],
)
def test_model_paths_outside_the_roots_are_not_read(client: TestClient, model: str) -> None:
    answer = client.post("/v1/plans", json={"model": model, "hardware": "1xL4"})
    assert answer.status_code == 422
    assert "passwd" not in answer.json()["fix"]


def test_a_path_below_a_root_is_read_and_a_link_out_of_it_is_not(make_client: MakeClient, tmp_path: Path) -> None:
    root = tmp_path / "models"
    root.mkdir()
    (root / "out").symlink_to("/etc")
    client = make_client(model_roots=(root,))
    told = client.post("/v1/plans", json={"model": str(root / "missing"), "hardware": "1xL4"}).json()
    assert told["detail"].startswith("no directory or .gguf file at")
    out = client.post("/v1/plans", json={"model": str(root / "out"), "hardware": "1xL4"}).json()
    assert out["detail"] == "this service may not read models from there"


@pytest.mark.parametrize("model", ["org/name", "http://169.254.169.254/latest", "localhost:80/x", "a@b/c"])
def test_nothing_is_fetched_for_a_model_id(client: TestClient, model: str) -> None:
    told = client.post("/v1/plans", json={"model": model, "hardware": "1xL4"})
    assert (told.status_code, told.json()["detail"]) == (422, f"this service looks up no hub ids: {model}")


@pytest.mark.parametrize("hardware", ["/etc/passwd", "2x/etc/gpu.yaml", "gpu.yml", "..\\gpu.yaml"])
def test_no_hardware_file_is_read(client: TestClient, hardware: str) -> None:
    told = client.post("/v1/plans", json={"model": "8B", "hardware": hardware})
    assert (told.status_code, told.json()["detail"]) == (422, "this service reads no hardware files")


@pytest.mark.parametrize(
    ("more", "where"),
    [({"price": {"file": "/etc/passwd"}}, "price.file"), ({"calibration": "/etc/passwd"}, "calibration")],
)
def test_no_file_of_a_caller_is_read(client: TestClient, more: dict[str, object], where: str) -> None:
    told = client.post("/v1/plans", json={**EIGHT, **more})
    assert (told.status_code, told.json()["where"]) == (422, where)
    assert told.json()["detail"] == "this service reads no files of its callers"


def test_a_body_over_the_limit_is_refused_stated_or_not(make_client: MakeClient) -> None:
    client = make_client(max_body_bytes=2048)
    stated = client.post("/v1/plans", content=b" " * 4096)
    streamed = client.post("/v1/plans", content=(b" " * 512 for _ in range(8)))
    for answer in (stated, streamed):
        assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


def test_a_client_over_its_rate_waits(make_client: MakeClient) -> None:
    client = make_client(requests_per_minute=8)
    codes = [client.get("/healthz").status_code for _ in range(4)]
    assert codes == [200, 200, 429, 429]
    assert int(client.get("/healthz").headers["retry-after"]) >= 1


def test_headers_keep_pages_to_themselves(client: TestClient) -> None:
    headers = client.get("/healthz").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_a_body_that_never_ends_is_given_up() -> None:
    """A client that sends a byte now and then must not hold a connection for ever."""
    guard = Guard(nobody, max_body_bytes=2048, body_seconds=0.05, requests_per_minute=60)
    sent: list[dict[str, Any]] = []

    async def drip() -> dict[str, Any]:
        await asyncio.sleep(0.02)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(guard({"type": "http", "method": "POST", "path": "/v1/plans", "headers": []}, drip, send))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["detail"] == "the body took longer than 0.05 s"


async def nobody(*_: Any) -> None:
    raise AssertionError("the application must not be asked")


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "cors"}, 200),
        ("GET", {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}, 200),
        ("GET", {}, 200),
    ],
)
def test_a_page_of_another_site_may_link_here_and_nothing_else(
    client: TestClient, method: str, headers: dict[str, str], status: int
) -> None:
    answer = client.request(method, "/healthz", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["type"] == "/problems/cross-site"
        assert "content-security-policy" in answer.headers


def test_a_fault_of_ours_tells_nothing_but_where_to_look(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("planner.service.store.plans.PlanStore.newest", fail)
    client = TestClient(make_client().app, base_url="http://localhost", raise_server_exceptions=False)
    answer = client.get("/v1/plans", headers={"X-Request-Id": "abc-7"})
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    assert answer.json()["detail"] == "a fault of the service; its log tells more of request abc-7"
    assert "swordfish" not in answer.text


def test_no_draft_model_is_read_or_fetched_for_a_caller(client: TestClient) -> None:
    for model, says in (("/etc/passwd", "may not read models from there"), ("org/name", "looks up no hub ids")):
        extras = {"draft": "eagle", "draft_model": model}
        told = client.post("/v1/plans", json={**EIGHT, "extras": extras})
        assert (told.status_code, says in told.json()["detail"]) == (422, True)


def test_a_log_line_is_one_line_and_holds_no_token(
    client: TestClient, token: Header, caplog: pytest.LogCaptureFixture
) -> None:
    header = token("execute")
    with caplog.at_level(logging.INFO, "quantplan.service"):
        client.post("/v1/runs?access_token=s3cret", json=RUN, headers=header)
        client.get("/runs/%0a%7b%22level%22:%22forged%22%7d%E2%80%A8x")
    lines = [JsonLines().format(record) for record in caplog.records if record.name == "quantplan.service"]
    assert len(lines) >= 2
    for line in lines:
        assert len(line.splitlines()) == 1
        assert "forged" not in json.loads(line)["level"]
        assert header["Authorization"].removeprefix("Bearer ") not in line
        assert "s3cret" not in line


@pytest.mark.parametrize(
    "address",
    ["/runs/..%2f..%2fetc%2fpasswd", "/v1/runs/..%2f..%2fx", "/v1/plans/..%2f..%2fetc", "/static/..%2f..%2fapp.py",
     "/static/%2e%2e/style.css", "/v1/costs/report.html%00.pdf", "/runs/%00"],
)  # fmt: skip
def test_no_address_leads_to_another_file(client: TestClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code in (404, 422)
    assert "root:" not in answer.text


def test_the_figures_name_addresses_and_not_what_was_asked_of_them(client: TestClient) -> None:
    client.get("/v1/models/m")
    client.get("/v1/models/llama-3.1-8b")
    figures = client.get("/metrics").text
    assert 'route="/v1/models/{name}",status="404"' in figures
    assert "llama-3.1-8b" not in figures


@pytest.mark.parametrize("rate", [5e-324, 1e-300, 0, -1, 1e7])
def test_a_rate_that_no_simulation_ends_at_is_refused(client: TestClient, rate: float) -> None:
    told = client.post("/v1/plans", json={**EIGHT, "workload": {"requests_per_s": rate}})
    assert (told.status_code, told.json()["where"]) == (422, "body.workload.requests_per_s")
