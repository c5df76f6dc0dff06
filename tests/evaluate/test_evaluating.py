"""`quantplan evaluate` on a finished run, with fake servers in the engine's place: both sides asked, judged, kept."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from example_plan import example_candidate, example_plan
from fake_openai_server import FakeServer

from executor.engines.vllm import VllmCpuServer
from executor.examining.evaluating import evaluate_run
from executor.examining.page import render_evaluation
from executor.examining.sides import Served, Side, Sides
from planner.errors import BadInput
from planner.examining import EvaluationQuestion
from planner.ports import RunRecord, StepRecord


def step(name: str, **result: Any) -> StepRecord:
    return StepRecord(name, "done", 0.0, 1.0, result, None, None)


def run_with(*steps: StepRecord) -> RunRecord:
    plan = example_plan(chosen=example_candidate(engine="vllm"))
    return RunRecord("abc123", plan, "done", 0.0, 1.0, steps, (), None)


class FakeSides(Sides):
    """Sides whose servers are fakes; `answers` and `logprobs` by side."""

    answers = {"original": "a right answer", "served": "a right answer"}
    logprobs = {"original": -1.0, "served": -1.01}

    @contextmanager
    def serving(self, side: Side) -> Iterator[Served]:
        server = FakeServer(answer_text=lambda _: self.answers[side], logprob=lambda _: self.logprobs[side])
        with in_a_thread(server) as url:
            yield Served(side, url, VllmCpuServer(), "tiny", self.model(side))


@contextmanager
def in_a_thread(server: FakeServer) -> Iterator[str]:
    loop, started, urls, ended = asyncio.new_event_loop(), threading.Event(), [], asyncio.Event()

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


@pytest.fixture
def sides(tmp_path: Path) -> FakeSides:
    made = (step("fetch", directory=str(tmp_path / "original")), step("quantize", path=str(tmp_path / "int8")))
    return FakeSides(run_with(*made), tmp_path, lambda said: None)


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.jsonl"
    path.write_text('{"prompt": "q", "expected": "right"}\n')
    return path


def test_a_model_that_answers_as_before_is_a_go(sides: FakeSides, queries: Path) -> None:
    result = evaluate_run(sides, EvaluationQuestion("abc123", queries=queries))
    assert result["verdict"]["go"] is True
    assert result["shift"]["nll_delta"] == pytest.approx(0.01)
    assert result["queries"]["same_answer"] == 1
    kept = json.loads((sides.folder / "evaluation.json").read_text())
    assert kept["verdict"] == result["verdict"]
    assert "GO" in (sides.folder / "evaluation.html").read_text()


def test_probabilities_show_what_the_answers_hide(sides: FakeSides, queries: Path) -> None:
    sides.logprobs["served"] = -1.2
    try:
        result = evaluate_run(sides, EvaluationQuestion("abc123", queries=queries))
    finally:
        sides.logprobs["served"] = -1.01
    assert result["queries"]["turned_wrong"] == 0
    assert result["verdict"]["go"] is False
    assert [check["name"] for check in result["verdict"]["reasons"] if check["held"] is False] == [
        "token probabilities"
    ]


def test_a_run_that_serves_its_original_is_refused(tmp_path: Path) -> None:
    sides = FakeSides(run_with(step("fetch", directory=str(tmp_path))), tmp_path, lambda said: None)
    with pytest.raises(BadInput, match="run abc123 serves the original itself"):
        evaluate_run(sides, EvaluationQuestion("abc123"))


def test_a_run_that_is_not_finished_says_how_to_finish_it(tmp_path: Path) -> None:
    sides = Sides(run_with(), tmp_path, lambda said: None)
    with pytest.raises(BadInput) as refused:
        sides.model("served")
    assert str(refused.value) == (
        "run abc123 has no served model on this machine\nTo fix: finish it first: quantplan apply abc123"
    )


def test_the_original_of_a_gguf_file_is_the_converted_one(tmp_path: Path) -> None:
    made = [step(name, path=f"/{name}.gguf") for name in ("convert", "quantize")]
    sides = Sides(run_with(step("fetch", directory="/original"), *made), tmp_path, lambda said: None)
    assert (sides.model("original"), sides.model("served")) == (Path("/convert.gguf"), Path("/quantize.gguf"))


def test_what_a_model_says_is_escaped_on_the_page(sides: FakeSides, queries: Path) -> None:
    sides.answers["served"] = "<script>alert(1)</script>"
    try:
        result = evaluate_run(sides, EvaluationQuestion("abc123", queries=queries))
    finally:
        sides.answers["served"] = "a right answer"
    page = render_evaluation(result)
    assert "<script>" not in page and "&lt;script&gt;" in page
    assert "NO-GO" in page
