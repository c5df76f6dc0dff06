"""The page that benchmarks/capacity.py writes: what was measured, the assumptions, and what follows from both."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import fill

WIDTH = 118
BUSY = 0.7
PEAK_OVER_MEAN = 3.0
NEW_SHARE = 0.1
DAY_S, DAYS_A_YEAR, YEARS = 86_400, 365, 5
CORES = (2, 8, 32)
PLANS_A_DAY = (10_000, 1_000_000, 100_000_000)
RUNS_OF_PLANS = 0.01
LINES_A_DAY = 1_000_000
POOL = 18
DEFAULT_CONNECTIONS = 100
GB = 1e9


@dataclass(frozen=True, slots=True)
class Rate:
    """One load: requests (or lines) a second, 99 of 100 answered within, cores used by the service and the database."""

    per_s: float
    p99_ms: float
    service_cores: float
    database_cores: float

    @property
    def core_ms(self) -> float:
        """Milliseconds of a core that one takes, service and database together."""
        return 1000 * (self.service_cores + self.database_cores) / self.per_s


@dataclass(frozen=True, slots=True)
class Worker:
    """What so many workers gave. `connections`: the most that were open at once."""

    workers: int
    known: Rate
    new: Rate
    lines: Rate
    connections: int


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes of one line in PostgreSQL, its share of the indexes and of unused space in pages with it."""

    plan: float
    run: float
    event: float
    measurement: float


@dataclass(frozen=True, slots=True)
class Costs:
    """Milliseconds of a core for one request: with one worker, and with two."""

    one_ms: float
    two_ms: float

    @property
    def contention(self) -> float:
        """How much more it took with two workers than with one, as a part of it; 0: no more."""
        return max(self.two_ms / self.one_ms - 1, 0.0)

    def per_s(self, cores: float) -> tuple[float, float]:
        """A second on so many cores: where each worker more costs as much as the second did; where none does."""
        growing = self.one_ms * (1 + self.contention * (cores - 1))
        return cores * BUSY * 1000 / max(growing, self.two_ms), cores * BUSY * 1000 / self.two_ms


def written(measured: Sequence[Worker], sizes: Bytes, version: str, events: int, load_before: float) -> str:
    """The page in Markdown. `load_before`: what else the machine was busy with, as a load average."""
    one, two = measured
    known, new, lines = (
        Costs(getattr(one, name).core_ms, getattr(two, name).core_ms) for name in ("known", "new", "lines")
    )
    ones, twos = ((1 - NEW_SHARE) * worker.known.core_ms + NEW_SHARE * worker.new.core_ms for worker in (one, two))
    mixed = Costs(ones, twos)
    parts = [
        _head(version, load_before),
        _measured(measured),
        _bytes(sizes, measured),
        _assumed(known, new, lines, events),
        _by_cores(known, new, mixed, lines),
        _by_plans(mixed, sizes, events),
        _by_lines(lines, sizes),
    ]
    return "\n".join(parts)


def _head(version: str, load_before: float) -> str:
    said = (
        f"Measured {date.today()} on {machine()}, with PostgreSQL {version} and Python {platform.python_version()} on "
        "the same cores as the load (`wrk`, eight connections; for the ledger a hundred) and as other work: the load "
        f"average was {load_before:.1f} before it began. So rates and waits are those of a busy machine; the core time "
        "of a request depends less on that, and is what the rest is worked out from, below its assumptions."
    )
    note = "<!-- Written by benchmarks/capacity.py. Do not edit: run it again (`make bench-capacity`). -->"
    return "\n".join([note, "# What the service carries", "", fill(said, WIDTH), "", "## Measured", ""])


