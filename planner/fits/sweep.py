"""The sweep: every model in every format, KV cache and tensor-parallel layout on one kind of hardware, as columns.

The figures are those of `planner.memory.sizing.size_memory`, for one accelerator of a copy; `users` counts all copies.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

import numpy as np

from planner.fits.accounts import FORMATS_APART, KV_MATTERS, Accounts, accounts, with_kv_format
from planner.fits.arrays import Floats, Ints
from planner.fits.candidates import Columns, Fleet, Offer, layout_sizes
from planner.fits.staircases import Staircases, longest_contexts, staircases
from planner.fits.weights import gguf_sizes, loading_bytes, stored_bytes
from planner.hardware.hardware import Hardware
from planner.memory.llama_cpp import copies_head
from planner.memory.sizing import PYTORCH_ENGINES, layout_problem
from planner.memory.weights import model_weight_bytes, weight_bytes
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme, scheme
from rules.vocabulary import EngineId, FormatId, KvFormat


def sweep(
    fleet: Fleet, places: Sequence[Hardware], offered: Sequence[Offer], context_tokens: Sequence[int], users: int
) -> Columns:
    """Every candidate, sized for `users` requests of each model's `context_tokens` spread over its copies.

    The places are CPU hosts, or kinds of accelerators, as many of each.
    """
    blocks = [
        block
        for size in layout_sizes(places[0].count)
        for block in _Sweeper(fleet, places, offered, context_tokens, users, size).blocks()
    ]
    return Columns(*(np.concatenate([getattr(block, field.name) for block in blocks]) for field in fields(Columns)))


@dataclass(frozen=True, eq=False)
class _Sweeper:
    """The sweep of one tensor-parallel size: each place with each model that can be split so, place by place."""

    fleet: Fleet
    places: Sequence[Hardware]
    offered: Sequence[Offer]
    context_tokens: Sequence[int]
    users: int
    tensor_parallel: int
    apart: dict[FormatId, Accounts] = field(default_factory=dict)

    @cached_property
    def replicas(self) -> int:
        return max(1, max(self.places[0].count, 1) // self.tensor_parallel)

    @cached_property
    def users_per_copy(self) -> int:
        return -(-self.users // self.replicas)

    @cached_property
    def models(self) -> Ints:
        """The models that can be split this way, as numbers in the fleet; once for every place."""
        possible = [layout_problem(shape, self.tensor_parallel) is None for shape in self.fleet.shapes]
        return np.tile(np.flatnonzero(possible), len(self.places))

    @cached_property
    def place(self) -> Ints:
        """The number of the place of each of these."""
        return np.repeat(np.arange(len(self.places)), len(self.models) // len(self.places))

    @property
    def on_cpu(self) -> bool:
        return self.places[0].accelerator is None

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        return tuple(self.fleet.shapes[n] for n in self.models)

    @cached_property
    def contexts(self) -> Ints:
        return np.array([self.context_tokens[n] for n in self.models], dtype=np.int64)

    @cached_property
    def maxima(self) -> Ints:
        return np.array([shape.max_context_tokens for shape in self.shapes], dtype=np.int64)

    @cached_property
    def workloads(self) -> tuple[Workload, ...]:
        by_context = {
            int(c): Workload(context_tokens=int(c), concurrency=self.users_per_copy) for c in np.unique(self.contexts)
        }
        return tuple(by_context[int(c)] for c in self.contexts)

    def blocks(self) -> Iterator[Columns]:
        """One block of columns for each engine and kind of KV cache."""
        if not self.models.size:
            return
        for engine in dict.fromkeys(offer.engine for offer in self.offered):
            known: Accounts | None = None
            for kv_format in dict.fromkeys(offer.kv_format for offer in self.offered if offer.engine == engine):
                if known is None or engine in KV_MATTERS or self.on_cpu:
                    known = self._accounts(engine, kv_format)
                else:
                    known = with_kv_format(known, self.shapes, engine, kv_format, self.tensor_parallel)
                yield self._block(engine, kv_format, known)

    def _accounts(self, engine: EngineId, kv_format: KvFormat) -> Accounts:
        places = [self.places[n] for n in self.place]
        return accounts(self.shapes, places, engine, kv_format, self.tensor_parallel, self.workloads)

    def _block(self, engine: EngineId, kv_format: KvFormat, known: Accounts) -> Columns:
        """All formats of one engine and cache: `[formats, models]`, laid out flat."""
        numbers = [n for n, o in enumerate(self.offered) if (o.engine, o.kv_format) == (engine, kv_format)]
        formats = [self.offered[n].format for n in numbers]
        weights, extra = (np.stack(parts) for parts in zip(*(self._weights(engine, f) for f in formats), strict=True))
        pools = np.stack(
            [
                self._accounts_for(engine, kv_format, known, f).pools(held)
                for f, held in zip(formats, weights + extra, strict=True)
            ]
        )
        stairs = staircases(known.layouts)
        one = stairs.bytes(self.contexts)
        if self.on_cpu and engine == "llama.cpp":
            weights, pools = self._without_copies(known, formats, weights, pools, one * self.users_per_copy)
        with np.errstate(divide="ignore", invalid="ignore"):
            users = np.where(one > 0, np.maximum(pools, 0) / one, np.nan) * self.replicas
        return self._flat(numbers, weights, pools, pools - one * self.users_per_copy, users, stairs)

    def _flat(
        self, numbers: list[int], weights: Floats, pools: Floats, free: Floats, users: Floats, stairs: Staircases
    ) -> Columns:
        count, models = len(numbers), len(self.models)
        repeated = np.tile(np.arange(models), count)
        return Columns(
            model=np.tile(self.models, count),
            offer=np.repeat(np.array(numbers, dtype=np.int64), models),
            tensor_parallel=np.full(count * models, self.tensor_parallel, dtype=np.int64),
            replicas=np.full(count * models, self.replicas, dtype=np.int64),
            weight_bytes=weights.ravel(),
            pool_bytes=pools.ravel(),
            free_bytes=free.ravel(),
            users=users.ravel(),
            longest_context=longest_contexts(stairs.rows(repeated), pools.ravel(), self.maxima[repeated]),
            place=np.tile(self.place, count),
        )

    def _accounts_for(self, engine: EngineId, kv_format: KvFormat, known: Accounts, format: FormatId) -> Accounts:
        """The engine's sums for this format: the known ones, but for a format that changes what experts need."""
        if format not in FORMATS_APART:
            return known
        if format not in self.apart:
            experts = np.flatnonzero([shape.is_moe for shape in self.shapes])
            shapes, workloads = [self.shapes[n] for n in experts], [self.workloads[n] for n in experts]
            places = [self.places[self.place[n]] for n in experts]
            others = accounts(shapes, places, engine, kv_format, self.tensor_parallel, workloads, format)
            self.apart[format] = known.with_spent(experts, others.spent)
        return self.apart[format]

    def _weights(self, engine: EngineId, format: FormatId) -> tuple[Floats, Floats]:
        """Bytes of the weights on one accelerator, and of copies of them that the engine makes beside."""
        entry = scheme(format)
        if entry.ggml:
            held, copied = self._gguf_weights(entry)
        else:
            held = stored_bytes(self.fleet.table, entry, self.tensor_parallel)
            copied = np.zeros(len(held))
            if engine in PYTORCH_ENGINES:
                held = held + loading_bytes(self.fleet.table, entry, self.tensor_parallel, engine)
        return (held + self._on_disk(entry))[self.models], copied[self.models]

    def _without_copies(
        self, known: Accounts, formats: list[FormatId], weights: Floats, pools: Floats, needed: Floats
    ) -> tuple[Floats, Floats]:
        """Weights and room on a CPU; where a second copy leaves too little, llama.cpp is told to make none."""
        whole = [[size.total for size in gguf_sizes(self.fleet.table, scheme(f), None)] for f in formats]
        files = np.array(whole, dtype=float)[:, self.models]
        tight = pools < needed
        return np.where(tight, files, weights), np.where(tight, known.pools(files), pools)

    def _gguf_weights(self, entry: Scheme) -> tuple[Floats, Floats]:
        """llama.cpp leaves the embeddings on the host; on a CPU it copies some tensors and unmaps a few."""
        cpu = self.places[0].cpu if self.on_cpu else None
        sizes = gguf_sizes(self.fleet.table, entry, cpu.instruction_sets if cpu else None)
        held = [
            size.total - (size.unmapped if cpu else 0 if copies_head(shape) else size.looked_up)
            for size, shape in zip(sizes, self.fleet.shapes, strict=True)
        ]
        copied = [size.copied for size in sizes]
        return np.array(held) / self.tensor_parallel, np.array(copied) / self.tensor_parallel

    def _on_disk(self, entry: Scheme) -> Floats:
        """What a model's own checkpoint weighs more than its shape says, where it is stored in this format."""
        size = self.tensor_parallel
        return np.array(
            [
                model_weight_bytes(model, entry, None, size).total - weight_bytes(model.shape, entry, None, size).total
                if model.checkpoint
                else 0.0
                for model in self.fleet.models
            ]
        )
