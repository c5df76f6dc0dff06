"""What vLLM takes where it is told nothing: steps by the size of the GPU, blocks on a CPU by the kind of cache."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.hardware.resolving import resolve_hardware
from planner.memory.constants import version_constants
from planner.memory.kv_cache import kv_cache
from planner.memory.situation import Situation
from planner.memory.vllm import server_limits
from planner.memory.vllm_cpu import block_tokens
from planner.memory.weights import NOTHING
from planner.models.catalogue import find
from planner.schemes import scheme


def situation(model: str = "llama-3.1-8b", gpu: str = "H100-80GB") -> Situation:
    found, hardware = find(model), resolve_hardware(f"1x{gpu}")
    assert found is not None and hardware.accelerator is not None
    return Situation(
        shape=found.shape, scheme=scheme("bf16"), weights=NOTHING, kv=kv_cache(found.shape, "16-bit"),
        physical_gib=hardware.accelerator.memory_gib, context_tokens=8192, concurrency=1,
        accelerator=hardware.accelerator,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "version", "sequences", "tokens"),
    [
        ("L40S", "0.32", 256, 2048),
        ("A100-80GB", "0.32", 256, 2048),
        ("H100-80GB", "0.32", 1024, 8192),
        ("H200-141GB", "0.32", 1024, 8192),
        ("B200-180GB", "0.32", 1024, 16384),
        ("B200-180GB", "0.22", 1024, 8192),
    ],
)
def test_defaults_are_those_of_get_batch_defaults(gpu, version, sequences, tokens):
    """vllm/engine/arg_utils.py at 0.32; the largest step since vllm-project/vllm#51726."""
    started = replace(situation(gpu=gpu), engine_version=version)
    limits = server_limits(started, version_constants("vllm", version))

    assert (limits.sequences, limits.batched_tokens) == (sequences, tokens)


def test_a_latent_lies_in_small_blocks_on_a_cpu():
    """vLLM 0.32 on a CPU: 128 tokens a block, 16 for MLA (benchmarks/real/vllm_cpu.csv)."""
    assert block_tokens(situation()) == 128
    assert block_tokens(situation("deepseek-v2-lite")) == 16


def test_a_step_is_never_longer_than_all_requests_together():
    """vllm/engine/arg_utils.py: max_num_batched_tokens = min(max_num_seqs x max_model_len, the default)."""
    limited = replace(situation(), context_tokens=512, max_sequences=2, is_limited=True)
    assert server_limits(limited, version_constants("vllm", "0.22")).batched_tokens == 1024
    unlimited = replace(limited, is_limited=False)
    assert server_limits(unlimited, version_constants("vllm", "0.22")).batched_tokens > 1024
