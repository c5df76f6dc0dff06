"""Ask aiconfigurator and quantplan the same published serving runs, one after the other, and keep both answers.

usage: python benchmarks/peers.py --truth DIR --aiconfigurator VENV/bin/aiconfigurator [--rows 40]
       python benchmarks/peers.py                                     (prints the committed answers)

Rows of serving.csv (aggregated) are taken in turn from each (engine, GPU, model, precision), the same every time.
quantplan answers twice: with its constants as shipped (these runs are among those they are fitted on), and fitted
without any run of that model. aiconfigurator answers from the kernel tables it ships; where it has none for the
question it is asked again in its HYBRID mode. The outcome is kept in peers.csv.
"""

from __future__ import annotations

import argparse
import csv
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from statistics import mean, median

sys.path.insert(0, str(Path(__file__).parent))

ANSWERS = Path(__file__).parent / "peers.csv"
QUESTION = ("id", "backend", "system", "model_path", "precision", "isl", "osl", "batch_size", "tp_size")
FIGURES = ("ttft_ms", "tpot_ms")
ASKED = ("shipped", "unseen", "aiconfigurator")
FIELDS = (
    *QUESTION, *(f"{who}_{figure}" for figure in FIGURES for who in ("measured", *ASKED)), "aiconfigurator_mode",
    "aiconfigurator_seconds", "aiconfigurator_refused",
)  # fmt: skip
NAMES = {"meta-llama/Llama-3.1-70B": "meta-llama/Meta-Llama-3.1-70B", "zhipuai/GLM-5": "zai-org/GLM-5-FP8"}
KNOWN_MODES = ("fp8", "fp8_block", "nvfp4", "bfloat16", "w4a16_mxfp4", "w4a8_mxfp4_mxfp8")
PRINTED = {"ttft_ms": re.compile(r"TTFT\D*?([\d,.]+)\s*ms"), "tpot_ms": re.compile(r"TPOT\D*?([\d,.]+)\s*ms")}
LONGEST_ANSWER_S = 120


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with serving.csv")
    parser.add_argument("--aiconfigurator", type=Path, help="the program of its own environment")
    parser.add_argument("--rows", type=int, default=40)
    given = parser.parse_args()
    if given.truth and given.aiconfigurator:
        ask_everyone(given.truth, given.aiconfigurator, given.rows)
    show(read(ANSWERS))


