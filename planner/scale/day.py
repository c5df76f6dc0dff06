"""The simulated day: steps of seconds over all copies at once.

In each step machines fail, spot copies are reclaimed, the autoscaler is asked, what comes is shared out (the emptier
copy first, as a router that counts requests does), and every serving copy does what its curve says. Requests of a copy
that is lost start again elsewhere. What comes is not drawn: the chance of single requests is in the curve already.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from planner.scale.pool import Pool
from planner.scale.tally import Tally
from planner.scale.trace import Trace

if TYPE_CHECKING:
    from planner.fits.arrays import Flags, Floats, Ints

NEVER = np.inf
SECONDS_PER_HOUR = 3600.0


@dataclass(slots=True)
class Counts:
    """What a day came to, so far; requests are fluid, so these are not whole."""

    requests: float = 0.0
    within: float = 0.0
    usd: float = 0.0
    copy_hours: float = 0.0
    reclaims: int = 0
    node_failures: int = 0
    starts: int = 0
    longest_queue_s: float = 0.0


@dataclass(slots=True)
class Series:
    """One entry a step: requests a second that came, copies that serve and that start, the part within its targets."""

    offered_per_s: list[float] = field(default_factory=list)
    serving: list[int] = field(default_factory=list)
    starting: list[int] = field(default_factory=list)
    within: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Day:
    """One run. A copy is a slot: on or off, serving from `ready_s`, with `queue` requests not begun, `aboard` begun."""

    pool: Pool
    trace: Trace
    random: np.random.Generator
    on: Flags
    ready_s: Floats
    queue: Floats
    aboard: Floats
    is_spot: Flags
    node: Ints
    homeless: float = 0.0
    now_s: float = 0.0
    asked_at_s: float = 0.0
    wanted: deque[tuple[float, int]] = field(default_factory=deque)
    counts: Counts = field(default_factory=Counts)
    series: Series = field(default_factory=Series)
    ttft: Tally = field(default_factory=Tally)
    tpot: Tally = field(default_factory=Tally)

    @classmethod
    def of(cls, pool: Pool, trace: Trace, seed: int) -> Day:
        """The first step finds the copies that its load wants, serving."""
        slots = pool.autoscaler.most
        number = np.arange(slots)
        on_demand = slots - round(slots * pool.rent.spot_share)
        day = cls(
            pool=pool,
            trace=trace,
            random=np.random.default_rng(seed),
            on=np.zeros(slots, dtype=bool),
            ready_s=np.full(slots, NEVER),
            queue=np.zeros(slots),
            aboard=np.zeros(slots),
            is_spot=number >= on_demand,
            node=number // pool.copies_per_node,
        )
        first = day.copies_wanted(float(trace.requests_per_s[0]))
        day.on[:first], day.ready_s[:first] = True, 0.0
        return day

    def run(self) -> None:
        step_s = self.trace.step_s
        for rate in self.trace.requests_per_s:
            self.lose_nodes(step_s)
            self.lose_spot(step_s)
            self.scale(float(rate))
            self.serve(float(rate) * step_s, step_s)
            self.now_s += step_s

    def copies_wanted(self, rate: float) -> int:
        """What carries this rate at the target share, within the autoscaler's bounds."""
        scaler = self.pool.autoscaler
        each = self.pool.curve.capacity_per_s * scaler.target_busy_share
        return int(min(max(np.ceil(rate / each), scaler.least), scaler.most))

    def scale(self, rate: float) -> None:
        """Up at once, down to the most that was wanted lately; within the tolerance nothing changes."""
        scaler = self.pool.autoscaler
        if self.now_s < self.asked_at_s:
            return
        self.asked_at_s = self.now_s + scaler.interval_s
        there, wanted = int(self.on.sum()), self.copies_wanted(rate)
        if abs(wanted - there) <= scaler.tolerance * there and scaler.least <= there:
            wanted = there
        self.wanted.append((self.now_s, wanted))
        while self.wanted[0][0] < self.now_s - scaler.down_after_s:
            self.wanted.popleft()
        lately = max(count for _, count in self.wanted)
        if wanted > there:
            self.start(wanted - there)
        elif lately < there:
            self.stop(there - lately)

    def start(self, count: int) -> None:
        new = np.flatnonzero(~self.on)[:count]
        self.on[new], self.ready_s[new] = True, self.now_s + self.pool.start_s
        self.counts.starts += len(new)

    def stop(self, count: int) -> None:
        """The last slots; what waits there goes to the others (what runs there is finished first)."""
        self.drop(np.flatnonzero(self.on)[::-1][:count])
        self.ready_s[~self.on] = NEVER

    def drop(self, slots: Ints) -> None:
        self.homeless += float(self.queue[slots].sum())
        self.queue[slots] = 0.0
        self.on[slots] = False

    def lose_nodes(self, step_s: float) -> None:
        """A machine that fails takes its copies along; they start again on a spare one."""
        if self.pool.node_mtbf_hours is None:
            return
        chance = -np.expm1(-step_s / (self.pool.node_mtbf_hours * SECONDS_PER_HOUR))
        used = np.unique(self.node[self.on])
        lost = used[self.random.random(len(used)) < chance]
        self.counts.node_failures += len(lost)
        self.restart(np.flatnonzero(self.on & np.isin(self.node, lost)), self.pool.start_s)

    def lose_spot(self, step_s: float) -> None:
        """A reclaimed copy comes back on another machine, if one is to be had, after that machine's start."""
        rate = self.pool.rent.reclaims_per_hour
        if not rate:
            return
        chance = -np.expm1(-rate * step_s / SECONDS_PER_HOUR)
        lost = np.flatnonzero(self.on & self.is_spot & (self.random.random(len(self.on)) < chance))
        self.counts.reclaims += len(lost)
        self.restart(lost, self.pool.node_s + self.pool.start_s)

    def restart(self, slots: Ints, after_s: float) -> None:
        """The same slots, empty, serving again later; requests they were working on start again elsewhere."""
        if len(slots):
            self.homeless += float((self.queue[slots] + self.aboard[slots]).sum())
            self.queue[slots] = self.aboard[slots] = 0.0
            self.ready_s[slots] = self.now_s + after_s

    def serve(self, came: float, step_s: float) -> None:
        up = np.flatnonzero(self.on & (self.ready_s <= self.now_s))
        self.pay(step_s)
        curve = self.pool.curve
        self.counts.requests += came
        if not len(up):
            self.homeless += came
            self.note(came, step_s, 0, 0.0)
            return
        given = shared_out(came + self.homeless, self.queue[up])
        self.homeless = 0.0
        before = self.queue[up]
        after = np.maximum(before + given - curve.capacity_per_s * step_s, 0.0)
        self.queue[up], self.aboard[up] = after, np.interp(before + given, curve.rates * step_s, curve.aboard)
        within = self.tell(before, given, after)
        self.note(came, step_s, len(up), within / given.sum() if given.sum() else 1.0)

    def tell(self, before: Floats, given: Floats, after: Floats) -> float:
        """Counts what the requests given in this step wait for; those of them within the targets.

        Copies whose queues are alike to a hundredth of a request are told together.
        """
        _, first, alike = np.unique(before.round(2), return_index=True, return_inverse=True)
        requests: Floats = np.bincount(alike, weights=given).astype(np.float64)
        before, given, after = before[first], given[first], after[first]
        curve = self.pool.curve
        waiting_ms = 1000 * (before + after) / 2 / curve.capacity_per_s
        busy = np.minimum((before + given) / self.trace.step_s, curve.highest_per_s)
        self.ttft.add(curve.at(curve.ttft_ms, busy) + waiting_ms[:, None], requests)
        self.tpot.add(curve.at(curve.tpot_ms, busy), requests)
        met = curve.at(curve.ttft_within_ms, busy) + waiting_ms[:, None] <= self.target_ms
        within = float((met.mean(axis=1) * requests).sum())
        self.counts.within += within
        self.counts.longest_queue_s = max(self.counts.longest_queue_s, float(waiting_ms.max()) / 1000)
        return within

    @property
    def target_ms(self) -> float:
        return self.pool.targets.ttft_ms if self.pool.targets.ttft_ms is not None else 1e11

    def pay(self, step_s: float) -> None:
        """Copies are paid for from the moment they are asked for, ready or not."""
        spot, rent = int((self.on & self.is_spot).sum()), self.pool.rent
        own = int(self.on.sum()) - spot
        hours = step_s / SECONDS_PER_HOUR
        self.counts.usd += hours * (own * rent.usd_per_hour + spot * rent.spot_usd_per_hour)
        self.counts.copy_hours += hours * (own + spot)

    def note(self, came: float, step_s: float, serving: int, within: float) -> None:
        self.series.offered_per_s.append(came / step_s)
        self.series.serving.append(serving)
        self.series.starting.append(int(self.on.sum()) - serving)
        self.series.within.append(within)


def shared_out(requests: float, queue: Floats) -> Floats:
    """Requests given to each copy so that the fullest is as empty as can be: the emptier are filled up to one level."""
    order = np.argsort(queue, kind="stable")
    ordered = queue[order]
    filled = np.arange(1, len(queue) + 1)
    levels = (requests + np.cumsum(ordered)) / filled
    reached = int(np.flatnonzero(levels >= ordered)[-1])
    given: Floats = np.maximum(levels[reached] - queue, 0.0)
    return given


def simulate_day(pool: Pool, trace: Trace, seed: int = 0) -> Day:
    """A whole trace over a pool; the same seed gives the same day."""
    day = Day.of(pool, trace, seed)
    day.run()
    return day
