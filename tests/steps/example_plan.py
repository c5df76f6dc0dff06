"""A plan for the demonstration model, written by hand: what the steps' tests carry out."""

from __future__ import annotations

from typing import Any

from planner.plan import (
    Candidate,
    Cost,
    Decision,
    Evidence,
    HardwareSummary,
    Memory,
    ModelSummary,
    Plan,
    Prediction,
    Rung,
    Stage,
    Term,
    Way,
)
from planner.request import Request, Workload

STAGES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("fetch", "fetch", {"source": "MODEL"}),
    ("keep-original", "keep-original", {}),
    ("convert", "convert", {"to": "gguf-bf16"}),
    ("evaluate-before", "evaluate", {"artifact": "convert", "text": None}),
    ("quantize", "quantize", {"format": "gguf-q4_k_m", "tool": "llama.cpp"}),
    (
        "check-artifact",
        "check-artifact",
        {"format": "gguf-q4_k_m", "expected_types": {"Q4_K": 1, "F32": 1}, "expected_bytes": 148},
    ),
    (
        "evaluate-after",
        "evaluate",
        {"artifact": "quantize", "text": None, "max_increase": 0.3, "max_increase_percent": 5, "source": "A.eval.ppl"},
    ),
    ("launch", "launch", {"engine": "llama.cpp", "arguments": ["--ctx-size", "512", "--parallel", "4"]}),
    (
        "load-test",
        "load-test",
        {"concurrency": 4, "input_tokens": 32, "output_tokens": 8, "requests": 8, "warmup_requests": 1},
    ),
    ("findings", "findings", {}),
    ("report", "report", {}),
)


def prediction(name: str, value: float | None, low: float | None, high: float | None) -> Prediction:
    abstained = "nothing is published for it" if value is None else None
    return Prediction(name=name, value=value, low=low, high=high, source="a table", abstained=abstained)


PREDICTIONS = (
    prediction("weights_gib", 0.0021, 0.00208, 0.00212),
    prediction("kv_cache_gib", 0.00586, 0.00585, 0.00587),
    prediction("compute_buffer_gib", 0.0081, 0.0073, 0.0089),
    prediction("artifact_bytes", 148, 147, 149),
    prediction("ttft_ms", 80, 60, 110),
    prediction("tpot_ms", 4.0, 3.0, 5.0),
    prediction("output_tokens_per_s", 700, 500, 900),
    prediction("perplexity_increase_percent", None, None, None),
    prediction("usd_per_1m_output_tokens", 0.04, 0.031, 0.056),
)


def example_candidate(**changes: Any) -> Candidate:
    memory = Memory(
        available_gib=21.0,
        terms=(Term(label="weights", predicted_gib=0.0021), Term(label="KV cache", predicted_gib=0.00586)),
        free_gib=20.9,
        fits=True,
        kv_bytes_per_token=3072,
        kv_tokens=7_000_000,
        max_context_tokens=512,
        max_concurrency=1000.0,
    )
    cost = Cost(
        usd_per_hour=0.1,
        usd_per_1m_output_tokens=0.04,
        low=0.031,
        high=0.056,
        usd_per_month=73.0,
        utilisation=1.0,
        provider="A cloud",
        price_as_of="2026-11-01",
        price_source="its price page",
    )
    fields: dict[str, Any] = {
        "format": "gguf-q4_k_m",
        "engine": "llama.cpp",
        "engine_version": "0.3.36",
        "tensor_parallel": 1,
        "kv_cache": "16-bit",
        "tool": "llama.cpp",
        "kernel": "ggml-cpu",
        "memory": memory,
        "predictions": PREDICTIONS,
        "cost": cost,
        "quality": "close to the original",
        "engine_arguments": ("--ctx-size", "512", "--parallel", "4"),
        "verdict": "chosen",
    }
    return Candidate(**{**fields, **changes})


def example_plan(source: str = "MODEL", hardware_kind: str = "cpu", **changes: Any) -> Plan:
    """The plan, with other stage parameters or fields where a test needs them."""
    parameters: dict[str, dict[str, Any]] = changes.pop("parameters", {})
    stages = [
        Stage(name=name, kind=kind, parameters={**given, **parameters.get(name, {})})  # type: ignore[arg-type]
        for name, kind, given in STAGES
    ]
    stages[0] = Stage(name="fetch", kind="fetch", parameters={"source": source})
    chose = Evidence(
        rule="cpu-gguf",
        source="A.tree.6",
        because="On a CPU, llama.cpp with a GGUF file is the way.",
        saw={"hardware.kind": "cpu"},
        outcome={"format": "gguf-q4_k_m"},
    )
    passed = Evidence(rule="fp16-first", source="A.tree.1", because="Serve at 16 bits where memory is ample.")
    fields: dict[str, Any] = {
        "quantplan_version": "0.1.0",
        "created_at": "2026-11-21T02:00:00+00:00",
        "request": Request(
            model=source, hardware="here", workload=Workload(input_tokens=32, output_tokens=8, concurrency=4)
        ),
        "model": ModelSummary(
            name="stdlib-2.9m",
            family="llama",
            source="config.json",
            path=source,
            parameters=2_900_000,
            active_parameters=2_900_000,
            parameters_by_component={"embedding": 500_000, "attention": 800_000, "mlp": 1_600_000},
            layer_count=3,
            max_context_tokens=512,
            weights_16bit_gib=0.0054,
            stored_format="bf16",
        ),
        "hardware": HardwareSummary(
            label="here",
            name="a CPU with 2 cores",
            count=1,
            memory_gib=23.4,
            bandwidth_gb_s=15.0,
            compute_capability=None,
            source="detected",
            detected=True,
        ),
        "facts": {"hardware": {"kind": hardware_kind}},
        "decisions": (
            Decision(decision="format", question="In which format?", answered_by=(chose,), passed_over=(passed,)),
        ),
        "chosen": example_candidate(),
        "stages": tuple(stages),
        "ladder": (Rung(on="quality", format="gguf-q8_0", rule="up-one", because="More bits keep more quality."),),
        "ways": {"gguf-q8_0": Way(candidate=example_candidate(), predictions=(), stages=())},
        "warnings": ("A small model loses more to quantization than a large one.",),
    }
    return Plan(**{**fields, **changes}).sealed()