def ask_everyone(truth: Path, program: Path, count: int) -> None:
    questions = sample(read(truth / "serving.csv"), count)
    shipped, unseen = predicted_as_shipped(truth), predicted_unseen(truth)
    with ANSWERS.with_suffix(".partial").open("w", newline="") as stream:
        table = csv.DictWriter(stream, FIELDS, lineterminator="\n", extrasaction="ignore")
        table.writeheader()
        for row in questions:
            answer = {f"measured_{figure}": row[f"silicon_{figure}"] for figure in FIGURES}
            answer |= {f"shipped_{figure}": shipped.get((row["id"], figure), "") for figure in FIGURES}
            answer |= {f"unseen_{figure}": unseen.get((row["id"], figure), "") for figure in FIGURES}
            table.writerow({**row, **answer, **asked_aiconfigurator(program, row)})
            stream.flush()
    ANSWERS.with_suffix(".partial").replace(ANSWERS)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def sample(rows: list[dict[str, str]], count: int) -> list[dict[str, str]]:
    """Aggregated runs whose batch is stated, from each kind of run in turn, spread over it."""
    kinds = defaultdict(list)
    for row in rows:
        if row["mode"] == "agg" and row["batch_size"] and row["tp_size"]:
            kinds[row["backend"], row["system"], row["model_path"], row["precision"]].append(row)
    chosen: list[dict[str, str]] = []
    for turn in range(count):
        for kind in sorted(kinds):
            runs = kinds[kind]
            if turn < len(runs) and len(chosen) < count:
                chosen.append(runs[(turn * 7 + len(runs) // 2) % len(runs)])
    return chosen


def predicted_as_shipped(truth: Path) -> dict[tuple[str, str], str]:
    """What `quantplan predict serving` says."""
    import json

    from planner.speed.batch.predicting import predict_file

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.jsonl"
        predict_file("serving", truth / "serving.csv", truth / "model_configs.jsonl", out)
        said = [json.loads(line) for line in out.read_text().splitlines()]
    return {(row["id"], figure): f"{row[figure]:.4g}" for row in said for figure in FIGURES if row[figure]}


def predicted_unseen(truth: Path) -> dict[tuple[str, str], str]:
    """The same model of speed, its constants fitted on the runs of all other models."""
    import numpy as np
    from speed import Bench
    from speed_cases import published
    from speed_kernels import kernel_shares

    bench = Bench.of(published(truth, Counter()), kernel_shares(truth))
    _, models, _ = bench.ways_of_holding_out()
    errors = bench.held_out(models)
    cases = zip(bench.cases, errors, strict=True)
    return {(case.id, case.kind): f"{case.measured / np.exp(error):.4g}" for case, error in cases}


def asked_aiconfigurator(program: Path, row: dict[str, str]) -> dict[str, str]:
    """Its answer and the seconds it took; asked again in its HYBRID mode where its tables lack the question."""
    answer: dict[str, str] = {}
    for mode in ("SILICON", "HYBRID"):
        started = time.perf_counter()
        said = run([*command(program, row), "--database-mode", mode])
        answer = {"aiconfigurator_mode": mode, "aiconfigurator_seconds": f"{time.perf_counter() - started:.1f}"}
        found = {figure: pattern.search(said) for figure, pattern in PRINTED.items()}
        if all(found.values()):
            return answer | {f"aiconfigurator_{name}": hit[1].replace(",", "") for name, hit in found.items() if hit}
        lines = [line for line in said.splitlines() if line.startswith("Error") or ": error:" in line]
        answer["aiconfigurator_refused"] = re.sub(r"/\S+/", "", lines[-1])[:120] if lines else "no figures printed"
    return answer


def run(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST_ANSWER_S)
    except subprocess.TimeoutExpired:
        return "Error: no answer in time"
    return done.stdout + done.stderr


def command(program: Path, row: dict[str, str]) -> list[str]:
    words = [
        str(program), "cli", "estimate", "--model-path", NAMES.get(row["model_path"], row["model_path"]),
        "--system", row["system"], "--backend", row["backend"], "--isl", row["isl"], "--osl", row["osl"],
        "--batch-size", row["batch_size"], "--tp-size", row["tp_size"],
    ]  # fmt: skip
    for name in ("moe_tp_size", "moe_ep_size", "attention_dp_size", "pp_size"):
        if row[name]:
            words += [f"--{name.replace('_', '-')}", row[name]]
    for name in ("gemm_quant_mode", "moe_quant_mode"):
        if row[name] in KNOWN_MODES:
            words += [f"--{name.replace('_', '-')}", row[name]]
    return words


def show(rows: list[dict[str, str]]) -> None:
    """Errors of everyone on the rows all of them answered, and what was refused."""
    for figure in FIGURES:
        columns = [f"{who}_{figure}" for who in ASKED]
        common = [row for row in rows if all(row[column] for column in columns)]
        print(f"{figure}, {len(common)} rows answered by all: mean / median absolute error")
        for who, column in zip(ASKED, columns, strict=True):
            errors = [abs(float(row[column]) / float(row[f"measured_{figure}"]) - 1) for row in common]
            if errors:
                print(f"  {who:16} {mean(errors):6.1%} / {median(errors):.1%}")
    refused = [row for row in rows if row["aiconfigurator_refused"] and not row["aiconfigurator_tpot_ms"]]
    seconds = [float(row["aiconfigurator_seconds"]) for row in rows if row["aiconfigurator_tpot_ms"]]
    if seconds:
        print(f"aiconfigurator: {median(seconds):.1f} s an answer (median), {len(refused)} of {len(rows)} refused")
    for reason, times in Counter(re.sub(r"\d+", "N", row["aiconfigurator_refused"])[:90] for row in refused).items():
        print(f"  {times} x {reason}")


if __name__ == "__main__":
    main()
