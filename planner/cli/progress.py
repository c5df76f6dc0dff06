"""A run as it goes: a line for each finished step, and a live one below. Plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from planner.plan import Plan
from planner.ports import Event

Watcher = Callable[[Event], None]
QUIET_S = 10.0
MEASURABLE_S = 1.0
FELL = "↓ fell back at "
MARKS = {
    "done": "[green]✓[/]",
    "skipped": "[cyan]=[/]",
    "failed": "[red]✗[/]",
    "fallback": "[yellow]↓[/]",
    "kept": "[green]↻[/]",
    "learned": "[green]✎[/]",
}


def number_of(step: str, names: Sequence[str]) -> str:
    """`3/11`; a `+` for a step that only a rung of the ladder brought in."""
    return f"{names.index(step) + 1}/{len(names)}" if step in names else "+"


def how_far(fraction: float | None, elapsed_s: float) -> str:
    """` (40%, 2.0% a second, 30 s left)`; nothing where it is not known, and no rate before there is one."""
    if fraction is None:
        return ""
    if not 0 < fraction < 1 or elapsed_s < MEASURABLE_S:
        return f" ({fraction:.0%})"
    rate, left_s = fraction / elapsed_s, elapsed_s * (1 - fraction) / fraction
    speed = f"{rate:.1%} a second" if rate >= 0.01 else f"{rate * 60:.1%} a minute"
    left = f"{left_s:.0f} s" if left_s < 120 else f"{left_s / 60:.0f} min"
    return f" ({fraction:.0%}, {speed}, {left} left)"


@contextmanager
def watching(plan: Plan, console: Console) -> Iterator[Watcher]:
    """Something to hand events to for the time of the block."""
    names = [stage.name for stage in plan.stages]
    if not console.is_terminal:
        yield PlainWatcher(names, lambda line: console.print(line, markup=False, soft_wrap=True))
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, expand=True) as progress:
        yield LiveWatcher(names, progress)


class PlainWatcher:
    """Lines for a log: each step once with what it does, new messages, and now and then how far it is."""

    def __init__(self, names: list[str], say: Callable[[str], None]) -> None:
        self._names, self._say = names, say
        self._step, self._began, self._said_at, self._message = "", 0.0, 0.0, ""

    def __call__(self, event: Event) -> None:
        if event.state == "skipped":
            self._say(f"{self._heading(event)}: {event.message}")
        elif event.state == "done":
            self._say(f"    done in {time.monotonic() - self._began:.1f} s")
        elif event.state in ("fallback", "kept", "learned"):
            self._step = ""
            self._say(f"{FELL if event.state == 'fallback' else ''}{event.step}: {event.message}")
        elif event.step != self._step:
            self._step, self._message = event.step, event.message
            self._began = self._said_at = time.monotonic()
            self._say(f"{self._heading(event)}: {event.message}")
        elif event.state == "running":
            self._say_progress(event)

    def _say_progress(self, event: Event) -> None:
        """A message without a fraction when it is new; one with a fraction when nothing was said for a while."""
        now = time.monotonic()
        if event.message == self._message if event.fraction is None else now - self._said_at < QUIET_S:
            return
        self._said_at, self._message = now, event.message
        self._say(f"    {event.message}" + how_far(event.fraction, now - self._began))

    def _heading(self, event: Event) -> str:
        return f"[{number_of(event.step, self._names)}] {event.step}"


class LiveWatcher:
    """A terminal: finished steps scroll up, the running one shows what it does, its bar and its time."""

    def __init__(self, names: list[str], progress: Progress) -> None:
        self._names, self._progress = names, progress
        self._step, self._explanation, self._began = "", "", 0.0
        self._task = progress.add_task("", total=None)

    def __call__(self, event: Event) -> None:
        if event.state == "running":
            self._show(event)
            return
        self._progress.update(self._task, description="", total=None)
        took = f"{time.monotonic() - self._began:7.1f} s" if event.step == self._step else "         "
        said = self._explanation if event.state == "done" else event.message.splitlines()[0]
        line = f"{MARKS.get(event.state, ' ')} [bold]{event.step:<16}[/] [dim]{took}  {escape(said)}[/]"
        self._progress.console.print(line, no_wrap=True, overflow="ellipsis")

    def _show(self, event: Event) -> None:
        if event.step != self._step:
            self._step, self._explanation, self._began = event.step, event.message, time.monotonic()
            self._progress.reset(self._task, total=None)
        number = number_of(event.step, self._names)
        known = event.fraction is not None
        self._progress.update(
            self._task,
            description=f"{number} [bold]{event.step}[/]: {escape(event.message)}",
            total=1.0 if known else None,
            completed=event.fraction or 0.0,
        )
