"""Start llama-server with part of a model on other devices and keep every buffer it prints beside what we predict.

usage: python benchmarks/real/llama_split.py --programs DIR --models DIR    (a second a start)
       python benchmarks/real/llama_split.py                                (replays the committed table)

No GPU is needed: llama.cpp's RPC backend is a device like any other to whatever places layers, caches and scratch
memory. DIR of programs holds llama-server and ggml-rpc-server of a build with GGML_RPC=ON whose RPC device offloads
large batches as the CUDA one does (`offload_op` in ggml-rpc.cpp: 32 tokens or more); DIR of models is the work folder
of llama_cpp.py. The outcome is kept in llama_split.csv: sizes of GPU 0, GPU 1 and the host, in MiB.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

from llama_cpp import VERSION, free_port, started
from replaying import SPLIT_BUFFERS, SPLIT_TABLE, predicted_split, read_rows, write_rows

SETTINGS = ("model", "format", "context_tokens", "slots", "micro_batch", "gpu_layers", "gpus", "gpu_shares")
FIELDS = (*SETTINGS, *SPLIT_BUFFERS, "engine_version", "date")
# model, format, tokens of a slot, slots, micro-batch, layers on GPUs, GPUs, --tensor-split
STARTS = (
    ("gqa", "gguf-q4_k_m", 2048, 1, 512, 0, 1, "1"),
    ("gqa", "gguf-q4_k_m", 2048, 1, 512, 1, 1, "1"),
    ("gqa", "gguf-q4_k_m", 2048, 1, 512, 3, 1, "1"),
    ("gqa", "gguf-q4_k_m", 2048, 4, 512, 6, 1, "1"),
    ("gqa", "gguf-bf16", 512, 1, 512, 3, 1, "1"),
    ("gqa", "gguf-q4_k_m", 8192, 1, 512, 3, 1, "1"),
    ("gqa", "gguf-q4_k_m", 8192, 1, 512, 7, 1, "1"),
    ("mha", "gguf-bf16", 2048, 1, 512, 3, 1, "1"),
    ("mha", "gguf-bf16", 8192, 1, 512, 3, 1, "1"),
    ("wide-mlp", "gguf-bf16", 512, 1, 512, 3, 1, "1"),
    ("wide-mlp", "gguf-bf16", 2048, 1, 64, 3, 1, "1"),
    ("narrow-mlp", "gguf-bf16", 2048, 1, 64, 4, 1, "1"),
    ("large-vocabulary", "gguf-bf16", 2048, 1, 64, 2, 1, "1"),
    ("larger", "gguf-bf16", 2048, 1, 512, 6, 1, "1"),
    ("larger", "gguf-q8_0", 2048, 1, 512, 6, 1, "1"),
    ("larger", "gguf-q4_k_m", 2048, 1, 512, 6, 1, "1"),
    ("larger", "gguf-q4_k_m", 16384, 1, 64, 6, 1, "1"),
    ("larger", "gguf-q4_k_m", 2048, 8, 64, 6, 1, "1"),
    ("larger", "gguf-bf16", 8192, 1, 128, 6, 1, "1"),
    ("larger", "gguf-bf16", 2048, 1, 512, 8, 2, "1,1"),
    ("larger", "gguf-bf16", 2048, 1, 512, 13, 2, "1,1"),
    ("larger", "gguf-bf16", 8192, 1, 512, 13, 2, "1,1"),
    ("larger", "gguf-bf16", 2048, 1, 512, 13, 2, "3,1"),
    ("wide-mlp", "gguf-bf16", 2048, 1, 512, 7, 2, "1,1"),
)
LINE = re.compile(r"(?P<place>\S+)\s+(?P<purpose>model|KV|compute)\s+buffer size =\s+(?P<mib>[0-9.]+) MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=Path)
    parser.add_argument("--models", type=Path)
    given = parser.parse_args()
    if given.programs and given.models:
        measure(given.programs, given.models)
    show(read_rows(SPLIT_TABLE))


def measure(programs: Path, models: Path) -> None:
    starts = (dict(zip(SETTINGS, map(str, start), strict=True)) for start in STARTS)
    write_rows(SPLIT_TABLE, FIELDS, (outcome(programs, models, start) for start in starts))


def outcome(programs: Path, models: Path, row: dict[str, str]) -> dict[str, str]:
    """What one start printed, by device; a buffer that is not printed is not there."""
    ports = [free_port() for _ in range(int(row["gpus"]))]
    devices = [device(programs, port) for port in ports]
    try:
        log = started(command(programs, models, row, ports), models / "log")
    finally:
        for process in devices:
            process.kill()
            process.wait()
    sizes = dict.fromkeys(SPLIT_BUFFERS, 0.0)
    for found in LINE.finditer(log):
        purpose, place = found["purpose"].lower(), place_named(found["place"], ports)
        before = 0.0 if purpose == "compute" else sizes[f"{place}_{purpose}_mib"]
        sizes[f"{place}_{purpose}_mib"] = before + float(found["mib"])
    printed = {name: f"{size:.2f}" for name, size in sizes.items()}
    return {**row, **printed, "engine_version": VERSION, "date": datetime.now(UTC).date().isoformat()}


def place_named(place: str, ports: list[int]) -> str:
    """`RPC0[127.0.0.1:50052]` -> gpu0; what is not a device is the host."""
    return next((f"gpu{number}" for number, port in enumerate(ports) if str(port) in place), "host")


def device(programs: Path, port: int) -> subprocess.Popen[bytes]:
    words = [str(programs / "ggml-rpc-server"), "-H", "127.0.0.1", "-p", str(port), "-t", "1"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    return process


def command(programs: Path, models: Path, row: dict[str, str], ports: list[int]) -> list[str]:
    model = models / row["model"] / f"{row['format'].removeprefix('gguf-')}.gguf"
    return [
        str(programs / "llama-server"), "-m", str(model), "--host", "127.0.0.1", "--port", str(free_port()),
        "--no-warmup", "-lv", "4", "-c", str(int(row["context_tokens"]) * int(row["slots"])), "-np", row["slots"],
        "-ub", row["micro_batch"], "-fa", "on", "--threads", "1", "--no-repack", "--fit", "off",
        "-ngl", row["gpu_layers"], "-ts", row["gpu_shares"],
        "--rpc", ",".join(f"127.0.0.1:{port}" for port in ports),
    ]  # fmt: skip


def show(rows: list[dict[str, str]]) -> None:
    """Predicted beside printed where they differ by more than 0.02 MiB."""
    for row in rows:
        for buffer, predicted in predicted_split(row).items():
            printed = float(row[buffer])
            if abs(predicted - printed) > 0.02:
                start = " ".join(row[name] for name in SETTINGS)
                print(
                    f"{start}: {buffer} {printed} printed, {predicted:.2f} predicted ({predicted / printed - 1:+.1%})"
                )


if __name__ == "__main__":
    main()
