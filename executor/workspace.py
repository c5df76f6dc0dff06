"""Where runs live: the journal, and one directory a run with its artefacts, logs and report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from executor.aside import remove_partials
from executor.locking import Held, is_locked, lock
from planner.errors import ExecutionFailed
from planner.home import home_directory

__all__ = ["Workspace", "home_directory", "journal_path"]


def journal_path(home: Path) -> Path:
    return home / "journal.sqlite"


@dataclass(frozen=True, slots=True)
class Workspace:
    """One run's directory. Whoever writes in it holds its lock."""

    run_id: str
    directory: Path

    @classmethod
    def of(cls, home: Path, run_id: str) -> Workspace:
        return cls(run_id, home / "runs" / run_id)

    @property
    def _lock_path(self) -> Path:
        return self.directory / ".lock"

    @property
    def home(self) -> Path:
        """Where this and all other runs live."""
        return self.directory.parent.parent

    @property
    def shared(self) -> Path:
        """Where finished files are kept for other runs, each under what it was made from."""
        return self.home / "artifacts"

    @property
    def in_use(self) -> bool:
        """Whether a process is applying this run's plan now."""
        return is_locked(self._lock_path)

    def log_path(self, position: int, step: str, attempt: int) -> Path:
        return self.directory / "logs" / f"{position:02d}-{step}.attempt-{attempt}.log"

    def clear(self) -> None:
        """Remove what a killed run left half-written."""
        remove_partials(self.directory)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the workspace for the block, cleared of half-written files. ExecutionFailed when another has it."""
        self.directory.mkdir(parents=True, exist_ok=True)
        try:
            with lock(self._lock_path):
                self.clear()
                yield
        except Held as held:
            raise ExecutionFailed(
                f"this plan is being applied already by {held}",
                where=f"run {self.run_id}",
                fix=f"wait for it (quantplan show {self.run_id}), or stop that process",
            ) from None
