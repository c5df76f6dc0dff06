"""`quantplan bench` against a fake server, as a user runs it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import CliRunner
from fake_openai_server import FakeServer

from planner.cli.main import cli
from planner.errors import BadInput, ExecutionFailed


@contextmanager
def serving(server: FakeServer) -> Iterator[str]:
    """The fake server in a thread of its own, since the command runs an event loop itself."""
    loop, started, urls = asyncio.new_event_loop(), threading.Event(), []
    ended = asyncio.Event()

    async def serve() -> None:
        async with server.serving() as url:
            urls.append(url)
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    yield urls[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)


def test_a_url_is_loaded_and_its_figures_printed() -> None:
    with serving(FakeServer(ttft_s=0.01)) as url:
        ran = CliRunner().invoke(
            cli, ["bench", url, "--concurrency", "2", "--output-tokens", "4", "--engine", "llama.cpp"]
        )
    assert ran.exit_code == 0, ran.output
    assert "time to first token, ms" in ran.output and "16 requests of" in ran.output and "no errors" in ran.output


def test_a_ramp_ends_with_the_largest_load() -> None:
    options = ["--ramp", "--ttft-ms", "0.000001", "--requests", "2", "--output-tokens", "2", "--json"]
    with serving(FakeServer()) as url:
        ran = CliRunner().invoke(cli, ["bench", url, *options])
    answer = json.loads(ran.stdout)
    assert (answer["model"], answer["ramp"], answer["largest"]) == ("tiny", "concurrency", None)
    assert answer["points"][0]["missed"][0].startswith("p95 ttft_ms")


def test_a_ramp_without_a_target_is_refused() -> None:
    with serving(FakeServer()) as url:
        ran = CliRunner().invoke(cli, ["bench", url, "--ramp"])
    assert isinstance(ran.exception, BadInput)
    assert str(ran.exception) == "a ramp needs a target to miss\nTo fix: give --ttft-ms, --tpot-ms or both"


def test_an_address_where_nothing_answers_is_named() -> None:
    ran = CliRunner().invoke(cli, ["bench", "http://127.0.0.1:9"])
    assert isinstance(ran.exception, ExecutionFailed)
    assert ran.exception.where == "http://127.0.0.1:9"
