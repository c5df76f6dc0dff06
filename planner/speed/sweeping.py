"""Speed of many candidates in one pass: the formulas of `predict_speed` on arrays, for sweeps and frontiers.

    runs = [Candidate("vllm", "marlin-int4", gpu, "16-bit", Stored(...), Layout(2)), ...]
    found = speed_many(shape, runs, input_tokens=1000, output_tokens=300, concurrency=[1, 2, 4, ...], which=[...])

`runs` are the different ways to run a model (format x layout x GPU: at most thousands). The load is one number or an
array with an entry a candidate, and `which` says which run each entry belongs to, so that a hundred thousand batches of
a few hundred runs look their constants up a few hundred times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from planner.hardware.hardware import Accelerator
from planner.models.shape import Shape
from planner.schemes import Activation
from planner.speed.anatomy import Anatomy, anatomy
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.gpu import peaks_of
from planner.speed.loads import NO_LIMIT, Load, served
from planner.speed.measured import support_for
from planner.speed.serving import ServingConstants
from planner.speed.steps import Peaks, Rates
from planner.speed.work import Layout, Stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to run a model: engine and kernel, GPU, what one accelerator stores, and the layout."""

    engine: str
    kernel: str
    accelerator: Accelerator
    activation: Activation
    stored: Stored
    layout: Layout


@dataclass(frozen=True, slots=True)
class Speeds:
    """Arrays of one length, each figure with the interval that should hold 9 measurements in 10.

    NaN where the speed model abstains: no constants for the engine, or no rate for the arithmetic on that GPU.
    """

    ttft_ms: Floats
    ttft_low_ms: Floats
    ttft_high_ms: Floats
    tpot_ms: Floats
    tpot_low_ms: Floats
    tpot_high_ms: Floats
    tokens_per_s: Floats
    tokens_per_s_low: Floats
    tokens_per_s_high: Floats


def speed_many(
    shape: Shape,
    runs: Sequence[Candidate],
    *,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
    concurrency: ArrayLike,
    which: ArrayLike | None = None,
    room: ArrayLike = NO_LIMIT,
) -> Speeds:
    """The figures of `predict_speed` for every candidate at once.

    `which`: index into `runs` of each candidate; without it candidate i is run i. `room`: requests the KV cache holds
    at once. The counts of tokens and requests and `room` are one number or an array of the candidates' length.
    """
    import numpy as np

    chosen = np.arange(len(runs)) if which is None else np.asarray(which)
    parts = [_parts(run, anatomy(shape)) for run in runs]

    def spread(number: ArrayLike) -> Any:
        return np.broadcast_to(np.asarray(number, float), chosen.shape)

    def column(kind: Any, at: int) -> Any:
        table = {f.name: np.array([_value(part[at], f.name) for part in parts], float)[chosen] for f in fields(kind)}
        return kind(**table)

    load = Load(
        model=anatomy(shape),
        peaks=column(Peaks, 0),
        stored=column(Stored, 1),
        layout=column(Layout, 2),
        input_tokens=spread(input_tokens),
        output_tokens=spread(output_tokens),
        concurrency=spread(concurrency),
        room=spread(room),
    )
    seen: Any = served(load, column(Rates, 3), column(Rates, 4), column(ServingConstants, 5))
    bounds = np.array([part[6] for part in parts], float)[chosen]
    columns: list[Any] = []
    for at, value in enumerate((seen.ttft_ms, seen.tpot_ms, seen.output_tokens_per_s)):
        columns += [value, value * bounds[:, at, 0], value * bounds[:, at, 1]]
    return Speeds(*columns)


FIGURES = ("ttft_ms", "tpot_ms", "output_tokens_per_s")


def _parts(run: Candidate, model: Anatomy) -> tuple[Any, ...]:
    """Peaks, storage, layout, constants and interval multipliers of one run; NaN bounds and peaks where it abstains."""
    group = gpu_class(run.accelerator)
    named = run.engine, run.kernel, group
    known = support_for(run.engine, run.kernel, run.accelerator, model)
    peaks = peaks_of(run.accelerator, run.activation, run.kernel)
    nothing = float("nan")
    bounds = [(i.low, i.high) for i in (known.intervals[f] for f in FIGURES)] if known else [(nothing, nothing)] * 3
    return (
        peaks if peaks and known else Peaks(nothing, nothing, nothing, nothing),
        run.stored,
        run.layout,
        rates(*named),
        decode_rates(*named),
        serving_constants(*named),
        bounds,
    )


def _value(part: Any, name: str) -> float:
    value = getattr(part, name)
    return float(part.bits_of_dense if value is None else value)
