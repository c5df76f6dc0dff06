"""The real vLLM where it launches and answers, and serves something else than was asked for."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.applied.fingerprint import limits
from executor.engines import engine_of
from executor.engines.starting import Launch, start_server
from executor.local import DEMO_MODEL, LocalExecutor
from executor.processes import Processes
from executor.step import StepContext
from executor.steps.check_applied import check_applied
from executor.steps.evaluate import evaluate
from executor.toolchains import Toolchains
from executor.toolchains.llama_build import cpu_flags
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage
from planner.planning import make_plan
from planner.ports import ApplyOptions
from planner.request import Request, Workload

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif("QUANTPLAN_REAL" not in os.environ, reason="set QUANTPLAN_REAL=1 to run vLLM itself"),
]
SCORE_ORIGINAL = Stage(name="evaluate-before", kind="evaluate", parameters={"artifact": "fetch", "text": None})


def served_with(*arguments: str, format: str = "bf16") -> Plan:
    """The original served with more arguments, as a plan for `format` that holds the server against the original."""
    workload = Workload(input_tokens=100, output_tokens=24)
    asked = Request(model=str(DEMO_MODEL), hardware="here", engine="vllm", format="bf16", workload=workload)
    plan = make_plan(asked)
    launch = next(stage for stage in plan.stages if stage.kind == "launch")
    more = {**launch.parameters, "arguments": [*launch.parameters["arguments"], *arguments]}
    stages = [stage for stage in plan.stages if stage.kind != "launch"]
    at = plan.stages.index(launch)
    changed = (*stages[:at], SCORE_ORIGINAL, launch.model_copy(update={"parameters": more}), *stages[at:])
    chosen = plan.chosen.model_copy(update={"format": format})
    return plan.model_copy(update={"stages": changed, "chosen": chosen}).sealed()


def refusal(plan: Plan, home: Path) -> str:
    """Why the run failed, and that it failed at the check."""
    executor = LocalExecutor(home)
    with pytest.raises(ExecutionFailed) as failed:
        executor.apply(plan, on_event=lambda event: None, options=ApplyOptions(fall_back=False))
    steps = {step.name: step for step in executor.runs()[0].steps}
    assert steps["launch"].state == "done" and steps["launch"].result["first_completion"], "it launched and answered"
    assert steps["check-applied"].state == "failed" and steps["load-test"].state == "pending"
    return str(failed.value)


@pytest.mark.skipif(
    not {"avx512f", "amx_int8"} & set(cpu_flags().split()),
    reason="vLLM refuses a cache of int8_per_token_head without AVX-512 and AMX, and so serves nothing wrong",
)
def test_a_cache_of_wrong_values_is_caught_by_what_the_server_says(tmp_path: Path) -> None:
    said = refusal(served_with("--kv-cache-dtype", "int8_per_token_head"), tmp_path)
    assert "wrongly applied in the engine, although it started and answers" in said
    assert "nats a token from the original's" in said


def test_weights_that_stay_unquantized_are_caught_by_what_the_engine_holds(tmp_path: Path) -> None:
    said = refusal(served_with("--quantization", "int8_per_channel_weight_only", format="int8-w8a8"), tmp_path)
    assert "int8-w8a8 is not applied in the engine, although it started and answers" in said
    assert "linear layers are held in 16 bits" in said


@pytest.fixture
def with_wrong_values(tmp_path: Path) -> Path:
    """The demonstration model with its values twice as large, as a cache with wrong scales would give them back."""
    directory = tmp_path / "wrong"
    shutil.copytree(DEMO_MODEL, directory)
    path = directory / "model.safetensors"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    (length,) = struct.unpack("<Q", content[:8])
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name.endswith("v_proj.weight"):
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            content[begin:end] = b"".join(struct.pack("<H", (n + 0x80) & 0xFFFF) for (n,) in bf16(content[begin:end]))
    path.write_bytes(content)
    return directory


def bf16(content: bytes) -> Iterator[tuple[int]]:
    """Each number's bits; one more in the exponent (0x80) doubles it."""
    return struct.iter_unpack("<H", content)


@pytest.mark.parametrize("wrong", [False, True])
def test_values_that_are_wrong_on_any_cpu(wrong: bool, with_wrong_values: Path, tmp_path: Path) -> None:
    """What a wrong KV cache does, where no wrong cache starts: the server's log-probabilities leave the original's."""
    plan = served_with()
    stages = {stage.name: stage for stage in plan.stages}
    serving = Launch(
        engine_of(plan), with_wrong_values if wrong else DEMO_MODEL, launch_arguments(plan), tmp_path / "log"
    )
    with Processes() as processes:
        tools = Toolchains(processes=processes)

        def context(stage: str, results: dict[str, Any]) -> StepContext:
            told = tmp_path / f"{stage}.log"
            return StepContext(plan, stages[stage], tmp_path, results, told, lambda *said: None, tools, processes)

        scored = evaluate(context("evaluate-before", {"fetch": {"directory": str(DEMO_MODEL)}}))
        environment = plan.chosen.engine_environment
        server = start_server(
            replace(serving, name=plan.model.name, environment=environment), tools, processes, lambda said: None
        )
        launched = {"url": server.url, "log_path": str(tmp_path / "log"), "pid": server.process.pid}
        check = context("check-applied", {"evaluate-before": scored, "launch": launched})
        if not wrong:
            assert check_applied(check)["fingerprint"]["to_original"] < limits()["noise"]
            return
        with pytest.raises(ExecutionFailed, match="bf16 is wrongly applied in the engine, although it started"):
            check_applied(check)


def launch_arguments(plan: Plan) -> list[str]:
    return list(next(stage.parameters["arguments"] for stage in plan.stages if stage.kind == "launch"))
