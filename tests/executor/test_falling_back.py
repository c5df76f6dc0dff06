"""The ladder climbed: a trouble is told from real words, the plan's rung is taken, and every fall is on record."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from fake_steps import FakeSteps
from left_over import gone, in_child

from executor.ladder.diagnosing import Diagnosis, diagnose_failure, diagnose_result
from executor.ladder.rungs import Fall, next_rung
from executor.local import LocalExecutor
from executor.processes import Processes, ToolFailed
from executor.step import Result, StepContext
from executor.steps.spec import StepSpec
from planner.errors import ExecutionFailed
from planner.plan import Plan, Rung, Stage, StageKind, Way
from planner.planning import make_plan
from planner.ports import ApplyOptions, Event
from planner.request import Request, ServiceLevel

# As the engines print them.
VLLM_NO_ROOM = (
    "ValueError: To serve at least one request with the models's max seq len (262144), (11.75 GiB KV cache is needed, "
    "which is larger than the available KV cache memory (8.03 GiB)."
)
SAID = {
    ("vllm", VLLM_NO_ROOM): "memory",
    ("vllm", "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`"): "memory",
    ("sglang", "RuntimeError: Not enough memory. Please try to increase --mem-fraction-static."): "memory",
    ("transformers", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."): "memory",
    ("llama.cpp", "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 2147483648"): "memory",
    ("llama.cpp", "llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache"): (
        "memory"
    ),
    ("llama.cpp", "ggml_validate_row_data: found nan value at block 0"): "numerics",
    ("vllm", "ValueError: Out of range float values are not JSON compliant: nan"): "numerics",
    (
        "vllm",
        "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum capability: 89.",
    ): "kernel",
}
NOTHING_TO_FALL_BACK_FROM = (
    "ValueError: Free memory on device cuda:0 (2.6/121.63 GiB) on startup is less than desired GPU memory utilization",
    "OSError: [Errno 98] Address already in use",
    "llama_model_load: error loading model: unknown model architecture: 'zamba'",
)


@pytest.mark.parametrize(("engine", "line"), SAID)
def test_troubles_are_told_from_the_engines_own_words(engine: str, line: str, tmp_path: Path) -> None:
    log = tmp_path / "launch.log"
    log.write_text(f"INFO starting\n{line}\nINFO bye\n")
    found = diagnose_failure(engine, ExecutionFailed("the server ended"), log)
    assert found is not None and found.trouble == SAID[engine, line]
    assert found.evidence == line[:300] and found.log_path == log


@pytest.mark.parametrize("line", NOTHING_TO_FALL_BACK_FROM)
def test_what_no_smaller_plan_mends_is_no_trouble_of_the_ladder(line: str, tmp_path: Path) -> None:
    log = tmp_path / "launch.log"
    log.write_text(line)
    assert diagnose_failure("vllm", ExecutionFailed("the server ended"), log) is None


def test_killed_by_the_kernel_speaks_of_memory_and_killed_by_us_of_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with Processes() as processes:
        with pytest.raises(ToolFailed) as killed:
            processes.run_tool(["sh", "-c", "kill -KILL $$"], log)
        with pytest.raises(ToolFailed) as ours:
            processes.run_tool(["sleep", "1000"], log, timeout_s=0.05)
    found = diagnose_failure("llama.cpp", killed.value, log)
    assert found is not None and (found.trouble, found.evidence) == ("memory", "exit status 137")
    assert ours.value.exit_status is None and diagnose_failure("llama.cpp", ours.value, log) is None


def test_a_result_that_is_not_good_enough(real_plan: Plan) -> None:
    lossy = {"perplexity_before": 50.0, "perplexity": 58.0, "tolerable": False, "max_increase": 0.3,
             "max_increase_percent": 5}  # fmt: skip
    after = next(stage for stage in real_plan.stages if stage.name == "evaluate-after")
    load = next(stage for stage in real_plan.stages if stage.kind == "load-test")
    slow = real_plan.request.model_copy(update={"service_level": ServiceLevel(tpot_ms=10)})
    found = diagnose_result(after, lossy, real_plan.request)
    assert found is not None and found.trouble == "quality"
    assert found.evidence == "perplexity 50 before, 58 after (tolerated: below 0.3 or 5 %)"
    assert diagnose_result(after, {**lossy, "tolerable": True}, real_plan.request) is None
    assert diagnose_result(after, {"perplexity": float("nan")}, real_plan.request).trouble == "numerics"  # type: ignore[union-attr]
    assert diagnose_result(load, {"tpot_ms": {"mean": 11.0}}, slow).trouble == "service-level"  # type: ignore[union-attr]
    assert diagnose_result(load, {"tpot_ms": {"mean": 9.0}}, slow) is None


# ---- climbing, with real processes and a real journal ------------------------------------------------------------


class Stubborn(FakeSteps):
    """A launch that runs out of memory until it is asked for less, and an evaluation that loses too much at first."""

    def specs(self) -> Mapping[StageKind, StepSpec]:
        return {
            **super().specs(),
            "launch": StepSpec(self._launch, ephemeral=True),
            "evaluate": StepSpec(self._evaluate_loss),
        }

    fits: tuple[str, ...] = ()
    good: tuple[str, ...] = ()

    def _launch(self, context: StepContext) -> Result:
        if str(context.stage.parameters.get("on")) not in self.fits:
            self.ran.append("launch")
            words = "print('load: failed to allocate buffer for kv cache'); raise SystemExit(1)"
            context.processes.run_tool([sys.executable, "-c", words, self.marker], context.log_path)
        return super()._launch(context)

    def _evaluate_loss(self, context: StepContext) -> Result:
        fine = str(context.plan.chosen.format) in self.good
        numbers = {"perplexity": 50.0 if fine else 60.0, "perplexity_before": 50.0}
        return {
            **super()._evaluate(context),
            **numbers,
            "tolerable": fine,
            "max_increase": 1,
            "max_increase_percent": 2,
        }


@pytest.fixture
def steps() -> Stubborn:
    import uuid

    return Stubborn(marker=f"quantplan-test-{uuid.uuid4()}")


def fake_way(plan: Plan, stages: tuple[Stage, ...], rung: Rung) -> Way:
    """Settings change the launch, formats the quantizing."""
    kind = "quantize" if "format" in rung.change else "launch"
    changed = tuple(
        s.model_copy(update={"parameters": {**s.parameters, "on": rung.says}}) if s.kind == kind else s for s in stages
    )
    return plan.ways[rung.says].model_copy(update={"stages": changed})


@pytest.fixture
def plan(plan: Plan) -> Plan:
    at = next(i for i, stage in enumerate(plan.stages) if stage.kind == "launch")
    evaluate = Stage(name="evaluate-after", kind="evaluate", parameters={"artifact": "quantize"})
    stages = (*plan.stages[:at], evaluate, *plan.stages[at:])
    ways = {rung.says: fake_way(plan, stages, rung) for rung in plan.ladder}
    return plan.model_copy(update={"stages": stages, "ways": ways}).sealed()


def test_out_of_memory_climbs_until_it_fits_and_says_every_rung(
    executor: LocalExecutor, plan: Plan, steps: Stubborn
) -> None:
    steps.fits, steps.good = ("2 requests at once",), ("gguf-q4_k_m",)
    events: list[Event] = []
    record = executor.apply(plan, on_event=events.append)
    assert record.state == "done"
    assert [(r.step, r.trouble, r.change) for r in record.rungs] == [
        ("launch", "memory", "4 requests at once"),
        ("launch", "memory", "2 requests at once"),
    ]
    first = record.rungs[0]
    assert first.evidence == "load: failed to allocate buffer for kv cache"
    assert first.evidence in Path(first.log_path or "").read_text()
    assert first.rule == "out-of-memory-half-the-sequences" and "vllm.conserving-memory" in first.source
    assert next(e.message for e in events if e.state == "fallback") == (
        "a buffer could not be allocated; now 4 requests at once [vllm.conserving-memory, quantplan.ladder]"
    )
    assert steps.ran.count("quantize") == 1 and steps.ran.count("launch") == 3, "what still holds is not made again"
    assert gone(steps.marker)


def test_too_lossy_goes_to_the_next_format_and_makes_everything_after_it_anew(
    executor: LocalExecutor, plan: Plan, steps: Stubborn
) -> None:
    steps.fits, steps.good = ("None",), ("gguf-q6_k",)
    record = executor.apply(plan, on_event=lambda event: None)
    assert [(r.step, r.trouble, r.format) for r in record.rungs] == [
        ("evaluate-after", "quality", "gguf-q5_k_m"),
        ("evaluate-after", "quality", "gguf-q6_k"),
    ]
    assert steps.ran.count("quantize") == 3 and steps.ran.count("convert") == 1


def test_when_no_rung_is_left_the_failure_stands(executor: LocalExecutor, plan: Plan, steps: Stubborn) -> None:
    steps.good = ("gguf-q4_k_m", "gguf-q3_k_m", "gguf-q2_k")
    with pytest.raises(ExecutionFailed, match="failed to allocate buffer for kv cache"):
        executor.apply(plan, on_event=lambda event: None)
    record = executor.runs()[0]
    assert record.state == "failed" and [r.change for r in record.rungs] == [
        "4 requests at once",
        "2 requests at once",
        "2 requests at once, int8 KV cache",
        "2 requests at once, gguf-q3_k_m, int8 KV cache",
        "2 requests at once, gguf-q2_k, int8 KV cache",
    ]


def test_without_falling_back_the_first_trouble_stops_the_run_and_it_can_go_on_later(
    executor: LocalExecutor, plan: Plan, steps: Stubborn
) -> None:
    steps.fits, steps.good = ("4 requests at once",), ("gguf-q4_k_m",)
    with pytest.raises(ExecutionFailed):
        executor.apply(plan, on_event=lambda event: None, options=ApplyOptions(fall_back=False))
    assert executor.runs()[0].rungs == ()
    assert executor.apply(plan, on_event=lambda event: None).rungs[0].change == "4 requests at once"


def test_a_resumed_run_stands_on_the_rung_it_had_taken(
    executor: LocalExecutor, plan: Plan, steps: Stubborn, home: Path
) -> None:
    steps.fits, steps.good = ("4 requests at once",), ("gguf-q4_k_m",)
    steps.kill_at = ("load-test", "before")
    in_child(lambda: executor.apply(plan, on_event=lambda event: None))
    steps.kill_at = None
    record = LocalExecutor(home, steps.specs()).apply(plan, on_event=lambda event: None)
    assert record.state == "done" and len(record.rungs) == 1
    assert steps.ran == ["launch", "load-test", "findings", "report"]


def test_a_broken_original_is_not_quantized_in_every_format_there_is(real_plan: Plan, tmp_path: Path) -> None:
    """Nothing that a rung changes comes before the original's own evaluation, so no rung can mend it."""
    before = next(stage for stage in real_plan.stages if stage.name == "evaluate-before")
    nan = ExecutionFailed("the perplexity is nan: the model's outputs are no numbers")
    found = diagnose_failure("llama.cpp", nan, tmp_path / "none")
    assert found is not None and found.trouble == "numerics"
    assert next_rung(real_plan, [], before, found) is None
    after = next(stage for stage in real_plan.stages if stage.name == "evaluate-after")
    rung = next_rung(real_plan, [], after, found)
    assert rung is not None and real_plan.ladder[rung].format == "gguf-q8_0", "another server kernel changes no file"


