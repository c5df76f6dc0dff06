"""Step `evaluate`: perplexity on held-out text, and against the original where that was measured before."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from executor.applied.scoring import score
from executor.artifacts import sha256_of
from executor.evaluate.perplexity import LinesLost, Perplexity, increase, parse_perplexity, windows_told
from executor.evaluate.text import held_out_text
from executor.step import Result, StepContext
from executor.steps.earlier import made_by, parameter, result_of
from planner.errors import ExecutionFailed

TRIES = 3
WINDOW_TOKENS = 512  # llama-perplexity's default


def evaluate(context: StepContext) -> Result:
    """{perplexity, standard_error, chunks, context_tokens, text, text_sha256}; after another evaluation also
    {perplexity_before, increase, increase_percent, tolerable, max_increase, max_increase_percent}; of a checkpoint
    directory, which transformers scores, also {held, token_ids, logprobs}.

    Only text and windows equal to the earlier evaluation's are compared; ExecutionFailed otherwise.
    """
    text = held_out_text(context.stage.parameters.get("text"))
    model = _artifact(context)
    scored = _score(context, model, text) if model.is_dir() else _as_result(_measure(context, model, text))
    result: Result = {**scored, "text": text.name, "text_sha256": sha256_of(text)}
    before = _earlier_evaluation(context)
    return {**result, **_compared(context, before, result)} if before else result


def _artifact(context: StepContext) -> Path:
    """The model file or directory that the named stage made or found."""
    name = str(parameter(context, "artifact"))
    found = result_of(context, name)
    return Path(found["directory"]) if "directory" in found and "path" not in found else made_by(context, name)


def _score(context: StepContext, model: Path, text: Path) -> Result:
    longest = context.plan.model.max_context_tokens
    window = int(context.stage.parameters.get("context_tokens") or min(WINDOW_TOKENS, longest))
    return score(context, model, text, window)


def _as_result(measured: Perplexity) -> Result:
    return {
        "perplexity": measured.value,
        "standard_error": measured.standard_error,
        "chunks": measured.chunks,
        "context_tokens": measured.context_tokens,
    }


def _measure(context: StepContext, model: Path, text: Path) -> Perplexity:
    """Run llama-perplexity, again when it lost its last lines."""
    for _ in range(TRIES - 1):
        with suppress(LinesLost):
            return parse_perplexity(_run(context, model, text), str(text))
        context.report("llama-perplexity lost its last lines; measuring again", None)
    return parse_perplexity(_run(context, model, text), str(text))


def _run(context: StepContext, model: Path, text: Path) -> str:
    on_line = windows_told(context.report, "measuring perplexity")
    tool = context.toolchains.llama_cpp().perplexity
    arguments: list[str | Path] = [tool, "-m", model, "-f", text, *_window(context)]
    return context.processes.run_tool(arguments, context.log_path, on_line=on_line)


def _window(context: StepContext) -> list[str]:
    """The window asked for; else llama-perplexity's own, unless the model was made for less."""
    window = context.stage.parameters.get("context_tokens")
    longest = context.plan.model.max_context_tokens
    if window is None and longest >= WINDOW_TOKENS:
        return []
    return ["-c", str(window or longest)]


def _earlier_evaluation(context: StepContext) -> Result | None:
    for stage in context.plan.stages:
        if stage.name == context.stage.name:
            return None
        if stage.kind == "evaluate":
            return context.results.get(stage.name)
    return None


def _compared(context: StepContext, before: Result, after: Result) -> Result:
    for same in ("text_sha256", "context_tokens", "chunks"):
        if before[same] != after[same]:
            raise ExecutionFailed(
                f"the two perplexities are not comparable: {same} was {before[same]}, now {after[same]}",
                where=context.stage.name,
                fix="evaluate both on the same text; plan again to start afresh",
            )
    limits = {name: context.stage.parameters.get(name) for name in ("max_increase", "max_increase_percent")}
    grown = increase(before["perplexity"], after["perplexity"], **limits)
    return {
        "perplexity_before": before["perplexity"],
        "increase": grown.absolute,
        "increase_percent": grown.percent,
        "tolerable": grown.tolerable,
        "tolerance_source": context.stage.parameters.get("source"),
        **limits,
    }
