"""llama.cpp's buffers, against what llama-server (llama-cpp-python 0.3.36, AVX2) printed for random weights."""

from __future__ import annotations

import pytest

from planner.hardware.hardware import Cpu, Hardware
from planner.memory import llama_cpp
from planner.memory.kv_cache import kv_cache
from planner.memory.situation import Situation
from planner.memory.weights import weight_bytes
from planner.models.catalogue import find
from planner.schemes import scheme
from tests.memory.test_sizing import sized

WEIGHTS = ("weights", "scales and zeros", "16-bit remainder")


def cpu(memory_gib: float) -> Hardware:
    return Hardware("cpu", cpu=Cpu("host", 16, memory_gib))


# model, format, context of a slot, slots, micro-batch, flash attention; printed MiB: mapped, repacked, KV, compute
PRINTED = [
    ("random-45m", "gguf-q4_k_m", 1024, 4, 512, True, 43.44, 29.00, 40.00, 19.01),
    ("random-45m", "gguf-q4_k_m", 8192, 1, 512, False, 43.44, 29.00, 80.00, 216.51),
    ("random-45m", "gguf-q4_k_m", 8192, 1, 256, True, 43.44, 29.00, 80.00, 13.01),
    ("random-45m", "gguf-q4_k_m", 512, 2, 512, True, 43.44, 29.00, 10.00, 18.51),
    ("random-160m", "gguf-bf16", 1024, 4, 512, True, 442.11, 0.00, 112.00, 30.01),
    ("random-160m", "gguf-bf16", 8192, 1, 512, False, 442.11, 0.00, 224.00, 284.01),
    ("random-500m", "gguf-q4_k_m", 1024, 4, 512, True, 368.52, 246.80, 144.00, 43.01),
    ("random-500m", "gguf-q8_0", 250, 8, 512, True, 644.89, 0.00, 72.00, 42.26),
    ("random-8-experts", "gguf-q4_k_m", 1024, 4, 512, True, 19.16, 14.41, 10.00, 9.01),
    ("random-8-experts", "gguf-q4_k_m", 8192, 1, 512, True, 19.16, 14.41, 20.00, 16.01),
    ("random-4-experts", "gguf-q4_k_m", 1024, 4, 512, True, 14.14, 10.55, 72.00, 7.01),
    ("random-odd-rows", "gguf-q4_k_m", 1024, 4, 512, True, 10.33, 0.95, 25.50, 7.76),
    ("random-33-layers", "gguf-q4_k_m", 1024, 4, 512, True, 16.48, 12.69, 132.00, 7.51),
    ("two-layers-of-8b", "gguf-bf16", 1024, 4, 512, True, 896.08, 0.00, 32.00, 117.01),
]


@pytest.mark.parametrize(
    ("model", "format_id", "context", "slots", "micro_batch", "flash", "mapped", "repacked", "cache", "compute"),
    PRINTED,
)
def test_buffers_are_those_the_server_prints(
    shape_of, model, format_id, context, slots, micro_batch, flash, mapped, repacked, cache, compute
):
    shape, chosen = shape_of(model), scheme(format_id)
    situation = Situation(
        shape=shape,
        scheme=chosen,
        weights=weight_bytes(shape, chosen),
        kv=kv_cache(shape, "16-bit", 1, "llama.cpp"),
        physical_gib=16,
        context_tokens=context,
        concurrency=slots,
        batched_tokens=micro_batch,
        flash_attention=flash,
        engine_version="0.3.36",
        instruction_sets=("avx2",),
    )
    account = llama_cpp.account(situation)
    mib = {}
    for term in account.terms:
        mib[term.label] = mib.get(term.label, 0) + term.predicted_gib * 1024
    file_mib = sum(mib.get(label, 0) for label in ("weights", "scales and zeros", "16-bit remainder"))
    kv_mib = slots * account.layout.sequence_bytes(context) / 2**20
    assert file_mib == pytest.approx(mapped, abs=0.02)
    assert mib.get("repacked copy", 0) == pytest.approx(repacked, abs=0.02)
    assert kv_mib == pytest.approx(cache, abs=0.005)
    assert mib["compute buffer"] == pytest.approx(compute, abs=0.02)


def test_a_cpu_without_known_instruction_sets_is_taken_to_have_avx2():
    assert llama_cpp.repacked_types(()) == llama_cpp.repacked_types(("avx2", "fma"))


def test_arm_repacks_more_types():
    assert "Q6_K" in llama_cpp.repacked_types(("neon", "asimddp"))


def test_without_room_for_a_second_copy_none_is_kept():
    """70B in Q4_K_M is 42.5 GB; of 64 GB a copy of most of it beside the file leaves nothing for a cache."""
    shape = find("llama-3.1-70b").shape
    tight, roomy = (sized(shape, cpu(gib), "gguf-q4_k_m", engine="llama.cpp") for gib in (59.6, 119.2))
    assert tight.fits and tight.arguments == ("--no-repack",) and not tight.gib("repacked copy")
    assert roomy.fits and not roomy.arguments and roomy.gib("repacked copy") > 30
    assert tight.gib(*WEIGHTS) * 2**30 / 1e9 == pytest.approx(42.5, abs=0.1)


def test_what_fits_neither_way_is_refused_for_the_smaller_need():
    memory = sized(find("llama-3.1-70b").shape, cpu(29.8), "gguf-q4_k_m", engine="llama.cpp")
    assert not memory.fits and memory.used_gib < 50
