"""Measure llama-server on this CPU with random-weight models: the table the CPU constants are fitted on.

usage: python benchmarks/measure_llama_cpp.py --programs DIR --models DIR --out CSV [--model NAME ...] [--type T ...]

DIR of programs holds llama-server and llama-quantize; each folder of models holds bf16.gguf
(benchmarks/random_gguf.py makes them). The load is the executor's own: a closed loop whose clients start together,
answers of fixed length, no prompt cached. Measure on a quiet machine.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import os
import random
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from executor.load.closed_loop import closed_loop
from executor.load.exchange import complete
from executor.load.statistics import summarise
from planner.hardware.cpu import measured_cpu

FIELDS = (
    "date", "engine_version", "cpu", "cores", "bandwidth_gb_s", "matmul_gflops", "model", "type", "concurrency",
    "input_tokens", "output_tokens", "requests", "ttft_ms", "tpot_ms", "output_tokens_per_s", "load_average",
)  # fmt: skip
LOADS = ((1, 64, 32), (2, 128, 48), (8, 64, 32))
MORE_LOADS = ((1, 512, 32), (4, 128, 48), (8, 256, 64))
WAVES = 3
PLAIN_TOKENS = (260, 2000)
LONGEST_WAVE_S = 12.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", nargs="*")
    parser.add_argument("--more", action="store_true", help="longer prompts and more of them, too")
    parser.add_argument("--type", nargs="*", default=["Q4_K_M", "Q8_0", "BF16"])
    given = parser.parse_args()
    new = not given.out.exists()
    with given.out.open("a", newline="") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        if new:
            table.writeheader()
        for folder in sorted(given.models.iterdir(), key=lambda f: (f / "bf16.gguf").stat().st_size):
            for file_type in given.type if not given.model or folder.name in given.model else ():
                gguf = quantized(given.programs, folder, file_type)
                for row in measured(given.programs, gguf, file_type, LOADS + MORE_LOADS * given.more):
                    table.writerow(row)
                    stream.flush()
                    print(row, flush=True)


def quantized(programs: Path, folder: Path, file_type: str) -> Path:
    """The model in that type, made once."""
    target = folder / f"{file_type.lower()}.gguf"
    if not target.exists():
        subprocess.run(
            [programs / "llama-quantize", folder / "bf16.gguf", target, file_type], check=True, capture_output=True
        )
    return target


Load = tuple[int, int, int]


def measured(programs: Path, gguf: Path, file_type: str, loads: Sequence[Load]) -> Iterator[dict[str, object]]:
    """One row a load (requests at once, tokens in, tokens out): medians of the waves' means."""
    cpu = measured_cpu()
    for concurrency, input_tokens, output_tokens in loads:
        with Server(programs, gguf, cpu.cores, concurrency, concurrency * (input_tokens + output_tokens)) as server:
            figures = asyncio.run(server.waves(concurrency, input_tokens, output_tokens))
        yield {
            "date": datetime.now(UTC).date().isoformat(),
            "engine_version": version(programs),
            "cpu": cpu.name,
            "cores": cpu.cores,
            "bandwidth_gb_s": cpu.bandwidth_gb_s,
            "matmul_gflops": cpu.matmul_gflops,
            "model": gguf.parent.name,
            "type": file_type,
            "concurrency": concurrency,
            "input_tokens": input_tokens,
            "output_tokens": output_tokens,
            "load_average": round(os.getloadavg()[0], 1),
            **figures,
        }


def version(programs: Path) -> str:
    said = subprocess.run([programs / "llama-server", "--version"], capture_output=True, text=True).stderr
    return next((line for line in said.splitlines() if line.startswith("version")), "unknown")


class Server:
    """One llama-server with as many slots as clients, stopped at the end."""

    def __init__(self, programs: Path, gguf: Path, threads: int, slots: int, context_tokens: int) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.command = [
            str(programs / "llama-server"), "--model", str(gguf), "--host", "127.0.0.1", "--port", str(self.port),
            "--threads", str(threads), "--parallel", str(slots), "--ctx-size", str(context_tokens + 16 * slots),
            "--cache-type-k", "f16", "--cache-type-v", "f16",
        ]  # fmt: skip

    def __enter__(self) -> Server:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        url = f"http://127.0.0.1:{self.port}/health"
        for _ in range(600):
            try:
                if httpx.get(url, trust_env=False).status_code == 200:
                    return self
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise RuntimeError("llama-server did not start")

    def __exit__(self, *problem: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)

    async def waves(self, concurrency: int, input_tokens: int, output_tokens: int) -> dict[str, object]:
        """Median figures of WAVES closed loops of two requests a client; of fewer when one is long."""
        dice = random.Random(input_tokens * concurrency)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=600, trust_env=False) as client:

            async def send(prompt):
                return await complete(client, "m", prompt, output_tokens, {"ignore_eos": True, "cache_prompt": False})

            def prompts(count):
                return [[dice.randrange(*PLAIN_TOKENS) for _ in range(input_tokens)] for _ in range(count)]

            await closed_loop(send, prompts(concurrency), concurrency)
            found = []
            for _ in range(WAVES):
                started = time.perf_counter()
                summary = summarise(await closed_loop(send, prompts(2 * concurrency), concurrency), output_tokens)
                found.append((summary["ttft_ms"]["mean"], summary["tpot_ms"]["mean"], summary["output_tokens_per_s"]))
                if time.perf_counter() - started > LONGEST_WAVE_S:
                    break
        ttft, tpot, rate = (statistics.median(column) for column in zip(*found, strict=True))
        return {
            "requests": 2 * concurrency * len(found), "ttft_ms": round(ttft, 3), "tpot_ms": round(tpot, 4),
            "output_tokens_per_s": round(rate, 2),
        }  # fmt: skip


if __name__ == "__main__":
    main()
