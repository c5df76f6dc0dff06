"""How fast the frontier is: candidates a second, one core, memory and speed and Pareto set included.

    python benchmarks/frontier.py

The floor is 100,000 candidates in a second.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from planner.frontier.places import places
from planner.frontier.runs import all_runs
from planner.frontier.sweeping import swept
from planner.models.resolving import resolve_model
from planner.request import Request
from rules.book import load_book

FLOOR_PER_S = 100_000
TIMES = 5
QUESTIONS = (
    ("llama-3.1-70b", ["any"]),
    ("llama-3.1-8b", ["any"]),
    ("qwen3-30b-a3b", ["any"]),
    ("llama-3.1-70b", ["8xH100-80GB-SXM", "8xA100-80GB-SXM", "8xH200-141GB-SXM", "8xL40S"]),
)


def main() -> None:
    """Print the table."""
    print(f"{'model':16} {'on':8} {'candidates':>10} {'in the set':>10} {'seconds':>8} {'per second':>11}")
    for model, labels in QUESTIONS:
        candidates, in_set, seconds = best_of(model, labels)
        where = labels[0] if len(labels) == 1 else f"{len(labels)} kinds"
        rate = candidates / seconds
        verdict = "" if rate >= FLOOR_PER_S else f"  below the floor of {FLOOR_PER_S:,}"
        print(f"{model:16} {where:8} {candidates:10,} {in_set:10,} {seconds:8.2f} {rate:11,.0f}{verdict}")


def best_of(name: str, labels: Sequence[str]) -> tuple[int, int, float]:
    """Candidates, those in the set, and the seconds of the quickest run: other work on the machine only adds."""
    model, book = resolve_model(name), load_book()
    request = Request(model=name, hardware=",".join(labels))
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        found = swept(model, all_runs(model, places(model, labels, request, book), request), request)
        in_set = len(found.order)
        seconds.append(time.perf_counter() - start)
    return len(found), in_set, min(seconds)


if __name__ == "__main__":
    main()
