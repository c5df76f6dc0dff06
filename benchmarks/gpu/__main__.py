"""Fill the measured table of one kind of GPU, a row at a time; each call goes on where the last one ended.

    python -m benchmarks.gpu --out benchmarks/measured/gpu_h200.csv [--minutes 9] [--only serve|quantize]
        [--vllm "python3 -m vllm.entrypoints.cli.main"] [--python PYTHON] [--hardware here] [--work DIRECTORY]

vLLM is started with dummy weights at the shapes and limits of rows.yaml and put under load; checkpoints of random
weights are quantized with PYTHON, which needs the tools (bitsandbytes, llm-compressor). No hub is asked. A row that
fails has its reason in the table and is not tried again; one that no longer fits the call's minutes waits for the next.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.gpu.quantizing import quantize
from benchmarks.gpu.rows import Quantizing, Serving, rows
from benchmarks.gpu.serving import SPEEDS, STARTED, serve
from benchmarks.tables import Table
from planner.errors import QuantplanError
from planner.hardware.hardware import Hardware
from planner.hardware.nvml import read_driver
from planner.hardware.resolving import resolve_hardware

KEY = ("kind", "model", "format", "tool", "layers", "max_model_len", "utilisation", "max_num_seqs", "at_once")
COLUMNS = (
    *KEY, "outcome", "applied", "errors", "start_s", "gpu_memory_gib",
    *(f"{kind}_{name}" for name in STARTED for kind in ("predicted", "measured")),
    *(f"{kind}_{name}" for name in (*SPEEDS, "host_gib", "gpu_gib", "minutes")
      for kind in ("predicted", "low", "high", "measured")),
    "written_gib", "gpu", "driver", "date",
)  # fmt: skip
SECONDS_A_MINUTE = 60.0


def main(arguments: list[str] | None = None) -> int:
    """0 when every row is in the table, 1 while some wait for another call."""
    asked = _arguments(arguments)
    table, hardware = Table(asked.out, COLUMNS, KEY), resolve_hardware(asked.hardware)
    deadline = time.monotonic() + asked.minutes * SECONDS_A_MINUTE
    waiting = [row for row in _wanted(asked.only) if not _is_measured(table, row)]
    asked.work.mkdir(parents=True, exist_ok=True)
    put_off = 0
    for row in waiting:
        if time.monotonic() + row.minutes * SECONDS_A_MINUTE > deadline:
            put_off += 1
            continue
        for found in _measured(row, asked, hardware):
            table.put({**row.key, **{name: _short(value) for name, value in found.items()}, **_machine(hardware)})
        print(f"{' '.join(str(value) for value in row.key.values())}: {found['outcome']}", flush=True)
    print(f"{len(waiting) - put_off} rows measured, {put_off} wait for another call; {table.path}", flush=True)
    return 1 if put_off else 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0, help="what this call may take")
    parser.add_argument("--only", choices=("serve", "quantize"))
    parser.add_argument("--vllm", type=shlex.split, default=["vllm"], help="the command `serve` is appended to")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="a Python with the quantizers")
    parser.add_argument("--hardware", default="here")
    parser.add_argument("--work", type=Path, default=Path("gpu-benchmark"), help="for models and logs")
    asked = parser.parse_args(arguments)
    asked.out, asked.work = asked.out.absolute(), asked.work.absolute()
    return asked


def _wanted(only: str | None) -> list[Serving | Quantizing]:
    return [*(rows().serve if only != "quantize" else ()), *(rows().quantize if only != "serve" else ())]


def _is_measured(table: Table, row: Serving | Quantizing) -> bool:
    """Every batch of it is in the table, or the reason why there is none."""
    known = [old for old in table.rows() if all(old[name] == str(value) for name, value in row.key.items())]
    failed = any(old["outcome"] != "done" for old in known)
    batches = {str(at_once) for at_once in row.batches} if isinstance(row, Serving) else {""}
    return failed or batches <= {old["at_once"] for old in known}


def _measured(row: Serving | Quantizing, asked: argparse.Namespace, hardware: Hardware) -> Iterator[dict[str, Any]]:
    within_s = row.minutes * SECONDS_A_MINUTE
    try:
        if isinstance(row, Serving):
            yield from serve(row, asked.vllm, hardware, asked.work, within_s)
        else:
            yield quantize(row, asked.python, hardware, asked.work, within_s)
    except QuantplanError as failure:
        yield {"outcome": failure.what.splitlines()[0]}


def _machine(hardware: Hardware) -> dict[str, Any]:
    return {"gpu": hardware.label, "driver": read_driver().driver_version or "", "date": date.today()}


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else "" if value is None else value


if __name__ == "__main__":
    sys.exit(main())
