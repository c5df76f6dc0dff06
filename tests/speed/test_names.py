"""What tables mean by their cells: engines, formats, GPUs, models and lengths as published tables spell them."""

from __future__ import annotations

import pytest

from planner.speed.batch.architectures import Architectures
from planner.speed.batch.names import (
    accelerator_named,
    engine_named,
    format_named,
    kernel_named,
    model_alias,
    tokens_named,
)


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        ("h100_sxm", "H100-80GB-SXM"),
        ("b300_sxm", "B300-270GB-SXM"),
        ("gb300", "GB300-278GB"),
        ("AMD Instinct MI325X 256GB HBM3E (x16), AMD Instinct MI300X 192GB HBM3 (x8)", "MI325X"),
        ("Intel 265K Custom PC (Nvidia RTX 3080 Ti)", "RTX-3080-Ti"),
        ("M1 Max 32‑Core GPU 64GB", "M1-Max-64GB"),
        ("3090 24GB", "RTX-3090"),
        ("A100-PCIe-80GB", "A100-80GB-PCIe"),
        ("H20-96GB", "H20-96GB-SXM"),
    ],
)
def test_gpus_as_tables_spell_them(cell: str, name: str) -> None:
    found = accelerator_named(cell)
    assert found is not None and found.name == name


@pytest.mark.parametrize("cell", ["", "???", "CPU INTEL(R) XEON(R) 6787P", "M1 Ultra (48 GPU Core) 64GB", "A"])
def test_no_gpu_is_guessed(cell: str) -> None:
    assert accelerator_named(cell) is None


@pytest.mark.parametrize(
    ("cell", "engine", "vintage"),
    [
        ("trtllm", "tensorrt-llm", "2026"),
        ("trtllm 1.0.0rc3", "tensorrt-llm", "2025-summer"),
        ("TensorRT-LLM v0.9.0 (static batch)", "tensorrt-llm", "2024"),
        ("vLLM (0.4.3)", "vllm", "2024-spring"),
        ("vLLM 0.22.1", "vllm", "2026"),
        ("Ollama/llama.cpp", "llama.cpp", "2026"),
        ("HF Transformers 4.51.3", "transformers", "2025-summer"),
    ],
)
def test_engines_with_the_year_of_their_kernels(cell: str, engine: str, vintage: str) -> None:
    found = engine_named(cell)
    assert found is not None and (found.id, found.vintage) == (engine, vintage)


@pytest.mark.parametrize(
    ("cell", "table", "vintage"),
    [
        ("vllm", "premAI-io/benchmarks README.md", "2023"),
        ("vllm", "a page of this year", "2026"),
        ("vLLM (0.6.3)", "premAI-io/benchmarks README.md", "2024"),
        ("llama.cpp (May 2024) llama-bench", "XiongjieDai/GPU-Benchmarks-on-LLM-Inference README.md", "2024"),
    ],
)
def test_a_table_dates_an_engine_that_its_cells_do_not(cell: str, table: str, vintage: str) -> None:
    found = engine_named(cell, table)
    assert found is not None and found.vintage == vintage


@pytest.mark.parametrize(
    ("cell", "format_id"),
    [
        ("", "bf16"), ("fp8", "fp8"), ("fp4", "nvfp4"), ("int4_awq", "awq-int4"), ("GPTQ 4-bit g128", "gptq-int4"),
        ("GPTQ-Int8", "int8-weight-only"), ("GGUF Q4_K_M", "gguf-q4_k_m"), ("int8 SmoothQuant", "int8-w8a8"),
        ("EXL2 4.0 bpw", "gptq-int4"), ("w4a8-awq (int4/fp8)", "w4a8"),
    ],
)  # fmt: skip
def test_formats_as_tables_spell_them(cell: str, format_id: str) -> None:
    found = format_named(cell)
    assert found is not None and found.id == format_id


def test_without_the_arithmetic_the_weight_only_kernel_runs() -> None:
    engine, fp8, a100, h100 = (
        engine_named("vllm"),
        format_named("fp8"),
        accelerator_named("A100"),
        accelerator_named("H100"),
    )
    assert engine and fp8 and a100 and h100
    assert kernel_named(engine, fp8, h100) == "fp8-w8a8"
    assert kernel_named(engine, fp8, a100) == "marlin-fp8"


@pytest.mark.parametrize(
    ("name", "params_b", "guessed"),
    [
        ("deepseek-ai/DeepSeek-V3", 671, False),
        ("nvidia/DeepSeek-V3.1-NVFP4", 671, False),
        ("moonshotai/Kimi-K2.5", 1027, False),
        ("nvidia/Llama-3.1-70B-Instruct-FP8", 70.6, False),
        ("somebody/Novel-33B-Chat", 33, True),
        ("somebody/Novel-235B-A22B", 235, True),
    ],
)
def test_models_by_name_and_by_the_size_in_it(name: str, params_b: float, guessed: bool) -> None:
    known = Architectures().find(name)
    assert known is not None and known.guessed == guessed
    assert known.shape.params_b == pytest.approx(params_b, rel=0.02)


def test_a_guessed_mixture_is_one_of_experts() -> None:
    known = Architectures().find("somebody/Novel-235B-A22B")
    assert known is not None and known.shape.is_moe


def test_no_size_no_model() -> None:
    assert Architectures().find("somebody/Novel") is None
    assert model_alias("somebody/Novel") is None


@pytest.mark.parametrize(("cell", "tokens"), [("128", 128), ("OpenOrca <=1024", 294), ("", 7), ("short", 5), ("x", 7)])
def test_lengths_by_number_or_dataset(cell: str, tokens: int) -> None:
    assert tokens_named(cell, 7) == tokens
