"""How well memory is predicted: `python benchmarks/memory.py --truth DIR` prints each figure beside its floor.

DIR holds `memory.csv` (server starts as their logs print them) and `model_configs.jsonl` (architectures). The column on
the right refits the constants without a model family and predicts that family, for every family in turn.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

from memory_figures import FIGURES, Start
from memory_refit import constants_without

from planner.memory.batch import StartPrediction, predict_start
from planner.memory.cases import case_from_row
from planner.memory.sizing import ACCOUNTANTS
from planner.memory.starts import described_shape, situation_of
from planner.models.compact import shapes_from_jsonl
from planner.models.shape import Shape
from planner.units import GIB

EXPLAIN = """The measurements are not part of the repository. Name the folder with memory.csv and model_configs.jsonl:
    python benchmarks/memory.py --truth DIR        (or: make bench-memory TRUTH=DIR)"""


def read_starts(truth: Path, shapes: dict[str, Shape]) -> list[Start]:
    with (truth / "memory.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    blind: dict[str, StartPrediction] = {}
    for family in sorted({row["family"] for row in rows}):
        with constants_without(family, rows, shapes):
            blind |= predictions(rows, shapes, family)
    return [Start(row, case_from_row(row), predict_start(case_from_row(row), shapes), blind[row["id"]]) for row in rows]


def predictions(rows: Sequence[dict[str, str]], shapes: dict[str, Shape], family: str) -> dict[str, StartPrediction]:
    return {row["id"]: predict_start(case_from_row(row), shapes) for row in rows if row["family"] == family}


def summary(errors: list[float]) -> str:
    if not errors:
        return "no rows"
    sizes = [abs(error) * 100 for error in errors]
    return f"mean {mean(sizes):6.2f}  median {median(sizes):5.2f} %"


def tokens_of_pool(starts: Sequence[Start], shapes: dict[str, Shape]) -> tuple[int, int]:
    """(starts whose printed pool holds the printed tokens, to the digits of the pool; starts that state both)."""
    exact = total = 0
    for start in starts:
        pool, tokens = start.measured("kv_GiB"), start.measured("kv_tokens")
        if not pool or not tokens or not start.has_architecture or start.predicted.weights_gib is None:
            continue
        situation = situation_of(start.case, described_shape(shapes[start.case.config_id], start.case))
        assert situation is not None
        layout = ACCOUNTANTS[str(start.case.engine)](situation).layout
        step = 0.6 * 10 ** -len(start.row["kv_GiB"].partition(".")[2]) * GIB
        low, high = (layout.tokens(pool * GIB + rounding, situation.context_tokens) for rounding in (-step, step))
        total += 1
        exact += low * 0.9995 <= tokens <= high * 1.0005
    return exact, total


def failed_starts(starts: Sequence[Start]) -> tuple[int, int]:
    """(failed starts that are called "does not fit", failed starts): those that printed a negative pool."""
    failed = [s for s in starts if (s.measured("kv_GiB") or 0) < 0 and s.has_architecture]
    return sum(s.predicted.fits is False for s in failed), len(failed)


def report(starts: Sequence[Start], shapes: dict[str, Shape], title: str) -> None:
    print(f"\n{title} ({len(starts)} starts)")
    print(f"{'what':52}{'rows':>5}  {'error':31}{'floor':26}{'leave one family out'}")
    for figure in FIGURES:
        errors, blind = figure.errors(starts), figure.errors(starts, blind=True)
        print(f"{figure.what:52}{len(errors):5}  {summary(errors):31}{figure.floor:26}{summary(blind)}")
    exact, stated = tokens_of_pool(starts, shapes)
    refused, failed = failed_starts(starts)
    known = [s for s in starts if s.has_architecture]
    abstained = sum(s.predicted.abstained is not None for s in known)
    print(f"{'tokens in the printed pool, exact to rounding':52}{stated:5}  {exact / stated:.0%}{'':27}95 %")
    print(f"{'starts that failed for memory':52}{failed:5}  {refused} refused{'':22}all")
    print(f"{'abstained, of rows with a known architecture':52}{len(known):5}  {abstained / len(known):.1%}{'':26}10 %")


def worst(starts: Sequence[Start], count: int) -> None:
    print(f"\nThe {count} largest errors of each figure:")
    for figure in FIGURES:
        sized = [(abs(e), s, e) for s in starts for e in figure.errors([s])]
        for _, start, error in sorted(sized, key=lambda item: -item[0])[:count]:
            print(f"  {figure.what:52}{start.row['id']:6}{error:+8.1%}  {start.row['note'][:80]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=Path, help="folder with memory.csv and model_configs.jsonl")
    parser.add_argument("--worst", type=int, default=0, help="list that many of the largest errors of each figure")
    arguments = parser.parse_args()
    if arguments.truth is None or not (arguments.truth / "memory.csv").exists():
        sys.exit(EXPLAIN)
    shapes, _ = shapes_from_jsonl(arguments.truth / "model_configs.jsonl")
    starts = read_starts(arguments.truth, shapes)
    report([s for s in starts if s.is_described], shapes, "Starts that their columns describe")
    everything = "All starts, also those whose note says otherwise (offloading, expert parallelism, drafts, LoRA ...)"
    report(starts, shapes, everything)
    if arguments.worst:
        worst(starts, arguments.worst)


if __name__ == "__main__":
    main()
