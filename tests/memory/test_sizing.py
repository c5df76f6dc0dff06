"""Does it fit, and how much fits: both directions, and the layouts that are impossible."""

from __future__ import annotations

import pytest

from planner.hardware.hardware import Accelerator, Cpu, Hardware
from planner.memory.sizing import layout_problem, size_memory
from planner.models.model import Model
from planner.plan import Memory
from planner.request import Workload
from planner.schemes import scheme


def gpu(name: str, memory_gib: float, count: int = 1, free_gib: float | None = None) -> Hardware:
    accelerator = Accelerator(name, "nvidia", "", 80, memory_gib, 2000, 300, "test", interconnect="nvlink")
    return Hardware(f"{count}x{name}", accelerator, count, free_memory_gib=free_gib)


H100 = gpu("H100-SXM", 79.19)
A100 = gpu("A100-80GB", 79.25)
HOST = Hardware("cpu:64GB", cpu=Cpu("host", 16, 59.6))


def sized(shape, hardware: Hardware = H100, format_id: str = "bf16", **changes) -> Memory:
    options = {
        "engine": "vllm", "engine_version": "0.22.1", "tensor_parallel": 1, "kv_format": "16-bit",
        "workload": Workload(),
    } | changes  # fmt: skip
    return size_memory(Model("m", shape, "catalogue", "test"), hardware, scheme(format_id), **options)


def test_70b_in_16_bits_does_not_fit_one_h100(shape_of):
    memory = sized(shape_of("llama-3.1-70b"))
    assert not memory.fits
    assert memory.free_gib < -60
    assert (memory.kv_tokens, memory.max_context_tokens, memory.max_concurrency) == (0, 0, 0)


def test_70b_in_awq_fits_one_a100_with_about_40_gb_of_weights(shape_of):
    memory = sized(shape_of("llama-3.1-70b"), A100, "awq-int4")
    weights_gb = sum(memory.gib(label) for label in ("weights", "scales and zeros", "16-bit remainder")) * 2**30 / 1e9
    assert memory.fits
    assert weights_gb == pytest.approx(40, rel=0.01)
    assert memory.kv_tokens > 100_000


def test_the_terms_and_the_free_rest_add_up_to_what_is_available(shape_of):
    formats = {
        "vllm": "fp8",
        "sglang": "bf16",
        "tensorrt-llm": "bf16",
        "transformers": "nf4",
        "llama.cpp": "gguf-q4_k_m",
    }
    for engine, format_id in formats.items():
        memory = sized(shape_of("llama-3.1-8b"), format_id=format_id, engine=engine)
        assert memory.used_gib + memory.free_gib == pytest.approx(memory.available_gib)
        assert memory.fits, engine


def test_backwards_agrees_with_forwards(shape_of):
    """As many users as fit do fit; one more does not. The longest context fits; one more block does not."""
    shape = shape_of("llama-3.1-8b")
    small = gpu("L4", 22.06)
    users = int(sized(shape, small, workload=Workload(concurrency=1, context_tokens=4096)).max_concurrency)
    assert sized(shape, small, workload=Workload(concurrency=users, context_tokens=4096)).fits
    assert not sized(shape, small, workload=Workload(concurrency=users + 1, context_tokens=4096)).fits
    longest = sized(shape, small, workload=Workload(concurrency=1)).max_context_tokens
    assert sized(shape, small, workload=Workload(concurrency=1, context_tokens=longest)).fits
    assert not sized(shape, small, workload=Workload(concurrency=1, context_tokens=longest + 16)).fits


def test_a_context_is_never_longer_than_the_model_was_made_for(shape_of):
    assert sized(shape_of("llama-3-8b")).max_context_tokens == 8192


def test_memory_that_others_hold_is_not_available(shape_of):
    busy = sized(shape_of("llama-3.1-8b"), gpu("H100-SXM", 79.19, free_gib=10.0))
    assert busy.available_gib < 10 and not busy.fits


def test_a_host_keeps_a_reserve_and_counts_the_repacked_copy(shape_of):
    memory = sized(shape_of("llama-3-8b"), HOST, "gguf-q4_k_m", engine="llama.cpp")
    assert memory.available_gib == 59.6
    assert memory.gib("reserve") == pytest.approx(5.96)
    assert 2 < memory.gib("repacked copy") < memory.gib("weights") + memory.gib("scales and zeros")
    assert memory.gib("KV cache") == 8 * 1536 * 131072 / 2**30  # 1300 tokens are 1536 cells


@pytest.mark.parametrize(
    ("model", "ranks", "problem"),
    [
        ("llama-3.1-70b", 8, None),
        ("llama-3.1-70b", 16, None),
        ("qwen2-7b", 8, "28 attention heads do not divide over 8 accelerators (possible: 1, 2, 4)"),
        ("qwen2.5-32b", 3, "40 attention heads do not divide over 3 accelerators (possible: 1, 2, 4, 8)"),
        ("llama-3.1-8b", 0, "tensor parallelism of 0 is no layout"),
    ],
)
def test_layouts(shape_of, model, ranks, problem):
    assert layout_problem(shape_of(model), ranks) == problem
