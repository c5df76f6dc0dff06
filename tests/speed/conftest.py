"""Models, machines and the door, so that a test reads as one sentence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from planner.hardware.hardware import Cpu, Hardware
from planner.hardware.resolving import resolve_hardware
from planner.memory.weights import weight_bytes
from planner.models.resolving import resolve_model
from planner.models.shape import Shape
from planner.request import Workload
from planner.schemes import scheme
from planner.speed.predicting import Speed, predict_crossover, predict_speed
from rules.vocabulary import EngineId

Predict = Callable[..., Speed]


def kv_bytes(shape: Shape, tensor_parallel: int) -> float:
    return sum(2 * 2 * g.count * max(1, g.kv_heads / tensor_parallel) * g.head_dim for g in shape.attention)


@pytest.fixture
def predict() -> Predict:
    """predict("llama-3.1-8b", "1xH100-80GB", "bf16", concurrency=4, ...) through the real door."""

    def door(
        model: str,
        hardware: str | Hardware,
        format_id: str,
        *,
        engine: EngineId = "vllm",
        tensor_parallel: int = 1,
        concurrency: int = 1,
        input_tokens: int = 128,
        output_tokens: int = 256,
    ) -> Speed:
        shape, wanted = resolve_model(model).shape, scheme(format_id)
        return predict_speed(
            shape,
            resolve_hardware(hardware) if isinstance(hardware, str) else hardware,
            wanted,
            engine=engine,
            tensor_parallel=tensor_parallel,
            kv_format="16-bit",
            weight_bytes_per_gpu=weight_bytes(shape, wanted, None, tensor_parallel).total,
            kv_bytes_per_token=kv_bytes(shape, tensor_parallel),
            workload=Workload(input_tokens=input_tokens, output_tokens=output_tokens, concurrency=concurrency),
        )

    return door


@pytest.fixture
def crossover() -> Callable[..., int | None]:
    """crossover("llama-3.1-8b", "1xH100-80GB", "awq-int4"): the batch from which 4 bits are no faster than 16."""

    def door(model: str, hardware: str, format_id: str, *, engine: EngineId = "vllm") -> int | None:
        shape, wanted = resolve_model(model).shape, scheme(format_id)
        return predict_crossover(
            shape,
            resolve_hardware(hardware),
            wanted,
            engine=engine,
            tensor_parallel=1,
            weight_bytes_per_gpu=weight_bytes(shape, wanted, None, 1).total,
            kv_bytes_per_token=kv_bytes(shape, 1),
            workload=Workload(input_tokens=128, output_tokens=256),
        )

    return door


@pytest.fixture
def measured_cpu() -> Hardware:
    """The machine the CPU constants were measured on."""
    simd = ("avx", "avx2", "fma", "f16c")
    cpu = Cpu("AMD EPYC", 2, 23.5, instruction_sets=simd, bandwidth_gb_s=40.4, matmul_gflops=191.5)
    return Hardware("here", cpu=cpu)
