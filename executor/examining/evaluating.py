"""`evaluate`: a run's model against its original on the user's queries, benchmarks and token probabilities."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from executor.artifacts import write_text
from executor.evaluate.divergence import Divergences
from executor.evaluate.harness import Score, Tasks, run_tasks
from executor.evaluate.judging import judge
from executor.evaluate.logprobs import prompt_logprobs, shift
from executor.evaluate.queries import Query, answer, compare, read_queries, summary
from executor.evaluate.text import held_out_text
from executor.examining.page import render_evaluation
from executor.examining.sides import Served, Side, Sides
from executor.load.client import open_client
from executor.load.prompts import tokenize
from executor.processes import Processes
from executor.toolchains import Toolchains
from planner.errors import BadInput, ExecutionFailed
from planner.examining import EvaluationQuestion

if TYPE_CHECKING:
    import httpx

WINDOW_TOKENS = 512
WINDOWS = 8


@dataclass(slots=True)
class Observed:
    """What one side showed: log-probabilities of the text's tokens, answers to the queries, scores of the tasks."""

    logprobs: list[float] | None = None
    answers: list[str] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)


def evaluate_run(sides: Sides, question: EvaluationQuestion) -> dict[str, Any]:
    """{shift, divergence, queries, tasks, verdict, page}; kept as `evaluation.json` and a page in the run's folder.

    BadInput when the run serves its original as it is: there is nothing to compare.
    """
    if not sides.is_quantized:
        raise BadInput(
            f"run {sides.record.run_id} serves the original itself", fix="evaluate a run whose plan quantizes the model"
        )
    queries = read_queries(question.queries) if question.queries else []
    observed = {side: observe(sides, side, queries, question) for side in ("original", "served")}
    measured = {
        "run_id": sides.record.run_id,
        "format": sides.plan.chosen.format,
        "engine": sides.plan.chosen.engine,
        "shift": shift_between(observed["original"], observed["served"]),
        "divergence": divergence(sides, question),
        "queries": queries_between(queries, observed["original"], observed["served"]),
        "tasks": tasks_between(observed["original"], observed["served"]),
    }
    result = {**measured, "verdict": judge(measured)}
    write_text(sides.folder / "evaluation.json", json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    page = write_text(sides.folder / "evaluation.html", render_evaluation(result))
    return {**result, "page": str(page.path)}


def observe(sides: Sides, side: Side, queries: list[Query], question: EvaluationQuestion) -> Observed:
    """Start one side and ask it everything. Nothing is started where nothing is asked of a server."""
    with sides.serving(side) as served:
        found = asyncio.run(_asked(served, queries, question, sides.plan.request.workload.served_context_tokens))
        if question.tasks:
            sides.on_message(f"running {', '.join(question.tasks)} on the {side} model")
            found.scores = _scored(sides, served, question)
        return found


def shift_between(before: Observed, after: Observed) -> dict[str, Any] | None:
    """How far the log-probabilities moved; None where the engine does not tell them."""
    if before.logprobs is None or after.logprobs is None:
        return None
    found = shift(before.logprobs, after.logprobs)
    return {**asdict(found), "perplexity_ratio": found.perplexity_ratio}


def queries_between(queries: list[Query], before: Observed, after: Observed) -> dict[str, Any] | None:
    return summary(compare(queries, before.answers, after.answers)) if queries else None


def tasks_between(before: Observed, after: Observed) -> list[dict[str, Any]]:
    """Each task's score on both sides and the drop in points of a hundred."""
    return [
        {
            **{"task": new.task, "metric": new.metric, "before": old.value, "after": new.value},
            **{"drop_percent": (old.value - new.value) * 100, "samples": new.samples},
            "standard_error_percent": None if new.standard_error is None else new.standard_error * 100,
        }
        for old, new in zip(before.scores, after.scores, strict=True)
    ]


def divergence(sides: Sides, question: EvaluationQuestion) -> dict[str, Any] | None:
    """The Kullback-Leibler divergence of a GGUF file from the 16-bit one; None for other formats."""
    original, served = sides.model("original"), sides.model("served")
    if original.suffix != ".gguf" or served.suffix != ".gguf":
        return None
    sides.on_message("measuring the divergence from the original")
    context = min(WINDOW_TOKENS, sides.plan.model.max_context_tokens)
    with Processes() as processes:
        tools = Toolchains(processes=processes).llama_cpp()
        text = held_out_text(question.text)
        return asdict(Divergences(tools, processes, text, sides.folder, context).measure(original, served))


async def _asked(served: Served, queries: list[Query], question: EvaluationQuestion, longest: int) -> Observed:
    async with open_client(served.url, 1) as client:
        observed = Observed(await _text_logprobs(client, served, question, longest))
        for query in queries:
            observed.answers.append(await answer(client, served.name, query, question.answer_tokens, {}))
        return observed


async def _text_logprobs(
    client: httpx.AsyncClient, served: Served, question: EvaluationQuestion, longest: int
) -> list[float] | None:
    """Of every token of the held-out text's first windows; None where the server does not tell them."""
    asked = served.engine.tokenize_request(served.name, held_out_text(question.text).read_text(encoding="utf-8"))
    if asked is None or not served.engine.tells_prompt_logprobs:
        return None
    ids, window = await tokenize(client, asked), min(WINDOW_TOKENS, longest - 1)
    found: list[float] = []
    for start in range(0, min(len(ids), WINDOWS * window), window):
        scored = await prompt_logprobs(client, served.name, ids[start : start + window])
        if scored is None:
            return None
        found += scored
    return found


def _scored(sides: Sides, served: Served, question: EvaluationQuestion) -> list[Score]:
    """ExecutionFailed where the engine cannot score a given answer, which all but generating tasks need."""
    if not served.engine.tells_prompt_logprobs:
        raise ExecutionFailed(
            f"{sides.plan.chosen.engine} does not tell the log-probabilities of a prompt, which these tasks need",
            fix="evaluate with --queries, or run the tasks on a plan for vLLM",
        )
    tasks = Tasks(question.tasks, question.task_files, question.limit, question.run_generated_code)
    with Processes() as processes:
        python = Toolchains(on_progress=_to(sides.on_message), processes=processes).lm_eval().python
        original, folder = sides.model("original"), sides.folder
        return run_tasks(tasks, python, processes, url=served.url, model=served.name, tokenizer=original, folder=folder)


def _to(on_message: Callable[[str], None]) -> Callable[[str, float | None], None]:
    return lambda message, fraction: on_message(message)
