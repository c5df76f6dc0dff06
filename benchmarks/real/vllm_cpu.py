"""Start vLLM on a CPU for small models of every kind of KV cache, and keep what it prints beside what we predict.

usage: python benchmarks/real/vllm_cpu.py --python VENV/bin/python [--model NAME ...]   (about 25 s a start, no GPU)
       python benchmarks/real/vllm_cpu.py                                               (replays the committed table)

Starts are those of vllm_starts.csv, architectures those of vllm_models.json; weights are vLLM's dummies. The outcome
is kept in vllm_cpu.csv. The environment needs vLLM's CPU build with torch's CPU build, and no Triton.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from replaying import HERE, VLLM_TABLE, predicted_vllm_tokens, read_rows, vllm_models, write_rows

STARTS = HERE / "vllm_starts.csv"
SETTINGS = ("model", "kv_format", "pool_mib", "max_model_len", "batched_tokens", "prefix_caching")
FIELDS = (*SETTINGS, "printed_tokens", "printed_concurrency", "refused", "engine_version", "machine", "date")
PRINTED = re.compile(r"KV cache size: ([\d,]+) tokens.*?per request: ([\d.,]+)x")
VERSION = re.compile(r"V1 LLM engine \(v([\w.]+)\)")
FAILURE = re.compile(r"^(?:\(.*?\) )?(?:ERROR .*?\] )?(\w*(?:Error|Exception)): (.+)$", re.MULTILINE)
QUIET = {
    "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}  # fmt: skip
LONGEST_START_S = 150


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, help="a Python that has vLLM; without, the table is replayed")
    parser.add_argument("--model", nargs="*", help="only these models")
    given = parser.parse_args()
    if given.python:
        measure(given.python, given.model)
    show(read_rows(VLLM_TABLE))


def measure(python: Path, wanted: list[str] | None) -> None:
    """Run the starts and put their rows into the table, in the order of vllm_starts.csv."""
    kept = {key(row): row for row in read_rows(VLLM_TABLE)} if VLLM_TABLE.exists() else {}
    for start in read_rows(STARTS):
        if not wanted or start["model"] in wanted:
            kept[key(start)] = {**start, **outcome(python, start)}
            print(kept[key(start)], flush=True)
            write_rows(VLLM_TABLE, FIELDS, [kept[key(row)] for row in read_rows(STARTS) if key(row) in kept])


def key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in SETTINGS)


def outcome(python: Path, start: dict[str, str]) -> dict[str, str]:
    """What that start printed, or why it refused."""
    log = started(python, vllm_models()[start["model"]], arguments(start))
    found, version = PRINTED.search(log), VERSION.search(log)
    return {
        "printed_tokens": found[1].replace(",", "") if found else "",
        "printed_concurrency": found[2].replace(",", "") if found else "",
        "refused": "" if found else refusal(log),
        "engine_version": f"vLLM {version[1]} (CPU build)" if version else "vLLM, version not printed",
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def refusal(log: str) -> str:
    found = FAILURE.findall(log)
    return f"{found[-1][0]}: {found[-1][1]}"[:160] if found else "ended without a figure"


def arguments(start: dict[str, str]) -> dict[str, Any]:
    """The engine's own arguments for one line of vllm_starts.csv."""
    chosen: dict[str, Any] = {
        "kv_cache_memory_bytes": int(start["pool_mib"]) * 2**20,
        "max_model_len": int(start["max_model_len"]),
        "max_num_batched_tokens": int(start["batched_tokens"]),
        "max_num_seqs": 4,
    }
    if start["kv_format"] == "fp8":
        chosen["kv_cache_dtype"] = "fp8"
    if start["prefix_caching"] == "False":
        chosen["enable_prefix_caching"] = False
    return chosen


def started(python: Path, config: dict[str, Any], arguments: dict[str, Any]) -> str:
    """The log of one start, which is stopped as soon as it has printed the size of its KV cache."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(config))
        log = Path(folder) / "log"
        command = [str(python), str(HERE / "vllm_start.py"), folder, json.dumps(arguments)]
        with log.open("w") as stream:
            process = subprocess.Popen(
                command, stdout=stream, stderr=subprocess.STDOUT, env={**os.environ, **QUIET}, start_new_session=True
            )
        deadline = time.monotonic() + LONGEST_START_S
        while process.poll() is None and time.monotonic() < deadline and not PRINTED.search(log.read_text()):
            time.sleep(1)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return log.read_text()


def show(rows: list[dict[str, str]]) -> None:
    """Predicted beside printed, and how many agree to the last token."""
    for line in comparison(rows):
        print(line)
    printed = [row for row in rows if row["printed_tokens"]]
    exact = sum(predicted_vllm_tokens(row) == int(row["printed_tokens"]) for row in printed)
    print(f"{exact} of {len(printed)} exact to the last token; {len(rows) - len(printed)} refused by the engine")
    sys.exit(exact < len(printed))


def comparison(rows: list[dict[str, str]]) -> Iterator[str]:
    yield f"{'model':20} {'KV':7} {'MiB':>4} {'length':>6} {'printed':>9} {'predicted':>9}"
    for row in rows:
        what = f"{row['model']:20} {row['kv_format']:7} {row['pool_mib']:>4} {row['max_model_len']:>6}"
        if row["printed_tokens"]:
            yield f"{what} {row['printed_tokens']:>9} {predicted_vllm_tokens(row):>9}"
        else:
            yield f"{what} refused by the engine: {row['refused']}"


if __name__ == "__main__":
    main()
