"""The sweep: every run at every batch limit it has room for, timed in one pass, priced and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planner.catalog import load_yaml
from planner.costs.formula import MILLION, SECONDS_PER_HOUR
from planner.fits.arrays import Flags, Floats, Ints
from planner.fits.settings import kv_formats, quality_tiers
from planner.frontier.pareto import pareto
from planner.frontier.runs import Run, counted_at
from planner.models.model import Model
from planner.request import Request
from planner.speed.constants import gpu_class
from planner.speed.measured import support
from planner.speed.sweeping import Speeds, speed_many

KV_PLACES = 8  # more than any engine has kinds of cache
ALMOST = 1e-9  # of a copy: no copy more for a rounding error


@dataclass(frozen=True, eq=False)
class Swept:
    """One entry a candidate: run `which[i]` with `batch[i]` requests in flight on each copy, kept full."""

    runs: Sequence[Run]
    request: Request
    which: Ints
    batch: Ints
    speeds: Speeds

    def __len__(self) -> int:
        return len(self.which)

    @cached_property
    def replicas(self) -> Ints:
        """Copies: those that fill the machine, or where copies are rented one by one those that the load takes."""
        return self._replicas(self.speeds.tokens_per_s)

    @cached_property
    def usd_per_hour(self) -> Floats:
        """Of all accelerators."""
        return self._usd_per_copy * self.replicas

    @cached_property
    def tokens_per_s(self) -> Floats:
        """Output tokens that all copies make when they are full."""
        return self.speeds.tokens_per_s * self.replicas

    @cached_property
    def serves(self) -> Flags:
        """Whether the copies are no busier than planned under the load that was asked for; all do where none was."""
        load = self._asked_tokens_per_s
        planned = self.tokens_per_s * self.request.price.utilisation
        return np.ones(len(self), dtype=bool) if load is None else planned >= load * (1 - ALMOST)

    @cached_property
    def usd_per_1m(self) -> Floats:
        """USD per million output tokens that carry the whole cost (B.cost.formula)."""
        return self.usd_per_1m_at(self.speeds.tokens_per_s)

    def usd_per_1m_at(self, tokens_per_s: Floats) -> Floats:
        """The same where one copy makes so many tokens a second."""
        copies, load = self._replicas(tokens_per_s), self._asked_tokens_per_s
        planned = tokens_per_s * copies * self.request.price.utilisation
        delivered = planned if load is None else np.minimum(planned, load)
        return self._usd_per_copy * copies / (delivered * SECONDS_PER_HOUR) * MILLION

    @cached_property
    def _usd_per_copy(self) -> Floats:
        usd: Floats = np.array([run.place.hourly.usd_per_hour * run.tensor_parallel for run in self.runs])[self.which]
        return usd

    @property
    def _asked_tokens_per_s(self) -> float | None:
        """Output tokens a second that the load comes to; None where each copy is kept full."""
        workload = self.request.workload
        return None if workload.requests_per_s is None else workload.requests_per_s * workload.output_tokens

    def _replicas(self, tokens_per_s: Floats) -> Ints:
        filling: Ints = np.array([run.replicas for run in self.runs], dtype=np.int64)[self.which]
        load = self._asked_tokens_per_s
        if load is None:
            return filling
        rented_alone = np.array([not run.place.whole for run in self.runs])[self.which]
        taken = np.ceil(load / (np.nan_to_num(tokens_per_s, nan=np.inf) * self.request.price.utilisation) - ALMOST)
        return np.where(rented_alone, np.maximum(taken, 1), filling).astype(np.int64)

    @cached_property
    def losses(self) -> Ints:
        """The lower, the less quality is lost: the format's class, then the kind of KV cache."""
        losses: Ints = np.array([_loss(run) for run in self.runs], dtype=np.int64)[self.which]
        return losses

    @cached_property
    def avoided(self) -> Flags:
        """What a rule of the book tells to avoid."""
        avoided: Flags = np.array([bool(run.place.rule_against(run.offer)) for run in self.runs])[self.which]
        return avoided

    @cached_property
    def known(self) -> Flags:
        """What the speed model does not abstain on."""
        found: Flags = ~np.isnan(self.speeds.tpot_ms)
        return found

    @cached_property
    def meets(self) -> Flags:
        """What serves the load and meets the targets for the time to the first token and between tokens (means)."""
        level = self.request.service_level
        meets = self.known & self.serves
        for target, values in ((level.ttft_ms, self.speeds.ttft_ms), (level.tpot_ms, self.speeds.tpot_ms)):
            if target is not None:
                meets &= values <= target
        return meets

    @cached_property
    def only_bounds(self) -> Flags:
        """What is timed by its datasheet, or by engines of another family: nothing near it was measured."""
        bounds: Flags = np.array([_is_bound(run) for run in self.runs], dtype=bool)[self.which]
        return bounds

    @cached_property
    def in_set(self) -> Flags:
        """The Pareto set of cost, delay and loss of quality, of what meets the targets and is not avoided.

        By throughput the two are USD an hour and output tokens a second instead. A bound of a datasheet beats nothing:
        such candidates stand in the set only where there are no others.
        """
        allowed = self.meets & ~self.avoided
        predicted = allowed & ~self.only_bounds
        return self._unbeaten(np.flatnonzero(predicted if predicted.any() else allowed))

    @cached_property
    def avoided_in_set(self) -> Flags:
        """What would be in the set if no rule advised against it."""
        predicted = self.meets & ~self.only_bounds
        found: Flags = self._unbeaten(np.flatnonzero(predicted)) & self.avoided
        return found

    def _unbeaten(self, among: Ints) -> Flags:
        by_rate = self.request.objective == "throughput"
        costs, delays = (self.usd_per_hour, -self.tokens_per_s) if by_rate else (self.usd_per_1m, self.speeds.tpot_ms)
        fewest = among[np.argsort(self.usd_per_hour[among], kind="stable")]  # of equals the smallest machine
        chosen = np.zeros(len(self), dtype=bool)
        chosen[fewest[pareto(costs[fewest], delays[fewest], self.losses[fewest])]] = True
        return chosen

    @cached_property
    def order(self) -> Ints:
        """The Pareto set, best by the objective first."""
        return self.ranked(np.flatnonzero(self.in_set))

    def ranked(self, numbers: Ints) -> Ints:
        """These candidates, best by the objective first."""
        return numbers[np.lexsort(tuple(reversed([key[numbers] for key in self._keys()])))]

    def _keys(self) -> list[Floats]:
        cost, delay, rate = self.usd_per_1m, self.speeds.tpot_ms, -self.tokens_per_s
        return {
            "latency": [delay, cost],
            "throughput": [rate, self.usd_per_hour],
            "quality": [self.losses.astype(np.float64), cost],
        }.get(self.request.objective, [cost, delay])


