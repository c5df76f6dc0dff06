"""Carries out one run in a process of its own: `python -m planner.service.runs.runner RUN_ID`.

The database's URL comes on stdin: it may hold a password, and arguments are seen by every user of the machine.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from threading import Event as Flag
from threading import Thread

from planner.errors import QuantplanError
from planner.plan import Plan
from planner.ports import find_executor
from planner.service.store.database import open_database
from planner.service.store.runs import RunStore

BEAT_EVERY_S = 2.0


def main() -> int:
    """Claim the run, apply its plan, keep every event. 0 also when another runner has it."""
    run_id, url = sys.argv[1], sys.stdin.read()
    runs, owner = RunStore(open_database(url)), f"{socket.gethostname()[:40]}:{os.getpid()}"
    body = runs.claim(run_id, owner)
    if body is None:
        return 0
    return carry_out(runs, run_id, owner, Plan.model_validate(json.loads(body)))


def carry_out(runs: RunStore, run_id: str, owner: str, plan: Plan) -> int:
    """Apply the plan, with a heartbeat beside it. A stop that somebody asked for is no failure."""
    ended, stopped = Flag(), Flag()
    heart = Thread(target=_beat, args=(runs, run_id, owner, ended, stopped), daemon=True)
    heart.start()
    try:
        find_executor().apply(plan, on_event=lambda event: runs.note(run_id, event))
    except (KeyboardInterrupt, SystemExit):
        runs.end(run_id, owner, "stopped" if stopped.is_set() else "queued")
        return 1
    except QuantplanError as error:
        runs.end(run_id, owner, "stopped" if stopped.is_set() else "failed", str(error))
        return 1
    except Exception as error:
        runs.end(run_id, owner, "failed", f"{type(error).__name__}: {error}")
        raise
    finally:
        ended.set()
    runs.end(run_id, owner, "done")
    return 0


def _beat(runs: RunStore, run_id: str, owner: str, ended: Flag, stopped: Flag) -> None:
    """Say every moment that the run lives; interrupt it when somebody asked for a stop, or another runner has it."""
    while not ended.wait(BEAT_EVERY_S):
        answer = runs.beat(run_id, owner)
        if answer != "go on":
            if answer == "stop":
                stopped.set()
            os.kill(os.getpid(), signal.SIGINT)
            return


if __name__ == "__main__":
    sys.exit(main())
