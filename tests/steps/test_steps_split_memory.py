"""What a launch reports of a server that holds part of its model on a GPU and part on the host."""

from __future__ import annotations

import pytest

from executor.engines.llama_cpp import LlamaCppServer
from executor.steps.launch import is_host, memory_summary
from planner.units import GIB, MIB

# Lines as llama.cpp prints them; sizes of Qwen2.5-14B Q4_K_M with 24 of 49 layers on one GPU.
SPLIT_LOG = """
load_tensors:   CPU_Mapped model buffer size =  4335.40 MiB
load_tensors:        CUDA0 model buffer size =  4230.97 MiB
llama_context:  CUDA_Host  output buffer size =     0.58 MiB
llama_kv_cache:        CPU KV buffer size =   400.00 MiB
llama_kv_cache:      CUDA0 KV buffer size =   368.00 MiB
sched_reserve:      CUDA0 compute buffer size =   208.00 MiB
sched_reserve:  CUDA_Host compute buffer size =    24.01 MiB
"""
TWO_GPUS_LOG = """
load_tensors:   CPU_Mapped model buffer size =   563.65 MiB
load_tensors:        CUDA0 model buffer size = 18764.46 MiB
load_tensors:        CUDA1 model buffer size = 19142.56 MiB
"""


def summary(log):
    return memory_summary(LlamaCppServer().buffers(log))


def test_gpu_and_host_are_told_apart():
    memory = summary(SPLIT_LOG)
    mib = {name: memory[name] * GIB / MIB for name in memory if name.endswith("_gib") and memory[name] is not None}
    assert mib["weights_gib"] == pytest.approx(4230.97) and mib["host_weights_gib"] == pytest.approx(4335.40)
    assert mib["kv_cache_gib"] == pytest.approx(368) and mib["host_kv_cache_gib"] == pytest.approx(400)
    assert mib["compute_buffer_gib"] == pytest.approx(208) and mib["host_compute_buffer_gib"] == pytest.approx(24.01)


def test_of_several_gpus_it_is_the_fullest():
    assert summary(TWO_GPUS_LOG)["weights_gib"] == pytest.approx(19142.56 * MIB / GIB)


def test_a_cpu_alone_has_no_other_side():
    memory = summary("load_tensors:   CPU_Mapped model buffer size =   443.00 MiB")
    assert memory["weights_gib"] == pytest.approx(443 * MIB / GIB) and memory["host_weights_gib"] is None


@pytest.mark.parametrize(("place", "host"), [("CPU", True), ("CPU_Mapped", True), ("CUDA_Host", True), ("CUDA0", False),
                                             ("Vulkan0", False), ("Metal", False)])  # fmt: skip
def test_pinned_memory_is_the_hosts(place, host):
    assert is_host(place) is host
