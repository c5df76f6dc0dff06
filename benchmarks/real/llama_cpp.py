"""Start llama-server on random-weight models and keep every buffer it prints beside what we predict.

usage: python benchmarks/real/llama_cpp.py --programs DIR --work DIR     (a second a start; needs the PyPI package gguf)
       python benchmarks/real/llama_cpp.py                               (replays the committed table)

DIR of programs holds llama-server and llama-quantize. Shapes are those of llama_models.json; the outcome is kept in
llama_cpp.csv.
"""

from __future__ import annotations

import argparse
import platform
import re
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from replaying import BUFFERS, HERE, LLAMA_TABLE, llama_models, predicted_buffers, read_rows, write_rows

sys.path.insert(0, str(HERE.parent))

SETTINGS = ("model", "format", "context_tokens", "slots", "kv_format", "flash_attention", "repacks")
FIELDS = (*SETTINGS, *BUFFERS, "instruction_sets", "engine_version", "machine", "date")
# file format, tokens of a slot, slots, KV type, flash attention, a second copy of the weights
STARTS = (
    ("gguf-bf16", 1024, 4, "16-bit", True, True),
    ("gguf-q8_0", 8192, 1, "16-bit", True, True),
    ("gguf-q4_k_m", 2048, 2, "int8", True, True),
    ("gguf-q4_k_m", 512, 8, "16-bit", True, True),
    ("gguf-q4_k_m", 2048, 1, "16-bit", False, True),
    ("gguf-q4_k_m", 512, 8, "16-bit", True, False),
)
PRINTED = {
    "mapped_mib": re.compile(r"CPU_Mapped model buffer size =\s*([\d.]+) MiB"),
    "repacked_mib": re.compile(r"CPU_REPACK model buffer size =\s*([\d.]+) MiB"),
    "kv_mib": re.compile(r"CPU KV buffer size =\s*([\d.]+) MiB"),
    "compute_mib": re.compile(r"CPU compute buffer size =\s*([\d.]+) MiB"),
}
KV_TYPES = {"16-bit": "f16", "int8": "q8_0"}
VERSION = "llama.cpp commit 0c1e570 (vendored by llama-cpp-python 0.3.36)"
LONGEST_START_S, READY = 60, ("n_slots", "listening")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path)
    parser.add_argument("--work", type=Path)
    given = parser.parse_args()
    if given.programs and given.work:
        measure(given.programs, given.work)
    show(read_rows(LLAMA_TABLE))


def measure(programs: Path, work: Path) -> None:
    starts = ((name, *start) for name in llama_models() for start in STARTS)
    write_rows(LLAMA_TABLE, FIELDS, (outcome(programs, work / start[0], start) for start in starts))


def outcome(programs: Path, folder: Path, settings: tuple[object, ...]) -> dict[str, object]:
    """What one start printed; a buffer that is not printed is not there."""
    row = dict(zip(SETTINGS, settings, strict=True))
    log = started(command(programs, made_model(programs, folder, str(row["format"])), row), folder / "log")
    for buffer, line in PRINTED.items():
        row[buffer] = f"{sum(float(found) for found in line.findall(log)):.2f}"
    return {
        **row,
        "instruction_sets": " ".join(instruction_sets()),
        "engine_version": VERSION,
        "machine": f"{platform.machine()}, {platform.system()}",
        "date": datetime.now(UTC).date().isoformat(),
    }


def instruction_sets() -> tuple[str, ...]:
    from planner.hardware.cpu import read_cpu

    return tuple(name for name in read_cpu().instruction_sets if name in ("avx2", "avx512f", "asimddp"))


def made_model(programs: Path, folder: Path, format_id: str) -> Path:
    from random_gguf import write_model

    folder.mkdir(parents=True, exist_ok=True)
    original, kind = folder / "bf16.gguf", format_id.removeprefix("gguf-")
    if not original.exists():
        write_model(original, llama_models()[folder.name])
    target = folder / f"{kind}.gguf"
    if not target.exists():
        words = [programs / "llama-quantize", original, target, kind.upper(), "1"]
        subprocess.run(words, check=True, capture_output=True)
    return target


def command(programs: Path, model: Path, row: dict[str, object]) -> list[str]:
    slots, kv_type = int(str(row["slots"])), KV_TYPES[str(row["kv_format"])]
    return [
        str(programs / "llama-server"), "-m", str(model), "--host", "127.0.0.1", "--port", str(free_port()),
        "--no-warmup", "-lv", "4", "-c", str(int(str(row["context_tokens"])) * slots), "-np", str(slots),
        "-ctk", kv_type, "-ctv", kv_type, "-fa", "on" if row["flash_attention"] else "off", "--threads", "1",
        "--repack" if row["repacks"] else "--no-repack",
    ]  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(words: list[str], log: Path) -> str:
    """The log of one start, which is stopped as soon as its slots stand."""
    with log.open("w") as stream:
        process = subprocess.Popen(words, stdout=stream, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + LONGEST_START_S
    while process.poll() is None and time.monotonic() < deadline and not any(w in log.read_text() for w in READY):
        time.sleep(0.1)
    process.terminate()
    process.wait(timeout=20)
    return log.read_text()


def show(rows: list[dict[str, str]]) -> None:
    """Predicted beside printed where they differ, and for each buffer how many agree to 0.02 MiB."""
    agreed = dict.fromkeys(BUFFERS, 0)
    for row in rows:
        for buffer, predicted in predicted_buffers(row).items():
            off = abs(predicted - float(row[buffer]))
            agreed[buffer] += off <= 0.02
            if off > 0.02:
                start = " ".join(row[name] for name in SETTINGS)
                print(f"{start}: {buffer} {row[buffer]} printed, {predicted:.2f} predicted")
    for buffer, count in agreed.items():
        print(f"{buffer:13} {count} of {len(rows)} within 0.02 MiB")


if __name__ == "__main__":
    main()
