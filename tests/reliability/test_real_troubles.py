"""Real troubles of a real engine: a cache that does not fit, a checkpoint with NaN."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from executor.engines.llama_cpp import LlamaCppServer
from executor.engines.starting import Launch, start_server
from executor.ladder.diagnosing import diagnose_failure
from executor.ladder.rungs import next_rung
from executor.local import DEMO_MODEL, LocalExecutor
from executor.processes import Processes
from executor.toolchains import Toolchains
from planner.errors import ExecutionFailed
from planner.plan import Plan
from planner.planning import make_plan
from planner.request import Request, Workload

pytestmark = pytest.mark.real_engine
LOAD = Workload(input_tokens=16, output_tokens=8, concurrency=2)
NAN_BF16 = b"\xc0\x7f"
HELD = ["prlimit", "--as=500000000", "--stack=524288"]  # bytes; small stacks, so that threads do not use it up
TOO_LARGE = ["--ctx-size", "262144", "--parallel", "64", "--threads", "2", "--cache-ram", "0"]  # 512 MiB of cache
SMALLER = ["--ctx-size", "2048", "--parallel", "4", "--threads", "2", "--cache-ram", "0"]


def planned(model: Path, workload: Workload = LOAD) -> Plan:
    return make_plan(Request(model=str(model), hardware="cpu:8GB", workload=workload))


class HeldServer(LlamaCppServer):
    """llama-server in an address space of half a gigabyte."""

    def program(self, toolchains: Toolchains) -> list[str]:
        return [*HELD, *super().program(toolchains)]


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="memory is limited with prlimit")
def test_a_cache_that_does_not_fit_is_told_from_llama_cpps_own_words(tmp_path: Path) -> None:
    """The real server is refused its cache; what it says is a trouble of memory, and a smaller cache starts."""
    record = LocalExecutor(tmp_path / "home").apply(planned(DEMO_MODEL), on_event=lambda event: None)
    model = Path(next(step.result["path"] for step in record.steps if step.name == "quantize"))
    log = tmp_path / "launch.log"
    with Processes() as processes:
        tools = Toolchains(processes=processes)
        with pytest.raises(ExecutionFailed) as refused:
            start_server(Launch(HeldServer(), model, TOO_LARGE, log), tools, processes, lambda said: None)
        found = diagnose_failure("llama.cpp", refused.value, log)
        assert found is not None and found.trouble == "memory" and "failed to allocate" in found.evidence
        fits = start_server(Launch(HeldServer(), model, SMALLER, tmp_path / "log"), tools, processes, lambda said: None)
        assert fits.process.running
    launch = next(stage for stage in record.plan.stages if stage.kind == "launch")
    rung = next_rung(record.plan, [], launch, found)
    assert rung is not None and record.plan.ladder[rung].says == "one request at a time"


@pytest.fixture
def poisoned(tmp_path: Path) -> Path:
    """The demonstration model with one row of its embedding not a number."""
    directory = tmp_path / "poisoned"
    shutil.copytree(DEMO_MODEL, directory)
    path = directory / "model.safetensors"
    path.chmod(0o644)
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        entry = next(header[name] for name in header if name.endswith("norm.weight"))
        size = 2 if entry["dtype"] in ("BF16", "F16") else 4
        file.seek(8 + length + entry["data_offsets"][0])
        file.write((NAN_BF16 if size == 2 else struct.pack("<f", float("nan"))) * 8)
    return directory


def test_a_poisoned_checkpoint_is_not_served_and_no_other_format_is_tried(poisoned: Path, tmp_path: Path) -> None:
    """The original itself gives no numbers; every rung would quantize the same poison."""
    executor = LocalExecutor(tmp_path / "home")
    with pytest.raises(ExecutionFailed) as caught:
        executor.apply(planned(poisoned), on_event=lambda event: None)
    record = executor.runs()[0]
    failed = next(step for step in record.steps if step.state == "failed")
    assert failed.name in ("convert", "evaluate-before") and record.rungs == () and record.state == "failed"
    assert "nan" in str(caught.value).lower()
    assert all(step.state == "pending" for step in record.steps if step.name in ("launch", "load-test"))
