"""Fit the speed constants and print how far the speed model is from published measurements.

usage: python benchmarks/speed.py --truth DIR [--fit] [--quick]

Errors are printed in sample, in random folds, with every model predicted from the others, and with every GPU type
predicted from the others. `--fit` rewrites planner/catalog/speed_constants.yaml and speed_intervals.yaml (CPU constants
from benchmarks/measured/, the rest from DIR).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from published_folder import folder_with
from speed_cases import Case, published
from speed_cpu import fit_cpu, leave_one_model_out, measured_runs
from speed_fitting import Problem, best_fit, fit
from speed_intervals import inside, inside_unfamiliar, report_coverage, slices
from speed_kernels import kernel_shares
from speed_parameters import Parameters
from speed_printing import print_crossovers, print_times
from speed_writing import write_constants

FILES = ("serving.csv", "single_stream.csv", "max_throughput.csv", "int4_kernels.csv")
FOLDS, SMALL_GROUPS, SMALL = 5, 4, 1 / 40
HELD_ROUNDS = 10
HELD_OUT = ("random folds", "leave one model out", "leave one GPU type out")
REPORTED = (
    ("serving TPOT", "agg", "tpot_ms", "floor 14 / 9, models out 22 / 13"),
    ("serving TTFT", "agg", "ttft_ms", "floor 38 / 28, models out 48 / 38"),
    ("disaggregated TPOT", "disagg", "tpot_ms", "floor 25 mean, models out 35"),
    ("disaggregated TTFT", "disagg", "ttft_ms", ""),
    ("single-stream decode", "stream", "tpot_ms", "floor 9 median, models out 12"),
    ("single-stream prompt", "stream", "ttft_ms", ""),
    ("maximum throughput", "full", "tokens_per_s", "floor 15 median, models out 20"),
)


@dataclass(frozen=True)
class Bench:
    """Cases, the parameters fitted on all of them, and what is needed to fit again without some."""

    cases: list[Case]
    parameters: Parameters
    few_tokens: dict[str, float]
    vector: np.ndarray
    in_sample: np.ndarray

    @classmethod
    def of(cls, published_cases: list[Case], kernels: dict[str, tuple[float, float]]) -> Bench:
        few_tokens = {kernel: arithmetic for kernel, (_, arithmetic) in kernels.items()}
        parameters = Parameters.of(published_cases, {kernel: share for kernel, (share, _) in kernels.items()})
        problem = Problem.of(published_cases, parameters, few_tokens)
        vector = best_fit(problem, parameters)
        return cls(problem.cases, parameters, few_tokens, vector, problem.measured - problem.logs(vector))

    def ways_of_holding_out(self) -> tuple[np.ndarray, ...]:
        """The group of each case, for each of `HELD_OUT`."""
        return (
            np.random.default_rng(0).integers(0, FOLDS, len(self.cases)).astype(str),
            np.array([c.group for c in self.cases]),
            np.array([c.gpu for c in self.cases]),
        )

    def held_out(self, groups: np.ndarray) -> np.ndarray:
        """log(measured / predicted) of every case, by a fit that has not seen its group; small groups go together."""
        groups = _merged(groups)
        errors = np.zeros(len(self.cases))
        for group in sorted(set(groups)):
            out = groups == group
            seen = Problem.of(
                [c for c, o in zip(self.cases, out, strict=True) if not o], self.parameters, self.few_tokens
            )
            vector = fit(seen, self.parameters, self.vector, HELD_ROUNDS)
            unseen = Problem.of(
                [c for c, o in zip(self.cases, out, strict=True) if o], self.parameters, self.few_tokens
            )
            found = dict(zip(map(id, unseen.cases), unseen.measured - unseen.logs(vector), strict=True))
            errors[out] = [found[id(c)] for c, o in zip(self.cases, out, strict=True) if o]
        return errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with serving.csv, single_stream.csv, max_throughput.csv ...")
    parser.add_argument("--fit", action="store_true", help="rewrite the constants")
    parser.add_argument("--quick", action="store_true", help="in sample only")
    given = parser.parse_args()
    command = "make fit" if given.fit else "make bench-speed"
    truth = folder_with(FILES, given.truth, command=command, script="benchmarks/speed.py")
    skipped: Counter[str] = Counter()
    kernels = kernel_shares(truth)
    bench = Bench.of(published(truth, skipped), kernels)
    report("in sample", bench.cases, bench.in_sample)
    if not given.quick:
        errors = [bench.held_out(groups) for groups in bench.ways_of_holding_out()]
        if given.fit:
            write(bench, errors, kernels)
        report_held_out(bench, errors)
    print("\nleft out:", ", ".join(f"{why} ({count})" for why, count in skipped.most_common()))
    print_crossovers(truth)
    print_times()


def write(bench: Bench, errors: list[np.ndarray], kernels: dict[str, tuple[float, float]]) -> None:
    """The data files; CPU constants from the committed measurements."""
    runs = measured_runs()
    cpu = leave_one_model_out(runs)
    folds, *held_out = errors
    write_constants(bench.cases, bench.parameters, bench.vector, folds, held_out, kernels, fit_cpu(runs), cpu)
    print("\nllama.cpp on a CPU, models left out, median TTFT / TPOT / throughput:", end=" ")
    print(" / ".join(f"{m:.1%}" for m in np.median(abs(cpu), axis=0)))


def report_held_out(bench: Bench, errors: list[np.ndarray]) -> None:
    """The three ways of holding out, and whether intervals hold: of folds by their own slices, of a model or GPU type
    by intervals that were made without it."""
    folds, *held_out = errors
    ways = bench.ways_of_holding_out()
    held = [inside(bench.cases, slices(bench.cases, [folds]), folds)]
    held += [inside_unfamiliar(bench.cases, held_out, e, g) for e, g in zip(held_out, ways[1:], strict=True)]
    for title, each, holds in zip(HELD_OUT, errors, held, strict=True):
        report(title, bench.cases, each)
        print(f"  90 % intervals hold {holds.mean():.0%}")
        report_coverage(bench.cases, holds)


def report(title: str, cases: Sequence[Case], errors: np.ndarray) -> None:
    """Mean and median absolute relative error of each figure."""
    print(f"\n{title}")
    for name, mode, kind, floor in REPORTED:
        chosen = np.array([c.mode == mode and c.kind == kind for c in cases])
        relative = np.abs(np.expm1(-errors[chosen]))
        print(f"  {name:22s} {chosen.sum():5d} rows   mean {relative.mean():6.1%}   ", end="")
        print(f"median {np.median(relative):6.1%}   {floor}")


def _merged(groups: np.ndarray) -> np.ndarray:
    sizes = Counter(groups.tolist())
    small = [g for g, n in sizes.items() if n < SMALL * len(groups)]
    return np.array([f"others {small.index(g) % SMALL_GROUPS}" if g in small else g for g in groups])


if __name__ == "__main__":
    main()
