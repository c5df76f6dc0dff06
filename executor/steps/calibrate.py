"""Step `calibrate`: the text to quantize with, chosen and checked before any tool sees it."""

from __future__ import annotations

import json
from pathlib import Path

from executor.artifacts import write_text
from executor.calibration import choose, read_samples
from executor.calibration.choosing import Purpose
from executor.calibration.model_card import card_languages
from executor.evaluate.text import held_out_text, prompt_text
from executor.step import Result, StepContext
from executor.steps.earlier import parameter, result_of_kind, stage_of

SHIPPED = (
    "no calibration text was given: the shipped one (English, Python's documentation) is used; "
    "name text like what you will serve with --calibration (B.pitfall.6)"
)


def calibrate(context: StepContext) -> Result:
    """Write `calibration.jsonl`: {path, max_tokens, source, samples, languages, code_share, warnings, artifacts}.

    BadInput when the text cannot be read, or is the text the model will be evaluated on.
    """
    source = context.stage.parameters.get("source")
    fetched = result_of_kind(context, "fetch") or {}
    evaluation = stage_of(context.plan, "evaluate")
    purpose = Purpose(
        samples=int(parameter(context, "samples")),
        is_chat=parameter(context, "text") == "chat",
        model_languages=card_languages(Path(fetched["directory"])),
        task=context.plan.request.workload.task,
        evaluation_text=held_out_text(evaluation.parameters.get("text")).read_text(encoding="utf-8")
        if evaluation
        else "",
    )
    context.report("reading calibration text", None)
    chosen = choose(read_samples(source or str(prompt_text(None))), purpose)
    lines = "".join(json.dumps(sample.as_json(), ensure_ascii=False) + "\n" for sample in chosen.samples)
    written = write_text(context.workspace / "calibration.jsonl", lines)
    plain = chosen.as_plain()
    warnings = [*plain.pop("warnings"), *([] if source else [SHIPPED])]
    for warning in warnings:
        context.report(warning, None)
    return {
        "path": str(written.path),
        "max_tokens": int(parameter(context, "max_tokens")),
        "source": source or "shipped",
        **plain,
        "warnings": warnings,
        "artifacts": [written.record()],
    }
