"""What an engine spends besides weights and cache, for many models: its own accountant is asked once a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planner.fits.arrays import Floats, Ints
from planner.hardware.hardware import Hardware
from planner.memory.kv_cache import kv_cache
from planner.memory.sglang import RECURRENT_STATES, pools
from planner.memory.situation import Account, Layout, PlainLayout
from planner.memory.sizing import account_of, situation_for
from planner.memory.vllm_pages import Pages
from planner.memory.weights import NOTHING
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import Scheme, scheme
from planner.support import engines
from planner.units import GIB
from rules.vocabulary import EngineId, KvFormat

WEIGHT_LABELS = frozenset({"weights", "scales and zeros", "16-bit remainder"})
# An accountant's answer without weights holds for every format but these: vLLM keeps no expert workspace for MXFP4.
FORMATS_APART = frozenset({"mxfp4"})
# llama.cpp's compute buffer depends on the kind of cache (as does vLLM's null block on a CPU).
# TensorRT-LLM's reserve and SGLang's states are a share of what weights leave.
KV_MATTERS = frozenset({"llama.cpp"})
SHARES_WHAT_IS_LEFT = {"tensorrt-llm": "reserve", "sglang": RECURRENT_STATES}


@dataclass(frozen=True, eq=False, slots=True)
class Accounts:
    """Per model, in bytes: what the engine may use, what it spends, and the share of the rest it leaves unused."""

    available: Floats
    spent: Floats
    unused_share: Floats
    layouts: Sequence[Layout]

    def pools(self, weights: Floats) -> Floats:
        """Room for the KV cache beside weights of that many bytes; negative where they do not fit."""
        left = self.available - self.spent - weights
        room: Floats = left - np.maximum(left, 0) * self.unused_share
        return room

    def with_spent(self, models: Ints, spent: Floats) -> Accounts:
        """The same, where some of the models spend otherwise."""
        changed = self.spent.copy()
        changed[models] = spent
        return replace(self, spent=changed)


def accounts(
    shapes: Sequence[Shape],
    places: Sequence[Hardware],
    engine: EngineId,
    kv_format: KvFormat,
    tensor_parallel: int,
    workloads: Sequence[Workload],
    format: str = "bf16",
) -> Accounts:
    """The engine's sums without weights, one for each model in its place, with its workload."""
    stand_in = scheme(format)
    answers = [
        _account(shape, hardware, engine, kv_format, tensor_parallel, workload, stand_in)
        for shape, hardware, workload in zip(shapes, places, workloads, strict=True)
    ]
    spending = np.array([_spending(engine, account) for account in answers]).reshape(-1, 2)
    available = np.array([account.available_gib for account in answers]) * GIB
    return Accounts(available, spending[:, 0] * GIB, spending[:, 1], [account.layout for account in answers])


def with_kv_format(
    known: Accounts, shapes: Sequence[Shape], engine: EngineId, kv_format: KvFormat, tensor_parallel: int
) -> Accounts:
    """The same sums, where they do not depend on the cache, with another kind of cache laid out."""
    layouts = [
        _relaid(layout, shape, engine, kv_format, tensor_parallel)
        for layout, shape in zip(known.layouts, shapes, strict=True)
    ]
    return replace(known, layouts=layouts)


def _account(
    shape: Shape,
    hardware: Hardware,
    engine: EngineId,
    kv_format: KvFormat,
    tensor_parallel: int,
    workload: Workload,
    stand_in: Scheme,
) -> Account:
    situation = situation_for(
        shape,
        hardware,
        stand_in,
        NOTHING,
        engine=engine,
        engine_version=engines()[engine].version_on(hardware),
        tensor_parallel=tensor_parallel,
        kv_format=kv_format,
        workload=workload,
    )
    return account_of(engine, situation)


def _spending(engine: EngineId, account: Account) -> tuple[float, float]:
    """GiB of all terms besides the weights, and the share of the rest that goes unused."""
    spent = sum(term.predicted_gib for term in account.terms if term.label not in WEIGHT_LABELS)
    if engine not in SHARES_WHAT_IS_LEFT:
        return spent, 0.0
    shared = SHARES_WHAT_IS_LEFT[engine]
    reserve = sum(term.predicted_gib for term in account.terms if term.label == shared)
    left = account.available_gib - spent + reserve
    return spent - reserve, reserve / left if left > 0 else 0.0


def _relaid(layout: Layout, shape: Shape, engine: str, kv_format: str, tensor_parallel: int) -> Layout:
    assert isinstance(layout, Pages | PlainLayout)
    kv = kv_cache(shape, kv_format, tensor_parallel, engine)
    return replace(layout, kv=pools(kv, shape) if engine == "sglang" else kv)
