"""One start of vLLM with dummy weights, and its loads: memory by its own log, speed by a client, beside predictions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.gpu.dummies import config_of, write_dummy
from benchmarks.gpu.rows import Serving, rows
from executor.applied.in_engine import Evidence, applied_in_engine
from executor.applied.inspecting import inspection_of, layers_in
from executor.engines.gpu_memory import gpu_memory_gib
from executor.engines.starting import Launch, RunningServer, start_server
from executor.engines.vllm import VllmServer
from executor.load.bench import Bench
from executor.processes import Processes
from executor.steps.launch import memory_summary
from executor.toolchains import Toolchains
from planner.errors import QuantplanError
from planner.examining import BenchQuestion
from planner.hardware.hardware import Hardware
from planner.memory.batch import predict_start
from planner.memory.cases import case_from_row
from planner.models.families import shape_from_config
from planner.planning import make_plan
from planner.request import Request

STARTED = ("weights_gib", "kv_gib", "kv_tokens", "cuda_graph_gib")
SPEEDS = ("ttft_ms", "tpot_ms", "output_tokens_per_s")
NAME = "dummy"


class GivenVllm(VllmServer):
    """vLLM by the command it is given."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def program(self, toolchains: Toolchains) -> list[str]:
        return [*self._command, "serve"]


def serve(
    start: Serving, command: list[str], hardware: Hardware, work: Path, within_s: float
) -> Iterator[dict[str, Any]]:
    """A row for each batch. ExecutionFailed when the engine does not start in time."""
    engine, inspection = GivenVllm(command), inspection_of("vllm")
    directory = write_dummy(work / f"{start.model}-{start.format}", start.model, start.format)
    limits = ["--max-model-len", start.max_model_len, "--max-num-seqs", start.max_num_seqs]
    limits += ["--gpu-memory-utilization", start.utilisation, "--load-format", "dummy"]
    launch = Launch(
        engine=engine,
        model=directory,
        arguments=[*map(str, limits), *inspection.arguments],
        log_path=work / f"{directory.name}-{start.max_model_len}-{start.utilisation}.log",
        name=NAME,
        environment={**rows().environment, **inspection.environment},
        ready_within_s=within_s,
    )
    with Processes() as processes:
        server = start_server(launch, Toolchains(processes=processes), processes, lambda message: None)
        about = {**predicted_start(start, hardware), **measured_start(server, engine, start.format)}
        for at_once in start.batches:
            speeds = {**predicted_speed(start, hardware, at_once), **measured_speed(server, engine, at_once)}
            yield {**about, "at_once": at_once, **speeds, "outcome": "done"}


def predicted_start(start: Serving, hardware: Hardware) -> dict[str, Any]:
    """What the accountant says of this start, in the words of vLLM's log; None for a figure it does not determine."""
    accelerator = hardware.accelerator
    stated = {
        "id": start.model, "config_id": start.model, "engine": "vllm", "quantization": start.format,
        "engine_version": "0.22.1", "max_model_len": str(start.max_model_len),
        "gpu_memory_utilization": str(start.utilisation), "max_num_seqs": str(start.max_num_seqs),
        "gpu_model": accelerator.name if accelerator else "",
        "gpu_total_GiB": str(accelerator.memory_gib) if accelerator else "",
    }  # fmt: skip
    found = predict_start(case_from_row(stated), {start.model: shape_from_config(config_of(start.model))})
    return {f"predicted_{name}": getattr(found, name) for name in STARTED}


def measured_start(server: RunningServer, engine: VllmServer, format: str) -> dict[str, Any]:
    log = server.process.output()
    memory = memory_summary(engine.buffers(log), engine.kv_tokens(log))
    held = dict(
        zip(STARTED, (memory[n] for n in ("weights_gib", "kv_cache_gib", "kv_tokens", "cuda_graphs_gib")), strict=True)
    )
    return {
        **{f"measured_{name}": value for name, value in held.items()},
        "applied": applied_in_engine(format, Evidence(layers=layers_in(log)), None).verdict,
        "start_s": server.ready_s,
        "gpu_memory_gib": gpu_memory_gib(server.process.pid),
    }


def predicted_speed(start: Serving, hardware: Hardware, at_once: int) -> dict[str, Any]:
    """Of a plan for so many requests at once; nothing where there is no such plan."""
    asked = {"model": start.model, "hardware": hardware.label, "engine": "vllm", "format": start.format}
    with suppress(QuantplanError):
        plan = make_plan(Request.model_validate({**asked, "workload": rows().workload(at_once)}))
        told = {name: plan.chosen.predicted(name) for name in SPEEDS}
        return {
            f"{end}_{name}": value
            for name, prediction in told.items()
            for end, value in (("predicted", prediction.value), ("low", prediction.low), ("high", prediction.high))
        }
    return {}


def measured_speed(server: RunningServer, engine: VllmServer, at_once: int) -> dict[str, Any]:
    question = BenchQuestion(server.url, requests=rows().load["requests_per_slot"] * at_once)
    found = Bench(server.url, engine, NAME, rows().workload(at_once), question, lambda message: None).run()
    means = {name: found[name]["mean"] if found[name] else None for name in ("ttft_ms", "tpot_ms")}
    speeds = {**means, "output_tokens_per_s": found["output_tokens_per_s"]}
    return {"errors": found["errors"], **{f"measured_{name}": value for name, value in speeds.items()}}
