"""Open and closed loops, lengths and errors by kind, on a server whose delays are known."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

import pytest
from fake_openai_server import FakeServer

from executor.engines.llama_cpp import LlamaCppServer
from executor.engines.openai import OpenAiServer
from executor.engines.transformers import TransformersServer
from executor.load.client import open_client
from executor.load.closed_loop import LoopResult
from executor.load.lengths import Length, lengths, read_lengths
from executor.load.open_loop import arrival_times_s
from executor.load.statistics import summarise
from executor.load.testing import Load, Target, measure
from planner.errors import BadInput

TEXT = "The quick brown fox jumps over the lazy dog. " * 40


def run(server: FakeServer, load: Load, engine: Any = None) -> LoopResult:
    async def go() -> LoopResult:
        async with server.serving() as url, open_client(url, None) as client:
            return await measure(Target(client, engine or LlamaCppServer(), "tiny", TEXT), load)

    return asyncio.run(go())


def test_poisson_arrivals_have_the_asked_rate_and_independent_gaps() -> None:
    """Gaps of a Poisson process are exponential: their standard deviation equals their mean."""
    times = arrival_times_s(rate_per_s=5.0, count=20_001, seed=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert times[0] == 0 and times == sorted(times)
    assert mean(gaps) == pytest.approx(0.2, rel=0.03)
    assert pstdev(gaps) == pytest.approx(0.2, rel=0.05)
    assert times == arrival_times_s(5.0, 20_001, seed=1) != arrival_times_s(5.0, 20_001, seed=2)


def test_an_open_loop_does_not_wait_for_answers() -> None:
    """Each answer takes 0.1 s; twenty arrivals at 200 a second are nearly all in flight at once."""
    server = FakeServer(ttft_s=0.1)
    loop = run(server, Load(8, 1, requests=20, rate_per_s=200.0))
    assert server.most_in_flight > 10
    assert len(loop.exchanges) == 20


def test_a_closed_loop_waits() -> None:
    server = FakeServer(ttft_s=0.01)
    run(server, Load(8, 1, requests=9, concurrency=3))
    assert server.most_in_flight == 3


def test_the_warm_up_is_sent_and_not_counted() -> None:
    server = FakeServer()
    loop = run(server, Load(8, 2, requests=5, warmup_requests=3))
    assert (len(server.requests), len(loop.exchanges)) == (8, 5)


def test_errors_are_counted_by_kind() -> None:
    summary = summarise(run(FakeServer(fail_every=4, break_every=3), Load(8, 4, requests=12)), 4)
    assert summary["errors_by_kind"] == {"http-503": 3, "stream": 3}
    assert summary["errors"] == 6


def test_a_server_that_is_gone_is_a_connection_error() -> None:
    async def go() -> LoopResult:
        async with open_client("http://127.0.0.1:9", 1) as client:
            target = Target(client, LlamaCppServer(), "tiny", TEXT)
            from executor.load.testing import counted

            return await counted(target, Load(1, 1, 1), [([1], 1)])

    assert summarise(asyncio.run(go()), 1)["errors_by_kind"] == {"connection": 1}


def test_lengths_spread_around_their_mean_as_asked() -> None:
    drawn = lengths(Length(1000, 200), variation=0.5, count=20_000, seed=3)
    for name, expected in (("input_tokens", 1000), ("output_tokens", 200)):
        values = [getattr(length, name) for length in drawn]
        assert mean(values) == pytest.approx(expected, rel=0.02)
        assert pstdev(values) / mean(values) == pytest.approx(0.5, rel=0.05)
        assert min(values) >= 1
    assert lengths(Length(5, 6), 0.0, 3, seed=3) == [Length(5, 6)] * 3


def test_no_drawn_request_is_longer_than_the_server_takes() -> None:
    drawn = lengths(Length(100, 20), 1.0, 5000, seed=3, longest=128)
    assert max(length.input_tokens + length.output_tokens for length in drawn) == 128


def test_prompts_and_answers_have_the_drawn_lengths() -> None:
    server = FakeServer()
    load = Load(32, 6, requests=10, variation=0.6, concurrency=2)
    run(server, load)
    asked = sorted((len(request["prompt"]), request["max_tokens"]) for request in server.requests)
    assert asked == sorted((length.input_tokens, length.output_tokens) for length in load.lengths())
    assert len(set(asked)) > 5


def test_lengths_come_from_a_file_over_and_over(tmp_path: Path) -> None:
    path = tmp_path / "lengths.csv"
    path.write_text("input_tokens,output_tokens\n10,2\n20,3\n")
    assert read_lengths(path, 3) == [Length(10, 2), Length(20, 3), Length(10, 2)]


@pytest.mark.parametrize("content", ["", "input_tokens\n3\n", "input_tokens,output_tokens\nx,1\n"])
def test_a_file_without_lengths_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "lengths.csv"
    path.write_text(content)
    with pytest.raises(BadInput) as refused:
        read_lengths(path, 3)
    assert refused.value.where == str(path)


def test_a_server_that_takes_text_alone_gets_text_of_about_the_length() -> None:
    """The fake counts four characters a token."""
    server = FakeServer()
    run(server, Load(32, 2, requests=3), OpenAiServer())
    prompts = [request["prompt"] for request in server.requests if request.get("stream")]
    assert [len(prompt) for prompt in prompts] == [128, 128, 128]


def test_options_that_an_engine_does_not_know_are_left_out() -> None:
    server = FakeServer()
    run(server, Load(8, 2, requests=1), TransformersServer())
    request = server.requests[-1]
    assert "stream_options" not in request and request["generation_config"] == '{"eos_token_id": null}'
