"""Reliability and overhead of the executor: `python benchmarks/reliability.py` (about ten minutes; --kills to shorten).

Kills: `quantplan apply` in a process of its own is ended by SIGKILL at a random moment, over and over, until the run is
done; then nothing may be left running, no step may be called done whose files are not as recorded, and the original
must be untouched. Most kills hit a run with small tools of equal standing (real processes, files and journal), some the
real llama.cpp run of the demonstration model.

Overhead: the same tool, run directly and as a step of a run.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "executor")]
from benchmarks.tables import Table, cpu_name  # noqa: E402  (the path above is needed first)

TABLE = Table(
    "reliability.csv",
    ("what", "tries", "runs", "orphans", "false_done", "lost_originals", "unresumable", "struck_in",
     "direct_s", "as_a_run_s", "beyond_fixed_percent", "cpu", "date"),
    key=("what",),
)  # fmt: skip
SETTLE_S = 10.0  # the guards' grace is three seconds
KILLS_A_RUN = 8
LONGEST_UNDISTURBED_S = 600.0
FIXED_S = 2.0
BAD = ("orphans", "false_done", "lost_originals", "unresumable")


@dataclass
class Tally:
    """What a series of kills came to."""

    kills: int = 0
    runs: int = 0
    orphans: int = 0
    false_done: int = 0
    lost_originals: int = 0
    unresumable: int = 0
    struck: dict[str, int] = field(default_factory=dict)

    @property
    def struck_in(self) -> str:
        return ", ".join(f"{step} {count}" for step, count in sorted(self.struck.items(), key=lambda s: -s[1]))

    def line(self, name: str) -> str:
        bad = f"{self.orphans} orphans, {self.false_done} false done, {self.lost_originals} lost originals"
        found = f"{self.kills} kills in {self.runs} runs: {bad}, {self.unresumable} unresumable"
        return f"{name}: {found}\n  struck in: {self.struck_in}"

    def keep(self, name: str) -> None:
        """Tell, and write into the measured table."""
        print(self.line(name), flush=True)
        counts = {count: getattr(self, count) for count in ("runs", *BAD, "struck_in")}
        TABLE.put({"what": f"kills, {name}", "tries": self.kills, **counts, **on_this_machine()})


def on_this_machine() -> dict[str, Any]:
    return {"cpu": cpu_name(), "date": date.today()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=480, help="kills of the run with small tools")
    parser.add_argument("--real-kills", type=int, default=100, help="kills of the real llama.cpp run")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--overhead", action="store_true", help="measure the overhead only")
    parser.add_argument("--no-overhead", action="store_true", help="measure the kills only")
    asked = parser.parse_args()
    print(f"seed {asked.seed}; {os.cpu_count()} cores; Python {sys.version.split()[0]}", flush=True)
    if not asked.overhead:
        dice = random.Random(asked.seed)
        if asked.kills:
            kill_fake_runs(asked.kills, dice).keep("small tools")
        if asked.real_kills:
            kill_real_runs(asked.real_kills, dice).keep("llama.cpp")
    if not asked.no_overhead:
        print(overhead(), flush=True)


# ---- kills -------------------------------------------------------------------------------------------------------


def kill_fake_runs(kills: int, dice: random.Random) -> Tally:
    """Runs with small tools, each killed up to eight times before it may end."""
    import killable_run

    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        killable_run.prepare(undisturbed)
        began = time.monotonic()
        _run_on(lambda: killable_run.apply(undisturbed, "quantplan-undisturbed")).join()
        lasts_s = time.monotonic() - began
        while tally.kills < kills and not tally.unresumable:
            base, marker = Path(folder) / str(tally.runs), f"quantplan-kill-{uuid.uuid4()}"
            killable_run.prepare(base)
            work = partial(killable_run.apply, base, marker)
            _kill_until_done(work, base, marker, dice, lasts_s, min(KILLS_A_RUN, kills - tally.kills), tally)
            shutil.rmtree(base)
    return tally


def kill_real_runs(kills: int, dice: random.Random) -> Tally:
    """The demonstration model on llama.cpp, from a plan file, each run killed up to eight times before it may end.

    A kill strikes within a third of an undisturbed run, so that a hundred take some ten minutes and none of the steps
    is passed over: a resumed run begins with the one that was struck.
    """
    from executor.local import DEMO_MODEL
    from planner.planning import make_plan
    from planner.request import Request, Workload

    tally = Tally()
    workload = Workload(input_tokens=64, output_tokens=32, concurrency=2)

    def prepare(base: Path) -> Callable[[], None]:
        shutil.copytree(DEMO_MODEL, base / "original")
        request = Request(model=str(base / "original"), hardware="cpu:8GB", workload=workload)
        make_plan(request).write(base / "plan.json")
        return partial(_apply_for_real, base)

    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        _run_on(prepare(Path(folder) / "undisturbed")).join()
        lasts_s = time.monotonic() - began
        while tally.kills < kills and not tally.unresumable:
            base = Path(folder) / str(tally.runs)
            most = min(KILLS_A_RUN, kills - tally.kills)
            _kill_until_done(prepare(base), base, str(base), dice, lasts_s / 3, most, tally)
            shutil.rmtree(base)
    return tally


def _apply_for_real(base: Path) -> None:
    """Apply the plan with the real tools, or go on with it."""
    from executor.local import LocalExecutor
    from planner.plan import load_plan

    LocalExecutor(base / "home").apply(load_plan(base / "plan.json"), on_event=lambda event: None)


def _run_on(work: Callable[[], None]) -> BaseProcess:
    """Start the work in a forked process, so that its moments are spent in steps and not in imports."""
    leader = multiprocessing.get_context("fork").Process(target=work)
    leader.start()
    return leader


def _kill_until_done(
    work: Callable[[], None], base: Path, marker: str, dice: random.Random, lasts_s: float, kills: int, tally: Tally
) -> None:
    """Kill the run at random moments, check after each, then let it end and check."""
    tally.runs += 1
    before = _contents(base / "original")
    for _ in range(kills):
        leader = _run_on(work)
        leader.join(dice.uniform(0.0, lasts_s))
        if leader.exitcode is not None:
            break
        leader.kill()
        leader.join()
        tally.kills += 1
        step = _running_step(base / "home")
        tally.struck[step] = tally.struck.get(step, 0) + 1
        _check(base, marker, before, tally)
    last = _run_on(work)
    last.join(LONGEST_UNDISTURBED_S)
    tally.unresumable += last.exitcode != 0
    _check(base, marker, before, tally, finished=True)


def _check(base: Path, marker: str, before: dict[str, str], tally: Tally, *, finished: bool = False) -> None:
    from left_over import gone

    tally.orphans += not gone(marker, SETTLE_S)
    tally.lost_originals += bool(before) and _contents(base / "original") != before
    tally.false_done += not all(_truly_done(base / "home", finished))


def _truly_done(home: Path, finished: bool) -> Iterator[bool]:
    """For every step called done: are its files as recorded? And is the run called done only when all of it is?"""
    from contextlib import closing

    from executor.artifacts import altered
    from executor.journal import Journal

    if not (home / "journal.sqlite").exists():
        yield not finished
        return
    with closing(Journal(home / "journal.sqlite")) as journal:
        for run in journal.runs():
            steps = journal.steps(run.run_id)
            for record in steps.values():
                yield record.state != "done" or not altered(record.result.get("artifacts", ()))
            whole = all(stage.name in steps and steps[stage.name].state == "done" for stage in run.plan.stages)
            yield whole if run.state == "done" else not finished


def _running_step(home: Path) -> str:
    """The step the journal says was under way."""
    import sqlite3

    try:
        with sqlite3.connect(home / "journal.sqlite") as journal:
            row = journal.execute("SELECT name FROM steps WHERE state = 'running'").fetchone()
    except sqlite3.Error:
        row = None
    return row[0] if row else "between steps"


def _contents(directory: Path) -> dict[str, str]:
    from executor.artifacts import sha256_of

    files = (path for path in directory.rglob("*") if path.is_file()) if directory.is_dir() else ()
    return {str(path.relative_to(directory)): sha256_of(path) for path in files}


# ---- overhead ----------------------------------------------------------------------------------------------------


def overhead(tool_s: float = 10.0, tries: int = 3) -> str:
    """A tool that does a fixed amount of work, alone and as the only work of a run of nine steps."""
    import killable_run

    direct_s, run_s = [], []
    with tempfile.TemporaryDirectory() as folder:
        rounds = killable_run.rounds_for(tool_s)
        for attempt in range(tries):
            began = time.monotonic()
            subprocess.run([sys.executable, "-c", killable_run.WORK, str(rounds)], check=True)
            direct_s.append(time.monotonic() - began)
            base = Path(folder) / str(attempt)
            killable_run.prepare(base)
            began = time.monotonic()
            _run_on(partial(killable_run.apply, base, "quantplan-overhead", rounds)).join()
            run_s.append(time.monotonic() - began)
    added_s = median(run_s) - median(direct_s)
    share = max(0.0, added_s - FIXED_S) / median(direct_s)
    timed = {"direct_s": f"{median(direct_s):.2f}", "as_a_run_s": f"{median(run_s):.2f}"}
    beyond = {"beyond_fixed_percent": f"{share:.2%}".rstrip("%")}
    TABLE.put({"what": "overhead", "tries": tries, **timed, **beyond, **on_this_machine()})
    return (
        f"overhead: a tool of {median(direct_s):.2f} s takes {median(run_s):.2f} s as a run of nine steps: "
        f"{added_s:+.2f} s, {share:.1%} of the tool's time beyond {FIXED_S:g} s; median of {tries}, "
        f"alone {_listed(direct_s)}, as a run {_listed(run_s)}"
    )


def _listed(seconds: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in seconds)


if __name__ == "__main__":
    main()
