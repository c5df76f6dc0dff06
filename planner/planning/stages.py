"""What an executor has to do to carry out a candidate: the stages, each with plain parameters."""

from __future__ import annotations

from math import ceil

from planner.catalog import load_yaml
from planner.memory.gguf_mix import gguf_tensors
from planner.models.model import Model
from planner.plan import Candidate, Stage
from planner.request import Workload

FULL_PRECISION = ("bf16", "fp16", "gguf-bf16")


def stages_for(model: Model, candidate: Candidate, workload: Workload) -> tuple[Stage, ...]:
    """Fetch, keep the original, make the artifact, check and evaluate it, serve it, load it, compare, report."""
    return (
        Stage(name="fetch", kind="fetch", parameters={"source": _source(model)}),
        Stage(name="keep-original", kind="keep-original"),
        *_making(model, candidate),
        *_serving(candidate, workload),
        Stage(name="findings", kind="findings"),
        Stage(name="report", kind="report"),
    )


def _source(model: Model) -> str:
    return model.checkpoint.path if model.checkpoint else model.name


def _making(model: Model, candidate: Candidate) -> tuple[Stage, ...]:
    if model.stored_format == candidate.format:
        return ()
    if candidate.format.startswith("gguf-"):
        return _making_gguf(model, candidate)
    if candidate.format in FULL_PRECISION:
        return ()
    parameters = {"format": candidate.format, "tool": candidate.tool, "group_size": candidate.group_size}
    return (
        Stage(name="quantize", kind="quantize", parameters=parameters),
        Stage(name="check-artifact", kind="check-artifact", parameters={"format": candidate.format}),
    )


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
