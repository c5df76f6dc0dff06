"""A run as it goes: a line for each finished step, and a live one below. Plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from planner.plan import Plan
from planner.ports import Event

Watcher = Callable[[Event], None]
QUIET_S = 10.0
MARKS = {"done": "[green]✓[/]", "skipped": "[cyan]=[/]", "failed": "[red]✗[/]"}


@contextmanager
def watching(plan: Plan, console: Console) -> Iterator[Watcher]:
    """Something to hand events to for the time of the block."""
    names = [stage.name for stage in plan.stages]
    if not console.is_terminal:
        yield PlainWatcher(names, lambda line: console.print(line, markup=False, soft_wrap=True))
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
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
        self._say(f"    {event.message}" + ("" if event.fraction is None else f" ({event.fraction:.0%})"))

    def _heading(self, event: Event) -> str:
        return f"[{self._names.index(event.step) + 1}/{len(self._names)}] {event.step}"


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
        number = f"{self._names.index(event.step) + 1}/{len(self._names)}"
        known = event.fraction is not None
        self._progress.update(
            self._task,
            description=f"{number} [bold]{event.step}[/]: {escape(event.message)}",
            total=1.0 if known else None,
            completed=event.fraction or 0.0,
        )
