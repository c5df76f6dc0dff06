"""How fast `quantplan fits` is: candidates a second of the sweep itself, and the cold time of the command.

    python benchmarks/fits.py [--repeat 3]

Times are CPU time of this process (user + system), so that a busy machine does not count against them. The first
sweep builds the tables of weights; the sweep over all accelerators shares one set of tables.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from planner.fits.candidates import Fleet, offers
from planner.fits.over_accelerators import everywhere
from planner.fits.question import Question
from planner.fits.sweep import sweep
from planner.hardware.catalogue import known_accelerators
from planner.hardware.hardware import Hardware
from planner.hardware.resolving import resolve_hardware
from planner.models.catalogue import entries, model_of
from planner.models.model import Model
from planner.models.resolving import resolve_model
from rules.book import load_book

ONE_A100, ONE_MODEL = "1xA100-80GB", "llama-3.1-70b"
FLOOR_PER_S = 100_000
FLOOR_COLD_S, FLOOR_RUNNING_S = 1.0, 0.3


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--repeat", type=int, default=3)
    repeat = arguments.parse_args().repeat
    models = tuple(model_of(entry) for entry in entries())
    print(f"{len(models)} models of the catalogue, {len(known_accelerators())} accelerators\n")
    every_one = [Hardware(f"1x{gpu.name}", gpu, 1) for gpu in known_accelerators()]
    report(f"{ONE_A100}, with its tables", *rate(models, [resolve_hardware(ONE_A100)]))
    report("one of every accelerator", *rate(models, every_one))
    report("8xH100-80GB in 1, 2, 4 and 8 ranks", *rate(models, [resolve_hardware("8xH100-80GB")]))
    seconds = min(cold_seconds("fits", "--on", ONE_A100) for _ in range(repeat))
    print(f"\nquantplan fits --on {ONE_A100}: {seconds:.2f} s of user time, floor {FLOOR_COLD_S} s")
    seconds = min(cold_seconds("fits", ONE_MODEL) for _ in range(repeat))
    print(f"quantplan fits {ONE_MODEL}: {seconds:.2f} s of user time")
    print(f"the same in a running process: {running_seconds():.2f} s (floor {FLOOR_RUNNING_S} s)")


def rate(models: Sequence[Model], places: Sequence[Hardware]) -> tuple[int, float]:
    """Candidates swept over these places, and the CPU seconds that took."""
    fleet, question = Fleet(tuple(models)), Question()
    contexts = [question.context_of(model) for model in models]
    offered = {place.label: offers(place) for place in places}
    start, candidates = time.process_time(), 0
    for place in places:
        if offered[place.label]:
            candidates += len(sweep(fleet, (place,), offered[place.label], contexts, question.users))
    return candidates, time.process_time() - start


def report(what: str, candidates: int, seconds: float) -> None:
    per_s = candidates / seconds
    print(f"{what}: {candidates:,} candidates in {seconds:.2f} s, {per_s:,.0f} a second (floor {FLOOR_PER_S:,})")


def running_seconds() -> float:
    """CPU seconds of one model over all accelerators, where the rule book is read already."""
    load_book()
    model, start = resolve_model(ONE_MODEL), time.process_time()
    everywhere(model, Question()).answer()
    return time.process_time() - start


def cold_seconds(*arguments: str) -> float:
    """User time of the command in a process of its own."""
    before = os.times().children_user
    subprocess.run([sys.executable, "-m", "planner.cli.main", *arguments], check=True, stdout=subprocess.DEVNULL)
    return os.times().children_user - before


if __name__ == "__main__":
    main()
