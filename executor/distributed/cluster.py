"""Where steps are sent: the jobs, what each stage asks for, the servers held there, and patience with its silences."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from executor.distributed.jobs import Jobs, Needs, Unreachable
from executor.distributed.settings import Patience
from executor.step import Result
from planner.errors import ExecutionFailed
from planner.plan import Plan, Stage

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Cluster:
    """Where steps are sent: the jobs, what each stage asks for, and the servers that are held there now."""

    jobs: Jobs
    patience: Patience
    needs: Callable[[Plan, Stage, Mapping[str, Result]], Needs]
    environment: Mapping[str, str] = field(default_factory=dict)
    python: str = "python"
    held: list[str] = field(default_factory=list)

    def patiently(self, ask: Callable[[], Answer], tell: Callable[[str, float | None], None], run_id: str) -> Answer:
        """The cluster's answer, asked again while it is silent. ExecutionFailed after `head_silent_s`."""
        since, told = time.monotonic(), False
        while True:
            try:
                return ask()
            except Unreachable as silence:
                if time.monotonic() - since > self.patience.head_silent_s:
                    raise self.silent(str(silence), run_id) from None
                if not told:
                    tell(f"{self.jobs.address} does not answer; the run waits for it", None)
                told = True
                time.sleep(self.patience.poll_s)

    def require_there(self) -> None:
        """ExecutionFailed at once where nothing answers, or nothing known: there is no run yet to be patient for."""
        try:
            self.jobs.require_known()
        except Unreachable as silence:
            raise ExecutionFailed(
                f"no Ray cluster answers there ({silence})",
                where=self.jobs.address,
                fix="name the dashboard of one that runs (--address http://HEAD:8265, or QUANTPLAN_RAY_ADDRESS), or"
                " start one: ray start --head --dashboard-host 0.0.0.0",
            ) from None

    def silent(self, why: str, run_id: str) -> ExecutionFailed:
        return ExecutionFailed(
            f"the cluster has not answered for {self.patience.head_silent_s:.0f} s ({why})",
            where=self.jobs.address,
            fix=f"bring its head or the network back, then go on: quantplan apply {run_id} --on ray (steps that are"
            " finished stand, and jobs that still run are taken up again)",
        )

    def end_held(self, tell: Callable[[str, float | None], None], run_id: str) -> None:
        """Ask every server that this run holds to end. One that cannot be told ends with its lease."""
        while self.held:
            job_id = self.held.pop()
            self.patiently(lambda: self.jobs.stop(job_id), tell, run_id)  # noqa: B023
