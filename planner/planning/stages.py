"""What an executor has to do to carry out a candidate: the stages, each with plain parameters."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

from planner.catalog import load_yaml
from planner.layouts import layout_of, tools_for
from planner.memory.gguf_mix import gguf_tensors
from planner.models.model import Model
from planner.plan import Candidate, Stage
from planner.request import Workload
from planner.schemes import scheme

FULL_PRECISION = ("bf16", "fp16", "gguf-bf16")


def stages_for(
    model: Model, candidate: Candidate, workload: Workload, calibrating: Mapping[str, Any] | None = None
) -> tuple[Stage, ...]:
    """Fetch, keep the original, make the artifact, check and evaluate it, serve it, load it, compare, report.

    `calibrating` is what the rules and the user say of the calibration text: samples, text (chat or plain), source.
    """
    return (
        Stage(name="fetch", kind="fetch", parameters={"source": _source(model)}),
        Stage(name="keep-original", kind="keep-original"),
        *_making(model, candidate, calibrating or {}),
        *_serving(candidate, workload),
        Stage(name="findings", kind="findings"),
        Stage(name="report", kind="report"),
    )


def _source(model: Model) -> str:
    return model.checkpoint.path if model.checkpoint else model.name


def _making(model: Model, candidate: Candidate, calibrating: Mapping[str, Any]) -> tuple[Stage, ...]:
    if model.stored_format == candidate.format:
        return ()
    if candidate.format.startswith("gguf-"):
        return _making_gguf(model, candidate)
    if candidate.format in FULL_PRECISION:
        return ()
    return _making_torch(model, candidate, calibrating)


def _making_torch(model: Model, candidate: Candidate, calibrating: Mapping[str, Any]) -> tuple[Stage, ...]:
    """Perplexity is measured under transformers on the original and on the checkpoint, with the articles' tolerance."""
    tool = candidate.tool if candidate.tool in tools_for(candidate.format) else None
    layout = layout_of(candidate.format, tool)
    group_size = candidate.group_size or layout.scheme.group_size
    chosen = {"format": candidate.format, "tool": layout.tool, "group_size": group_size}
    tolerance = load_yaml("checks.yaml")["perplexity"]
    calibrate = Stage(name="calibrate", kind="calibrate", parameters=_calibration(model, candidate, calibrating))
    return (
        Stage(name="evaluate-before", kind="evaluate", parameters={"artifact": "fetch", "text": None}),
        *([calibrate] if scheme(candidate.format).needs_calibration else []),
        Stage(name="quantize", kind="quantize", parameters=chosen),
        Stage(name="check-artifact", kind="check-artifact", parameters=layout.expected(model.shape, group_size)),
        Stage(name="evaluate-after", kind="evaluate", parameters={"artifact": "quantize", "text": None, **tolerance}),
    )


def _calibration(model: Model, candidate: Candidate, calibrating: Mapping[str, Any]) -> dict[str, Any]:
    """How many samples of which text, each how long: never longer than the model reads."""
    usual = load_yaml("checks.yaml")["calibration"]
    return {
        "source": calibrating.get("source"),
        "samples": calibrating.get("samples") or usual["samples"],
        "text": calibrating.get("text") or ("chat" if model.is_chat else "plain"),
        "max_tokens": min(usual["max_tokens"], model.shape.max_context_tokens),
    }


def _making_gguf(model: Model, candidate: Candidate) -> tuple[Stage, ...]:
    """Perplexity is measured on the converted original and on the quantized file, with the articles' tolerance."""
    tensors = gguf_tensors(model.shape, candidate.format)
    types: dict[str, int] = {}
    for tensor in tensors:
        types[tensor.type] = types.get(tensor.type, 0) + 1
    tolerance = load_yaml("checks.yaml")["perplexity"]
    expected = {"expected_types": types, "expected_bytes": sum(tensor.bytes for tensor in tensors)}
    return (
        Stage(name="convert", kind="convert", parameters={"to": "gguf-bf16"}),
        Stage(name="evaluate-before", kind="evaluate", parameters={"artifact": "convert", "text": None}),
        Stage(name="quantize", kind="quantize", parameters={"format": candidate.format, "tool": "llama.cpp"}),
        Stage(name="check-artifact", kind="check-artifact", parameters={"format": candidate.format, **expected}),
        Stage(name="evaluate-after", kind="evaluate", parameters={"artifact": "quantize", "text": None, **tolerance}),
    )


def _requests(candidate: Candidate, workload: Workload) -> int:
    """As many requests as fill the wished time at the predicted speed, within bounds for each slot."""
    load = load_yaml("checks.yaml")["load_test"]
    bounds = load["requests_per_slot"]
    rate = candidate.predicted("output_tokens_per_s").value or 0.0
    wished: int = ceil(load["seconds"] * rate / workload.output_tokens)
    least, most = (int(bounds[end]) * workload.concurrency for end in ("least", "most"))
    return min(max(wished, least), most)


def _serving(candidate: Candidate, workload: Workload) -> tuple[Stage, ...]:
    load = load_yaml("checks.yaml")["load_test"]
    return (
        Stage(
            name="launch",
            kind="launch",
            parameters={
                "engine": candidate.engine,
                "arguments": list(candidate.engine_arguments),
                "environment": candidate.engine_environment,
            },
        ),
        Stage(
            name="load-test",
            kind="load-test",
            parameters={
                "concurrency": workload.concurrency,
                "input_tokens": workload.input_tokens,
                "output_tokens": workload.output_tokens,
                "requests": _requests(candidate, workload),
                "warmup_requests": load["warmup_requests"],
            },
        ),
    )