def _measured(measured: Sequence[Worker]) -> str:
    rows = [
        "| load | workers | a second | p99 ms | cores: service | database | core time of one |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, says in SAYS.items():
        for worker in measured:
            found: Rate = getattr(worker, name)
            rows.append(
                f"| {says} | {worker.workers} | {found.per_s:,.0f} | {found.p99_ms:,.1f} | {found.service_cores:.2f} | "
                f"{found.database_cores:.2f} | {found.core_ms:.2f} ms |"
            )
    return "\n".join([*rows, ""])


SAYS = {
    "known": "plans asked for before",
    "new": "plans never asked for before",
    "lines": "lines of the ledger, ten a report, 100 executors at once",
}


def _bytes(sizes: Bytes, measured: Sequence[Worker]) -> str:
    most = " and ".join(f"{worker.connections} with {worker.workers}" for worker in measured)
    connections = (
        f"Connections to PostgreSQL, by workers: at most {most}. A worker may open {POOL} (a pool of 8, and 10 more",
        f"under load), so PostgreSQL's default of {DEFAULT_CONNECTIONS} is enough for {DEFAULT_CONNECTIONS // POOL}",
        "workers; beyond that raise `max_connections` or put a pooler between.",
    )
    return f"""\
| one | bytes in the database, with indexes |
|---|---|
| plan | {sizes.plan:,.0f} |
| run | {sizes.run:,.0f} |
| event of a run | {sizes.event:,.0f} |
| measurement | {sizes.measurement:,.0f} |

{fill(" ".join(connections), WIDTH)}
"""


def _assumed(known: Costs, new: Costs, lines: Costs, events: int) -> str:
    said = (
        "Cores elsewhere are as fast as these, and a request takes the core time that it took here with two workers, "
        "the database's with it. Load generators stand elsewhere.",
        "Workers share nothing but the database. With two of them a request took more core time than with one: "
        f"{known.contention:.0%} (asked before), {new.contention:.0%} (new), {lines.contention:.0%} (a line). Where "
        "two figures are given, the lower lets that grow with every worker more (the universal scalability law, "
        "without its coherence term), and the upper lets it stay. Here two workers, the database and the load had two "
        "cores between them, so the growth is more than the workers' own; more than two were not measured.",
        f"Cores are planned {BUSY:.0%} busy. The busiest hour has {PEAK_OVER_MEAN:g} times the mean of its day.",
        f"One plan in {1 / NEW_SHARE:.0f} was never asked for before, and only those are kept. One plan in "
        f"{1 / RUNS_OF_PLANS:.0f} is carried out; a run tells {events} events. Nothing is ever deleted.",
    )
    items = (fill(each, WIDTH, initial_indent="- ", subsequent_indent="  ") for each in said)
    return "\n".join(["## Assumed", "", *items, ""])


def _by_cores(known: Costs, new: Costs, mixed: Costs, lines: Costs) -> str:
    rows = [
        "## Worked out",
        "",
        "| cores | plans asked before, a second | new ones | one in ten new, a day | lines of the ledger, a second |",
        "|---|---|---|---|---|",
    ]
    for cores in CORES:
        a_day = tuple(each * DAY_S / PEAK_OVER_MEAN for each in mixed.per_s(cores))
        cells = (known.per_s(cores), new.per_s(cores), a_day, lines.per_s(cores))
        rows.append(f"| {cores} | " + " | ".join(_range(*cell) for cell in cells) + " |")
    return "\n".join([*rows, ""])


def _by_plans(mixed: Costs, sizes: Bytes, events: int) -> str:
    of_a_run = sizes.run + events * sizes.event
    rows = [
        "| plans a day | a second in the busiest hour | cores, contention as here | plans kept a year | disk a year "
        f"| in {YEARS} years |",
        "|---|---|---|---|---|---|",
    ]
    for plans in PLANS_A_DAY:
        peak = plans / DAY_S * PEAK_OVER_MEAN
        disk = plans * (NEW_SHARE * sizes.plan + RUNS_OF_PLANS * of_a_run) * DAYS_A_YEAR
        rows.append(
            f"| {plans:,} | {_short(peak)} | {_short(peak * mixed.two_ms / 1000 / BUSY)} | "
            f"{_short(plans * NEW_SHARE * DAYS_A_YEAR)} | {_disk(disk)} | {_disk(disk * YEARS)} |"
        )
    return "\n".join([*rows, ""])


def _by_lines(lines: Costs, sizes: Bytes) -> str:
    a_year = LINES_A_DAY * DAYS_A_YEAR
    cores = LINES_A_DAY / DAY_S * PEAK_OVER_MEAN * lines.two_ms / 1000 / BUSY
    said = (
        f"A ledger of {LINES_A_DAY:,} measurements a day: {_short(cores)} cores in its busiest hour, "
        f"{a_year / 1e6:,.0f} million lines and {_disk(a_year * sizes.measurement)} a year."
    )
    return fill(said, WIDTH) + "\n"


def machine() -> str:
    """The processor by its own name, and how many cores this may use."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{len(os.sched_getaffinity(0))} cores of an {line.split(':', 1)[1].strip()}"
    return f"{os.cpu_count()} cores"


def _range(low: float, high: float) -> str:
    return _short(low) if _short(low) == _short(high) else f"{_short(low)} to {_short(high)}"


def _short(value: float) -> str:
    """Two figures: no more were measured."""
    rounded = float(f"{value:.2g}")
    if rounded >= 1e6:
        return f"{rounded / 1e6:,g} million"
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def _disk(size: float) -> str:
    return f"{_short(size / GB)} GB" if size < 1e12 else f"{_short(size / 1e12)} TB"