def test_what_failed_once_is_not_gone_back_to(real_plan: Plan) -> None:
    """After the weights lost too much, no rung with the same weights is taken, and memory never grows again."""
    launch = next(stage for stage in real_plan.stages if stage.kind == "launch")
    found = diagnose_failure("llama.cpp", ExecutionFailed("failed to allocate buffer for kv cache"), Path("none"))
    assert found is not None
    small = next(i for i, rung in enumerate(real_plan.ladder) if rung.says == "gguf-q2_k")
    falls = [Fall("launch", found, small, 0.0)]
    taken = next_rung(real_plan, falls, launch, found)
    assert taken is None or used_gib(real_plan, taken) < used_gib(real_plan, small)


def used_gib(plan: Plan, rung: int) -> float:
    return plan.on_rung(plan.ladder[rung]).chosen.memory.used_gib


def test_an_engine_that_hangs_at_its_start_is_started_without_graphs_where_it_captures_any() -> None:
    plan = make_plan(Request(model="llama-3.1-8b", hardware="1xH100-80GB", engine="vllm"))
    launch = next(stage for stage in plan.stages if stage.kind == "launch")
    hung = Diagnosis("hung", "it hung at its start", "the server was not ready in 500 s")
    rung = next_rung(plan, [], launch, hung)
    assert rung is not None and plan.ladder[rung].says == "--enforce-eager"
    assert "--enforce-eager" in plan.on_rung(plan.ladder[rung]).chosen.engine_arguments
