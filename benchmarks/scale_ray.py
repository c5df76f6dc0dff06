"""Quantization jobs on a real Ray cluster while a node dies: `python benchmarks/scale_ray.py` (needs quantplan[ray]).

Twenty plans of the demonstration model, each with its own copy and one of four GGUF formats, are applied at once over
four nodes of this machine. Once some are done, a node that is working is killed without farewell. Then every plan must
be done exactly once: one result a step in the journal, files as recorded, nothing half-written, no job or process left.

Ends with what came of it for people, and in a last line as JSON; exit status 1 where that is not enough.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "distributed")]

from ray_cluster import RayCluster, ray_cluster  # noqa: E402

from executor.artifacts import altered  # noqa: E402
from executor.aside import PARTIAL  # noqa: E402
from executor.distributed.ray_executor import RayExecutor  # noqa: E402
from executor.distributed.task import FOLDER, OUTCOME, TASK  # noqa: E402
from executor.journal import Journal  # noqa: E402
from executor.local import DEMO_MODEL  # noqa: E402
from executor.workspace import journal_path  # noqa: E402
from planner.errors import QuantplanError  # noqa: E402
from planner.plan import Plan  # noqa: E402
from planner.planning import make_plan  # noqa: E402
from planner.ports import ApplyOptions, Event, RunRecord  # noqa: E402
from planner.request import Request  # noqa: E402

FORMATS = ("gguf-q8_0", "gguf-q6_k", "gguf-q5_k_m", "gguf-q4_k_m")
MAKING = ("fetch", "keep-original", "convert", "quantize", "check-artifact")
SETTLE_S = 15.0


@dataclass
class Tally:
    """What the jobs came to."""

    asked: int
    done: int = 0
    twice: int = 0
    altered: int = 0
    half_written: int = 0
    jobs_left: int = 0
    processes_left: int = 0
    tried_again: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    failed: tuple[str, ...] = ()

    @property
    def met(self) -> bool:
        """Every plan done, each step once, and nothing left behind."""
        left = self.processes_left + self.jobs_left + self.half_written
        return self.done == self.asked and not self.twice + self.altered + left

    def __str__(self) -> str:
        left = f"{self.processes_left} processes, {self.jobs_left} jobs and {self.half_written} half-written files left"
        done = f"{self.done} of {self.asked} done, {self.twice} steps done twice, {self.altered} files altered"
        lost = [f"  {times} x {why}" for why, times in Counter(self.lost).most_common()]
        return "\n".join([f"{done}; {left}; {self.tried_again} steps tried again", *lost, *self.failed])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--nodes", type=int, default=4)
    asked = parser.parse_args()
    import ray

    with tempfile.TemporaryDirectory(prefix="quantplan-ray-") as folder:
        with ray_cluster(asked.nodes, num_cpus=1, memory=4 * 2**30) as cluster:
            print(f"Ray {ray.__version__}, {asked.nodes} nodes; {asked.jobs} plans, one node killed", flush=True)
            began = time.monotonic()
            tally = apply_all(Path(folder), cluster, asked.jobs)
            tally.seconds = round(time.monotonic() - began, 1)
            print(f"{tally.seconds:.0f} s", flush=True)
            tally.jobs_left = sum(job["status"] in ("PENDING", "RUNNING") for job in cluster.jobs())
            tally.processes_left = left_running(folder)
        print(tally)
    print(json.dumps({"ray": ray.__version__, "nodes": asked.nodes, **asdict(tally), "met": tally.met}))
    sys.exit(0 if tally.met else 1)


def apply_all(folder: Path, cluster: RayCluster, jobs: int) -> Tally:
    """Every plan at once, a node killed in between, and what came of it."""
    home = folder / "home"
    plans = list(plans_in(folder, jobs))
    RayExecutor(home).runs()  # makes the journal before twenty threads want to
    tally = Tally(jobs)
    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(applied, home, plan, cluster.address, tally.lost) for plan in plans]
        kill_a_busy_node(cluster, home, after_done=jobs // 4)
        ends = [future.result() for future in running]
    tally.failed = tuple(end for end in ends if isinstance(end, str))
    for end in ends:
        if isinstance(end, RunRecord):
            count(home, end, tally)
    return tally


def plans_in(folder: Path, count: int) -> Iterator[Plan]:
    """Plans that make a file and serve nothing, each of a model of its own name."""
    for number in range(count):
        model = folder / f"model-{number:02d}"
        shutil.copytree(DEMO_MODEL, model)
        plan = make_plan(Request(model=str(model), hardware="cpu:8GB", format=FORMATS[number % len(FORMATS)]))
        yield plan.with_stages(stage for stage in plan.stages if stage.kind in MAKING)


def applied(home: Path, plan: Plan, address: str, lost: list[str]) -> RunRecord | str:
    """The run, or why it failed; `lost` takes why attempts were given up for lost."""

    def on_event(event: Event) -> None:
        if event.message.startswith("lost: "):
            lost.append(event.message)

    try:
        return RayExecutor(home).apply(plan, on_event=on_event, options=ApplyOptions(address=address))
    except QuantplanError as error:
        return str(error)


def kill_a_busy_node(cluster: RayCluster, home: Path, after_done: int) -> None:
    """Kill a node once so many plans are done: one in the middle of converting (the longest step), where one is."""
    while sum(run.state == "done" for run in RayExecutor(home).runs()) < after_done:
        time.sleep(0.5)
    while True:
        running = [job for job in cluster.jobs() if job["status"] == "RUNNING"]
        busy = [job for job in running if job["driver_node_id"] in cluster.nodes]
        busy.sort(key=lambda job: "-convert-" not in job["submission_id"])
        if busy:
            print(f"killing the node of {busy[0]['submission_id']}", flush=True)
            return cluster.kill_node(busy[0]["driver_node_id"])
        if all(run.state == "done" for run in RayExecutor(home).runs()):
            return None
        time.sleep(0.2)


def count(home: Path, run: RunRecord, tally: Tally) -> None:
    """Check one run against the journal and the disk."""
    with closing(Journal(journal_path(home))) as journal:
        attempts = [a["step"] for a in journal.attempts(run.run_id) if a["outcome"] == "done"]
    directory = home / "runs" / run.run_id
    for step in (directory / FOLDER).glob("*/*"):
        outcomes = {path.read_text() for path in step.glob(f"*/{OUTCOME}")}  # one that is taken over is the same again
        tally.twice += max(0, len(outcomes) - 1)
        tally.tried_again += len(list(step.glob(f"*/{TASK}"))) > 1
    tally.twice += len(attempts) - len(set(attempts))
    tally.altered += sum(len(altered(step.result.get("artifacts", ()))) for step in run.steps)
    tally.half_written += len(list(directory.rglob(f"*{PARTIAL}*")))
    tally.done += run.state == "done" and all(step.state == "done" for step in run.steps)


def left_running(folder: str) -> int:
    """Processes that still name the folder, after those that are ending have had their time."""
    import psutil

    deadline = time.monotonic() + SETTLE_S
    while True:
        mine = psutil.Process().pid
        named = [
            p for p in psutil.process_iter(["cmdline"]) if p.pid != mine and folder in " ".join(p.info["cmdline"] or ())
        ]
        if not named or time.monotonic() > deadline:
            return len(named)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
