"""Plans for models that their accelerators do not hold whole."""

from __future__ import annotations

import pytest

from planner.asking import hardware_text, request_from
from planner.errors import BadInput
from planner.hardware.resolving import resolve_hardware
from planner.launching.rendering import render
from planner.plan import load_plan
from planner.planning import make_plan
from planner.request import Request
from planner.unfeasible import NoFeasiblePlan


def plan(model="qwen2.5-32b", hardware="1xRTX-4060-Ti-16GB", **options):
    return make_plan(request_from({"model": model, "hardware": hardware, "concurrency": 1, **options}))


@pytest.fixture(scope="module")
def split():
    return plan(host_memory_gib=64, host_bandwidth_gb_s=80)


def test_layers_that_do_not_fit_lie_in_host_memory(split):
    offload = split.chosen.memory.offload
    assert (split.chosen.format, split.chosen.engine, split.chosen.verdict) == ("gguf-q4_k_m", "llama.cpp", "chosen")
    assert 40 <= offload.gpu_layers <= 52 and offload.layers == 65  # 18.5 GiB of weights on a card of 15.7
    assert offload.free_gib > 0 and split.chosen.memory.free_gib >= 0


def test_the_server_is_told_the_layers(split):
    arguments = split.chosen.engine_arguments
    layers = str(split.chosen.memory.offload.gpu_layers)
    assert arguments[arguments.index("--n-gpu-layers") + 1] == layers
    assert f"--n-gpu-layers {layers}" in render(split, "shell", model="/m.gguf")["start.sh"]
    assert f"PARAMETER num_gpu {layers}" in render(split, "modelfile", model="/m.gguf")["Modelfile"]


def test_both_sides_are_predicted_and_hold_the_model_together(split):
    gpu, host = (split.chosen.predicted(name).value for name in ("weights_gib", "host_weights_gib"))
    embeddings_gib = 152064 * 5120 * 0.5625 / 2**30
    assert gpu + host == pytest.approx(split.chosen.memory.offload.weights_gib + embeddings_gib, rel=1e-4)
    assert split.chosen.predicted("host_kv_cache_gib").value > 0


def test_it_is_much_slower_than_whole_and_says_why(split):
    whole = plan(hardware="1xRTX-3090", format="gguf-q4_k_m").chosen
    assert split.chosen.predicted("tpot_ms").value > 3 * whole.predicted("tpot_ms").value
    assert any(warning.startswith("The GPUs do not hold this model whole") for warning in split.warnings)
    (fallback,) = [decision for decision in split.decisions if decision.decision == "fallback"]
    assert fallback.answered_by[0].rule == "too-large-at-4-then-gguf"


def test_what_fits_whole_comes_before_it(split):
    levels = {other.format: other for other in split.alternatives if other.engine == "llama.cpp"}
    assert levels["gguf-q2_k"].verdict == "avoided" and not levels["gguf-q2_k"].offloaded
    assert levels["gguf-q3_k_m"].offloaded.endswith("of 65 layers on the GPU, the others in host memory")


def test_a_model_that_fits_is_not_split():
    whole = plan(model="llama-3.1-8b", engine="llama.cpp", host_memory_gib=64)
    assert whole.chosen.memory.offload is None
    arguments = whole.chosen.engine_arguments
    assert arguments[arguments.index("--n-gpu-layers") + 1] == "all"
    assert not any(decision.decision == "fallback" for decision in whole.decisions)


def test_a_cpu_host_is_told_nothing_of_layers():
    assert "--n-gpu-layers" not in plan(model="llama-3.1-8b", hardware="cpu:64GB").chosen.engine_arguments


def test_a_mixture_leaves_experts_behind():
    chosen = plan(model="qwen3-30b-a3b", host_memory_gib=32).chosen
    arguments = chosen.engine_arguments
    assert arguments[arguments.index("--n-cpu-moe") + 1] == str(chosen.memory.offload.cpu_expert_layers)
    assert chosen.memory.offload.says == f"experts of {chosen.memory.offload.cpu_expert_layers} layers in host memory"


def test_a_split_plan_is_read_back_as_written(split, tmp_path):
    split.write(tmp_path / "plan.json")
    assert load_plan(tmp_path / "plan.json") == split


def test_without_the_hosts_memory_the_refusal_asks_for_it():
    with pytest.raises(NoFeasiblePlan) as refused:
        plan(model="llama-3.1-70b")
    assert (
        "say with --host-memory-gib what memory the host has: llama.cpp can keep part of the model there"
        in refused.value.fix
    )


def test_a_host_too_small_does_not_help():
    with pytest.raises(NoFeasiblePlan):
        plan(model="llama-3.1-70b", host_memory_gib=16)


def test_options_declare_the_host_beside_the_hardware():
    text = hardware_text("1xL4", {"host_memory_gib": 64.0, "host_bandwidth_gb_s": 80.0})
    assert text == "1xL4+host:64GiB:80GB/s"
    hardware = resolve_hardware(text)
    assert (hardware.label, hardware.cpu.memory_gib, hardware.cpu.bandwidth_gb_s) == (text, 64, 80)
    with pytest.raises(BadInput) as refused:
        hardware_text("1xL4", {"host_bandwidth_gb_s": 80.0})
    assert str(refused.value) == "--host-bandwidth-gb-s without --host-memory-gib\nTo fix: give the host's memory, too"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1xL4+64GB",
            "'64GB' is not the memory of a host\nTo fix: write 1xRTX-4090+host:64GB, or with its memory's bandwidth "
            "1xRTX-4090+host:64GB:80GB/s",
        ),
        (
            "cpu:64GB+host:64GB",
            "+host:64GB: a CPU host is one already\nTo fix: leave it out, or name accelerators: 1xRTX-4090+host:64GB",
        ),
        ("1xL4+host:0GB", "'host:0GB': a host has more than 0 and at most 1,048,576 GiB of memory"),
    ],
)
def test_a_host_that_cannot_be_is_refused(text, message):
    with pytest.raises(BadInput) as refused:
        resolve_hardware(text)
    assert str(refused.value) == message


def test_a_gpu_file_may_describe_its_host(tmp_path):
    path = tmp_path / "gpu.yaml"
    path.write_text(
        "name: Example-16GB\nvendor: nvidia\narchitecture: Ada\nmemory_gb: 16\nbandwidth_gb_s: 288\nfp16_tflops: 44\n"
        "compute_capability: 8.9\nsource: datasheet\nhost_memory_gib: 64\nhost_bandwidth_gb_s: 80\n"
    )
    hardware = resolve_hardware(f"2x{path}")
    assert hardware.count == 2 and (hardware.cpu.memory_gib, hardware.cpu.bandwidth_gb_s) == (64, 80)
    assert plan(hardware=str(path)).chosen.memory.offload is not None


def test_a_host_too_small_for_a_second_copy_is_told_to_make_none() -> None:
    """70B in Q4_K_M on 64 GB: before, llama.cpp's repacked copy beside the mapped file was one too many."""
    found = make_plan(Request(model="llama-3.1-70b", hardware="cpu:64GB:16cores"))
    assert found.chosen.format == "gguf-q4_k_m" and found.chosen.engine_arguments[-1] == "--no-repack"
    assert any(note.startswith("--no-repack: the second copy of the weights") for note in found.notes)
    assert not any("--no-repack" in rung.says for rung in found.ladder), "it is so already"
    roomy = make_plan(Request(model="llama-3.1-70b", hardware="cpu:128GB:16cores"))
    assert "--no-repack" not in roomy.chosen.engine_arguments and not any("--no-repack" in n for n in roomy.notes)
