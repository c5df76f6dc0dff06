"""What an executor has to do to carry out a candidate: the stages, each with plain parameters."""

from __future__ import annotations

from math import ceil

from planner.catalog import load_yaml
from planner.layouts import Layout, gguf_needs_calibration
from planner.memory.gguf_mix import gguf_bytes, gguf_types
from planner.models.model import Model
from planner.plan import Candidate, Stage
from planner.planning.making import Making
from planner.request import Workload
from planner.units import GB, GIB

WRITES_KV_SCALES = ("llm-compressor",)
FULL_PRECISION = ("bf16", "fp16")
SIXTEEN_BIT = "16-bit"
KEEP_ORIGINAL = Stage(name="keep-original", kind="keep-original")
CHECK_APPLIED = Stage(name="check-applied", kind="check-applied")
FINDINGS = Stage(name="findings", kind="findings")
REPORT = Stage(name="report", kind="report")
EVALUATE_ORIGINAL = Stage(name="evaluate-before", kind="evaluate", parameters={"artifact": "fetch", "text": None})


def stages_for(
    model: Model, candidate: Candidate, workload: Workload, making: Making | None = None
) -> tuple[Stage, ...]:
    """Fetch, keep the original, make and evaluate the artifact, serve it, check what is served, load it, report."""
    making = making or Making()
    return (
        Stage(name="fetch", kind="fetch", parameters={"source": model.weights_at}),
        KEEP_ORIGINAL,
        *_making(model, candidate, making),
        *(_serving(candidate, workload) if making.serve else ()),
        FINDINGS,
        REPORT,
    )


def _making(model: Model, candidate: Candidate, making: Making) -> tuple[Stage, ...]:
    if model.stored_format == candidate.format or candidate.format in FULL_PRECISION:
        return (EVALUATE_ORIGINAL,) if _only_the_cache_is_quantized(candidate) else ()
    if candidate.format == "gguf-bf16":
        return (Stage(name="convert", kind="convert", parameters={"to": "gguf-bf16"}),)
    if candidate.format.startswith("gguf-"):
        return _making_gguf(model, candidate, making)
    return _making_torch(model, candidate, making)


def _only_the_cache_is_quantized(candidate: Candidate) -> bool:
    """Then what the server says is held against the original: a cache that is wrong launches like a right one."""
    return candidate.format in FULL_PRECISION and candidate.kv_cache != SIXTEEN_BIT and candidate.engine == "vllm"


def _making_torch(model: Model, candidate: Candidate, making: Making) -> tuple[Stage, ...]:
    """Perplexity is measured under transformers, on the original and on the checkpoint, within the articles' bounds."""
    layout = making.layout(candidate)
    group_size = candidate.group_size or layout.scheme.group_size
    kv_scales = candidate.kv_cache == "fp8" and layout.tool in WRITES_KV_SCALES and calibrated(layout, making)
    chosen = {"format": candidate.format, "tool": layout.tool, "variant": layout.variant, "group_size": group_size}
    expected = layout.expected(model.shape, group_size, kv_scales=kv_scales)
    return (
        EVALUATE_ORIGINAL,
        *([_calibration(model, making)] if calibrated(layout, making) else []),
        Stage(name="quantize", kind="quantize", parameters={**chosen, "kv_scales": kv_scales}),
        Stage(name="check-artifact", kind="check-artifact", parameters=expected),
        _evaluation_after(),
    )


def calibrated(layout: Layout, making: Making) -> bool:
    """Text is run through the model: the layout needs it, or the user gave some, which scales of the KV cache use."""
    return layout.needs_calibration or (making.calibration is not None and layout.tool in WRITES_KV_SCALES)


def _calibration(model: Model, making: Making) -> Stage:
    """How many samples of which text, each how long: never longer than the model reads."""
    usual = load_yaml("checks.yaml")["calibration"]
    asked = {
        "source": making.calibration,
        "samples": making.samples or usual["samples"],
        "text": making.text or ("chat" if model.is_chat else "plain"),
        "max_tokens": min(usual["max_tokens"], model.shape.max_context_tokens),
    }
    return Stage(name="calibrate", kind="calibrate", parameters=asked)


def _evaluation_after() -> Stage:
    tolerance = load_yaml("checks.yaml")["perplexity"]
    return Stage(name="evaluate-after", kind="evaluate", parameters={"artifact": "quantize", "text": None, **tolerance})


def _making_gguf(model: Model, candidate: Candidate, making: Making) -> tuple[Stage, ...]:
    """Perplexity is measured on the converted original and on the quantized file, with the articles' tolerance."""
    type_name = making.gguf_type(candidate)
    expected = {
        "expected_types": dict(gguf_types(model.shape, type_name)),
        "expected_bytes": gguf_bytes(model.shape, type_name),
    }
    chosen = {"format": candidate.format, "ggml": type_name}
    return (
        Stage(name="convert", kind="convert", parameters={"to": "gguf-bf16"}),
        Stage(name="evaluate-before", kind="evaluate", parameters={"artifact": "convert", "text": None}),
        *([_calibration(model, making)] if gguf_needs_calibration(type_name) else []),
        Stage(name="quantize", kind="quantize", parameters={**chosen, "tool": "llama.cpp"}),
        Stage(name="check-artifact", kind="check-artifact", parameters={**chosen, **expected}),
        _evaluation_after(),
    )


def _requests(candidate: Candidate, workload: Workload) -> int:
    """As many requests as fill the wished time at the predicted speed, within bounds for each slot."""
    load = load_yaml("checks.yaml")["load_test"]
    bounds = load["requests_per_slot"]
    rate = candidate.predicted("output_tokens_per_s").value or 0.0
    wished: int = ceil(load["seconds"] * rate / workload.output_tokens)
    least, most = (int(bounds[end]) * workload.concurrency for end in ("least", "most"))
    return min(max(wished, least), most)


def _ready_within_s(candidate: Candidate) -> int:
    """When a start is taken for hung: several times as long as the engine and a slow disk should take."""
    start = load_yaml("checks.yaml")["start"]
    weights_gb = (candidate.predicted("weights_gib").value or 0.0) * candidate.tensor_parallel * GIB / GB
    usual_s = start["seconds"].get(candidate.engine, start["seconds"]["default"])
    within_s: float = start["factor"] * (usual_s + weights_gb / start["disk_gb_s"])
    return ceil(within_s)


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
                "ready_within_s": _ready_within_s(candidate),
            },
        ),
        CHECK_APPLIED,
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
