"""One row of a table as a question to the speed model: which load, under which constants, read in which unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from planner.hardware.hardware import Accelerator
from planner.memory.kv_cache import kv_cache
from planner.models.shape import Shape
from planner.speed.anatomy import anatomy
from planner.speed.batch.architectures import Known
from planner.speed.batch.names import Engine, Format, kernel_named
from planner.speed.constants import gpu_class
from planner.speed.gpu import peaks_of
from planner.speed.loads import NO_LIMIT, Load, PooledLoad
from planner.speed.measured import is_familiar
from planner.speed.work import Layout, Stored, nominal_weight_bytes
from planner.units import GIB

EXPERTS_ONLY = frozenset({"nvfp4", "mxfp4"})
SIXTEEN_BITS = 16.0
USABLE_MEMORY, LEFT_FOR_ACTIVATIONS_GIB, LARGEST_BATCH = 0.93, 2.0, 2048.0


@dataclass(frozen=True, slots=True)
class Named:
    """What constants a question is answered with. `release` tells a build that may speculate, `scenario` a benchmark
    whose rules hold a server back; else empty. `familiar`: architecture and GPU type were among what was fitted."""

    engine: str
    kernel: str
    gpu_class: str
    vintage: str
    release: str = ""
    scenario: str = ""
    familiar: bool = True


@dataclass(frozen=True, slots=True)
class Figure:
    """The figure of a row, as milliseconds made of step times: value = scale x milliseconds ** power.

    `kind`: tpot_ms, ttft_ms or tokens_per_s (of a server kept full). Under load (`served`) the milliseconds are what
    clients see; else `decodes` decode steps + `prefills` prompts alone + `requests` times the host's time of a request.
    """

    kind: str
    served: bool = False
    decodes: float = 0.0
    prefills: float = 0.0
    requests: float = 0.0
    scale: float = 1.0
    power: float = 1.0


@dataclass(frozen=True, slots=True)
class Question:
    """A row that can be asked. `guessed`: its architecture is only a size read from the model's name. `offered_per_s`:
    requests a second that clients send whatever the server does; None where there is always a next one."""

    id: str
    named: Named
    load: Load
    figures: tuple[Figure, ...]
    guessed: bool
    pools: PooledLoad | None = None
    offered_per_s: float | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One model in one format under one engine on one GPU: what every question about it shares."""

    known: Known
    gpu: Accelerator
    engine: Engine
    format: Format
    kernel: str
    eight_bit_cache: bool = False

    @property
    def dense_bits(self) -> float | None:
        """Published FP4 checkpoints of mixtures quantize the experts alone."""
        return SIXTEEN_BITS if self.known.shape.is_moe and self.format.id in EXPERTS_ONLY else None

    def named(self, release: str = "", scenario: str = "") -> Named:
        familiar = is_familiar(anatomy(self.known.shape), self.gpu)
        return Named(self.engine.id, self.kernel, gpu_class(self.gpu), self.engine.vintage, release, scenario, familiar)

    def load(self, layout: Layout, input_tokens: float, output_tokens: float, concurrency: float) -> Load | None:
        """The load; None where the GPU has no published rate for the kernel's arithmetic."""
        peaks = peaks_of(self.gpu, self.format.activation, self.kernel)
        if peaks is None:
            return None
        stored = self._stored(layout)
        return Load(
            model=anatomy(self.known.shape),
            peaks=peaks,
            stored=stored,
            layout=layout,
            input_tokens=max(1.0, input_tokens),
            output_tokens=max(1.0, output_tokens),
            concurrency=max(1.0, concurrency),
            room=self._room(stored, layout, input_tokens + output_tokens / 2),
        )

    @property
    def bits_of_dense(self) -> float:
        return self.format.weight_bits if self.dense_bits is None else self.dense_bits

    def held_bytes(self, layout: Layout) -> float:
        """Weights on one accelerator, by the format's bits."""
        bits = self.format.weight_bits, self.bits_of_dense, self.format.head_bits
        return nominal_weight_bytes(self.known.shape, layout, *bits)

    def _stored(self, layout: Layout) -> Stored:
        bits, held = self.format.weight_bits, self.held_bytes(layout)
        element = "fp8" if self.eight_bit_cache and bits < SIXTEEN_BITS else "16-bit"
        kv = kv_cache(self.known.shape, element, int(layout.tensor_parallel)).bytes_per_token
        return Stored(bits, held, kv, self.dense_bits, self.format.head_bits)

    def _room(self, stored: Stored, layout: Layout, tokens: float) -> float:
        """Requests of that many tokens that fit beside the weights, all copies of the attention together."""
        free = (self.gpu.memory_gib * USABLE_MEMORY - LEFT_FOR_ACTIVATIONS_GIB) * GIB - stored.weight_bytes
        each = stored.kv_bytes_per_token * max(tokens, 1.0)
        fitting = free / each * layout.attention_data_parallel if each else NO_LIMIT
        return max(1.0, min(fitting, LARGEST_BATCH * layout.attention_data_parallel))


def fits(setting: Setting, layout: Layout, share: float) -> bool:
    """True where the weights take at most that share of the GPU's memory."""
    return setting.held_bytes(layout) <= share * setting.gpu.memory_gib * GIB


def setting_of(
    known: Known, gpu: Accelerator, engine: Engine, format: Format, eight_bit_cache: bool = False
) -> Setting | None:
    """None where no kernel is known. `eight_bit_cache`: servers cache in 8 bits where the weights are quantized."""
    kernel = kernel_named(engine, format, gpu)
    return Setting(known, gpu, engine, format, kernel, eight_bit_cache) if kernel else None


def cell(row: Mapping[str, str | None], name: str) -> str:
    """The text of a cell; empty where the column is missing."""
    return (row.get(name) or "").strip()


def whole(row: Mapping[str, str | None], name: str) -> int | None:
    """The whole number in a cell (8, 8.0); None where it is not one."""
    try:
        number = float(cell(row, name))
    except ValueError:
        return None
    return int(number) if 0 <= number < 1e9 and number == int(number) else None


def drafts(shape: Shape, families: frozenset[str]) -> bool:
    """True where the architecture ships layers that draft tokens, so that its runs may speculate."""
    return shape.family in families
