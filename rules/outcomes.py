"""What each decision may conclude: one typed model a decision, in the order of the book. Unknown keys are refused."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from rules.vocabulary import EngineId, FormatId, KvFormat, Tool, Width

GroupSize = Literal[32, 64, 128, 256]
Samples = Annotated[int, Field(ge=1, le=10_000)]


class Outcome(BaseModel):
    """Base of every conclusion: frozen, unknown keys refused.

    `of_one_mind`: keys that rules speaking together must not give different values.
    """

    of_one_mind: ClassVar[frozenset[str]] = frozenset()
    model_config = ConfigDict(frozen=True, extra="forbid")


class Vetoes(Outcome):
    """What must not be chosen."""

    avoid: tuple[FormatId, ...] = ()
    avoid_kv: tuple[KvFormat, ...] = ()
    avoid_engines: tuple[EngineId, ...] = ()


class WidthChoice(Outcome):
    """Bits of a weight; `tensor_parallel` when the tree splits the model in the same breath."""

    width: Width
    tensor_parallel: bool = False


class FormatChoice(Outcome):
    """The scheme, the tool that makes it, and the weights a scale covers (none: no groups, or the checkpoint's own)."""

    format: FormatId
    group_size: GroupSize | None = None
    tool: Tool = "none"


class EngineChoice(Outcome):
    """What serves the model."""

    engine: EngineId


class KvCacheChoice(Outcome):
    """How the KV cache is stored."""

    kv_cache: KvFormat


class ParallelismChoice(Outcome):
    """`fewest`: split over as few accelerators as hold the model; `none`: one accelerator each."""

    tensor_parallel: Literal["none", "fewest", "fast-enough", "by-objective"]


class AlsoEvaluate(Outcome):
    """A format worth measuring next to the chosen one."""

    format: FormatId


class Fallback(Outcome):
    """Where to go next, best first."""

    try_widths: tuple[Width, ...] = ()
    try_formats: tuple[FormatId, ...] = ()


class LadderStep(Outcome):
    """One thing to change after a trouble. Steps are taken in the book's order, each on top of those before it.

    `sequences_share`: of the requests in flight; `context`: no longer than was asked for (`as-asked`; without it a
    server admits all that its cache should hold), or than the workload's own requests (`as-used`); `next`: leave these
    settings, for the formats that the decision `fallback` names, or for more accelerators a copy.
    """

    sequences_share: Annotated[float, Field(gt=0, lt=1)] | None = None
    context: Literal["as-asked", "as-used"] | None = None
    kv_cache: KvFormat | None = None
    group_size: GroupSize | None = None
    cuda_graphs: Literal[False] | None = None
    kernel: Literal["other"] | None = None
    next: Literal["format", "accelerators"] | None = None


class Remedy(Outcome):
    """Hardware that would hold it, in words that follow `To fix:`."""

    use: str


class Calibration(Outcome):
    """Settings for quantizing with data; every rule that speaks adds its part."""

    of_one_mind = frozenset({"samples", "group_size", "zero_point", "checkpoint_layout", "text"})
    samples: Samples | None = None
    group_size: GroupSize | None = None
    zero_point: bool | None = None
    checkpoint_layout: Literal["gemm"] | None = None
    text: Literal["chat", "plain"] | None = None
    data: str | None = None


class Advice(Outcome):
    """A sentence for the user."""

    level: Literal["note", "warning"]
    say: str


OUTCOMES: dict[str, type[Outcome]] = {
    "vetoes": Vetoes,
    "width": WidthChoice,
    "format": FormatChoice,
    "engine": EngineChoice,
    "kv_cache": KvCacheChoice,
    "parallelism": ParallelismChoice,
    "evaluate_also": AlsoEvaluate,
    "fallback": Fallback,
    "ladder": LadderStep,
    "remedy": Remedy,
    "calibration": Calibration,
    "advice": Advice,
}
