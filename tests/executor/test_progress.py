"""Progress of a run: a line a finished step on a terminal, plain and few lines elsewhere."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from planner.cli.progress import PlainWatcher, watching
from planner.plan import Plan
from planner.ports import Event

EVENTS = (
    Event("fetch", "skipped", "done before, and its files are as they were recorded", 1.0),
    Event("convert", "running", "Converting [the model]", None),
    Event("convert", "running", "writing tensors", 0.4),
    Event("convert", "done", "", 1.0),
    Event("quantize", "running", "Quantizing", None),
    Event("quantize", "failed", "llama-quantize failed with exit status 1\nThe last lines of its log:", None),
)


def shown(plan: Plan, *, terminal: bool) -> str:
    out = io.StringIO()
    with watching(plan, Console(file=out, force_terminal=terminal, width=100, color_system=None)) as on_event:
        for event in EVENTS:
            on_event(event)
    return out.getvalue()


def test_a_terminal_keeps_one_line_a_finished_step(plan: Plan) -> None:
    lines = [line.rstrip() for line in shown(plan, terminal=True).replace("\r", "\n").split("\n")]
    marked = [line.lstrip("\x1b[2K") for line in lines if any(mark in line for mark in "=✓✗")]
    assert [line.split()[:2] for line in marked] == [["=", "fetch"], ["✓", "convert"], ["✗", "quantize"]]
    assert marked[1].endswith("Converting [the model]") and marked[2].endswith("failed with exit status 1")


def test_elsewhere_each_step_is_headed_and_timed(plan: Plan) -> None:
    assert shown(plan, terminal=False).splitlines() == [
        "[1/9] fetch: done before, and its files are as they were recorded",
        "[3/9] convert: Converting [the model]",
        "    done in 0.0 s",
        "[4/9] quantize: Quantizing",
    ]


def test_how_far_it_is_is_said_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("planner.cli.progress.time.monotonic", lambda: clock[0])
    said: list[str] = []
    watcher = PlainWatcher(["convert"], said.append)
    watcher(Event("convert", "running", "Converting", None))
    for second in range(1, 26):
        clock[0] = float(second)
        watcher(Event("convert", "running", "writing", second / 25))
    watcher(Event("convert", "running", "checking", None))
    watcher(Event("convert", "running", "checking", None))
    watcher(Event("convert", "done", "", 1.0))
    assert said == [
        "[1/1] convert: Converting", "    writing (40%, 4.0% a second, 15 s left)",
        "    writing (80%, 4.0% a second, 5 s left)", "    checking", "    done in 25.0 s"
    ]  # fmt: skip
