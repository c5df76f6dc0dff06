"""A cap on processor cores: for this process, everything it starts, and the thread pools that ask the environment."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from planner.errors import BadInput

# What the tools' thread pools read: OpenMP, OpenBLAS, MKL, numexpr, Rayon (tokenizers), GPTQModel's CPU workers.
THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS",
    "GPTQMODEL_CPU_WORKERS",
)  # fmt: skip


@contextlib.contextmanager
def on_cores(count: int | None) -> Iterator[None]:
    """Within the block use at most `count` cores (None: all that are allowed). BadInput below 1."""
    if count is None:
        yield
        return
    if count < 1:
        raise BadInput(f"--cores {count}: at least one core is needed", fix="leave it out to use all cores")
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(count)))
    try:
        if allowed is not None:
            os.sched_setaffinity(0, sorted(allowed)[:count])
        yield
    finally:
        if allowed is not None:
            os.sched_setaffinity(0, allowed)
        _restore(before)


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
