"""The doors agree: a sweep on arrays, the steps of a simulation and a single prediction are one set of formulas."""

from __future__ import annotations

import numpy as np
import pytest

from planner.hardware.resolving import resolve_hardware
from planner.memory.weights import weight_bytes
from planner.models.resolving import resolve_model
from planner.schemes import scheme
from planner.speed.stepping import step_times
from planner.speed.sweeping import Candidate, speed_many
from planner.speed.work import Layout, Running, Stored

NAME = "meta-llama/Llama-3.1-8B-Instruct"
SHAPE = resolve_model(NAME).shape
GPUS = ("H100-80GB-SXM", "A100-80GB-SXM")


def stored(format_id: str) -> Stored:
    return Stored.of(scheme(format_id), weight_bytes(SHAPE, scheme(format_id)).total, 131072.0)


def candidates(engine: str = "vllm") -> list[Candidate]:
    """Every pair of GPU and format."""
    kernels = {"bf16": "cublas-bf16", "awq-int4": "marlin-int4", "fp8": "fp8-w8a8"}
    return [
        Candidate(engine, kernel, resolve_hardware(gpu).accelerator, scheme(f).activation, stored(f), Layout())
        for gpu in GPUS
        for f, kernel in kernels.items()
    ]


def test_a_sweep_says_what_one_prediction_says(predict) -> None:
    found = speed_many(SHAPE, candidates()[:2], input_tokens=1000, output_tokens=300, concurrency=[4, 32])
    for at, (format_id, concurrency) in enumerate((("bf16", 4), ("awq-int4", 32))):
        load = {"concurrency": concurrency, "input_tokens": 1000, "output_tokens": 300}
        alone = predict(NAME, "1xH100-80GB-SXM", format_id, **load)
        assert found.tpot_ms[at] == pytest.approx(alone.tpot_ms.value, rel=1e-6)
        assert found.tokens_per_s_low[at] == pytest.approx(alone.output_tokens_per_s.low, rel=1e-6)


def test_many_batches_of_few_runs_share_their_constants() -> None:
    batches = np.arange(1, 1001)
    found = speed_many(
        SHAPE, candidates()[:1], input_tokens=1000, output_tokens=300, concurrency=batches, which=np.zeros(1000, int)
    )
    assert np.all(np.diff(found.tpot_ms) > 0)
    assert np.all(found.tpot_low_ms < found.tpot_ms) and np.all(found.tpot_ms < found.tpot_high_ms)


def test_what_cannot_be_said_is_nan() -> None:
    found = speed_many(SHAPE, candidates(), input_tokens=1000, output_tokens=300, concurrency=8)
    assert np.isnan(found.tpot_ms).tolist() == [False, False, False, False, False, True]  # an A100 multiplies no FP8


def test_an_engine_nobody_measured_is_nan() -> None:
    assert np.isnan(speed_many(SHAPE, candidates("novel")[:1], input_tokens=9, output_tokens=9, concurrency=1).ttft_ms)


def test_steps_grow_with_batch_context_and_tokens() -> None:
    run = Running("vllm", "cublas-bf16", Layout(), stored("bf16"))
    steps = step_times(SHAPE, resolve_hardware("H100").accelerator, scheme("bf16"), run)
    assert steps.decode_step_ms(1, 1000) < steps.decode_step_ms(32, 1000) < steps.decode_step_ms(32, 8000)
    assert steps.prompt_step_ms(2048) < steps.prompt_step_ms(2048, 30_000) < steps.prompt_step_ms(8192, 30_000)
    assert steps.decode_step_ms(np.array([1.0, 32.0]), 1000.0)[1] == steps.decode_step_ms(32, 1000)


def test_a_prompt_beside_others_shares_one_pass_with_them() -> None:
    run = Running("vllm", "cublas-bf16", Layout(), stored("bf16"))
    steps = step_times(SHAPE, resolve_hardware("H100").accelerator, scheme("bf16"), run)
    alone, decode = steps.prompt_step_ms(4096), steps.decode_step_ms(32, 2000)
    together = steps.prompt_step_ms(4096, 0, 32, 2000)
    weights_ms = SHAPE.parameters * 2 / 3.35e9  # an H100's 3.35 TB/s; read once, not twice
    assert max(alone, decode) < together < alone + decode - 0.8 * weights_ms


def test_no_steps_without_the_arithmetic() -> None:
    run = Running("vllm", "fp8-w8a8", Layout(), stored("fp8"))
    assert step_times(SHAPE, resolve_hardware("A100").accelerator, scheme("fp8"), run) is None
