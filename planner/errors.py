"""Every error a user can meet: what is wrong, where, the nearest valid value, and how to fix it."""

from __future__ import annotations

import errno
from collections.abc import Iterable
from difflib import get_close_matches


class QuantplanError(Exception):
    """One user-facing problem. `exit_code` is what the command line returns for it."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", nearest: Iterable[str] = (), fix: str = "") -> None:
        self.what, self.where, self.nearest, self.fix = what, where, tuple(nearest), fix
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.nearest:
            lines.append(f"Did you mean: {', '.join(self.nearest)}?")
        if self.fix:
            lines.append(f"To fix: {self.fix}")
        return "\n".join(lines)


class BadInput(QuantplanError):
    """The question itself is malformed: an unknown name, an impossible value, a broken file."""


class ExecutionFailed(QuantplanError):
    """A step of a run failed; the run can be resumed."""

    exit_code = 4


class ExecutorMissing(QuantplanError):
    """The planner was asked to execute and no executor is installed."""

    exit_code = 5


PARTIAL = ".partial"  # what is written aside is named so until it is whole
ELSEWHERE = "name a place you may write to; QUANTPLAN_HOME and QUANTPLAN_CACHE move quantplan's own files"
MORE_SPACE = "free some space, or name a larger disk; QUANTPLAN_HOME and QUANTPLAN_CACHE move quantplan's own files"
OTHER_PATH = "check the path: each directory on the way must be there"
FIXES = {
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), ELSEWHERE),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), MORE_SPACE),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG), OTHER_PATH),
}


def refused_by_the_system(error: OSError) -> BadInput | None:
    """What the operating system refused to do with a file, as an error people can act on; None for anything else."""
    if error.filename is None or error.errno not in FIXES:
        return None
    where = str(error.filename).split(PARTIAL)[0]
    return BadInput((error.strerror or "refused").lower(), where=where, fix=FIXES[error.errno])


def nearest(name: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names most like `name`, ignoring case, best first."""
    by_lower = {k.lower(): k for k in known}
    return [by_lower[m] for m in get_close_matches(name.lower(), by_lower, n=count, cutoff=0.4)]
