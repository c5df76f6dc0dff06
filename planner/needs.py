"""What a way to serve a model takes of memory: labelled sums, what they leave free, and what would give some back."""

from __future__ import annotations

from planner.request import Frozen


class Term(Frozen):
    """One line of a labelled sum, in GiB per accelerator (or per CPU host)."""

    label: str
    predicted_gib: float
    how: str = ""


class Offload(Frozen):
    """The part of a model that llama.cpp keeps in the host's memory where the accelerators cannot hold it whole.

    `gpu_layers` of `layers` are on accelerators (`-ngl`, the output layer counted); the experts of the first
    `cpu_expert_layers` are on the host (`--n-cpu-moe`). `terms`, `available_gib` and `free_gib` are the host's own sum;
    `weights_gib` is what one accelerator large enough would hold.
    """

    gpu_layers: int
    layers: int
    cpu_expert_layers: int = 0
    weights_gib: float
    available_gib: float
    terms: tuple[Term, ...]
    free_gib: float

    @property
    def says(self) -> str:
        """What lies where, in words."""
        if self.cpu_expert_layers:
            return f"experts of {self.cpu_expert_layers} layers in host memory"
        return f"{self.gpu_layers} of {self.layers} layers on the GPU, the others in host memory"

    def gib(self, *labels: str) -> float:
        """The terms of these labels together."""
        return sum(t.predicted_gib for t in self.terms if t.label in labels)


class Memory(Frozen):
    """Memory of one accelerator (or of the CPU host): what is there, what takes it, and what the KV pool can hold.

    With an `offload`, the terms are those of the fullest accelerator, and what can be held is what both sides can.
    `kv_tokens` are held in requests like the load's. The server is started to admit requests of `context_limit_tokens`,
    and then reports `reported_kv_tokens`; None: the load's own, and `kv_tokens`. `arguments` are options of the engine
    without which the sum does not hold.
    """

    available_gib: float
    terms: tuple[Term, ...]
    free_gib: float
    fits: bool
    kv_bytes_per_token: float
    kv_tokens: int
    max_context_tokens: int
    max_concurrency: float
    offload: Offload | None = None
    context_limit_tokens: int | None = None
    reported_kv_tokens: int | None = None
    arguments: tuple[str, ...] = ()

    @property
    def used_gib(self) -> float:
        return sum(t.predicted_gib for t in self.terms)

    def gib(self, *labels: str) -> float:
        """The terms of these labels together."""
        return sum(t.predicted_gib for t in self.terms if t.label in labels)


class Lever(Frozen):
    """A setting that gives memory back on each accelerator, and what it costs in exchange."""

    setting: str
    in_exchange: str
    gain_gib: float
