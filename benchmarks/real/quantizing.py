r"""Quantize models of random weights with every tool on this machine's CPU, and keep peak memory, disk and time.

usage: python benchmarks/real/quantizing.py --work DIR --torch-python P --convert-python P --llama-cpp SOURCE \
           --programs DIR
       python benchmarks/real/quantizing.py                                            (replays the committed table)

P are Pythons of environments: torch with llm-compressor, bitsandbytes and gptqmodel; and one that runs SOURCE's
convert_hf_to_gguf.py. Runs are those of quantizing_runs.csv; the outcome is kept in quantizing.csv.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from replaying import (
    HERE,
    QUANTIZING_TABLE,
    predicted_quantizing,
    quantizing_models,
    read_rows,
    whole_paths,
    write_rows,
)

from planner.plan import Prediction

RUNS = HERE / "quantizing_runs.csv"
WORKER = HERE / "quantizing_worker.py"
VOCABULARY = HERE.parents[1] / "executor" / "demo" / "pydocs-3m"
QUESTION = ("tool", "format", "model", "samples", "tokens")
FIELDS = (
    *QUESTION,
    "anonymous_mib",
    "resident_mib",
    "output_bytes",
    "seconds",
    "threads",
    "tool_version",
    "machine",
    "date",
)
PACKAGES = {"llm-compressor": "llmcompressor", "gptqmodel": "gptqmodel", "bitsandbytes": "bitsandbytes"}
QUIET = {"HF_HUB_OFFLINE": "1", "GPTQMODEL_CPU_WORKERS": "2", "TOKENIZERS_PARALLELISM": "false"}
LLAMA_CPP_VERSION = "llama.cpp commit 0c1e570 (vendored by llama-cpp-python 0.3.36)"
LONGEST_RUN_S = 1500
MIB_A_GIB = 1024


@dataclass(frozen=True)
class Tools:
    """Where the tools lie, and a folder for models and results."""

    work: Path
    torch_python: Path
    convert_python: Path
    llama_cpp: Path
    programs: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--torch-python", type=Path)
    parser.add_argument("--convert-python", type=Path)
    parser.add_argument("--llama-cpp", type=Path)
    parser.add_argument("--programs", type=Path)
    given = parser.parse_args()
    if given.work:
        measure(Tools(**vars(given)))
    show(read_rows(QUANTIZING_TABLE))


def measure(tools: Tools) -> None:
    """Run what is not in the table yet."""
    rows = read_rows(QUANTIZING_TABLE) if QUANTIZING_TABLE.exists() else []
    done = {key(row) for row in rows}
    for question in read_rows(RUNS):
        if key(question) not in done:
            rows.append({**question, **outcome(tools, question)})
            print(rows[-1], flush=True)
            write_rows(QUANTIZING_TABLE, FIELDS, rows)


def key(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in QUESTION)


def outcome(tools: Tools, question: dict[str, str]) -> dict[str, str]:
    """What that run took; empty figures where the tool failed."""
    model, target = made_model(tools, question["model"]), tools.work / "out"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    watched = watch(command(tools, question, model, target))
    failed = watched.exit_code != 0
    written = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    if question["format"] == "convert" and not failed:
        (target / "model.gguf").replace(model / "bf16.gguf")
    return {
        "anonymous_mib": "" if failed else f"{watched.anonymous_mib:.0f}",
        "resident_mib": "" if failed else f"{watched.resident_mib:.0f}",
        "output_bytes": "" if failed else str(written),
        "seconds": "" if failed else f"{watched.seconds:.1f}",
        "threads": "1",
        "tool_version": version(tools, question["tool"]),
        "machine": f"{platform.machine()}, {platform.system()}, one core of {os.cpu_count()}, shared with other work",
        "date": datetime.now(UTC).date().isoformat(),
    }


def made_model(tools: Tools, name: str) -> Path:
    """The folder of a random-weight checkpoint, made once, with a small vocabulary's tokenizer."""
    folder = tools.work / name
    if not (folder / "config.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        config = json.dumps(quantizing_models()[name])
        subprocess.run([tools.torch_python, WORKER, "make-model", config, folder, "0", "0"], check=True)
        for file in VOCABULARY.glob("tokenizer*"):
            shutil.copy(file, folder)
    return folder


def command(tools: Tools, question: dict[str, str], model: Path, target: Path) -> list[str | Path]:
    if question["tool"] != "llama.cpp":
        method = f"{question['tool']} {question['format']}"
        return [tools.torch_python, WORKER, method, model, target, question["samples"], question["tokens"]]
    gguf = target / "model.gguf"
    if question["format"] == "convert":
        script = tools.llama_cpp / "convert_hf_to_gguf.py"
        return [tools.convert_python, script, model, "--outtype", "bf16", "--outfile", gguf]
    kind = question["format"].removeprefix("gguf-").upper()
    return [tools.programs / "llama-quantize", model / "bf16.gguf", gguf, kind, "1"]


@dataclass
class Watched:
    """Peaks of one process: memory of its own, and resident memory with mapped files."""

    exit_code: int
    seconds: float
    anonymous_mib: float = 0.0
    resident_mib: float = 0.0


def watch(command: list[str | Path]) -> Watched:
    """Run it and look at its memory ten times a second."""
    started, found = time.monotonic(), Watched(0, 0.0)
    process = subprocess.Popen(
        [str(word) for word in command],
        env={**os.environ, **QUIET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and time.monotonic() - started < LONGEST_RUN_S:
        now = memory_mib(process.pid)
        found.anonymous_mib = max(found.anonymous_mib, now.get("RssAnon", 0.0))
        found.resident_mib = max(found.resident_mib, now.get("VmHWM", 0.0))
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
    found.exit_code, found.seconds = process.wait(), time.monotonic() - started
    return found


def memory_mib(pid: int) -> dict[str, float]:
    try:
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":", 1) for line in lines if line.endswith("kB"))
    return {name: int(value.split()[0]) / 1024 for name, value in pairs}


def version(tools: Tools, tool: str) -> str:
    if tool == "llama.cpp":
        return LLAMA_CPP_VERSION
    name = PACKAGES[tool]
    ask = f"from importlib.metadata import version as v; print('{name}', v('{name}'), 'torch', v('torch'))"
    return subprocess.run([tools.torch_python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


def show(rows: list[dict[str, str]]) -> None:
    """Predicted host memory and minutes beside measured, and whether the intervals hold them."""
    measured = [row for row in rows if row["anonymous_mib"]]
    print(
        f"{'tool':15} {'format':12} {'model':11} {'text':>7}  host MiB: own, resident, predicted (low to high)  minutes"
    )
    for row in measured:
        needs = predicted_quantizing(row)
        host, took = needs.host_gib, needs.minutes
        bounds = " to ".join(f"{MIB_A_GIB * (gib or 0):.0f}" for gib in (host.low, host.high))
        about = f"{took.value:.1f}" if took.value is not None else "unknown"
        print(
            f"{row['tool']:15} {row['format']:12} {row['model']:11} {row['samples']:>3}x{row['tokens']:3} "
            f"{row['anonymous_mib']:>6} {row['resident_mib']:>6} {MIB_A_GIB * (host.value or 0):7.0f} ({bounds:>12}) "
            f"{float(row['seconds']) / 60:6.1f} {about:>7}"
        )
    paths = whole_paths(measured)
    held = sum(holds(predicted_quantizing(row).host_gib, float(row["resident_mib"]) / MIB_A_GIB) for row in paths)
    print(f"resident memory: {held} of {len(paths)} inside the interval (llama.cpp: converting, its wider step)")


def holds(prediction: Prediction, measured: float) -> bool:
    return (prediction.low or 0) <= measured <= (prediction.high or 0)


if __name__ == "__main__":
    main()
