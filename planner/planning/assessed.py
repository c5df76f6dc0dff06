"""How copies of a model lie on the hardware, and what is known of one choice laid out so."""

from __future__ import annotations

from dataclasses import dataclass

from planner.plan import Cost, Memory, Verdict
from planner.planning.deciding import Choice
from planner.request import Pools
from planner.speed.estimate import Speed
from rules.vocabulary import EngineId, FormatId


@dataclass(frozen=True, slots=True)
class Layout:
    """How many accelerators hold one copy of the model, in how many stages, and how many copies share the load.

    `data_parallel` copies of the attention (experts dealt over all) or `pools` of servers make one copy of the model.
    """

    tensor_parallel: int
    replicas: int
    pipeline_parallel: int = 1
    data_parallel: int = 1
    pools: Pools | None = None

    @property
    def servers(self) -> int:
        return self.pools.servers if self.pools else 1

    @property
    def caches(self) -> int:
        """Servers, or copies of the attention, whose caches hold one copy's requests."""
        return self.pools.decode if self.pools else self.data_parallel

    @property
    def is_apart(self) -> bool:
        """Whether a copy is more than one split or pipeline."""
        return self.pools is not None or self.data_parallel > 1

    @property
    def accelerators(self) -> int:
        each = self.tensor_parallel * self.pipeline_parallel * self.data_parallel
        return each * self.servers * self.replicas


@dataclass(frozen=True, slots=True)
class Assessed:
    """What is known of a choice before anything is written down of it. The verdict does not speak of vetoes."""

    choice: Choice
    layout: Layout
    memory: Memory
    kernel: str
    speed: Speed
    cost: Cost | None
    verdict: Verdict = "feasible"
    reasons: tuple[str, ...] = ()

    @property
    def format(self) -> FormatId:
        return self.choice.format

    @property
    def engine(self) -> EngineId:
        return self.choice.engine

    @property
    def usd_per_1m_output_tokens(self) -> float | None:
        return self.cost.usd_per_1m_output_tokens if self.cost else None
