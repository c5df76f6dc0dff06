"""Published speed measurements as cases for the speed model, from serving.csv and single_stream.csv.

A case says which step times its figure is made of: `figure_ms = decodes x decode step + prefills x prompt alone`, plus,
under load, the shares of other requests. Rows whose model, GPU or format is not known here are counted and left out.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from planner.errors import QuantplanError
from planner.hardware.hardware import Accelerator
from planner.hardware.resolving import resolve_hardware
from planner.memory.weights import weight_bytes
from planner.models.resolving import resolve_model
from planner.models.shape import Shape
from planner.schemes import scheme
from planner.speed.constants import gpu_class
from planner.speed.gpu import CHUNK_TOKENS, peaks_of
from planner.speed.steps import Peaks
from planner.speed.work import Layout, Stored, Work, decode_work, prefill_work

SERVING_SOURCE = "InferenceX serving runs, Oct 2025 to Apr 2026 (Apache-2.0, as shipped in aiconfigurator)"
LARGEST_NODE = 16
ENGINES = {"trtllm": "tensorrt-llm", "vllm": "vllm", "sglang": "sglang"}
SYSTEMS = {
    "h100_sxm": "H100-80GB-SXM",
    "h200_sxm": "H200-141GB-SXM",
    "b200_sxm": "B200-180GB-SXM",
    "gb200": "GB200-186GB",
}
SAME_MODEL = {
    "deepseek-ai/DeepSeek-V3": "deepseek-ai/DeepSeek-R1",
    "nvidia/DeepSeek-R1-NVFP4": "deepseek-ai/DeepSeek-R1",
    "nvidia/DeepSeek-V3.1-NVFP4": "deepseek-ai/DeepSeek-R1",
    "nvidia/Qwen3-32B-NVFP4": "Qwen/Qwen3-32B",
    "zhipuai/GLM-5": "zai-org/GLM-5",
    "meta-llama/Llama-3.1-70B": "meta-llama/Llama-3.1-70B-Instruct",
}


@dataclass(frozen=True)
class Case:
    """One measured figure and the work behind it. `model` names the architecture, which is held out as a whole."""

    id: str
    source: str
    figure: str
    measured_ms: float
    model: str
    engine: str
    kernel: str
    gpu_class: str
    vintage: str
    peaks: Peaks
    decode: Work
    prompt: Work
    chunk: Work
    chunk_share: float
    others: float
    output_tokens: float
    decodes: float
    prefills: float
    served: bool


def serving_cases(folder: Path, skipped: Counter[str]) -> Iterator[Case]:
    """Two cases (TPOT, TTFT) for each aggregated run."""
    for row in rows(folder / "serving.csv"):
        if row["mode"] != "agg":
            continue
        model = SAME_MODEL.get(row["model_path"], row["model_path"])
        shape = shape_of(model)
        if shape is None:
            skipped[f"model {model}"] += 1
            continue
        gpu = accelerator(SYSTEMS[row["system"]])
        format_id, kernel = serving_kernel(row, gpu)
        layout = serving_layout(row)
        if layout.accelerators > LARGEST_NODE:
            skipped["more ranks than one server: how many copies share the load is not stated"] += 1
            continue
        common = {
            "source": SERVING_SOURCE,
            "model": model,
            "engine": ENGINES[row["backend"]],
            "kernel": kernel,
            "vintage": "2026",
            "served": True,
        }
        context = Context(
            shape, gpu, format_id, kernel, layout, int(row["isl"]), int(row["osl"]), serving_concurrency(row)
        )
        works = context.works()
        for figure, column in (("tpot_ms", "silicon_tpot_ms"), ("ttft_ms", "silicon_ttft_ms")):
            yield Case(
                id=row["id"],
                figure=figure,
                measured_ms=float(row[column]),
                **common,
                **works,
                decodes=float(figure == "tpot_ms"),
                prefills=float(figure == "ttft_ms"),
            )


def serving_concurrency(row: dict[str, str]) -> int:
    """Requests in flight: `batch_size` counts those of one attention copy."""
    return int(row["batch_size"]) * max(1, int(row["attention_dp_size"] or 1))


def serving_kernel(row: dict[str, str], gpu: Accelerator) -> tuple[str, str]:
    """The format and the kernel of a serving row; gpt-oss is MXFP4 whatever its label says."""
    if "gpt-oss" in row["model_path"]:
        return ("mxfp4", "mxfp4-w4a16") if gpu.fp4_tflops else ("mxfp4", "marlin-fp4")
    if row["precision"] == "fp4":
        return "nvfp4", "nvfp4-w4a4"
    return ("fp8", "fp8-w8a8") if row["precision"] == "fp8" else ("bf16", "cublas-bf16")


def serving_layout(row: dict[str, str]) -> Layout:
    """The layout. Experts dealt n x n over n x n ranks mean n accelerators, with tensor and expert size n."""
    tensor, copies, expert_tensor, expert = (
        max(1, int(row[name] or 1)) for name in ("tp_size", "attention_dp_size", "moe_tp_size", "moe_ep_size")
    )
    if expert_tensor == expert > 1 and tensor * copies == expert_tensor * expert:
        tensor, copies = (expert, 1) if copies == 1 else (1, expert)
    return Layout(tensor, copies, expert)


@dataclass(frozen=True)
class Context:
    """One model on one layout under one load."""

    shape: Shape
    gpu: Accelerator
    format_id: str
    kernel: str
    layout: Layout
    input_tokens: int
    output_tokens: int
    concurrency: int = 1

    def works(self) -> dict[str, object]:
        held = weight_bytes(self.shape, scheme(self.format_id), None, self.layout.accelerators).total
        stored = Stored(scheme(self.format_id).bits_per_weight(), held, kv_bytes_per_token(self.shape, self.layout))
        prompt_tokens = max(self.input_tokens, 1)
        chunk = max(prompt_tokens, CHUNK_TOKENS)
        context = self.input_tokens + self.output_tokens / 2
        peaks = peaks_of(self.gpu, scheme(self.format_id), self.kernel)
        assert peaks is not None, (self.gpu.name, self.format_id, self.kernel)
        return {
            "gpu_class": "apple" if self.gpu.vendor == "apple" else gpu_class(self.gpu),
            "peaks": peaks,
            "decode": decode_work(self.shape, stored, self.layout, self.concurrency, context),
            "prompt": prefill_work(self.shape, stored, self.layout, prompt_tokens),
            "chunk": prefill_work(self.shape, stored, self.layout, chunk),
            "chunk_share": prompt_tokens / chunk / self.layout.attention_data_parallel,
            "others": float(self.concurrency - 1),
            "output_tokens": float(self.output_tokens),
        }


def kv_bytes_per_token(shape: Shape, layout: Layout, element_bytes: int = 2) -> float:
    """16-bit cache of one token on one rank; a latent is held whole by every rank."""
    total = 0.0
    for group in shape.attention:
        heads = max(1.0, group.kv_heads / layout.tensor_parallel)
        latent = group.kind == "mla"
        width = group.latent_dim + group.rope_dim if latent else heads * (group.head_dim + group.value_head_dim)
        total += group.count * width * element_bytes
    return total


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@lru_cache(maxsize=1024)
def shape_of(name: str) -> Shape | None:
    try:
        return resolve_model(name).shape
    except QuantplanError:
        return None


@lru_cache(maxsize=1024)
def accelerator(name: str) -> Accelerator | None:
    try:
        return resolve_hardware(name).accelerator
    except QuantplanError:
        return None
