"""How right predictions were, over all machines that report: told of what was measured, and of nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from planner.learned.lessons import configuration
from planner.request import Workload
from planner.service.accuracy import format_of

Header = Callable[..., dict[str, str]]
LOAD = configuration("llama-3.1-8b", "fp8", Workload())


def told(sequence: int, predicted: float, measured: float, **more: Any) -> dict[str, Any]:
    return {
        "sequence": sequence, "machine": "1 x L4, 22 GiB", "engine": "vllm", "engine_version": "0.22.1",
        "kernel": "fp8-w8a8", "configuration": LOAD, "figure": "tpot_ms", "predicted": predicted, "measured": measured,
        "run_id": f"{sequence:08x}", "measured_at": 1_790_000_000.0 + sequence, **more,
    }  # fmt: skip


def report(client: TestClient, header: dict[str, str], executor: str, *lines: dict[str, Any]) -> None:
    content = {"executor": executor * 32, "sent_at": 1_790_000_100.0, "measurements": lines}
    client.post("/v1/measurements", json=content, headers=header).raise_for_status()


def test_nothing_is_said_where_nothing_was_measured(client: TestClient) -> None:
    assert client.get("/v1/accuracy").json() == {"items": [], "weighed": 0}
    page = client.get("/accuracy").text
    assert "nothing is said of accuracy here" in page
    assert "QUANTPLAN_LEDGER=http://localhost" in page


def test_errors_are_told_by_engine_hardware_format_and_figure(client: TestClient, token: Header) -> None:
    header = token("report")
    report(client, header, "a", told(1, 110, 100), told(2, 80, 100), told(3, 50, 100, figure="ttft_ms"))
    report(client, header, "b", told(1, 130, 100, run_id="00000001"))
    lines = client.get("/v1/accuracy").json()
    assert lines["weighed"] == 4
    tpot, ttft = lines["items"]
    assert (tpot["machine"], tpot["engine"], tpot["engine_version"]) == ("1 x L4, 22 GiB", "vllm", "0.22.1")
    assert (tpot["format"], tpot["figure"], tpot["runs"], tpot["executors"]) == ("fp8", "tpot_ms", 3, 2)
    assert tpot["median_error"] == pytest.approx(0.10)
    assert tpot["median_absolute_error"] == pytest.approx(0.20)
    assert (tpot["lowest_error"], tpot["highest_error"]) == (pytest.approx(-0.20), pytest.approx(0.30))
    assert (ttft["figure"], ttft["runs"], ttft["median_error"]) == ("ttft_ms", 1, -0.5)


def test_the_page_shows_them_and_is_searched(client: TestClient, token: Header) -> None:
    report(client, token("report"), "a", told(1, 110, 100))
    page = client.get("/accuracy").text
    assert "1 x L4, 22 GiB" in page
    assert "time per output token" in page
    assert "+10.0 %" in page
    assert "Nothing that was measured is called that" in client.get("/accuracy?q=h100").text


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (LOAD, "fp8"),
        (configuration("a, model, with commas", "gguf-q4_k_m", Workload()), "gguf-q4_k_m"),
        ("something else", "unknown"),
    ],
)
def test_the_format_of_a_configuration(text: str, format: str) -> None:
    assert format_of(text) == format