def swept(model: Model, runs: Sequence[Run], request: Request) -> Swept:
    """All candidates with their speeds; `request` gives lengths, targets, objective and utilisation."""
    which, batch = _batches(runs)
    workload = request.workload
    speeds = speed_many(
        model.shape,
        [run.as_candidate for run in runs],
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        concurrency=batch,
        which=which,
    )
    return Swept(runs, request, which, batch, speeds)


def _is_bound(run: Run) -> bool:
    known = support(run.offer.engine, run.offer.kernel.name, gpu_class(run.place.accelerator))
    return known is not None and (known.is_bound or known.foreign)


def _loss(run: Run) -> int:
    """The format's class of quality, then the place of the KV cache among those the engine offers."""
    return quality_tiers()[run.offer.format][0] * KV_PLACES + kv_formats(run.offer.engine).index(run.offer.kv_format)


def _batches(runs: Sequence[Run]) -> tuple[Ints, Ints]:
    """Each run with each batch limit that its cache has room for."""
    limits = np.array(load_yaml("frontier.yaml")["batch_limits"], dtype=np.int64)
    counted = np.searchsorted(np.array(counted_at()), limits)
    room = np.array([run.room for run in runs])
    holds = room[:, np.minimum(counted, room.shape[1] - 1)] >= limits
    which, at = np.nonzero(holds)
    return which, limits[at]
