"""Whether the second plan on a machine is closer than the first: plan, apply, plan again, apply again, and compare.

    python -m benchmarks.learning [--model DIRECTORY] [--rounds 2]

Each round plans the demonstration model for this machine, applies the plan with the real llama.cpp in a home of its own
and keeps prediction and measurement (benchmarks/measured/learning.csv). It waits for a quiet machine first: on one that
is busy with something else nothing is learnt, and such a round is told but not kept.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from datetime import date
from pathlib import Path

import psutil

from benchmarks.tables import Table, cpu_name
from executor.local import DEMO_MODEL, LocalExecutor
from planner.learned.correcting import FIGURES
from planner.planning import make_plan
from planner.ports import Event
from planner.request import Request, Workload

COLUMNS = ("round", "figure", "predicted", "low", "high", "measured", "error_percent", "learnt", "cpu", "date")
TABLE = Table("learning.csv", COLUMNS, key=("round", "figure"))
QUIET_PERCENT, LONGEST_WAIT_S = 10.0, 60.0
WORKLOAD = Workload(input_tokens=128, output_tokens=64, concurrency=2)


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--model", default=str(DEMO_MODEL))
    arguments.add_argument("--rounds", type=int, default=2)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["QUANTPLAN_HOME"] = home
        for number in range(1, asked.rounds + 1):
            wait_for_quiet()
            carry_out(asked.model, number)


def wait_for_quiet() -> None:
    """Until nobody has used more than a tenth of the machine for five seconds, or a minute has passed."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while psutil.cpu_percent(interval=5.0) > QUIET_PERCENT and time.monotonic() < deadline:
        pass


def carry_out(model: str, number: int) -> None:
    """One round: every speed's prediction beside its measurement, printed and kept."""
    said: list[str] = []

    def on_event(event: Event) -> None:
        if event.state == "learned":
            said.append(event.message)

    plan = make_plan(Request(model=model, hardware="here", engine="llama.cpp", workload=WORKLOAD))
    record = LocalExecutor(Path(os.environ["QUANTPLAN_HOME"])).apply(plan, on_event=on_event)
    for finding in record.findings:
        if finding.name in FIGURES and finding.predicted and finding.measured:
            error = (finding.measured / finding.predicted - 1) * 100
            figures = {name: f"{getattr(finding, name):.5g}" for name in ("predicted", "low", "high", "measured")}
            row = {"round": number, "figure": finding.name, **figures, "error_percent": f"{error:+.1f}"}
            if any(message.startswith("kept") for message in said):
                TABLE.put({**row, "learnt": "; ".join(said), "cpu": cpu_name(), "date": date.today()})
            print(f"round {number}: {finding.name} predicted {figures['predicted']}, measured {figures['measured']}, "
                  f"{error:+.1f} %")  # fmt: skip
    print(f"round {number}: {'; '.join(said)}", flush=True)


if __name__ == "__main__":
    main()
