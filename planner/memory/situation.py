"""What an engine's accountant is told: model, scheme, hardware and the limits the server is started with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from planner.hardware.hardware import Accelerator
from planner.memory.kv_cache import KvCache
from planner.memory.llama_split import LayerSplit
from planner.memory.weights import WeightBytes
from planner.models.shape import Shape
from planner.plan import Term
from planner.schemes import Scheme
from planner.units import GIB

FAST_LINKS = frozenset({"nvlink", "infinity-fabric"})


@dataclass(frozen=True, slots=True)
class Situation:
    """One server to be started. Memory is per accelerator (or of the CPU host, where `accelerator` is None).

    `weights` and `kv` are what one rank holds. `max_sequences` and `batched_tokens` are the limits the server is
    started with; None takes the engine's own default. `utilisation` likewise. `is_offloaded`: the layers run on a GPU
    that is not described further. `draft_tokens`: tokens a draft model speculates ahead of each step.
    `free_gib`: memory free at start, where it is known. `split`: how llama.cpp divides the model between GPUs and host;
    `weights` and `kv` are then those of the whole model. `repacks`: llama.cpp may keep a second copy of the weights in
    the order that a CPU's kernels read. `is_limited`: the server is told that no request is longer than
    `context_tokens`.
    """

    shape: Shape
    scheme: Scheme
    weights: WeightBytes
    kv: KvCache
    physical_gib: float
    context_tokens: int
    concurrency: int
    tensor_parallel: int = 1
    pipeline_parallel: int = 1
    accelerator: Accelerator | None = None
    engine_version: str | None = None
    max_sequences: int | None = None
    batched_tokens: int | None = None
    utilisation: float | None = None
    eager: bool = False
    flash_attention: bool = True
    kv_format: str = "16-bit"
    instruction_sets: tuple[str, ...] = ()
    is_offloaded: bool = False
    draft_tokens: int = 0
    prefix_caching: bool | None = None
    free_gib: float | None = None
    split: LayerSplit | None = None
    repacks: bool = True
    is_limited: bool = False

    @property
    def on_gpu(self) -> bool:
        return self.accelerator is not None or self.is_offloaded

    @property
    def link(self) -> Literal["one", "linked", "pcie"]:
        """How the ranks reach each other: there is one, or a fast link, or PCIe (or it is not known)."""
        if self.tensor_parallel == 1:
            return "one"
        link = self.accelerator.interconnect if self.accelerator else "unknown"
        return "linked" if link in FAST_LINKS else "pcie"


@dataclass(frozen=True, slots=True)
class Account:
    """An engine's answer: memory it may use, what it spends besides the KV cache, how it lays that cache out."""

    available_gib: float
    terms: tuple[Term, ...]
    layout: Layout


class Layout(Protocol):
    """How an engine places sequences in its KV pool."""

    def sequence_bytes(self, context_tokens: int) -> float:
        """Bytes one sequence of that length takes."""

    def tokens(self, pool_bytes: float, context_tokens: int) -> int:
        """Tokens the engine reports for a pool of that size."""


@dataclass(frozen=True, slots=True)
class PlainLayout:
    """Each sequence by itself, in blocks of tokens; sliding layers keep `window_extra_tokens` beyond their window."""

    kv: KvCache
    block_tokens: int = 1
    window_extra_tokens: int = 0

    def sequence_bytes(self, context_tokens: int) -> float:
        return self.kv.sequence_bytes(context_tokens, self.block_tokens, self.window_extra_tokens)

    def tokens(self, pool_bytes: float, context_tokens: int) -> int:
        """Whole blocks; with windows and states, as many sequences of that context as fit, in tokens."""
        if pool_bytes <= 0 or not self.kv.bytes_per_token:
            return 0
        if self.kv.is_proportional:
            return int(pool_bytes // (self.kv.bytes_per_token * self.block_tokens)) * self.block_tokens
        return int(pool_bytes / self.sequence_bytes(context_tokens) * context_tokens)


def gib_term(label: str, bytes: float, how: str = "") -> Term:
    return Term(label=label, predicted_gib=bytes / GIB, how=how)


def weight_terms(weights: WeightBytes, scheme: Scheme) -> list[Term]:
    """The weights in their labelled parts; parts that are empty are left out."""
    parts = [gib_term("weights", weights.quantized, f"{scheme.name}, {scheme.weight_bits:g} bits a weight")]
    if weights.scales_and_zeros:
        parts.append(gib_term("scales and zeros", weights.scales_and_zeros, _scales_how(scheme)))
    if weights.sixteen_bit:
        parts.append(gib_term("16-bit remainder", weights.sixteen_bit, "embeddings, head, norms, routers"))
    return parts


def _scales_how(scheme: Scheme) -> str:
    return f"one scale per {scheme.group_size} weights" if scheme.group_size else "one scale a row"
