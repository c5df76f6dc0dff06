"""The words a rule may use: facts it may read, and the values they may take. Imports nothing of ours.

Facts are frozen and total: every one has a value before a rule is asked. `None` means "does not apply here"
(`gpu.compute_capability` on an AMD card) and makes any comparison with it false.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeVar, get_args

HardwareKind = Literal["gpu", "cpu"]
Attention = Literal["mha", "gqa", "mqa", "mla", "hybrid", "none"]
Width = Literal["16-bit", "8-bit", "4-bit", "gguf"]
Task = Literal["general", "chat", "reasoning", "code", "rag", "batch", "agents", "embedding"]
Objective = Literal["tree", "cost", "latency", "throughput", "quality"]
Trouble = Literal["none", "memory", "service-level", "quality", "kernel", "numerics", "hung"]
EngineId = Literal["vllm", "sglang", "tensorrt-llm", "llama.cpp", "transformers"]
KvFormat = Literal["16-bit", "fp8", "int8"]
Tool = Literal["llm-compressor", "gptqmodel", "llama.cpp", "bitsandbytes", "autoawq", "modelopt", "none"]
FormatId = Literal[
    "bf16", "fp16", "fp8", "fp8-weight-only", "int8-w8a8", "int8-bnb",
    "nf4", "fp4-bnb", "awq-int4", "gptq-int4", "rtn-int4", "nvfp4", "mxfp4",
    "gguf-bf16", "gguf-q8_0", "gguf-q6_k", "gguf-q5_k_m", "gguf-q4_k_m", "gguf-q3_k_m", "gguf-q2_k",
]  # fmt: skip

STORED_FORMATS = (*get_args(FormatId), "fp32", "unknown")
VENDORS = ("nvidia", "amd", "intel", "apple", "other")

T = TypeVar("T")


def fact(default: T, says: str, values: tuple[str, ...] = ()) -> T:
    """One fact: the value an example has when it does not say, its meaning with its unit, the words it may be."""
    return field(default=default, metadata={"says": says, "values": values})


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of the model."""

    params_b: float = fact(8.0, "parameters, in billions")
    weights_16bit_gib: float = fact(15.0, "its weights at 16 bits, GiB: what the articles call model size")
    family: str = fact("llama", "config.json's model_type")
    is_moe: bool = fact(False, "it has routed experts")
    attention: Attention = fact("gqa", "its kind of attention")
    max_context_tokens: int = fact(131072, "the longest context it was made for, tokens")
    stored_format: str = fact("bf16", "the scheme its checkpoint is already stored in", STORED_FORMATS)
    is_chat: bool = fact(True, "it is instruction-tuned, with a chat template")
    publishes_awq: bool = fact(False, "a ready AWQ checkpoint is published")
    publishes_gptq: bool = fact(False, "a ready GPTQ checkpoint is published")
    publishes_fp8: bool = fact(False, "a ready FP8 checkpoint is published")
    needs_remote_code: bool = fact(False, "its config.json names Python code of its own (auto_map)")


@dataclass(frozen=True, slots=True)
class HardwareFacts:
    """What is known of all the hardware considered, together."""

    kind: HardwareKind = fact("gpu", "where the model would run")
    gpu_count: int = fact(1, "accelerators considered")
    memory_ratio: float = fact(2.5, "usable memory of all accelerators / weights at 16 bits")
    gpu_memory_ratio: float = fact(2.5, "usable memory of one accelerator / weights at 16 bits")
    host_memory_gib: float | None = fact(None, "memory of the host, GiB")


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """What is known of one accelerator."""

    vendor: str | None = fact("nvidia", "who makes it", VENDORS)
    architecture: str | None = fact("Hopper", "its generation, as the maker calls it")
    compute_capability: float | None = fact(9.0, "NVIDIA compute capability")
    memory_gib: float | None = fact(79.2, "memory the driver reports, GiB")
    has_fp8: bool = fact(True, "it multiplies FP8 natively")
    has_fp4: bool = fact(False, "it multiplies FP4 natively")
    interconnect: str | None = fact("nvlink", "how accelerators reach each other")


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """What will be asked of the model."""

    input_tokens: int = fact(1000, "prompt tokens of a typical request")
    output_tokens: int = fact(300, "generated tokens of a typical request")
    context_tokens: int = fact(8192, "longest context to be served, tokens")
    concurrency: int = fact(8, "requests in flight at once")
    task: Task = fact("general", "what the model is used for")
    precision_critical: bool = fact(False, "quality matters more than memory and speed")
    multi_turn: bool = fact(False, "conversations go on over several turns")
    may_calibrate: bool = fact(True, "calibration data may be used")
    quality_validated: bool = fact(False, "low-bit quality was validated on the user's own task")
    fine_tunes: bool = fact(False, "the model will be fine-tuned on the same hardware before it is served")
    objective: Objective = fact("tree", "what to optimise; tree = the articles' order")


@dataclass(frozen=True, slots=True)
class ToolFacts:
    """What the quantizers and engines at their pinned versions can do for this model (from the support tables)."""

    awq_quantizes_this: bool = fact(True, "the AWQ tool quantizes this architecture")
    gptq_quantizes_this: bool = fact(True, "the GPTQ tool quantizes this architecture")
    engine_version: str | None = fact(None, "version of the engine, where one is fixed")
    runtime: EngineId | None = fact(None, "engine the user insists on")


@dataclass(frozen=True, slots=True)
class DecidedFacts:
    """What earlier decisions concluded, in the order of the book."""

    width: Width | None = fact(None, "bits of a weight the tree chose")
    format: FormatId | None = fact(None, "scheme chosen inside that width")
    engine: EngineId | None = fact(None, "engine chosen to serve it")
    tool: Tool | None = fact(None, "tool that makes the checkpoint; none where it is ready-made")
    fits_one_gpu: bool | None = fact(None, "the chosen format fits a single accelerator with its cache")
    fewest_are_fast_enough: bool | None = fact(None, "the fewest accelerators that hold it meet the latency targets")
    offloaded: bool | None = fact(None, "llama.cpp keeps part of the chosen model in host memory")
    trouble: Trouble = fact("none", "why the choice before this one was given up")


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a rule may read. One attribute a group: `workload.context_tokens >= 32768`."""

    model: ModelFacts = ModelFacts()
    hardware: HardwareFacts = HardwareFacts()
    gpu: GpuFacts = GpuFacts()
    workload: WorkloadFacts = WorkloadFacts()
    tools: ToolFacts = ToolFacts()
    decided: DecidedFacts = DecidedFacts()
