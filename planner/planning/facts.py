"""From the resolved model, hardware and request to the facts the rules read."""

from __future__ import annotations

from planner.hardware.hardware import Accelerator, Hardware
from planner.models.model import Model
from planner.models.shape import Shape
from planner.request import Request
from planner.support import engines, tool_quantizes
from planner.units import GIB
from rules.vocabulary import Attention, Facts, GpuFacts, HardwareFacts, ModelFacts, ToolFacts, WorkloadFacts

BYTES_PER_16BIT_WEIGHT = 2


def weights_16bit_gib(shape: Shape) -> float:
    """Size of the model at 16 bits a weight: what the articles call model size."""
    return shape.parameters * BYTES_PER_16BIT_WEIGHT / GIB


def gather_facts(model: Model, hardware: Hardware, request: Request) -> Facts:
    """Everything a rule may read about this question. `decided` is filled in later, decision by decision."""
    return Facts(
        model=_model_facts(model),
        hardware=_hardware_facts(model, hardware),
        gpu=_gpu_facts(hardware.accelerator),
        workload=_workload_facts(request),
        tools=_tool_facts(model, request),
    )


def _model_facts(model: Model) -> ModelFacts:
    shape = model.shape
    return ModelFacts(
        params_b=round(shape.params_b, 3),
        weights_16bit_gib=round(weights_16bit_gib(shape), 3),
        family=shape.family,
        is_moe=shape.is_moe,
        attention=_attention(shape),
        max_context_tokens=shape.max_context_tokens,
        stored_format=model.stored_format,
        needs_remote_code=model.needs_remote_code,
        is_chat=model.is_chat,
        publishes_awq="awq-int4" in model.published_formats,
        publishes_gptq="gptq-int4" in model.published_formats,
        publishes_fp8="fp8" in model.published_formats,
    )


def _attention(shape: Shape) -> Attention:
    if shape.recurrent:
        return "hybrid" if shape.attention else "none"
    if not shape.attention:
        return "none"
    widest = max(shape.attention, key=lambda layers: layers.count)
    if widest.kind == "mla":
        return "mla"
    if widest.kv_heads == widest.query_heads:
        return "mha"
    return "mqa" if widest.kv_heads == 1 else "gqa"


def _hardware_facts(model: Model, hardware: Hardware) -> HardwareFacts:
    """Usable memory is the engine's default share of what the driver reports (vLLM on GPUs, llama.cpp on a CPU)."""
    on_gpu = hardware.accelerator is not None
    usable = engines()["vllm" if on_gpu else "llama.cpp"].usable_memory
    ratio = hardware.memory_gib * usable / weights_16bit_gib(model.shape)
    return HardwareFacts(
        kind="gpu" if on_gpu else "cpu",
        gpu_count=hardware.count,
        memory_ratio=round(ratio, 4),
        gpu_memory_ratio=round(ratio / max(hardware.count, 1), 4),
        host_memory_gib=hardware.cpu.memory_gib if hardware.cpu else None,
    )


def _gpu_facts(accelerator: Accelerator | None) -> GpuFacts:
    if accelerator is None:
        return GpuFacts(None, None, None, None, has_fp8=False, has_fp4=False, interconnect=None)
    return GpuFacts(
        vendor=accelerator.vendor,
        architecture=accelerator.architecture,
        compute_capability=accelerator.compute_capability,
        memory_gib=round(accelerator.memory_gib, 2),
        has_fp8=accelerator.fp8_tflops is not None,
        has_fp4=accelerator.fp4_tflops is not None,
        interconnect=accelerator.interconnect,
    )


def _workload_facts(request: Request) -> WorkloadFacts:
    workload = request.workload
    return WorkloadFacts(
        input_tokens=workload.input_tokens,
        output_tokens=workload.output_tokens,
        context_tokens=workload.served_context_tokens,
        concurrency=workload.concurrency,
        task=workload.task,
        precision_critical=workload.precision_critical,
        multi_turn=workload.multi_turn,
        may_calibrate=workload.may_calibrate,
        quality_validated=workload.quality_validated,
        fine_tunes=workload.fine_tunes,
        objective=request.objective,
    )


def _tool_facts(model: Model, request: Request) -> ToolFacts:
    return ToolFacts(
        awq_quantizes_this=tool_quantizes("awq", model.shape),
        gptq_quantizes_this=tool_quantizes("gptq", model.shape),
        engine_version=engines()[request.engine].version if request.engine else None,
        runtime=request.engine,
    )
