"""Many cases as arrays, one table a mode, and the planner's own formulas on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from speed_cases import Case

from planner.speed.anatomy import UNBOUNDED_TOKENS, CacheGroup
from planner.speed.batch.answering import measure
from planner.speed.constants import levels_of
from planner.speed.serving import ServingConstants
from planner.speed.steps import Rates
from planner.speed.work import Stored

KNEE = 3.0
MODES = ("agg", "disagg", "stream", "full")
STEP_CONSTANTS = [f.name for f in fields(Rates) if f.name != "knee"]
SERVING_CONSTANTS = [f.name for f in fields(ServingConstants)]
NOTHING_CACHED = CacheGroup(0.0, 0.0, 0.0, UNBOUNDED_TOKENS)


@dataclass(frozen=True)
class Table:
    """Cases of one mode and figure: the stacked question, the stacked figure, and which level each factor has."""

    cases: tuple[Case, ...]
    question: Any
    figure: Any
    few_tokens: np.ndarray

    def predicted(self, constants: Mapping[str, np.ndarray]) -> np.ndarray:
        """The figure of each case from the constants of each row."""
        prompt = Rates(**{name: constants[name] for name in STEP_CONSTANTS}, knee=KNEE)
        slow = constants["compute_efficiency"] * self.few_tokens
        decode = Rates(**{**{n: constants[n] for n in STEP_CONSTANTS}, "compute_efficiency": slow}, knee=KNEE)
        serving = ServingConstants(**{name: constants[name] for name in SERVING_CONSTANTS})
        return measure(self.figure, self.question, prompt, decode, serving)


def tables_of(cases: Sequence[Case], few_tokens: Mapping[str, float]) -> list[Table]:
    """Cases grouped so that one formula answers each group."""
    groups: dict[tuple[Any, ...], list[Case]] = {}
    for case in cases:
        groups.setdefault(_formula(case), []).append(case)
    return [_table(tuple(group), few_tokens) for group in groups.values()]


def case_levels(case: Case) -> dict[str, str]:
    """The level of each factor."""
    named = case.question.named
    return levels_of(named.engine, named.kernel, named.gpu_class, named.vintage, named.release, named.scenario)


def _formula(case: Case) -> tuple[Any, ...]:
    figure = case.figure
    return (
        case.mode, figure.kind, figure.served, figure.decodes > 0, figure.prefills > 0, figure.requests > 0,
        case.question.load.layout.accelerators > 1,
    )  # fmt: skip


def _table(cases: tuple[Case, ...], few_tokens: Mapping[str, float]) -> Table:
    shares = np.array([few_tokens.get(case.question.named.kernel, 1.0) for case in cases])
    question, figure = cases[0].question, cases[0].figure
    stacked = {
        "load": stack([c.question.load for c in cases]),
        "pools": stack([c.question.pools for c in cases]) if question.pools else None,
    }
    numbers = {n: np.array([getattr(c.figure, n) for c in cases]) for n in ("decodes", "prefills", "requests")}
    return Table(cases, _with(question, stacked), _with(figure, numbers), shares)


def _with(item: Any, values: Mapping[str, Any]) -> Any:
    """A copy with arrays in place of numbers (a switch that is off stays off)."""
    kept = {f.name: getattr(item, f.name) for f in fields(item)}
    kept.update({n: v for n, v in values.items() if not isinstance(getattr(item, n), float | int) or getattr(item, n)})
    return type(item)(**kept)


def stack(items: Sequence[Any]) -> Any:
    """Dataclasses of numbers as one dataclass of arrays; tuples of cache groups are padded to one length."""
    first = items[0]
    if isinstance(first, Stored):
        names = ("weight_bits", "weight_bytes", "kv_bytes_per_token", "bits_of_dense", "plain_bits")
        return Stored(*(np.array([getattr(i, n) for i in items], float) for n in names))
    if is_dataclass(first):
        return type(first)(**{f.name: stack([getattr(i, f.name) for i in items]) for f in fields(first)})
    if isinstance(first, tuple):
        longest = max(len(i) for i in items)
        padded = [(*i, *[NOTHING_CACHED] * (longest - len(i))) for i in items]
        return tuple(stack([p[at] for p in padded]) for at in range(longest))
    return np.array(items, float)
