"""Every way to run the model in a place (format, engine, KV cache, layout): what it holds, and its room by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from planner.catalog import load_yaml
from planner.fits.accounts import FORMATS_APART, KV_MATTERS, Accounts, accounts, with_kv_format
from planner.fits.candidates import Fleet, Offer, layout_sizes
from planner.fits.sweep import sweep
from planner.frontier.places import Place
from planner.memory.kv_cache import kv_cache
from planner.memory.sizing import layout_problem
from planner.models.model import Model
from planner.models.shape import Shape
from planner.request import Request, Workload
from planner.schemes import scheme
from planner.speed.loads import NO_LIMIT
from planner.speed.sweeping import Candidate
from planner.speed.work import Layout, Stored
from rules.vocabulary import EngineId, FormatId, KvFormat


@dataclass(frozen=True, slots=True)
class Run:
    """One way to run the model. `room` is the requests one copy's cache holds, for each of `counted_at()`."""

    place: Place
    offer: Offer
    tensor_parallel: int
    replicas: int
    stored: Stored
    room: tuple[float, ...]

    @property
    def accelerators(self) -> int:
        return self.tensor_parallel * self.replicas

    @property
    def as_candidate(self) -> Candidate:
        """What the speed model asks for."""
        return Candidate(
            engine=self.offer.engine,
            kernel=self.offer.kernel.name,
            accelerator=self.place.accelerator,
            activation=scheme(self.offer.format).activation,
            stored=self.stored,
            layout=Layout(tensor_parallel=self.tensor_parallel),
        )


def counted_at() -> tuple[int, ...]:
    """Batch limits at which an engine's memory is counted."""
    return tuple(load_yaml("frontier.yaml")["memory_is_counted_at"])


def all_runs(model: Model, found: Sequence[Place], request: Request) -> list[Run]:
    """All ways to run the model in all places whose weights leave room for a request at least."""
    ways = _Ways(Fleet((model,)), request.workload)
    wanted = request.tensor_parallel
    return [run for place in found for size in _sizes(place, wanted) for run in ways.runs(place, size)]


def _sizes(place: Place, wanted: int | None) -> tuple[int, ...]:
    """Accelerators of one copy; of a machine that is rented as a whole all are used."""
    sizes = layout_sizes(place.hardware.count)
    return sizes if wanted is None else tuple(size for size in (wanted,) if size <= place.hardware.count)


@dataclass(frozen=True)
class _Ways:
    """One model anywhere. What does not depend on the GPU (weights, bytes of a request) is worked out once."""

    fleet: Fleet
    workload: Workload
    weights: dict[tuple[EngineId, FormatId, int], float] = field(default_factory=dict)
    requests: dict[tuple[EngineId, KvFormat, int], float] = field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        return self.fleet.shapes[0]

    def runs(self, place: Place, size: int) -> Iterator[Run]:
        """All formats, engines and caches in one layout."""
        if layout_problem(self.shape, size) is not None:
            return
        groups: dict[tuple[EngineId, bool, KvFormat], list[Offer]] = {}
        for offer in place.offered:
            apart = self.shape.is_moe and offer.format in FORMATS_APART
            groups.setdefault((offer.engine, apart, offer.kv_format), []).append(offer)
        copies = max(1, place.hardware.count // size) if place.whole else 1
        spending: dict[tuple[EngineId, bool, KvFormat | None], list[Accounts]] = {}
        for (engine, apart, kv_format), offered in groups.items():
            key = (engine, apart, kv_format if engine in KV_MATTERS else None)
            if key not in spending:
                spending[key] = self._accounts(place, engine, kv_format, size, offered[0].format if apart else "bf16")
            weights = np.array([self._weights(place, offer, size) for offer in offered])
            pools = np.stack([accounts.pools(weights) for accounts in spending[key]], axis=1)
            one = self._request_bytes(spending[key][0], engine, kv_format, size)
            rooms = pools / one if one else np.where(pools >= 0, NO_LIMIT, -1.0)
            for offer, held, room in zip(offered, weights.tolist(), rooms.tolist(), strict=True):
                if max(room) >= 1:
                    yield Run(place, offer, size, copies, self._stored(offer, size, held), tuple(room))

    def _accounts(self, place: Place, engine: EngineId, kv_format: KvFormat, size: int, format: str) -> list[Accounts]:
        """The engine's sums when it is started for each batch limit."""
        asked = (self.workload.model_copy(update={"concurrency": batch}) for batch in counted_at())
        return [accounts([self.shape], [place.hardware], engine, kv_format, size, [load], format) for load in asked]

    def _weights(self, place: Place, offer: Offer, size: int) -> float:
        """Bytes of the weights on one accelerator."""
        key = (offer.engine, offer.format, size)
        if key not in self.weights:
            several = replace(place.hardware, count=size)
            offered = [other for other in place.offered if other.kv_format == offer.kv_format]
            columns = sweep(self.fleet, (several,), offered, [self.workload.served_context_tokens], 1)
            for number, weight_bytes in enumerate(columns.weight_bytes.tolist()):
                other = offered[int(columns.offer[number])]
                self.weights[other.engine, other.format, int(columns.tensor_parallel[number])] = weight_bytes
        return self.weights[key]

    def _request_bytes(self, known: Accounts, engine: EngineId, kv_format: KvFormat, size: int) -> float:
        """Bytes one request of the served context takes on one accelerator, as the engine's pages hold it."""
        key = (engine, kv_format, size)
        if key not in self.requests:
            relaid = known if engine in KV_MATTERS else with_kv_format(known, [self.shape], engine, kv_format, size)
            self.requests[key] = relaid.layouts[0].sequence_bytes(self.workload.served_context_tokens)
        return self.requests[key]

    def _stored(self, offer: Offer, size: int, weights: float) -> Stored:
        cache = kv_cache(self.shape, offer.kv_format, size, offer.engine)
        context = self.workload.served_context_tokens
        per_token = cache.bytes_per_token if cache.is_proportional else cache.sequence_bytes(context) / context
        return Stored.of(scheme(offer.format), weights, per_token)
