"""What is compared: one measured server start with its predictions, and the figures taken over many of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from planner.memory.batch import StartPrediction
from planner.memory.cases import Case
from planner.memory.constants import version_number

OTHERWISE = (
    "offload", "ep on", "+ ep", "tp deduced", "left blank", "lora", "not in excerpt", "draft", "eagle", "deduced",
    "unexplained", "npu", "unknown",
)  # fmt: skip


@dataclass(frozen=True)
class Start:
    """One measured server start, what was predicted for it, and what without its family's rows."""

    row: dict[str, str]
    case: Case
    predicted: StartPrediction
    blind: StartPrediction

    def measured(self, column: str) -> float | None:
        return float(self.row[column]) if self.row.get(column) else None

    @property
    def has_architecture(self) -> bool:
        return self.predicted.abstained != "unknown-architecture"

    @property
    def is_described(self) -> bool:
        """False where the row's own words or confidence say that its columns do not describe this start.

        So where its model is a guess: "UNKNOWN (28672 B/token = ...)", "(deduced: ...)".
        """
        words = f"{self.row['note']} {self.row['model_id']}".lower()
        return self.row["confidence"] != "low" and not any(word in words for word in OTHERWISE)

    @property
    def is_v1(self) -> bool:
        return self.case.engine == "vllm" and not self.case.is_v0 and version_number(self.case.version) >= (0, 10)

    @property
    def is_v0(self) -> bool:
        return self.case.engine == "vllm" and not self.is_v1

    @property
    def states_memory(self) -> bool:
        return self.case.physical_gib is not None and self.case.utilisation is not None

    @property
    def states_version(self) -> bool:
        return bool(self.row["engine_version"])


@dataclass(frozen=True)
class Figure:
    """One line of the table: a measured column against a predicted field, over the starts that `of` admits."""

    what: str
    column: str
    field: str
    of: Callable[[Start], bool]
    floor: str
    scale: float = 1.0

    def errors(self, starts: Iterable[Start], *, blind: bool = False) -> list[float]:
        """Relative errors; starts whose measured or predicted value is missing are left out."""
        found = []
        for start in filter(self.of, starts):
            measured = start.measured(self.column)
            predicted = getattr(start.blind if blind else start.predicted, self.field)
            if measured and measured > 0 and predicted is not None:
                found.append(predicted * self.scale / measured - 1)
        return found


def is_vllm(start: Start) -> bool:
    return start.case.engine == "vllm"


def is_16_bit(start: Start) -> bool:
    return is_vllm(start) and start.case.quantization in ("none", "")


FIGURES = [
    Figure("KV pool, vLLM 0.10+ (memory, utilisation stated)", "kv_GiB", "kv_gib",
           lambda s: s.is_v1 and s.states_version and s.states_memory, "mean 1.5 / median 0.4 %"),
    Figure("KV pool, vLLM 0.10+ (all starts)", "kv_GiB", "kv_gib", lambda s: s.is_v1, "-"),
    Figure("KV pool, older vLLM (V0)", "kv_GiB", "kv_gib", lambda s: s.is_v0, "median 5 %"),
    Figure("weights per GPU, all", "weights_GiB_per_gpu", "weights_gib", is_vllm, "mean 0.7 %"),
    Figure("weights per GPU, 16-bit", "weights_GiB_per_gpu", "weights_gib", is_16_bit, "mean 0.7 %"),
    Figure("weights per GPU, quantized", "weights_GiB_per_gpu", "weights_gib",
           lambda s: is_vllm(s) and not is_16_bit(s), "mean 0.7 %"),
    Figure("activation peak, V1", "activation_peak_GiB", "activation_gib",
           lambda s: s.is_v1 and s.states_version, "median 4 / mean 12 %"),
    Figure("activation peak, V0", "activation_peak_GiB", "activation_gib", lambda s: s.is_v0, "-"),
    Figure("SGLang pools", "kv_GiB", "kv_gib", lambda s: s.case.engine == "sglang", "median 3 %"),
    Figure("TensorRT-LLM pools", "kv_GiB", "kv_gib", lambda s: s.case.engine == "tensorrt-llm", "-"),
    Figure("llama.cpp KV buffers", "llamacpp_kv_MiB", "kv_gib",
           lambda s: s.case.engine == "llama.cpp", "median 1 %", scale=1024),
    Figure("llama.cpp model buffers", "llamacpp_gpu_model_MiB", "weights_gib",
           lambda s: s.case.engine == "llama.cpp", "median 1 %", scale=1024),
    Figure("llama.cpp compute buffers", "llamacpp_gpu_compute_MiB", "compute_buffer_gib",
           lambda s: s.case.engine == "llama.cpp", "median 1 %", scale=1024),
]  # fmt: skip
