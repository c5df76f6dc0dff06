"""Which layer lies where, against start-up logs that others published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from planner.hardware.hardware import Cpu
from planner.hardware.resolving import resolve_hardware
from planner.memory.batch import predict_start
from planner.memory.cases import case_from_row
from planner.memory.gguf_mix import gguf_file
from planner.memory.kv_cache import kv_cache
from planner.memory.layer_kinds import layers_by_kind
from planner.memory.llama_fitting import Question, fullest_gpu, largest_split
from planner.memory.llama_split import HOST, LayerSplit, bytes_by_device, cache_on
from planner.models.catalogue import find
from planner.request import Workload
from planner.schemes import scheme
from planner.units import MIB


def mib_by_device(name, file_type, split):
    shape = find(name).shape
    return {device: size / MIB for device, size in bytes_by_device(gguf_file(shape, file_type), shape, split).items()}


def test_two_gpus_hold_what_a_70b_log_prints():
    # RPC 19142.56, CUDA0 18764.46, CPU 563.65 MiB: Llama-3.1-70B Q4_K_S, 81/81 layers (llama.cpp log, September 2024)
    held = mib_by_device("llama-3.1-70b", "Q4_K_S", LayerSplit(81, gpu_shares=(1, 1)))
    assert held == pytest.approx({0: 19142.56, 1: 18764.46, HOST: 563.65}, abs=0.1)


def test_a_q4_0_file_and_its_first_cache_lie_as_another_log_says():
    # RPC 18821.56, CUDA0 18725.42, first device KV 656.00 MiB at 4,096 tokens (llama.cpp RPC log, August 2025)
    split = LayerSplit(81, gpu_shares=(1, 1))
    assert mib_by_device("llama-3.1-70b", "Q4_0", split) == pytest.approx(
        {0: 18821.56, 1: 18725.42, HOST: 563.62}, abs=0.1
    )
    shape = find("llama-3.1-70b").shape
    cache = cache_on(0, kv_cache(shape, "16-bit", 1, "llama.cpp"), shape, split)
    assert cache.sequence_bytes(4096) / MIB == pytest.approx(656.00)


def test_caches_of_a_mixture_on_two_gpus():
    # KV 1600 + 1472 MiB at 32,768 tokens: Qwen3-30B-A3B on two Turing cards (ik_llama.cpp log, May 2025)
    shape, split = find("qwen3-30b-a3b").shape, LayerSplit(49, gpu_shares=(1, 1))
    whole = kv_cache(shape, "16-bit", 1, "llama.cpp")
    parts = [cache_on(gpu, whole, shape, split).sequence_bytes(32768) / MIB for gpu in (0, 1)]
    assert parts == pytest.approx([1600, 1472])


def test_a_whole_model_leaves_only_its_embeddings_on_the_host():
    # Vulkan log of August 2025: 4155.99 on the GPU, 281.81 on the host, 33/33 layers of Llama-3.1-8B Q4_0
    held = mib_by_device("llama-3.1-8b", "Q4_0", LayerSplit(33))
    assert held == pytest.approx({0: 4155.99, HOST: 281.81}, abs=0.1)


def test_the_output_layer_goes_first_since_december_2025_and_went_last_before():
    assert LayerSplit(1).devices(4) == (HOST, HOST, HOST, HOST, 0)
    assert LayerSplit(1, output_first=False).devices(4) == (HOST, HOST, HOST, 0, HOST)
    assert LayerSplit(5, output_first=False).devices(4) == LayerSplit(5).devices(4) == (0, 0, 0, 0, 0)
    assert LayerSplit(0).devices(4) == (HOST,) * 5


def test_experts_of_the_first_layers_stay_on_the_host():
    shape = find("qwen3-30b-a3b").shape
    whole, split = LayerSplit(49), LayerSplit(49, cpu_expert_layers=10)
    tensors = gguf_file(shape, "Q4_K_M")
    moved = bytes_by_device(tensors, shape, split)[HOST] - bytes_by_device(tensors, shape, whole)[HOST]
    experts = [t.bytes for t in tensors if "_exps" in t.name and int(t.name.split(".")[1]) < 10]
    assert moved == sum(experts) and len(experts) == 30


def test_layers_that_remember_everything_end_each_period():
    # Gemma 3: every sixth layer; Qwen3-Next: every fourth (their config.json: layer_types)
    gemma = find("gemma-3-12b").shape
    cached, _ = layers_by_kind(gemma)
    full = next(which for which, group in zip(cached, gemma.attention, strict=True) if group.window_tokens is None)
    assert sorted(full) == [5, 11, 17, 23, 29, 35, 41, 47]
    cached, _ = layers_by_kind(find("qwen3-next-80b-a3b").shape)
    assert sorted(cached[0])[:3] == [3, 7, 11]


def fitted(model, hardware, host_gib, format_id="gguf-q4_k_m"):
    machine = resolve_hardware(hardware)
    host = replace(machine, cpu=Cpu("declared", 0, host_gib))
    load = Workload(concurrency=1)
    return largest_split(Question(find(model), host, scheme(format_id), "0.3.36", machine.count, "16-bit", load))


def test_the_largest_split_fits_and_one_layer_more_would_not():
    found = fitted("llama-3.1-70b", "1xRTX-4090", 64)
    layer_gib = found.gpu.gib("weights") / found.split.gpu_layers
    assert found.fits and 38 <= found.split.gpu_layers <= 44
    assert found.gpu.free_gib < 1.5 * layer_gib


def test_a_mixture_keeps_whole_attention_on_the_gpu():
    found = fitted("qwen3-30b-a3b", "1xRTX-4060-Ti-16GB", 64)
    assert found.split.gpu_layers == 49 and 0 < found.split.cpu_expert_layers < 48
    assert found.host.gib("KV cache") == 0


@pytest.mark.parametrize("host_gib", [8, 16])
def test_a_host_too_small_is_no_way_out(host_gib):
    assert fitted("llama-3.1-70b", "1xRTX-4060-Ti-16GB", host_gib) is None


def test_memory_shared_with_the_host_has_no_other_side():
    assert fitted("llama-3.1-70b", "1xGB10", 128) is None


# VRAM in use by -ngl, MiB: Qwen2.5-Coder-14B Q4_K_M on an RTX 5060 Ti (inventivehq.com, "The VRAM Cliff", 2026). Eight
# layers are 1,348, 1,366, 1,366 and 1,352 MiB there, weights and 4,096 tokens of cache together.
VRAM_MIB = {8: 2161, 16: 3509, 24: 4875, 32: 6241, 40: 7593, 49: 9179}


def started_with(layers):
    row = {
        "id": "a",
        "engine": "llama.cpp",
        "engine_version": "0.3.36",
        "config_id": "Qwen/Qwen2.5-14B",
        "quantization": "gguf Q4_K_M",
        "llamacpp_ngl": f"{layers}/49",
        "llamacpp_n_ctx": "4096",
    }
    return predict_start(case_from_row(row), {"Qwen/Qwen2.5-14B": find("qwen2.5-14b").shape})


def gpu_mib(start):
    context_mib = 0.24 * 1024
    on_gpu = start.weights_gib + start.compute_buffer_gib + start.kv_gib - (start.host_kv_gib or 0)
    return on_gpu * 1024 + context_mib


@pytest.mark.parametrize("layers", VRAM_MIB)
def test_a_gpu_with_part_of_the_layers_fills_as_a_published_sweep_shows(layers):
    assert gpu_mib(started_with(layers)) == pytest.approx(VRAM_MIB[layers], rel=0.09)


def test_each_eight_layers_more_take_what_the_sweep_shows():
    steps = [gpu_mib(started_with(n + 8)) - gpu_mib(started_with(n)) for n in (8, 16, 24, 32)]
    assert steps == pytest.approx([1348, 1366, 1366, 1352], rel=0.005)


def test_both_sides_of_a_start_hold_the_model_together():
    part, whole = started_with(24), started_with(49)
    heads = whole.weights_gib + find("qwen2.5-14b").shape.vocab_size * 5120 * 0.5625 / 2**30
    assert part.weights_gib + part.host_weights_gib == pytest.approx(heads, rel=1e-6)
    assert part.kv_gib == pytest.approx(whole.kv_gib) and whole.host_weights_gib is None
    assert part.host_kv_gib == pytest.approx(part.kv_gib * 25 / 48)


def test_several_gpus_that_hold_a_model_are_sized_by_the_fullest():
    # Q4_K_S: 19142.56 and 18764.46 MiB on two cards (llama.cpp log, September 2024), where half is 18953.5
    asked = Question(
        find("llama-3.1-70b"), resolve_hardware("2xRTX-4090"), scheme("gguf-q4_k_m"), "0.3.36", 2, "16-bit", Workload()
    )
    held = fullest_gpu(asked)
    shape = find("llama-3.1-70b").shape
    sizes = bytes_by_device(gguf_file(shape, "Q4_K_M"), shape, asked.whole)
    weights = sum(held.gib(label) for label in ("weights", "scales and zeros", "16-bit remainder"))
    assert weights * 2**30 == pytest.approx(max(sizes[0], sizes[1]), rel=1e-6)
    assert max(sizes[0], sizes[1]) > 1.002 * (sizes[0] + sizes[1]) / 2


def test_a_delta_nets_inputs_are_two_tensors_of_its_own_layers():
    # conversion/qwen.py splits in_proj_qkvz; a Vulkan log of Qwen3.6-27B Q5_K_M prints 17761.91 MiB on the GPU
    shape = find("qwen3.5-27b").shape
    tensors = gguf_file(shape, "Q5_K_M")
    mixed = [tensor for tensor in tensors if tensor.name.endswith("attn_qkv.weight")]
    assert [tensor.name.split(".")[1] for tensor in mixed[:4]] == ["0", "1", "2", "4"]
    assert {tensor.type for tensor in mixed} == {"Q5_K", "Q6_K"}
    on_gpu = bytes_by_device(tensors, shape, LayerSplit(65))[0]
    assert on_gpu / MIB == pytest.approx(17761.91, rel=0.016)
