"""Fit the speed constants and print how far the speed model is from published measurements.

usage: python benchmarks/speed.py --truth DIR [--fit] [--quick]

Each error is printed three ways: in sample, in random folds, and with every model predicted from the others. `--fit`
rewrites planner/catalog/speed_constants.yaml (CPU constants from benchmarks/measured/, the rest from DIR).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from speed_cases import Case, serving_cases
from speed_cpu import fit_cpu, leave_one_model_out, measured_runs
from speed_fitting import Parameters, Table, fit, predict
from speed_intervals import Residuals, coverage
from speed_streams import kernel_shares, published_cases, stream_cases
from speed_throughput import throughput_errors
from speed_writing import write_constants

from planner.catalog import load_yaml

EXPLAIN = """The published measurements are not part of the repository. Give the folder that holds serving.csv,
single_stream.csv, max_throughput.csv and int4_kernels.csv:
    python benchmarks/speed.py --truth DIR        (or: make bench-speed TRUTH=DIR)"""
FOLDS = 5
REPORTED = (
    ("serving TPOT", True, "tpot_ms"),
    ("serving TTFT", True, "ttft_ms"),
    ("single-stream decode", False, "tpot_ms"),
    ("single-stream prompt", False, "ttft_ms"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with serving.csv, single_stream.csv, max_throughput.csv ...")
    parser.add_argument("--fit", action="store_true", help="rewrite the constants")
    parser.add_argument("--quick", action="store_true", help="in sample only")
    given = parser.parse_args()
    if given.truth is None:
        sys.exit(EXPLAIN)
    skipped: Counter[str] = Counter()
    cases = [*serving_cases(given.truth, skipped), *stream_cases(given.truth, skipped), *published_cases()]
    table = Table.of(cases)
    kernels = kernel_shares(given.truth)
    parameters = Parameters.of(table, {kernel: bandwidth for kernel, (bandwidth, _) in kernels.items()})
    vector = fit(table, parameters)
    inside = table.log_measured - np.log(predict(table, parameters, vector))
    report("in sample", table, inside)
    if given.quick:
        return
    folds = held_out(table, parameters, vector, random_folds(len(cases)))
    report("random folds", table, folds)
    models = held_out(table, parameters, vector, np.array([group_of(c) for c in cases]))
    report("leave one model out", table, models)
    print("\nleft out:", ", ".join(f"{why} ({count})" for why, count in skipped.most_common(8)), "...")
    residuals = Residuals.of(table, [inside, models])
    print(
        "\n90 % intervals hold: folds {:.0%}, models left out {:.0%}".format(
            *(coverage(table, residuals, e) for e in (folds, models))
        )
    )
    runs = measured_runs()
    cpu = leave_one_model_out(runs)
    print(
        "llama.cpp on a CPU, models left out, median TTFT / TPOT / throughput:",
        " / ".join(f"{m:.1%}" for m in np.median(abs(cpu), axis=0)),
    )
    if given.fit:
        write_constants(table, parameters, vector, residuals, kernels, fit_cpu(runs), cpu)
        load_yaml.cache_clear()
    report_throughput(given.truth)


def report_throughput(folder: Path) -> None:
    """With the committed constants, none of which was fitted on throughput."""
    skipped: Counter[str] = Counter()
    relative = np.abs(np.expm1(-throughput_errors(folder, skipped)))
    left = sum(skipped.values())
    print(f"\nmaximum throughput, never fitted: {len(relative)} rows   mean {relative.mean():.1%}   ", end="")
    print(f"median {np.median(relative):.1%}   ({left} rows of other metrics, models or formats left out)")


def random_folds(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, FOLDS, count).astype(str)


def group_of(case: Case) -> str:
    """The model, whoever published it and however it was tuned."""
    return case.model.split("/")[-1].removesuffix("-Instruct").removesuffix("-it")


def held_out(table: Table, parameters: Parameters, start: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """log(measured / predicted) of every case, by a fit that has not seen its group; small groups go together."""
    sizes = Counter(groups)
    small = [g for g, n in sizes.items() if n < len(groups) / 40]
    groups = np.array([f"others {small.index(g) % 4}" if g in small else g for g in groups])
    errors = np.zeros(len(groups))
    for group in sorted(set(groups)):
        held = groups == group
        vector = fit(Table.of([c for c, out in zip(table.cases, held, strict=True) if not out]), parameters, start)
        part = Table.of([c for c, out in zip(table.cases, held, strict=True) if out])
        errors[held] = part.log_measured - np.log(predict(part, parameters, vector))
    return errors


def report(title: str, table: Table, errors: np.ndarray) -> None:
    """Mean and median absolute relative error of each figure."""
    print(f"\n{title}")
    for name, served, figure in REPORTED:
        chosen = (table.column("served") == served) & (table.column("figure") == figure)
        relative = np.abs(np.expm1(-errors[chosen]))
        print(f"  {name:22s} {chosen.sum():5d} rows   mean {relative.mean():6.1%}   median {np.median(relative):6.1%}")


if __name__ == "__main__":
    main()
