"""What every layout of a comparison shares: the nodes, the load, the choice of the rules, and the speed model."""

from __future__ import annotations

from dataclasses import dataclass

from planner.clusters.cluster import NodeType
from planner.planning.assessing import Assessor
from planner.planning.assessing import Layout as Copies
from planner.planning.deciding import Choice
from planner.planning.offloading import WEIGHT_LABELS
from planner.schemes import scheme
from planner.speed.anatomy import anatomy
from planner.speed.constants import decode_rates, gpu_class, rates, serving_constants
from planner.speed.gpu import peaks_of
from planner.speed.loads import Load, served
from planner.speed.pipelines import Hop, hops_ms, with_hop
from planner.speed.serving import Served
from planner.speed.steps import Peaks, exchange_ms
from planner.speed.work import Layout, Stored, decode_work
from planner.units import GIB


@dataclass(frozen=True, slots=True)
class Bench:
    """What every layout of a comparison shares."""

    assessor: Assessor
    choice: Choice
    kernel: str
    node: NodeType
    nodes: int
    hop: Hop | None

    @property
    def gpus(self) -> int:
        return self.nodes * self.node.gpus

    @property
    def levels(self) -> tuple[str, str, str]:
        return self.choice.engine, self.kernel, gpu_class(self.node.accelerator)

    def peaks(self) -> Peaks:
        found = peaks_of(self.node.accelerator, scheme(self.choice.format).activation, self.kernel)
        assert found is not None  # the plan's own figures came from it
        return found if self.hop is None else with_hop(found, self.hop)

    def stored(self, size: int, stages: int) -> tuple[Stored, float, float]:
        """The model as `size` accelerators a stage hold it, GiB on one of them, and requests there is room for."""
        memory = self.assessor.memory(self.choice, Copies(size, max(self.gpus // (size * stages), 1), stages))
        held = sum(memory.gib(label) for label in WEIGHT_LABELS)
        bits = scheme(self.choice.format).bits_per_weight()
        whole = Stored(bits, held * GIB * stages, memory.kv_bytes_per_token * stages)
        return whole, held, memory.max_concurrency if memory.fits else 0.0

    def load(self, layout: Layout, stored: Stored, concurrency: float, room: float, peaks: Peaks | None = None) -> Load:
        asked = self.assessor.request.workload
        return Load(
            model=anatomy(self.assessor.model.shape),
            peaks=peaks or self.peaks(),
            stored=stored,
            layout=layout,
            input_tokens=asked.input_tokens,
            output_tokens=asked.output_tokens,
            concurrency=concurrency,
            room=room,
        )

    def seen(self, load: Load) -> Served:
        return served(load, rates(*self.levels), decode_rates(*self.levels), serving_constants(*self.levels))

    def link_ms(self, load: Load) -> float:
        """Of one decode step, what the accelerators spend on exchanging."""
        together = max(load.concurrency / load.layout.pipeline_parallel, 1)
        work = decode_work(load.model, load.stored, load.layout, together, load.input_tokens + load.output_tokens / 2)
        return exchange_ms(work, load.peaks, decode_rates(*self.levels)) + hops_ms(load.layout, load.peaks, work)
