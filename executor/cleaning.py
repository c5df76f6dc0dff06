"""Old runs, removed: their directories, their lines in the journal, and shared files that no run links to any more."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from executor.deployments.deployment import all_deployments
from executor.journal import Journal, JournalledRun
from executor.locking import lock
from executor.workspace import Workspace
from planner.ports import Removal

SECONDS_A_DAY = 86_400.0
RECORD = "record.json"


def remove_runs(home: Path, journal: Journal, run_ids: Sequence[str], *, dry: bool) -> Removal:
    """Remove these runs; one that is being applied, or whose files are being served, is kept and named."""
    kept = {run_id: why for run_id in run_ids if (why := reason_to_keep(home, journal, run_id))}
    gone = [run_id for run_id in run_ids if run_id not in kept]
    directories = [Workspace.of(home, run_id).directory for run_id in gone]
    freed = freed_bytes(home, directories)
    if not dry:
        for run_id, directory in zip(gone, directories, strict=True):
            journal.remove_run(run_id)
            shutil.rmtree(directory, ignore_errors=True)
        remove_unused_shares(home)
    return Removal(tuple(gone), freed, tuple(kept.items()))


def clean(home: Path, journal: Journal, *, older_than_days: float, dry: bool) -> Removal:
    """Remove runs that never finished, finished ones older than this, and shared files nobody uses."""
    oldest = time.time() - older_than_days * SECONDS_A_DAY
    stale = [run.run_id for run in journal.runs() if is_stale(run, oldest) and not _in_use(home, run.run_id)]
    return remove_runs(home, journal, stale, dry=dry)


def is_stale(run: JournalledRun, oldest: float) -> bool:
    return run.state != "done" or run.started_at < oldest


def reason_to_keep(home: Path, journal: Journal, run_id: str) -> str:
    """Why a run must stay; empty when it may go."""
    if _in_use(home, run_id):
        return "it is being applied now"
    directory = Workspace.of(home, run_id).directory
    for deployment in all_deployments(journal):
        if deployment.state == "running" and (deployment.run_id == run_id or _serves_from(directory, deployment.model)):
            return f"its files are served at {deployment.url} (quantplan stop {deployment.deployment_id})"
    return ""


def freed_bytes(home: Path, directories: Sequence[Path]) -> int:
    """Bytes that leave the disk with these directories: a file linked from elsewhere too stays, until nothing links it.

    The shared store's own link does not count: it goes with the last run that uses the file.
    """
    links: dict[tuple[int, int], list[int]] = {}
    for path in _all_files([*directories, home / "artifacts"]):
        found = path.lstat()
        seen = links.setdefault((found.st_dev, found.st_ino), [found.st_size, found.st_nlink, 0])
        seen[2] += 1
    ours = {(f.st_dev, f.st_ino) for f in (path.lstat() for path in _all_files(directories))}
    unused = {(f.st_dev, f.st_ino) for f in (path.lstat() for path in _all_files([home / "artifacts"]))}
    return sum(size for file, (size, count, seen) in links.items() if file in ours | unused and seen == count)


def remove_unused_shares(home: Path) -> None:
    """Remove shared entries whose every file is linked from the store alone."""
    store = home / "artifacts"
    if not store.is_dir():
        return
    with lock(store.with_suffix(".lock"), waiting=lambda holder: None):
        for entry in store.iterdir():
            shared = [path for path in _all_files([entry]) if path.name != RECORD]
            if all(path.lstat().st_nlink == 1 for path in shared):
                shutil.rmtree(entry, ignore_errors=True)


def _in_use(home: Path, run_id: str) -> bool:
    return Workspace.of(home, run_id).in_use


def _serves_from(directory: Path, model: str) -> bool:
    return Path(model).is_relative_to(directory)


def _all_files(directories: Sequence[Path]) -> Iterator[Path]:
    for directory in directories:
        if directory.is_dir():
            yield from (path for path in directory.rglob("*") if path.is_file() and not path.is_symlink())
