"""Published server runs beside the simulated scheduler: means of closed loops, and tails.

usage: python benchmarks/serving.py --truth DIR   (the folder that holds serving.csv: InferenceX runs, and
                                                   load_latency.csv: MLPerf Inference 5.1 runs)

How the means are compared: `serving_runs.py`. Of tails the shape is compared, how many times its mean the 99th
percentile is, for MLPerf publishes neither the limits of a server nor the lengths of each request. The simulation runs
Llama-2-70B in FP8 on H100s at shares of capacity; prompts as long as the answers (294 tokens on average in MLPerf) and
their spread are assumptions.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from published_folder import folder_with
from serving_runs import compare

from planner.planning import make_plan
from planner.request import Request, Workload
from planner.serving.capacity import capacity_per_s
from planner.serving.from_plan import server_of
from planner.serving.lengths import Lognormal
from planner.serving.simulating import simulate
from planner.serving.traffic import Traffic

PROMPT_TOKENS, OUTPUT_TOKENS = 294, 294
LENGTH_SPREAD = 0.7
SHARES = (0.5, 0.7, 0.8, 0.9, 0.95)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with serving.csv and load_latency.csv")
    truth = parser.parse_args().truth
    files = ("serving.csv", "load_latency.csv")
    folder = folder_with(files, truth, command="make bench-serving", script="benchmarks/serving.py")
    compare(folder)
    published(folder / "load_latency.csv")
    simulated()


def published(path: Path) -> None:
    runs: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    with path.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            figure, statistic, _, scenario = row["metric"].split(" ")
            runs[row["source"], row["model"], figure, scenario][statistic] = float(row["value"])
    ratios: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (_, _, figure, scenario), found in runs.items():
        if len(found) == 2 and found["mean"]:
            ratios[figure, scenario].append(found["p99"] / found["mean"])
    print("published p99 / mean (MLPerf Inference 5.1)")
    for (figure, scenario), values in sorted(ratios.items()):
        low, *_, high = quantiles(values, n=20)
        middle = f"median {median(values):5.2f}, 90 % from {low:.2f} to {high:.2f}"
        print(f"  {figure} {scenario:12} {middle} ({len(values)} runs)")


def simulated() -> None:
    workload = Workload(input_tokens=PROMPT_TOKENS, output_tokens=OUTPUT_TOKENS, concurrency=256)
    plan = make_plan(Request(model="llama-2-70b", hardware="4xH100-80GB", workload=workload, format="fp8"))
    server = server_of(plan)
    traffic = Traffic(
        PROMPT_TOKENS, OUTPUT_TOKENS, clients=1, lengths=Lognormal(PROMPT_TOKENS, OUTPUT_TOKENS, LENGTH_SPREAD)
    )
    capacity = capacity_per_s(server, traffic)
    print(
        f"simulated p99 / mean ({plan.model.name} fp8, {plan.hardware.label}; carries {capacity:.3g} requests/s a copy)"
    )
    for share in SHARES:
        by_rate = Traffic(
            PROMPT_TOKENS,
            OUTPUT_TOKENS,
            requests_per_s=share * capacity,
            lengths=Lognormal(PROMPT_TOKENS, OUTPUT_TOKENS, LENGTH_SPREAD),
        )
        started = perf_counter()
        found = simulate(server, by_rate)
        took = perf_counter() - started
        ttft, tpot = found.ttft_ms, found.tpot_ms
        print(
            f"  at {share:.0%} of capacity: TTFT {ttft.p99 / ttft.mean:5.2f}, TPOT {tpot.p99 / tpot.mean:5.2f}"
            f"   ({found.requests} requests in {took:.2f} s)"
        )


if __name__ == "__main__":
    main()
