"""Step `launch`: the planned server, started, healthy, answering, and with its memory read from its own log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from executor.applied.inspecting import inspection_of
from executor.engines import engine_to_launch
from executor.engines.engine import HOST, Buffer
from executor.engines.footprint import resident_bytes
from executor.engines.gpu_memory import gpu_memory_gib
from executor.engines.metrics import scrape, summary
from executor.engines.starting import READY_WITHIN_S, Launch, RunningServer, start_server
from executor.step import Result, StepContext
from executor.steps.earlier import model_to_serve
from executor.steps.supported import require_supported
from planner.errors import ExecutionFailed
from planner.units import GIB

REPACKED = "CPU_REPACK"
PURPOSES = {
    "weights_gib": "model",
    "kv_cache_gib": "KV",
    "compute_buffer_gib": "compute",
    "cuda_graphs_gib": "graphs",
    "output_buffer_gib": "output",
}


def launch(context: StepContext) -> Result:
    """{url, port, pid, command, log_path, ready_s, memory, metrics, resident_gib, gpu_memory_gib, first_completion}.

    The server runs on. `metrics` and `gpu_memory_gib` are None where the engine, or the driver, does not tell.
    """
    parameters = context.stage.parameters
    require_supported(context.plan, parameters.get("nodes", 1))
    engine, watch = engine_to_launch(context.plan, context.stage), inspection_of(context.plan.chosen.engine)
    asked = Launch(
        engine=engine,
        model=model_to_serve(context),
        arguments=[*map(str, parameters.get("arguments", ())), *watch.arguments],
        log_path=context.log_path,
        name=context.plan.model.name,
        environment={**watch.environment, **parameters.get("environment", {})},
        port=parameters.get("port"),
        host=parameters.get("host", HOST),
        ready_within_s=parameters.get("ready_within_s", READY_WITHIN_S),
    )
    server = start_server(asked, context.toolchains, context.processes, lambda said: context.report(said, None))
    name = engine.served_name(asked.model, asked.name)
    answer = first_completion(server, name)
    resident = resident_bytes(server.process.pid)
    said, published = server.process.output(), summary(scrape(server.url, engine.metrics_path))
    return {
        "url": server.url,
        "port": server.port,
        "pid": server.process.pid,
        "model_name": name,
        "command": list(server.process.arguments),
        "log_path": str(context.log_path),
        "ready_s": server.ready_s,
        "memory": memory_summary(engine.buffers(said), published["kv_tokens"] or engine.kv_tokens(said)),
        "metrics": published if engine.metrics_path else None,
        "resident_gib": resident / GIB if resident else None,
        "gpu_memory_gib": gpu_memory_gib(server.process.pid),
        "first_completion": answer,
    }


def first_completion(server: RunningServer, model_name: str) -> str:
    """What the server answers to a first short request. ExecutionFailed when it does not."""
    import httpx

    body = {"model": model_name, "prompt": "The ", "max_tokens": 8, "temperature": 0}
    try:
        response = httpx.post(f"{server.url}/v1/completions", json=body, timeout=300.0, trust_env=False)
        response.raise_for_status()
        return str(response.json()["choices"][0]["text"])
    except (httpx.HTTPError, json.JSONDecodeError, LookupError, TypeError) as error:
        raise ExecutionFailed(
            f"the server is healthy but did not answer a first completion: {error}\n"
            f"The last lines of its log:\n{server.process.log_tail()}",
            where=server.url,
            fix="read the step's log; the model file may be broken",
        ) from error


def memory_summary(buffers: Sequence[Buffer], kv_tokens: int | None = None) -> dict[str, Any]:
    """Buffers by purpose, in GiB: of the fullest accelerator, with `host_*` beside it, or of a host alone.

    `weights_gib` leaves out the repacked copy, which is `repacked_weights_gib`.
    """
    on_host = [buffer for buffer in buffers if is_host(buffer.place)]
    on_devices = [buffer for buffer in buffers if not is_host(buffer.place)]
    return {
        **_by_purpose(on_devices or on_host),
        "repacked_weights_gib": _gib([b for b in on_host if b.place == REPACKED], "model"),
        "kv_tokens": kv_tokens,
        **{f"host_{name}": size if on_devices else None for name, size in _by_purpose(on_host).items()},
        "buffers": [{"purpose": b.purpose, "place": b.place, "bytes": b.bytes} for b in buffers],
    }


def is_host(place: str) -> bool:
    """Whether a buffer of that name lies in the host's memory: `CPU`, `CPU_Mapped`, and pinned ones (`CUDA_Host`)."""
    return place.startswith("CPU") or place.endswith("_Host")


def _by_purpose(buffers: Sequence[Buffer]) -> dict[str, float | None]:
    own = [buffer for buffer in buffers if buffer.place != REPACKED]
    return {name: _gib(own, purpose) for name, purpose in PURPOSES.items()}


def _gib(buffers: Sequence[Buffer], purpose: str) -> float | None:
    """What the fullest place holds of one purpose (the host's places together); None where none is reported."""
    sizes: Counter[str] = Counter()
    for buffer in buffers:
        if buffer.purpose == purpose:
            sizes["host" if is_host(buffer.place) else buffer.place] += buffer.bytes
    return max(sizes.values()) / GIB if sizes else None
