"""The load generator against a server whose delays are known."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from fake_openai_server import FakeServer

from executor.engines.llama_cpp import LlamaCppServer
from executor.load.client import open_client
from executor.load.closed_loop import LoopResult, closed_loop
from executor.load.exchange import Exchange, complete
from executor.load.prompts import cut_prompts, tokenize
from executor.load.statistics import Spread, percentile, summarise
from planner.errors import ExecutionFailed

TTFT_S, TPOT_S, TOKENS = 0.03, 0.004, 10
LATE_MS = 25  # the test machine may be busy: how late a client may notice what the server wrote


def run_load(server: FakeServer, requests: int, concurrency: int, output_tokens: int = TOKENS) -> LoopResult:
    async def run() -> LoopResult:
        async with server.serving() as url, open_client(url, concurrency) as client:

            async def send(prompt: Any) -> Exchange:
                return await complete(client, "tiny", prompt, output_tokens, LlamaCppServer().completion_options())

            return await closed_loop(send, [[1, 2, 3]] * requests, concurrency)

    return asyncio.run(run())


def test_the_servers_delays_are_recovered() -> None:
    server = FakeServer(TTFT_S, TPOT_S)
    loop = run_load(server, requests=4, concurrency=2)
    seen = sorted(loop.exchanges, key=lambda e: e.first_token_s or 0)
    for exchange, sent in zip(seen, sorted(server.sent), strict=True):
        assert exchange.ttft_ms >= TTFT_S * 1000
        assert (exchange.first_token_s - sent[0]) * 1000 < LATE_MS
        written_ms = (sent[-1] - sent[0]) * 1000 / (TOKENS - 1)
        assert exchange.tpot_ms == pytest.approx(written_ms, abs=LATE_MS / (TOKENS - 1) * 2)
        assert exchange.output_tokens == TOKENS


def test_throughput_counts_all_tokens_over_wall_time() -> None:
    loop = run_load(FakeServer(0.005, 0.001), requests=6, concurrency=3)
    summary = summarise(loop, TOKENS)
    assert summary["output_tokens_per_s"] == pytest.approx(6 * TOKENS / loop.wall_s)
    assert (summary["requests"], summary["errors"], summary["short_requests"]) == (6, 0, 0)


def test_as_many_requests_are_in_flight_as_planned_and_never_more() -> None:
    server = FakeServer(0.005)
    run_load(server, requests=9, concurrency=3)
    assert server.most_in_flight == 3
    assert len(server.requests) == 9


def test_no_request_waits_on_a_connection_that_the_server_may_be_closing() -> None:
    server = FakeServer()
    run_load(server, requests=5, concurrency=2)
    assert server.connections == 5


def test_what_is_asked_of_the_server_makes_prefill_real_and_answers_full_length() -> None:
    server = FakeServer()
    run_load(server, requests=1, concurrency=1)
    asked = server.requests[0]
    assert (asked["prompt"], asked["max_tokens"], asked["stream"]) == ([1, 2, 3], TOKENS, True)
    assert (asked["ignore_eos"], asked["cache_prompt"]) == (True, False)


def test_refused_and_broken_requests_are_errors_and_nothing_else() -> None:
    refused = summarise(run_load(FakeServer(fail_every=3), requests=6, concurrency=2), TOKENS)
    assert (refused["requests"], refused["errors"]) == (6, 2)
    assert refused["error_reasons"] == {"HTTP 503: out of slots": 2}
    broken = summarise(run_load(FakeServer(break_every=2), requests=4, concurrency=1), TOKENS)
    assert broken["error_reasons"] == {"the slot was lost": 2}
    assert broken["mean_output_tokens"] == TOKENS


def test_without_usage_streamed_chunks_are_counted() -> None:
    loop = run_load(FakeServer(omit_usage=True), requests=1, concurrency=1)
    assert loop.exchanges[0].output_tokens == TOKENS


def test_a_server_that_is_not_there_is_an_error_not_a_crash() -> None:
    async def run() -> Exchange:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:9", trust_env=False) as client:
            return await complete(client, "tiny", [1], 5, {})

    exchange = asyncio.run(run())
    assert exchange.error is not None and exchange.error.startswith("ConnectError")
    assert exchange.ttft_ms is None


def exchange(sent: float, first: float, last: float, tokens: int) -> Exchange:
    return Exchange(sent, first, last, last, 32, tokens)


def test_time_per_token_leaves_out_the_first() -> None:
    one = exchange(sent=1.0, first=1.2, last=1.6, tokens=5)
    assert one.ttft_ms == pytest.approx(200)
    assert one.tpot_ms == pytest.approx(100)  # 0.4 s for the four tokens after the first
    assert exchange(1.0, 1.2, 1.2, tokens=1).tpot_ms is None


def test_percentiles_are_numpys() -> None:
    ordered = [float(value) for value in range(1, 11)]
    # numpy.percentile(range(1, 11), [50, 95, 99])
    assert [percentile(ordered, share) for share in (50, 95, 99)] == pytest.approx([5.5, 9.55, 9.91])
    spread = Spread.of([3.0, 1.0, 2.0])
    assert spread is not None and (spread.mean, spread.minimum, spread.maximum) == (2.0, 1.0, 3.0)
    assert Spread.of([]) is None


def test_prompts_have_the_planned_length_and_begin_differently() -> None:
    ids = list(range(100))
    prompts = cut_prompts(ids, [32] * 5)
    assert [len(prompt) for prompt in prompts] == [32] * 5
    assert len({prompt[0] for prompt in prompts}) == 5


def test_a_short_text_starts_again() -> None:
    assert cut_prompts([7, 8, 9], [7, 7]) == [[7, 8, 9, 7, 8, 9, 7], [8, 9, 7, 8, 9, 7, 8]]


def test_text_without_tokens_is_refused() -> None:
    async def run() -> list[int]:
        async with FakeServer().serving() as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
            return await tokenize(client, LlamaCppServer().tokenize_request("tiny", ""))

    with pytest.raises(ExecutionFailed) as failed:
        asyncio.run(run())
    assert str(failed.value) == "the prompt text has no tokens\nTo fix: give a text that is not empty"
